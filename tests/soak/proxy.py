# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A bad network: a TCP proxy in front of ovsdb-server. It can delay bytes, pass
them one at a time, pass none in one direction, and close or reset connections.

Like TCP, it never changes, drops or reorders bytes of a connection that stays
open.
"""

from __future__ import annotations

import enum
import random
from typing import Any, Final

from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.soak.waiting import until

HIGH_WATER: Final = 65536
"""
When more bytes than this wait here, the proxy stops reading. Then the kernel's
buffers fill, and ovsdb-server merges its updates.
"""


class Direction(enum.Enum):
    """
    The direction in which bytes go.
    """

    DOWN = "to the client"
    UP = "to the server"


class Proxy(Factory):
    """
    Listens on a port of 127.0.0.1, and forwards to a unix socket, or to another port there.

    @ivar port: the port.
    @ivar delay: seconds that bytes are delayed, at most.
    @ivar trickling: whether bytes go one at a time.
    @ivar silent: the direction in which no bytes go at present, or None.
    @ivar accepted: counts the connections.
    """

    noisy = False

    def __init__(self, reactor: Any, server: str | int, rng: random.Random) -> None:
        """
        @param server: the path of the unix socket, or the port.
        """
        self.reactor = reactor
        self.rng = rng
        self.endpoint: Any = (
            TCP4ClientEndpoint(reactor, "127.0.0.1", server)
            if isinstance(server, int)
            else UNIXClientEndpoint(reactor, server)
        )
        self.delay = 0.0
        self.trickling = False
        self.silent: Direction | None = None
        self.accepted = 0
        self.links: set[_Link] = set()
        self._cut: dict[Direction, int] = {}
        self._listening = reactor.listenTCP(0, self, interface="127.0.0.1")
        self.port: int = self._listening.getHost().port

    def buildProtocol(self, addr: Any) -> Protocol:
        """
        A client has connected.
        """
        self.accepted += 1
        link = _Link(self)
        self.links.add(link)
        return link.client

    def cutAfter(self, count: int, direction: Direction) -> None:
        """
        Count bytes from now on. When this many have passed, close the
        connection that the last of them went through.
        """
        self._cut[direction] = count

    def reset(self) -> None:
        """
        End all connections with RST.
        """
        for link in tuple(self.links):
            link.abort()

    def heal(self) -> None:
        """
        Be a good network again, and pass on all bytes that wait.
        """
        self.delay = 0.0
        self.trickling = False
        self.silent = None
        self._cut.clear()
        for link in tuple(self.links):
            link.silent = None
            link.pump()

    async def stop(self) -> None:
        """
        Close everything.
        """
        await self._listening.stopListening()
        self.reset()
        await until(self.reactor, lambda: not self.links)

    def allowed(self, count: int, direction: Direction) -> tuple[int, bool]:
        """
        @return: how many of these bytes may pass, and whether the connection
            must be closed after them.
        """
        left = self._cut.get(direction)
        if left is None or count < left:
            if left is not None:
                self._cut[direction] = left - count
            return count, False
        del self._cut[direction]
        return left, True


class _End(Protocol):
    """
    The proxy's end of one connection.
    """

    transport: Any

    def __init__(self, link: _Link) -> None:
        self.link = link
        self.pipe: _Pipe | None = None  # for what is received here
        self.gone = False

    def connectionMade(self) -> None:
        self.link.made(self)

    def dataReceived(self, data: bytes) -> None:
        assert self.pipe is not None
        self.pipe.receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone = True
        self.link.lost(self)


class _ServerEnds(Factory):
    """
    Gives an endpoint the protocol for the link's connection to the server.
    """

    noisy = False

    def __init__(self, link: _Link) -> None:
        self._link = link

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._link.server


class _Link:
    """
    A client's connection to the proxy, and the proxy's connection to the
    server that belongs to it.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.silent: Direction | None = None  # of this connection only
        self.client = _End(self)
        self.server = _End(self)

    def made(self, end: _End) -> None:
        """
        One of the two connections is made.
        """
        if end is self.client:
            end.transport.setTcpNoDelay(True)
            end.transport.pauseProducing()
            self.proxy.endpoint.connect(_ServerEnds(self)).addErrback(self._refused)
            return
        if self.client.gone:
            end.transport.abortConnection()
            return
        self.client.pipe = _Pipe(self, Direction.UP, self.client, self.server)
        self.server.pipe = _Pipe(self, Direction.DOWN, self.server, self.client)
        self.client.transport.resumeProducing()

    def lost(self, end: _End) -> None:
        """
        One of the two connections is lost.
        """
        if end.pipe is not None:
            end.pipe.pump()
        if self.client.gone and self.server.gone:
            self._forget()

    def abort(self) -> None:
        """
        End both connections with RST.
        """
        for end in (self.client, self.server):
            if end.transport is not None and not end.gone:
                end.transport.abortConnection()

    def pump(self) -> None:
        """
        Pass on what may be passed on now.
        """
        for end in (self.client, self.server):
            if end.pipe is not None:
                end.pipe.pump()

    def _refused(self, reason: Failure) -> None:
        self.server.gone = True
        if self.client.gone:
            self._forget()
        else:
            self.client.transport.abortConnection()

    def _forget(self) -> None:
        self.proxy.links.discard(self)
        for end in (self.client, self.server):
            if end.pipe is not None:
                end.pipe.close()


class _Pipe:
    """
    One direction of a link.
    """

    def __init__(self, link: _Link, direction: Direction, source: _End, sink: _End) -> None:
        self._link = link
        self._proxy = link.proxy
        self._direction = direction
        self._source = source
        self._sink = sink
        self._waiting = bytearray()
        self._timer: IDelayedCall | None = None
        self._cut = False

    def receive(self, data: bytes) -> None:
        """
        Bytes have come.
        """
        if not self._cut:
            self._waiting += data
            if len(self._waiting) > HIGH_WATER:
                self._source.transport.pauseProducing()
            self.pump()

    def close(self) -> None:
        """
        Both connections are lost.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pump(self) -> None:
        """
        Pass bytes on, at once or with the delay of a bad network.
        """
        proxy = self._proxy
        if self._sink.gone:
            # The reader is gone: end the other connection, too.
            self._waiting.clear()
            if not self._source.gone:
                self._source.transport.abortConnection()
        elif self._timer is None and not self._silent():
            if self._waiting and (proxy.trickling or proxy.delay):
                late = 0.0 if proxy.trickling else proxy.rng.uniform(0, proxy.delay)
                self._timer = proxy.reactor.callLater(late, self._late)
            elif self._waiting:
                self._pass(len(self._waiting))
            elif self._source.gone:
                self._sink.transport.loseConnection()

    def _silent(self) -> bool:
        return self._direction in (self._proxy.silent, self._link.silent)

    def _late(self) -> None:
        self._timer = None
        if not self._silent() and not self._sink.gone:
            self._pass(1 if self._proxy.trickling else len(self._waiting))
        self.pump()

    def _pass(self, count: int) -> None:
        count, cut = self._proxy.allowed(count, self._direction)
        self._sink.transport.write(bytes(self._waiting[:count]))
        del self._waiting[:count]
        if cut:
            self._cut = True
            self._waiting.clear()
            self._sink.transport.loseConnection()
            self._source.transport.loseConnection()
        elif not self._source.gone and len(self._waiting) <= HIGH_WATER:
            self._source.transport.resumeProducing()
