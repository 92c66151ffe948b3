# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
When a connection is read further: not before a large message is worked through,
slice by slice, nor before everybody has been told of the last one. What is monitored
is left to the sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Union

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.tableset import TableSet
from twisted_ovsdb.errors import MonitorStopped, OvsdbError, SessionLost

Settled = Union[Deferred[None], None]
"""Fires when observers have been told about a message; None if they have been."""


class Reading:
    """
    Reads from one connection.

    @ivar protocol: the connection.
    """

    _log = Logger()

    def __init__(self, protocol: OvsdbProtocol, clock: IReactorTime) -> None:
        self.protocol = protocol
        self._clock = clock
        self._monitorId = ""  # since the monitor was asked for
        self._turn: Deferred[None] | None = None
        self._closed = False
        self._weighed = 0  # bytes that had come when the tables were weighed last

    def close(self) -> None:
        """Leave the connection: ignore everything that still comes from it."""
        self._closed = True
        if self._turn is not None:
            self._turn.cancel()

    def _holdUntil(self, settled: Settled) -> None:
        """Read no further message until observers have been told of this one."""
        if settled is None:
            self.protocol.resumeProducing()
        else:
            self.protocol.pauseProducing()
            settled.addCallback(lambda _: self.protocol.resumeProducing())

    def _read(
        self, tables: TableSet, updates: Any, rows: dict[str, dict[str, Any]]
    ) -> Iterator[None]:
        """
        Read an update as L{TableSet.readSlices}. A server that inserts rows without end
        is found out: when as many bytes have come as one message may have, everything
        that is known is weighed.
        """
        limit, received = self.protocol.maxLength, self.protocol.received
        if received - self._weighed > limit:
            yield from tables.weigh(limit)
            self._weighed = received
        yield from tables.readSlices(updates, rows)

    def _apply(self, reading: Iterator[None], apply: Callable[[], Settled]) -> None:
        """
        Read an update to its end, and then apply it. Beyond the first slice this is done
        in later turns of the reactor.

        @param reading: reads a slice at each step.
        @raise OvsdbError: if the first slice is wrong.
        """
        for _ in reading:
            Deferred.fromCoroutine(self._applyLater(reading, apply))
            return
        self._holdUntil(apply())

    async def _applyLater(self, reading: Iterator[None], apply: Callable[[], Settled]) -> None:
        try:
            await self._nextTurn()
            for _ in reading:
                await self._nextTurn()
            self._holdUntil(apply())
        except SessionLost:
            pass  # The update was not whole, and nothing of it counts.
        except OvsdbError as e:
            self.protocol.abort(e)
        except Exception as e:
            self._log.failure("while an update was read")
            self.protocol.abort(e)

    def _refuseIfClosed(self) -> None:
        """@raise SessionLost: if the connection was left."""
        if self._closed:
            raise SessionLost(MonitorStopped())

    async def _nextTurn(self) -> None:
        """Let the reactor do other work. Nothing more is read meanwhile."""
        self.protocol.pauseProducing()
        self._turn = deferLater(self._clock, 0)
        try:
            await self._turn
        except CancelledError as e:
            canceled, self._closed = not self._closed, True
            if canceled:  # by the caller of attach
                ended = self.protocol.monitorCancel(self._monitorId)
                ended.addErrback(lambda failure: failure.trap(OvsdbError))
            self.protocol.resumeProducing()
            if canceled:
                raise
            raise SessionLost(self.protocol.lost or MonitorStopped()) from e
