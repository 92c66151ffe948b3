# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A network that misbehaves: a TCP proxy in front of ovsdb-server that delays,
trickles, cuts, goes silent in one direction, or resets.

It never alters, drops or reorders a byte of a stream that goes on: TCP does
not either.
"""

from __future__ import annotations

import enum
import random
from typing import Any, Final

from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.soak.waiting import until

HIGH_WATER: Final = 65536
"""
Bytes that wait here before the sender has to wait: then the kernel's buffers
fill, and ovsdb-server merges its updates.
"""


class Direction(enum.Enum):
    """
    Which way bytes go.
    """

    DOWN = "to the client"
    UP = "to the server"


class Proxy(Factory):
    """
    Listens on a port of 127.0.0.1 and leads to a unix socket.

    @ivar port: the port.
    @ivar delay: seconds that bytes are held up at most.
    @ivar trickling: whether bytes go one at a time.
    @ivar silent: the direction in which nothing goes at present.
    @ivar accepted: counts the connections.
    """

    noisy = False

    def __init__(self, reactor: Any, path: str, rng: random.Random) -> None:
        self.reactor = reactor
        self.rng = rng
        self.path = path
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
        A client has come.
        """
        self.accepted += 1
        link = _Link(self)
        self.links.add(link)
        return link.client

    def cutAfter(self, count: int, direction: Direction) -> None:
        """
        Close the connection that carries the last of so many bytes, counted
        from now, behind that byte.
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
        Be a good network again; what was held up goes out.
        """
        self.delay = 0.0
        self.trickling = False
        self.silent = None
        self._cut.clear()
        for link in tuple(self.links):
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
        How many of so many bytes may pass, and whether the cut is then due.
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
    Gives an endpoint the link's end towards the server.
    """

    noisy = False

    def __init__(self, link: _Link) -> None:
        self._link = link

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._link.server


class _Link:
    """
    One client's connection and the one that was made for it.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.client = _End(self)
        self.server = _End(self)

    def made(self, end: _End) -> None:
        """
        One of the two connections is there.
        """
        if end is self.client:
            end.transport.setTcpNoDelay(True)
            end.transport.pauseProducing()
            endpoint = UNIXClientEndpoint(self.proxy.reactor, self.proxy.path)
            endpoint.connect(_ServerEnds(self)).addErrback(self._refused)
            return
        if self.client.gone:
            end.transport.abortConnection()
            return
        self.client.pipe = _Pipe(self, Direction.UP, self.client, self.server)
        self.server.pipe = _Pipe(self, Direction.DOWN, self.server, self.client)
        self.client.transport.resumeProducing()

    def lost(self, end: _End) -> None:
        """
        One of the two connections is gone.
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
        Let go on what may go on.
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
        Both ends are gone.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pump(self) -> None:
        """
        Pass bytes on, now or as late as the network is bad.
        """
        proxy = self._proxy
        if self._sink.gone:
            # Nobody is left to read: end the other side too.
            self._waiting.clear()
            if not self._source.gone:
                self._source.transport.abortConnection()
        elif self._timer is None and proxy.silent is not self._direction:
            if self._waiting and (proxy.trickling or proxy.delay):
                late = 0.0 if proxy.trickling else proxy.rng.uniform(0, proxy.delay)
                self._timer = proxy.reactor.callLater(late, self._late)
            elif self._waiting:
                self._pass(len(self._waiting))
            elif self._source.gone:
                self._sink.transport.loseConnection()

    def _late(self) -> None:
        self._timer = None
        if self._proxy.silent is not self._direction and not self._sink.gone:
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
