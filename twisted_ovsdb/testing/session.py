# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The server's end of a connection, for L{twisted_ovsdb.testing}: requests of
RFC 7047, section 4.1, are answered as ovsdb-server 3.1 answers them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_ovsdb.errors import OvsdbError, ProtocolViolation
from twisted_ovsdb.testing.database import MemoryDatabase, RowDifference
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import JSONStream

_SELECT: Final = ("initial", "insert", "delete", "modify")


@attrs.frozen
class _Request:
    """
    A C{<monitor-request>}: the columns of a table, and which of their changes
    are told.
    """

    columns: tuple[str, ...]
    select: frozenset[str]


Requests = dict[str, list[_Request]]


class _Refused(OvsdbError):
    """
    A request is answered with this error: a string or an object.
    """


def _error(error: str, details: str, syntax: object = None) -> dict[str, Any]:
    """
    An error as ovsdb-server writes it.
    """
    told: dict[str, Any] = (
        {} if syntax is None else {"syntax": json.dumps(syntax, separators=(",", ":"))}
    )
    return {**told, "details": details, "error": error}


class Databases:
    """
    What all sessions of one server share.

    @ivar databases: the databases by name.
    @ivar sessions: the connections that are up.
    @ivar stalled: whether nothing is read from any of them.
    """

    def __init__(self) -> None:
        self.databases: dict[str, MemoryDatabase] = {}
        self.sessions: list[ServerSession] = []
        self.stalled = False

    def transact(self, name: str, operations: list[Any]) -> list[Any]:
        """
        Do a transaction and tell all who monitor what it has changed, each in
        one notification.

        @return: the results.
        """
        results, differences = self.databases[name].transact(operations)
        if differences:
            for session in self.sessions:
                session.tell(name, differences)
        return results


class ServerSession(Protocol):
    """
    One connection.
    """

    def __init__(self, server: Databases) -> None:
        self._server = server
        self._stream: JSONStream[dict[str, Any]] = JSONStream()
        self._monitors: dict[str, tuple[str, Requests]] = {}
        self._unread = b""

    def connectionMade(self) -> None:
        """
        A client is there.
        """
        self._server.sessions.append(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is gone, and its monitors with it.
        """
        self._monitors.clear()
        if self in self._server.sessions:
            self._server.sessions.remove(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Answer what is complete. A client that does not speak the protocol is
        dropped, as ovsdb-server does it.
        """
        self._unread += data
        if self._server.stalled:
            return
        data, self._unread = self._unread, b""
        try:
            for value in self._stream.feed(data):
                message = jsonrpc.parseMessage(value)
                if isinstance(message, jsonrpc.Request):
                    self._answer(message)
        except ProtocolViolation:
            self.drop()

    def drop(self) -> None:
        """
        Close the connection without a word.
        """
        transport: Any = self.transport
        transport.abortConnection()

    def tell(self, database: str, differences: list[RowDifference]) -> None:
        """
        Send an C{update} for each monitor that these concern.
        """
        for monitorId, (monitored, requests) in self._monitors.items():
            tables: dict[str, dict[str, Any]] = {}
            if monitored == database:
                for difference in differences:
                    told = self._rowUpdate(database, requests, difference)
                    if told:
                        tables.setdefault(difference.table, {})[difference.uuid] = told
            if tables:
                self._send(jsonrpc.encodeNotification("update", [monitorId, tables]))

    def _answer(self, request: jsonrpc.Request) -> None:
        answer = {
            "echo": lambda params: params,
            "list_dbs": lambda params: list(self._server.databases),
            "get_schema": self._getSchema,
            "transact": self._transact,
            "monitor": self._monitor,
            "monitor_cancel": self._monitorCancel,
        }.get(request.method)
        try:
            if answer is None:
                raise _Refused("unknown method")
            reply = jsonrpc.encodeReply(request.id, answer(request.params))
        except _Refused as e:
            reply = jsonrpc.encodeError(request.id, e.args[0])
        self._send(reply)

    def _send(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)

    def _database(self, method: str, params: list[Any]) -> MemoryDatabase:
        name = params[0] if params else None
        database = self._server.databases.get(name) if type(name) is str else None
        if database is None:
            text = f"{method} request specifies unknown database {name}"
            raise _Refused(_error("unknown database", text, params))
        return database

    def _getSchema(self, params: list[Any]) -> Any:
        return self._database("get_schema", params).schema.raw

    def _transact(self, params: list[Any]) -> Any:
        self._database("transact", params)
        return self._server.transact(params[0], params[1:])

    def _monitor(self, params: list[Any]) -> Any:
        database = self._database("monitor", params)
        if len(params) != 3 or type(params[1]) is not str or type(params[2]) is not dict:
            raise _Refused("invalid parameters")
        name, monitorId, tables = params
        if monitorId in self._monitors:
            raise _Refused(_error("syntax error", "duplicate monitor ID", monitorId))
        requests = {table: _requests(database, table, tables[table]) for table in tables}
        self._monitors[monitorId] = (name, requests)
        result: dict[str, Any] = {}
        for table, parts in requests.items():
            columns = [c for part in parts if "initial" in part.select for c in part.columns]
            if any("initial" in part.select for part in parts) and database.tables[table]:
                result[table] = {
                    key: {"new": _row(database, table, row, columns)}
                    for key, row in database.tables[table].items()
                }
        return result

    def _monitorCancel(self, params: list[Any]) -> Any:
        if len(params) != 1 or self._monitors.pop(str(params[0]), None) is None:
            raise _Refused("unknown monitor")
        return {}

    def _rowUpdate(
        self, name: str, requests: Requests, difference: RowDifference
    ) -> dict[str, Any] | None:
        database = self._server.databases[name]
        table, old, new = difference.table, difference.old, difference.new
        kind = "insert" if old is None else "delete" if new is None else "modify"
        parts = [part for part in requests.get(table, ()) if kind in part.select]
        columns = [column for part in parts for column in part.columns]
        if not parts:
            return None
        if old is None:
            assert new is not None
            return {"new": _row(database, table, new, columns)}
        if new is None:
            return {"old": _row(database, table, old, columns)}
        changed = [column for column in columns if old[column] != new[column]]
        if not changed:
            return None
        return {
            "new": _row(database, table, new, columns),
            "old": _row(database, table, old, changed),
        }


def _row(
    database: MemoryDatabase, table: str, row: Mapping[str, Any], columns: list[str]
) -> dict[str, Any]:
    return {column: database.encode(table, row, column) for column in columns}


def _requests(database: MemoryDatabase, table: str, given: Any) -> list[_Request]:
    """
    @raise _Refused: if the table or a column is not there.
    """
    if table not in database.schema.tables:
        raise _Refused(_error("syntax error", f"no table named {table}"))
    known = database.schema.tables[table].columns
    requests, seen = [], set()
    for part in given if type(given) is list else [given]:
        columns = part.get("columns", list(known))
        for column in columns:
            if column not in known:
                details = f"{column} is not a valid column name"
                raise _Refused(_error("syntax error", details, columns))
            if column in seen:
                details = f"column {column} mentioned more than once"
                raise _Refused(_error("syntax error", details, columns))
            seen.add(column)
        select = part.get("select", {})
        chosen = frozenset(kind for kind in _SELECT if select.get(kind, True))
        requests.append(_Request(tuple(columns), chosen))
    return requests
