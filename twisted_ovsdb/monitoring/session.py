# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One session: the monitor of the Interface table on one connection, from the
request to the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Union

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.errors import (
    MonitorStopped,
    OvsdbError,
    ProtocolViolation,
    RpcError,
    SessionLost,
    describe,
)
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.openvswitch.rows import REQUIRED, TABLE, InterfaceRows
from twisted_ovsdb.wire.early import EarlyRows, collectorAtRest

MONITOR_ID: Final = "twisted_ovsdb"

_REFUSED: Final = "syntax error"
"""The error of ovsdb-server for a table or a column that it does not have."""

Settled = Union[Deferred[None], None]
"""What fires when a message has been told to all; None if it has been."""


class MonitorSession:
    """
    Asks for the monitor and reads what comes of it.

    @ivar protocol: the connection.
    @ivar lacking: columns that the server does not have, known when it has
        synchronized.
    """

    def __init__(
        self,
        protocol: OvsdbProtocol,
        rows: InterfaceRows,
        replica: Replica[OvsInterface],
        onSnapshot: Callable[[dict[str, OvsInterface]], Settled],
        onUpdate: Callable[[dict[str, OvsInterface | None]], Settled],
        clock: IReactorTime,
    ) -> None:
        """
        @param rows: what to ask for, and how to read it.
        @param replica: what the updates have to fit.
        @param onSnapshot: gets what the initial reply holds.
        @param onUpdate: gets what an update makes of its rows.
        @param clock: the reactor.
        """
        self.protocol = protocol
        self.lacking: frozenset[str] = frozenset()
        self._rows = rows
        self._replica = replica
        self._onSnapshot = onSnapshot
        self._onUpdate = onUpdate
        self._clock = clock
        self._turn: Deferred[None] | None = None
        self._closed = False

    def start(self, database: str) -> Deferred[None]:
        """
        Ask for the monitor; the first request of a session is this one.

        @return: fires when the snapshot has been applied. L{RpcError} or
            L{OvsdbError} if the server cannot be monitored.
            L{ProtocolViolation} and L{SessionLost}: the connection is lost.
        """
        return Deferred.fromCoroutine(self._start(database))

    async def _start(self, database: str) -> None:
        try:
            try:
                tables, rows = await self._monitor(database, self._rows)
            except RpcError as refusal:
                if refusal.error != _REFUSED:
                    raise
                self.lacking = await self._findLacking(database, refusal)
                tables, rows = await self._monitor(database, self._rows.without(self.lacking))
            if self._closed:
                raise SessionLost(MonitorStopped())
            await self._read(tables, rows)
            self._holdUntil(self._onSnapshot(rows))
        except ProtocolViolation as e:
            self.protocol.abort(e)
            raise

    def close(self) -> None:
        """
        Let go of the connection: nothing of it counts from here on.
        """
        self._closed = True
        if self._turn is not None:
            self._turn.cancel()

    def _holdUntil(self, settled: Settled) -> None:
        """
        Read no further message until this one has been told.
        """
        if settled is None:
            self.protocol.resumeProducing()
        else:
            self.protocol.pauseProducing()
            settled.addCallback(lambda _: self.protocol.resumeProducing())

    async def _monitor(
        self, database: str, rows: InterfaceRows
    ) -> tuple[Any, dict[str, OvsInterface]]:
        """
        Send the request.

        @return: the table updates of the reply, and the rows that were taken
            from it before.
        """
        self._replica.decode = rows.decode
        self._replica.take = rows.text.take
        early = EarlyRows(TABLE, rows.text.take)
        tables = await self.protocol.monitor(
            database, MONITOR_ID, rows.monitorRequests(), self._updateReceived, early
        )
        return tables, early.rows

    async def _findLacking(self, database: str, refusal: RpcError) -> frozenset[str]:
        """
        Find the columns that the server does not have.

        @raise OvsdbError: if it is not for a column that it refused, or one
            that nothing can be told without.
        """
        schema = await self.protocol.call("get_schema", [database])
        try:
            table = schema["tables"].get(TABLE)
            columns = frozenset() if table is None else frozenset(table["columns"])
        except (TypeError, KeyError, AttributeError) as e:
            raise ProtocolViolation(f"not a schema: {describe(schema)}") from e
        if table is None:
            raise OvsdbError(f"database {database} has no table {TABLE}") from refusal
        lacking = frozenset(self._rows.columns) - columns
        if not lacking:
            raise refusal
        needed = ", ".join(sorted(REQUIRED & lacking))
        if needed:
            raise OvsdbError(f"table {TABLE} has no column {needed}") from refusal
        return lacking

    async def _read(self, tables: Any, rows: dict[str, OvsInterface]) -> None:
        """
        Read a snapshot slice by slice, between which the reactor turns.

        @param rows: those that were taken before; gets the others too.
        """
        reading = self._replica.readSnapshot(tables)
        del tables
        while True:
            try:
                with collectorAtRest():
                    next(reading)
            except StopIteration as end:
                rows.update(end.value)
                return
            except ProtocolViolation as e:
                if not rows:
                    raise
                # Where it says that this is, it does not count them.
                raise ProtocolViolation(f"behind {len(rows)} rows: {e}") from e
            # What follows in the stream waits until this is applied.
            self.protocol.pauseProducing()
            self._turn = deferLater(self._clock, 0)
            try:
                await self._turn
            except CancelledError as e:
                self.protocol.resumeProducing()
                raise SessionLost(self.protocol.lost or MonitorStopped()) from e
            finally:
                self._turn = None

    def _updateReceived(self, tables: Any) -> None:
        if not self._closed:
            self._holdUntil(self._onUpdate(self._replica.readUpdate(tables)))
