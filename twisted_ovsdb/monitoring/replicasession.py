# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitor of any tables on one connection: in the dialect that costs least of
those that the server knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.conditions import refusedFor, requested
from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.knowntables import KnownTables
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.database.monitorcondsince import (
    MONITOR_COND_SINCE,
    NO_TRANSACTION,
    SinceReader,
    readUpdate3,
)
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.database.tableset import TableSet
from twisted_ovsdb.database.wanted import Rows
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation, RpcError, SessionLost
from twisted_ovsdb.monitoring.reading import Reading, Settled
from twisted_ovsdb.monitoring.session import MONITOR_ID, UNKNOWN_METHOD

DIALECTS: Final = (MONITOR_COND_SINCE, MONITOR_COND, MONITOR)
"""The dialects, the best first. The servers of a cluster may differ."""

OnChanges = Callable[[list[RowChange]], Settled]


class ReplicaSession(Reading):
    """
    Requests the monitor, applies the reply and the updates to what is known, and
    passes on what has changed.

    @ivar found: whether the reply had only what has happened since the last
        transaction that was known.
    @ivar dialect: the dialect that the server knows.
    """

    def __init__(
        self,
        protocol: OvsdbProtocol,
        known: KnownTables,
        onSnapshot: OnChanges,
        onUpdate: OnChanges,
        clock: IReactorTime,
    ) -> None:
        """
        @param onSnapshot: gets the changes that the initial reply shows.
        @param onUpdate: gets the changes of an update; there may be none.
        """
        super().__init__(protocol, clock)
        self._tables = TableSet(MONITOR, {})
        self.found = False
        self.dialect: Dialect = MONITOR
        self._known = known
        self._onSnapshot = onSnapshot
        self._onUpdate = onUpdate
        self._schema: DatabaseSchema | None = None
        self._changing = False  # whether a change of conditions has no reply yet

    async def start(self, database: str) -> None:
        """As C{ReplicaMonitor.attach}."""
        try:
            schema = self._schema = await self.protocol.getSchema(database)
            changes = await self._firstChanges(database, schema)
            self._holdUntil(self._onSnapshot(changes))
        except ProtocolViolation as e:
            self._known.forgetTransaction()
            self.protocol.abort(e)
            # Raised again, the exception that observers keep would have frames again.
            raise copy(e) from None

    async def change(self, wanted: Mapping[str, Rows]) -> None:
        """
        Monitor other rows (C{monitor_cond_change}). What comes and goes is in an
        update before this ends. One change may be asked for at a time.

        @raise RpcError: if the server refuses: call L{restore}.
        @raise OvsdbError: if the server does not know C{monitor_cond}.
        """
        if all(self._known.wanted[name] == rows for name, rows in wanted.items()):
            return
        if self.dialect is MONITOR:
            raise OvsdbError("this server does not know monitor_cond, which conditions need")
        await self._changeConditions(wanted)

    async def restore(self, refused: Collection[str]) -> None:
        """
        Monitor the rows of these tables that were monitored before a refused
        L{change}. The server may have taken over the first of several tables.
        """
        if len(refused) == 1:
            return
        try:
            await self._changeConditions({name: self._known.wanted[name] for name in refused})
        except (SessionLost, ProtocolViolation):
            pass  # The next session begins with them.
        except OvsdbError as e:
            if not self._closed:
                self.protocol.abort(e)

    async def _changeConditions(self, wanted: Mapping[str, Rows]) -> None:
        assert self._schema is not None
        tables = self._schema.tables
        wheres = {name: requested(tables[name], rows.where) for name, rows in wanted.items()}
        # Without conditions, a request means every row.
        requests = {n: [{"where": [True] if w is None else w}] for n, w in wheres.items()}
        self._changing = True
        try:
            # With one name for both, updates go on as before.
            name = self._monitorId
            await self.protocol.call("monitor_cond_change", [name, name, requests])
        except RpcError as refusal:
            raise refusedFor(refusal, wanted) from None
        finally:
            self._changing = False

    async def _firstChanges(self, database: str, schema: DatabaseSchema) -> list[RowChange]:
        for dialect in DIALECTS[:-1]:
            try:
                return await self._changesBy(dialect, database, schema)
            except RpcError as refusal:
                if refusal.error != UNKNOWN_METHOD:
                    raise
        return await self._changesBy(DIALECTS[-1], database, schema)

    async def _changesBy(
        self, dialect: Dialect, database: str, schema: DatabaseSchema
    ) -> list[RowChange]:
        known = self._known
        self._refuseIfClosed()
        self.dialect = dialect
        tables = self._tables = known.tableSet(schema, dialect)
        since = dialect is MONITOR_COND_SINCE
        lastId = known.lastId
        self._monitorId = self.protocol._unusedName(MONITOR_ID)
        reader = SinceReader(tables.tables) if since else tables.reader()
        try:
            rest = await self.protocol._monitor(
                dialect,
                database,
                self._monitorId,
                tables.requests(),
                self._updateReceived,
                reader,
                lastId if since else None,
            )
        except RpcError as refusal:
            raise refusedFor(refusal, tables.tables) from None
        self._refuseIfClosed()
        found, now = False, NO_TRANSACTION
        if isinstance(reader, SinceReader):
            found, now, rest = reader.begin(rest)
            if found and lastId == NO_TRANSACTION:
                raise ProtocolViolation("differences, although everything was asked for")
        for _ in reader.readRest(rest):
            await self._nextTurn()
        if isinstance(reader, SinceReader):
            reader.end(found)
        self.found = found
        return known.apply(reader.rows, now) if found else known.replace(reader.rows, now)

    def _updateReceived(self, content: Any) -> None:
        if self._closed:
            return
        rows: dict[str, dict[str, Any]] = {}
        lastId: list[str] = []

        def reading() -> Iterator[None]:
            """Read the update, a slice at each step."""
            try:
                since = self.dialect is MONITOR_COND_SINCE
                found, tables = readUpdate3(content) if since else (NO_TRANSACTION, content)
                # Until the reply, it is in doubt by which conditions these are the rows.
                lastId.append(NO_TRANSACTION if self._changing else found)
                yield from self._read(self._tables, tables, rows)
            except ProtocolViolation:
                self._known.forgetTransaction()
                raise

        self._apply(reading(), lambda: self._onUpdate(self._known.apply(rows, lastId[0])))
