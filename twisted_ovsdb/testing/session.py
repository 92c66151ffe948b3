# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The server's end of a connection, for L{twisted_ovsdb.testing}: requests of
RFC 7047, section 4.1, and of ovsdb-server(7) are answered as ovsdb-server 3.1
answers them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.errors import ProtocolViolation, RpcError
from twisted_ovsdb.testing.database import MemoryDatabase
from twisted_ovsdb.testing.locks import Locks
from twisted_ovsdb.testing.monitors import NO_TRANSACTION, NOTIFICATIONS, Monitor, Updates
from twisted_ovsdb.testing.schema import DATABASE
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.notation import isUUID


@attrs.define
class Served:
    """
    What all sessions of one server share.

    @ivar database: the database, None if it was removed.
    @ivar sessions: the connections that are up.
    @ivar stalled: whether the server reads nothing.
    @ivar unknown: methods that the server does not know.
    @ivar locks: the locks of all sessions.
    """

    database: MemoryDatabase | None = None
    sessions: list[ServerSession] = attrs.Factory(list)
    stalled: bool = False
    unknown: set[str] = attrs.Factory(set)
    locks: Locks = attrs.Factory(Locks)

    def present(self) -> MemoryDatabase:
        """@raise ValueError: if the database was removed."""
        if self.database is None:
            raise ValueError("the database was removed")
        return self.database

    def transact(
        self, operations: list[Any], holds: Callable[[str], bool] = lambda lock: False
    ) -> list[Any]:
        """Do a transaction, and tell each monitor in one notification what it has changed."""
        database = self.present()
        results, changes = database.transact(operations, holds)
        for session in self.sessions:
            session.tell(changes)
        return results


class ServerSession(Protocol):
    """One connection."""

    transport: Any

    def __init__(self, served: Served) -> None:
        self._served = served
        self._stream = JSONStream()
        self._monitors: dict[str, tuple[Any, Monitor]] = {}  # by the text of their ids

    def connectionMade(self) -> None:
        """A client has connected."""
        self._served.sessions.append(self)
        if self._served.stalled:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, and its monitors and locks with it."""
        self._served.sessions.remove(self)
        self._served.locks.drop(self._notifyLock)

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

    def tell(self, changes: list[RowChange]) -> None:
        """Send a notification for each monitor that these changes concern."""
        for monitorId, monitor in self._monitors.values():
            self._notify(monitorId, monitor, monitor.changed(changes))

    def _notify(self, monitorId: Any, monitor: Monitor, updates: Updates) -> None:
        if updates:
            since = [NO_TRANSACTION] if monitor.notification == "update3" else []
            params = [monitorId, *since, updates]
            self.transport.write(jsonrpc.encodeNotification(monitor.notification, params))

    def _answer(self, request: jsonrpc.Request) -> None:
        answers: dict[str, Callable[[list[Any]], Any]] = {
            "echo": lambda params: params,
            "list_dbs": lambda params: [] if self._served.database is None else [DATABASE],
            "get_schema": self._getSchema,
            "transact": self._transact,
            **{method: partial(self._monitor, method) for method in NOTIFICATIONS},
            "monitor_cond_change": self._monitorCondChange,
            "monitor_cancel": self._monitorCancel,
            "lock": partial(self._lock, "lock"),
            "steal": partial(self._lock, "steal"),
            "unlock": lambda params: self._served.locks.unlock(self._notifyLock, params),
        }
        answer = answers.get(request.method)
        try:
            if answer is None or request.method in self._served.unknown:
                raise RpcError("unknown method")
            reply = jsonrpc.encodeReply(request.id, answer(request.params))
        except RecursionError:
            reply = jsonrpc.encodeError(request.id, "nested too deeply")
        except RpcError as e:
            error = {"details": e.details, "error": e.error} if e.details else e.error
            reply = jsonrpc.encodeError(request.id, error)
        self.transport.write(reply)

    def _notifyLock(self, method: str, name: str) -> None:
        self.transport.write(jsonrpc.encodeNotification(method, [name]))

    def _lock(self, method: str, params: list[Any]) -> Any:
        return self._served.locks.lock(self._notifyLock, method, params)

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
        holds = partial(self._served.locks.holds, self._notifyLock)
        return self._served.transact(params[1:], holds)

    def _monitor(self, method: str, params: list[Any]) -> Any:
        database = self._database(method, params)
        # For monitor, too many params are ignored.
        count = {"monitor": max(3, len(params)), "monitor_cond": 3}.get(method, 4)
        if len(params) != count:
            raise RpcError("syntax error", "invalid parameters")
        _, monitorId, tables, *since = params
        if type(tables) is not dict:
            raise RpcError("syntax error", "monitor-requests must be object")
        if _text(monitorId) in self._monitors:
            raise RpcError("syntax error", "duplicate monitor ID")
        monitor = Monitor(database, method, tables)
        if method == "monitor_cond_since":
            if type(since[0]) is not str:
                raise RpcError("syntax error", "last-txn-id must be string")
            if not isUUID(since[0]):
                raise RpcError("syntax error", "last-txn-id must be UUID format.")
        self._monitors[_text(monitorId)] = (monitorId, monitor)
        initial = monitor.initial()
        return [False, NO_TRANSACTION, initial] if method == "monitor_cond_since" else initial

    def _monitorCondChange(self, params: list[Any]) -> Any:
        if len(params) != 3:
            raise RpcError("syntax error", "invalid parameters")
        monitorId, newId, requests = params
        if _text(monitorId) not in self._monitors:
            raise RpcError("syntax error", "unknown monitor session")
        if newId != monitorId and _text(newId) in self._monitors:
            raise RpcError("syntax error", "duplicate monitor ID")
        if type(requests) is not dict:
            raise RpcError("syntax error", "monitor-cond-change-requests must be object")
        _, monitor = self._monitors[_text(monitorId)]
        updates = monitor.changeConditions(requests)
        del self._monitors[_text(monitorId)]
        self._monitors[_text(newId)] = (newId, monitor)
        # As from ovsdb-server, the notification comes before the reply.
        self._notify(newId, monitor, updates)
        return {}

    def _monitorCancel(self, params: list[Any]) -> Any:
        if len(params) != 1 or self._monitors.pop(_text(params[0]), None) is None:
            raise RpcError("unknown monitor")
        return {}


def _text(monitorId: Any) -> str:
    """A monitor's id, which may be any JSON, as a key."""
    return json.dumps(monitorId, sort_keys=True)
