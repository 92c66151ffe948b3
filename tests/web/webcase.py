# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The web service on a clock and on transports in memory, over a switch in memory.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_ovsdb import OvsdbMonitorFactory
from twisted_ovsdb.testing import MemoryServer, connectedFactory
from twisted_ovsdb.web.service import WebService

HOST = IPv4Address("TCP", "192.0.2.7", 8080)


@implementer(IStreamServerEndpoint)
class MemoryEndpoint:
    """
    Listens to nothing; the test connects.
    """

    def __init__(self) -> None:
        self.factory: Factory | None = None
        self.reason: Exception | None = None

    def listen(self, factory: Any) -> Deferred[Any]:
        """
        See L{IStreamServerEndpoint}.
        """
        if self.reason is not None:
            raise self.reason
        self.factory = factory
        factory.doStart()
        return succeed(self)

    def getHost(self) -> IPv4Address:
        """
        See L{IListeningPort}.
        """
        return HOST

    def stopListening(self) -> None:
        """
        See L{IListeningPort}.
        """
        assert self.factory is not None
        self.factory.doStop()


class ClientTransport(StringTransport):
    """
    The transport of the server's side of a connection.

    @ivar aborted: whether the server has cut it off.
    """

    aborted = False

    def __init__(self) -> None:
        super().__init__(hostAddress=HOST)
        self.served: Protocol | None = None

    def abortConnection(self) -> None:
        """
        See L{ITCPTransport}.
        """
        self.aborted = True
        self.lose()

    def loseConnection(self) -> None:
        """
        See L{ITransport}.
        """
        super().loseConnection()
        self.lose()

    def lose(self) -> None:
        """
        The connection is lost.
        """
        served, self.served = self.served, None
        if served is not None:
            served.connectionLost(Failure(ConnectionError()))


@attrs.frozen
class Reply:
    """
    An answer of HTTP.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """
        The body as JSON.
        """
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """
        The body as text.
        """
        return self.body.decode()


def parsed(data: bytes) -> Reply:
    """
    Read an answer.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return Reply(int(first.split()[1]), headers, body)


def unchunked(body: bytes) -> bytes:
    """
    The chunks of a body, which may not be complete.
    """
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        found, body = found + rest[:length], rest[length + 2 :]
    return found


def configure(server: MemoryServer, wanted: int, applied: int) -> None:
    """
    A switch is configured, and ovs-vswitchd has applied so much of it.
    """
    row = {"next_cfg": wanted, "cur_cfg": applied}
    server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})


class WebTestCase(SynchronousTestCase):
    """
    A web service that shows a switch in memory, with two bridges and a VM.
    """

    token: str | None = None
    hosts: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.clock = self.server.clock
        self.endpoint = MemoryEndpoint()
        self.service = WebService(
            self.endpoint, self.hosts, self.token, clock=self.clock, now=self.clock.seconds
        )
        self.factory = self.makeFactory()
        self.service.monitored.append(self.factory)
        self.service.startService()
        self.addCleanup(self.stop)

    def makeFactory(self) -> OvsdbMonitorFactory:
        """
        A factory that is connected to the server.
        """
        return connectedFactory(
            self.server, self.service.watch, source="sw1", bridges=True, problemsAfter=30.0
        )

    def stop(self) -> None:
        """
        Everything ends, and no timer is left.
        """
        self.service.stopService()
        self.factory.stop()
        self.clock.advance(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def connect(self) -> ClientTransport:
        """
        A client connects.
        """
        assert self.endpoint.factory is not None
        transport = ClientTransport()
        served = self.endpoint.factory.buildProtocol(HOST)
        assert served is not None
        transport.served = served  # type: ignore[assignment]
        served.makeConnection(transport)
        return transport

    def send(self, transport: ClientTransport, data: bytes) -> None:
        """
        A client sends.
        """
        assert transport.served is not None
        transport.served.dataReceived(data)

    def request(
        self, path: str, method: str = "GET", host: str | None = "localhost:8080", **headers: str
    ) -> ClientTransport:
        """
        A client sends a request.
        """
        transport = self.connect()
        lines = [f"{method} {path} HTTP/1.1"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send(transport, "\r\n".join([*lines, "", ""]).encode())
        return transport

    def turn(self, times: int = 50) -> None:
        """
        The reactor turns.
        """
        for _ in range(times):
            self.clock.advance(0)

    def get(self, path: str, **options: Any) -> Reply:
        """
        The answer to a request.
        """
        transport = self.request(path, **options)
        self.turn()
        reply = parsed(transport.value())
        transport.lose()
        return reply
