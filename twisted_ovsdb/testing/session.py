# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The server's end of a connection, for L{twisted_ovsdb.testing}: requests of
RFC 7047, section 4.1, are answered as ovsdb-server 3.1 answers them.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.errors import ProtocolViolation, RpcError
from twisted_ovsdb.testing.database import MemoryDatabase
from twisted_ovsdb.testing.schema import DATABASE
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import JSONStream

_SELECT: Final = ("initial", "insert", "delete", "modify")
"""The members of a C{<monitor-select>} (RFC 7047, section 4.1.5)."""

Told = dict[str, list[str]]
"""The columns of a table that a monitor is told, for each of these members that is true."""


@attrs.define
class Served:
    """
    What all sessions of one server share.

    @ivar database: the database, None if it was removed.
    @ivar sessions: the connections that are up.
    @ivar stalled: whether the server reads nothing.
    """

    database: MemoryDatabase | None = None
    sessions: list[ServerSession] = attrs.Factory(list)
    stalled: bool = False

    def present(self) -> MemoryDatabase:
        """@raise ValueError: if the database was removed."""
        if self.database is None:
            raise ValueError("the database was removed")
        return self.database

    def transact(self, operations: list[Any]) -> list[Any]:
        """Do a transaction, and tell each monitor in one notification what it has changed."""
        database = self.present()
        results, changes = database.transact(operations)
        for session in self.sessions:
            session.tell(database, changes)
        return results


class ServerSession(Protocol):
    """One connection."""

    transport: Any

    def __init__(self, served: Served) -> None:
        self._served = served
        self._stream = JSONStream()
        self._monitors: dict[str, dict[str, Told]] = {}

    def connectionMade(self) -> None:
        """A client has connected."""
        self._served.sessions.append(self)
        if self._served.stalled:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, and its monitors with it."""
        self._served.sessions.remove(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Answer the requests that are complete. A client that breaks the
        protocol is dropped, as ovsdb-server does it.
        """
        try:
            for value in self._stream.feed(data):
                message = jsonrpc.parseMessage(value)
                if isinstance(message, jsonrpc.Request):
                    self._answer(message)
        except ProtocolViolation:
            self.transport.abortConnection()

    def tell(self, database: MemoryDatabase, changes: list[RowChange]) -> None:
        """Send an C{update} for each monitor that these changes concern."""
        for monitorId, monitored in self._monitors.items():
            tables: dict[str, dict[str, Any]] = {}
            for change in changes:
                update = _rowUpdate(database, monitored.get(change.table, {}), change)
                if update is not None:
                    tables.setdefault(change.table, {})[change.uuid] = update
            if tables:
                self.transport.write(jsonrpc.encodeNotification("update", [monitorId, tables]))

    def _answer(self, request: jsonrpc.Request) -> None:
        answer = {
            "echo": lambda params: params,
            "list_dbs": lambda params: [] if self._served.database is None else [DATABASE],
            "get_schema": self._getSchema,
            "transact": self._transact,
            "monitor": self._monitor,
            "monitor_cancel": self._monitorCancel,
        }.get(request.method)
        try:
            if answer is None:
                raise RpcError("unknown method")
            reply = jsonrpc.encodeReply(request.id, answer(request.params))
        except RpcError as e:
            error = {"details": e.details, "error": e.error} if e.details else e.error
            reply = jsonrpc.encodeError(request.id, error)
        self.transport.write(reply)

    def _database(self, method: str, params: list[Any]) -> MemoryDatabase:
        name = params[0] if params else None
        database = self._served.database
        if database is None or name != DATABASE:
            text = f"{method} request specifies unknown database {name}"
            raise RpcError("unknown database", text)
        return database

    def _getSchema(self, params: list[Any]) -> Any:
        return self._database("get_schema", params).schema.raw

    def _transact(self, params: list[Any]) -> Any:
        self._database("transact", params)
        return self._served.transact(params[1:])

    def _monitor(self, params: list[Any]) -> Any:
        database = self._database("monitor", params)
        if len(params) != 3 or type(params[1]) is not str or type(params[2]) is not dict:
            raise RpcError("invalid parameters")
        _, monitorId, tables = params
        if monitorId in self._monitors:
            raise RpcError("syntax error", "duplicate monitor ID")
        monitored = {table: _told(database, table, tables[table]) for table in tables}
        self._monitors[monitorId] = monitored
        return {
            table: {
                key: {"new": database.encode(table, row, told["initial"])}
                for key, row in database.tables[table].items()
            }
            for table, told in monitored.items()
            if "initial" in told and database.tables[table]
        }

    def _monitorCancel(self, params: list[Any]) -> Any:
        if len(params) != 1 or self._monitors.pop(str(params[0]), None) is None:
            raise RpcError("unknown monitor")
        return {}


def _told(database: MemoryDatabase, table: str, given: Any) -> Told:
    """
    Read the C{<monitor-request>}s of a table.

    @raise RpcError: if the table or a column does not exist.
    """
    if table not in database.schema.tables:
        raise RpcError("syntax error", f"no table named {table}")
    known = database.schema.tables[table].columns
    told: Told = {}
    seen: set[str] = set()
    for part in given if type(given) is list else [given]:
        columns = part.get("columns", list(known))
        for column in columns:
            if column not in known:
                raise RpcError("syntax error", f"{column} is not a valid column name")
            if column in seen:
                raise RpcError("syntax error", f"column {column} mentioned more than once")
            seen.add(column)
        for member in _SELECT:
            if part.get("select", {}).get(member, True):
                told.setdefault(member, []).extend(columns)
    return told


def _rowUpdate(database: MemoryDatabase, told: Told, change: RowChange) -> dict[str, Any] | None:
    """The C{<row-update>} of a change (RFC 7047, section 4.1.6), None if nothing is told."""
    table, old, new = change.table, change.before, change.now
    columns = told.get("insert" if old is None else "delete" if new is None else "modify")
    if columns is None:
        return None
    update = {} if new is None else {"new": database.encode(table, new, columns)}
    if old is not None:
        if new is not None:
            columns = [column for column in columns if old[column] != new[column]]
            if not columns:
                return None
        update["old"] = database.encode(table, old, columns)
    return update
