# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A network in memory, for L{twisted_ovsdb.testing}. Bytes wait until the network
is advanced, so that no protocol is called from inside a call of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.endpoints.addresses import EndpointAddress

ROUNDS: Final = 10_000
"""How often both ends may react in one moment. More would be an endless loop."""


class MemoryTransport(StringTransport):
    """
    One end of a connection. It keeps what its protocol writes, until the peer
    reads it.

    @ivar protocol: the protocol at this end.
    @ivar peer: the transport at the other end.
    @ivar lost: whether the protocol knows that the connection is closed.
    """

    peer: Any

    def __init__(self, protocol: Any, address: EndpointAddress) -> None:
        super().__init__(address, address, lenient=True)  # type: ignore[no-untyped-call]
        self.protocol = protocol
        self.lost = False

    def turn(self) -> bool:
        """
        Tell the protocol what the peer has written, or that the connection is
        closed.

        @return: whether there was anything to tell.
        """
        data: bytes = self.peer.value()
        if self.disconnecting or (self.peer.disconnecting and not data):
            self.lost = self.disconnecting = True
            self.protocol.connectionLost(Failure(ConnectionDone()))
            return True
        if data and self.producerState == "producing":
            self.peer.clear()
            self.protocol.dataReceived(data)
            return True
        return False


@implementer(IStreamClientEndpoint)
class MemoryNetwork:
    """
    All connections to one server, and the time. It is also the endpoint that
    leads to the server.

    @ivar up: whether the server accepts connections.
    """

    def __init__(self, clock: Clock, server: Callable[[], IProtocol]) -> None:
        """@param server: makes the server's protocol of a connection."""
        self.up = True
        self._clock = clock
        self._server = server
        self._ends: list[MemoryTransport] = []
        self._advancing = False

    def __repr__(self) -> str:
        return "memory"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect at once, or be refused."""
        address = EndpointAddress(self)
        client = protocolFactory.buildProtocol(address) if self.up else None
        if client is None:
            return fail(ConnectionRefusedError())
        ends = [MemoryTransport(protocol, address) for protocol in (self._server(), client)]
        ends[0].peer, ends[1].peer = ends[1], ends[0]
        self._ends += ends
        for end in ends:
            end.protocol.makeConnection(end)
        return succeed(client)

    def advance(self, seconds: float) -> None:
        """
        Let time pass from one timer to the next, and let all bytes arrive.

        A call from inside this call does nothing: the outer call goes on
        until all is done.
        """
        if self._advancing:
            return
        self._advancing = True
        try:
            end = self._clock.seconds() + seconds
            self._settle()
            while self._clock.seconds() < end:
                self._clock.advance(min(self._nextTimer(), end) - self._clock.seconds())
                self._settle()
        finally:
            self._advancing = False

    def _nextTimer(self) -> float:
        return min((call.getTime() for call in self._clock.getDelayedCalls()), default=math.inf)

    def _settle(self) -> None:
        for _ in range(ROUNDS):
            self._ends = [end for end in self._ends if not end.lost]
            turned = [end.turn() for end in tuple(self._ends)]
            if self._nextTimer() <= self._clock.seconds():
                self._clock.advance(0)
            elif not any(turned):
                return
        raise RuntimeError("client and server do not come to rest")
