# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How many connections there are, and how long each may take for a request. Whoever can
connect could open a thousand, and send one byte a minute on each.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

CONNECTIONS: Final = 500
"""
Connections at a time: 200 browsers, each with its stream and one more request, and
others. For another one, the connection that waits longest without a request is cut off.
"""

FIRST: Final = 10.0
"""Seconds that a client has for its first request: a program sends it at once."""

NEXT: Final = 60.0
"""Seconds that a connection may wait for another request."""


class Connection(ProtocolWrapper):
    """A connection, which is cut off if it makes no request in time."""

    factory: Connections

    def makeConnection(self, transport: Any) -> None:
        """See L{Protocol.makeConnection}."""
        self._deadline: IDelayedCall | None = None
        self.factory.opened(self)
        super().makeConnection(transport)
        self.idle(FIRST)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """See L{Protocol.connectionLost}."""
        self.busy()
        self.factory.closed(self)
        super().connectionLost(reason)

    def busy(self) -> None:
        """A request is complete."""
        self.factory.waiting.pop(self, None)
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def idle(self, limit: float = NEXT) -> None:
        """The answer is complete, or the connection is new."""
        self.busy()
        if self in self.factory.all:
            self.factory.waiting[self] = None
            self._deadline = self.factory.clock.callLater(limit, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        self.cutOff()

    def cutOff(self) -> None:
        """End the connection at once."""
        self.busy()
        transport: Any = self.transport
        transport.abortConnection()


class Connections(WrappingFactory):
    """
    The connections to a site.

    @ivar all: all of them.
    @ivar waiting: those that have no request, the one that waits longest first.
    """

    protocol = Connection
    noisy = False

    def __init__(self, site: Any, clock: IReactorTime) -> None:
        super().__init__(site)
        self.clock = clock
        self.all: dict[Connection, None] = {}
        self.waiting: dict[Connection, None] = {}

    def buildProtocol(self, addr: IAddress) -> Protocol | None:  # type: ignore[override]
        """@return: None if all connections have requests."""
        if len(self.all) >= CONNECTIONS:
            longest = next(iter(self.waiting), None)
            if longest is None:
                return None
            # It says only in a later turn that it is lost.
            self.closed(longest)
            longest.cutOff()
        return super().buildProtocol(addr)

    def opened(self, connection: Connection) -> None:
        """A connection is made."""
        self.all[connection] = None

    def closed(self, connection: Connection) -> None:
        """A connection is lost, or given up."""
        self.all.pop(connection, None)
        self.waiting.pop(connection, None)

    def close(self) -> None:
        """Cut off all connections."""
        for connection in tuple(self.all):
            connection.cutOff()
