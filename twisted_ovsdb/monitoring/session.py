# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitor of a set of tables on one connection, from the request to the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from itertools import chain
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.tableset import TableSet
from twisted_ovsdb.errors import (
    OvsdbError,
    ProtocolViolation,
    RpcError,
    describe,
)
from twisted_ovsdb.monitoring.reading import Reading, Settled

MONITOR_ID: Final = "twisted_ovsdb"

UNKNOWN_METHOD: Final = "unknown method"
"""The error of a server that is too old for a dialect; no other one is a reason to try another."""

Rows = dict[str, dict[str, Any]]
"""Rows by table and UUID; None for a row that is gone."""


class MonitorSession(Reading):
    """
    Requests the monitor, and reads the reply and the updates.

    @ivar lacking: by table, the columns that the server does not have; known
        before the snapshot.
    @ivar fellBack: whether the server does not know the dialect that was asked
        for; known before the snapshot.
    """

    def __init__(
        self,
        protocol: OvsdbProtocol,
        tables: TableSet,
        prepare: Callable[[Rows], Iterator[None]],
        onSnapshot: Callable[[Rows], Settled],
        onUpdate: Callable[[Rows], Settled],
        clock: IReactorTime,
    ) -> None:
        """
        @param tables: what to monitor. C{onSnapshot} and C{onUpdate} have to
            keep the replicas up to date: the next update is read by them.
        @param prepare: gets the rows of the initial reply when all are read, and
            works at them in slices before C{onSnapshot}.
        @param onSnapshot: gets the rows of the initial reply.
        @param onUpdate: gets the rows of an update.
        """
        if not isinstance(protocol, OvsdbProtocol):
            raise TypeError(f"protocol must be an OvsdbProtocol, not {protocol!r}")
        super().__init__(protocol, clock)
        self.lacking: Mapping[str, frozenset[str]] = {}
        self._tables = tables
        self.fellBack = False
        self._prepare = prepare
        self._onSnapshot = onSnapshot
        self._onUpdate = onUpdate

    @property
    def tables(self) -> TableSet:
        """The tables as this server has them."""
        return self._tables

    async def start(self, database: str) -> None:
        """As L{InterfaceMonitor.attach <twisted_ovsdb.InterfaceMonitor.attach>}."""
        try:
            rows = await self._rows(database)
            self._holdUntil(self._onSnapshot(rows))
        except ProtocolViolation as e:
            self.protocol.abort(e)
            # Raised again, the exception that observers keep would have frames again.
            raise copy(e) from None

    async def _rows(self, database: str) -> Rows:
        """The rows of the initial reply, in a dialect and of columns that the server has."""
        try:
            return await self._monitor(database)
        except RpcError as refusal:
            if refusal.error == UNKNOWN_METHOD and self._tables.dialect is not MONITOR:
                self._tables, self.fellBack = self._tables.inDialect(MONITOR), True
            # This is its error for a table or a column that it does not have.
            elif refusal.error == "syntax error" and not self.lacking:
                self.lacking = await self._findLacking(database, refusal)
                self._tables = self._tables.without(self.lacking)
            else:
                raise
        return await self._rows(database)

    async def _monitor(self, database: str) -> Rows:
        """Send the request, and read the rows of the initial reply."""
        if self._tables.dialect is not MONITOR and self._tables.untyped:
            self._tables = self._tables.typed(await self.protocol.getSchema(database))
        tables = self._tables
        reader = tables.reader()
        self._monitorId = self.protocol._unusedName(MONITOR_ID)
        rest = await self.protocol._monitor(
            tables.dialect,
            database,
            self._monitorId,
            tables.requests(),
            self._updateReceived,
            reader,
        )
        self._refuseIfClosed()
        for _ in chain(reader.readRest(rest), self._prepare(reader.rows)):
            await self._nextTurn()
        return reader.rows

    async def _findLacking(self, database: str, refusal: RpcError) -> Mapping[str, frozenset[str]]:
        """
        Find the columns that the server does not have.

        @raise OvsdbError: if this is not why it refused, or if it lacks a
            column that is required.
        """
        schema = await self.protocol.call("get_schema", [database])
        lacking = {}
        for name, table in self._tables.tables.items():
            try:
                known = schema["tables"].get(name)
                columns = frozenset() if known is None else frozenset(known["columns"])
            except (TypeError, KeyError, AttributeError) as e:
                raise ProtocolViolation(f"not a schema: {describe(schema)}") from e
            if known is None and table.rows.required:
                raise OvsdbError(f"database {database} has no table {name}") from refusal
            missing = frozenset(table.rows.columns) - columns
            needed = ", ".join(sorted(table.rows.required & missing))
            if needed:
                raise OvsdbError(f"table {name} has no column {needed}") from refusal
            if missing:
                lacking[name] = missing
        if not lacking:
            raise refusal
        return lacking

    def _updateReceived(self, tables: Any) -> None:
        if not self._closed:
            rows: Rows = {}
            self._apply(self._read(self._tables, tables, rows), lambda: self._onUpdate(rows))
