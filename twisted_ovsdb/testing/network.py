# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A network in memory, for L{twisted_ovsdb.testing}: bytes wait until it is
advanced, so that nobody is called from inside a call of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

ROUNDS: Final = 10_000
"""Turns in one moment after which two ends are talking for ever."""


@implementer(IAddress)
class MemoryAddress:
    """
    There is only one.
    """

    def __repr__(self) -> str:
        return "memory"


@implementer(ITransport)
class MemoryTransport:
    """
    One end of a connection.

    @ivar protocol: whose end it is.
    @ivar peer: the other end.
    """

    disconnecting = False

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.peer: MemoryTransport | None = None
        self._arrived: list[bytes] = []
        self._paused = False
        self._closing = False
        self._lost = False

    def write(self, data: bytes) -> None:
        """
        Send to the peer.
        """
        if self.peer is not None and not self._closing:
            self.peer._arrived.append(data)

    def writeSequence(self, data: Any) -> None:
        """
        Send to the peer.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        Close both ends, at the next turn.
        """
        self._closing = self.disconnecting = True

    abortConnection = loseConnection

    def pauseProducing(self) -> None:
        """
        Read nothing.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        self._paused = False

    def getPeer(self) -> MemoryAddress:
        """
        The address.
        """
        return MemoryAddress()

    getHost = getPeer

    def turn(self) -> bool:
        """
        Read what has come, or see that the connection is closed.

        @return: whether there was anything.
        """
        if self._lost:
            return False
        peer = self.peer
        assert peer is not None
        if self._arrived and not self._paused and not self._closing:
            data, self._arrived = b"".join(self._arrived), []
            self.protocol.dataReceived(data)
            return True
        if self._closing or (peer._closing and not self._arrived):
            self._lost = self._closing = True
            self.protocol.connectionLost(Failure(ConnectionDone()))
            return True
        return False

    @property
    def lost(self) -> bool:
        """Whether its protocol knows that the connection is closed."""
        return self._lost


class MemoryNetwork:
    """
    All connections, and the time.

    @ivar up: whether the server accepts connections.
    """

    def __init__(self, clock: Clock, server: Callable[[], IProtocol]) -> None:
        self.up = True
        self._clock = clock
        self._server = server
        self._ends: list[MemoryTransport] = []
        self._advancing = False

    def connect(self, client: IProtocol) -> None:
        """
        Connect a client with a session of the server.
        """
        protocols = (self._server(), client)
        server, other = ends = [MemoryTransport(protocol) for protocol in protocols]
        server.peer, other.peer = other, server
        self._ends += ends
        for end in ends:
            end.protocol.makeConnection(end)

    def advance(self, seconds: float) -> None:
        """
        Let time pass from one timer to the next, and all bytes arrive.
        """
        if self._advancing:
            return  # who is called from here need not wait for itself
        self._advancing = True
        try:
            end = self._clock.seconds() + seconds
            self._settle()
            while (due := self._nextTimer()) is not None and due <= end:
                self._clock.advance(max(0.0, due - self._clock.seconds()))
                self._settle()
            self._clock.advance(max(0.0, end - self._clock.seconds()))
            self._settle()
        finally:
            self._advancing = False

    def _nextTimer(self) -> float | None:
        return min((call.getTime() for call in self._clock.getDelayedCalls()), default=None)

    def _settle(self) -> None:
        for _ in range(ROUNDS):
            self._ends = [end for end in self._ends if not end.lost]
            turned = [end.turn() for end in tuple(self._ends)]
            due = self._nextTimer()
            if due is not None and due <= self._clock.seconds():
                self._clock.advance(0)
            elif not any(turned):
                return
        raise RuntimeError("the two ends do not come to rest")


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """
    Leads to the server.
    """

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network

    def __repr__(self) -> str:
        return "memory"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect at once, or be refused.
        """
        if not self._network.up:
            return fail(ConnectionRefusedError())
        protocol: Any = protocolFactory.buildProtocol(MemoryAddress())
        if protocol is None:
            return fail(ConnectionRefusedError())
        self._network.connect(protocol)
        return succeed(protocol)
