# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One connection to an OVSDB server: the requests of RFC 7047, section 4.1, as
methods that return Deferreds. To be told of any tables::

    schema = await protocol.getSchema("Open_vSwitch")
    replica = DatabaseReplica(schema, {"Bridge": ["name", "ports"]})
    rows = await protocol.follow(replica, "bridges", onChanges)

A reply that is not what the RFC says fails its Deferred with
L{ProtocolViolation} and aborts the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from twisted_ovsdb.connection.rpc import TRANSACT, JSONRPCProtocol
from twisted_ovsdb.connection.subscriptions import (
    Lock,
    Monitor,
    OnLock,
    OnUpdate,
    Subscribed,
    Subscriptions,
)
from twisted_ovsdb.connection.transactions import readResults
from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation, describe
from twisted_ovsdb.wire.jsonrpc import Notification
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH
from twisted_ovsdb.wire.rowreader import RowReader

T = TypeVar("T")

GOODBYE_TIMEOUT: Final = 1.0
"""
Seconds that callers of L{OvsdbProtocol.close} should wait for the peer before
they abort the connection.
"""


class OvsdbProtocol(JSONRPCProtocol):
    """
    A session with a database server. Every Deferred ends with L{RpcError} if
    the server refuses, and with L{SessionLost} if the connection goes before
    it answers. When a Deferred is cancelled, its reply is ignored; a monitor
    or a lock that was asked for is given back.
    """

    def __init__(
        self,
        maxLength: int = DEFAULT_MAX_LENGTH,
        onConnected: Callable[[OvsdbProtocol], object] | None = None,
    ) -> None:
        """
        @param maxLength: how many bytes one message of the server may have.
        @param onConnected: called with this protocol when the connection is
            made.
        """
        super().__init__(maxLength, onConnected)
        self._subscriptions = Subscriptions()

    def listDatabases(self) -> Deferred[list[str]]:
        """
        The databases' names (RFC 7047, section 4.1.1).
        """
        return self._checked(self.call("list_dbs", []), _names)

    def getSchema(self, database: str) -> Deferred[DatabaseSchema]:
        """
        A database's schema (RFC 7047, section 4.1.2); as JSON in its C{raw}.
        """
        return self._checked(self.call("get_schema", [database]), DatabaseSchema.parse)

    def transact(self, database: str, *operations: Mapping[str, Any]) -> Deferred[list[Any]]:
        """
        Do all of these operations, or none (RFC 7047, sections 4.1.3 and 5.2).

        When cancelled, the server is told so (section 4.1.4), which matters
        to a C{wait}; whether it was done nevertheless, nobody says.

        @param operations: C{<operation>}s, whose values are in OVSDB's
            notation: L{encode <twisted_ovsdb.wire.notation.encode>}.
        @return: the results, one for each operation. L{TransactionFailed
            <twisted_ovsdb.connection.transactions.TransactionFailed>} if nothing was
            done because an operation or the commit failed.
        """
        result = self.call(TRANSACT, [database, *operations])
        return self._checked(result, lambda results: readResults(results, len(operations)))

    def monitor(
        self,
        database: str,
        monitorId: str,
        requests: Mapping[str, Any],
        onUpdate: OnUpdate,
    ) -> Deferred[Any]:
        """
        Monitor tables (RFC 7047, section 4.1.5).

        @param monitorId: a name for it, new on this connection.
        @param requests: table names to C{<monitor-request>}s.
        @param onUpdate: gets the table updates of each update notification.
        @return: the table updates of the initial reply. Its callbacks run
            before the next message of the same chunk is read.
        @raise ValueError: if there is a monitor of this name already.
        """
        return self._monitor(MONITOR, database, monitorId, requests, onUpdate)

    def monitorCond(
        self,
        database: str,
        monitorId: str,
        requests: Mapping[str, Any],
        onUpdate: OnUpdate,
    ) -> Deferred[Any]:
        """
        Monitor the rows of tables that fulfil conditions, and be told what
        differs (ovsdb-server(7), section 4.1.12): as L{monitor}, with
        C{<table-updates2>} in the reply and in each C{update2}. Open vSwitch
        has it since 2.6.
        """
        return self._monitor(MONITOR_COND, database, monitorId, requests, onUpdate)

    def monitorCancel(self, monitorId: str) -> Deferred[None]:
        """
        End a monitor of either kind (RFC 7047, section 4.1.7). It is told of
        nothing more from here on; its name is free when the reply has come.
        """
        return self._unsubscribe(self._subscriptions.monitors, monitorId, "monitor_cancel")

    def follow(
        self,
        replica: DatabaseReplica,
        monitorId: str,
        onChanges: Callable[[list[RowChange]], object] | None = None,
    ) -> Deferred[list[RowChange]]:
        """
        Keep a replica of any tables like the server's. If the database has
        been converted since, its schema has to be asked for anew.

        @param onChanges: gets what each update has changed, if anything, when
            the replica is so already. What it raises ends the connection.
        @return: what the first reply has changed in the replica: all its
            rows, if it was empty.
        @raise ValueError: if there is a monitor of this name already.
        """

        def updated(tables: Any) -> None:
            changes = replica.update(tables)
            if changes and onChanges is not None:
                onChanges(changes)

        reader = replica.tableSet.reader()
        dialect, database = replica.tableSet.dialect, replica.schema.name
        reply = self._monitor(dialect, database, monitorId, replica.requests(), updated, reader)
        return self._checked(reply, lambda tables: replica.replace(reader.readAll(tables)))

    def lock(self, lockId: str, onChange: OnLock = lambda owned: None) -> Deferred[bool]:
        """
        Ask for a lock of the server (RFC 7047, section 4.1.8), to be asserted
        in transactions. It is gone with the connection.

        @param lockId: an C{<id>}: letters, digits and underscores.
        @param onChange: called with True whenever the lock becomes ours after
            the reply (C{locked}), with False when it is stolen (C{stolen});
            after that it may become ours again. What it raises ends the
            connection.
        @return: whether it is ours at once.
        @raise ValueError: if it was asked for and not unlocked since.
        """
        return self._lock("lock", lockId, onChange)

    def steal(self, lockId: str, onChange: OnLock = lambda owned: None) -> Deferred[bool]:
        """
        Take a lock from whoever has it: otherwise as L{lock}.
        """
        return self._lock("steal", lockId, onChange)

    def unlock(self, lockId: str) -> Deferred[None]:
        """
        Give a lock back, or ask for it no more (RFC 7047, section 4.1.8).
        """
        return self._unsubscribe(self._subscriptions.locks, lockId, "unlock")

    def echo(self, *params: object) -> Deferred[list[Any]]:
        """
        Ask whether the server is there (RFC 7047, section 4.1.11).

        @return: the same parameters.
        """
        return self.call("echo", params)

    def _monitor(
        self,
        dialect: Dialect[Any],
        database: str,
        monitorId: str,
        requests: Mapping[str, Any],
        onUpdate: OnUpdate,
        reader: RowReader | None = None,
    ) -> Deferred[Any]:
        """
        Monitor tables in some dialect.

        @param reader: if it is given, the result is as for L{_call}, and
            C{onUpdate} gets what C{rowUpdates} reads, to be read before it
            returns.
        """
        monitor = Monitor(onUpdate, dialect.notification, reader is not None)
        params = [database, monitorId, requests]

        def replied(tables: Any) -> Any:
            monitor.replied = True
            return tables

        monitors, undo = self._subscriptions.monitors, "monitor_cancel"
        reply = self._subscribe(monitors, monitorId, monitor, undo, dialect.method, params, reader)
        return reply.addCallback(replied)

    def _notificationReceived(self, message: Notification) -> None:
        """
        Tell those that have subscribed.
        """
        self._subscriptions.notified(message)

    def _end(self, reason: BaseException) -> None:
        self._subscriptions.clear()
        super()._end(reason)

    def _lock(self, method: str, lockId: str, onChange: OnLock) -> Deferred[bool]:
        locks = self._subscriptions.locks
        reply = self._subscribe(locks, lockId, Lock(onChange), "unlock", method, [lockId])
        return self._checked(reply, _locked)

    def _subscribe(
        self,
        things: dict[str, Subscribed],
        name: str,
        thing: Subscribed,
        undo: str,
        method: str,
        params: list[Any],
        reader: RowReader | None = None,
    ) -> Deferred[Any]:
        if name in things:
            raise ValueError(f"{method}: there is {name!r} already")
        reply = self._call(method, params, reader)
        things[name] = thing

        def refused(failure: Failure) -> Failure:
            if failure.check(CancelledError):
                undone = self._unsubscribe(things, name, undo)
                undone.addErrback(lambda refusal: refusal.trap(OvsdbError))
            else:
                _remove(things, name, thing)
            return failure

        return reply.addErrback(refused)

    def _unsubscribe(self, things: dict[str, Subscribed], name: str, method: str) -> Deferred[None]:
        thing = things.get(name)
        if thing is not None:
            thing.canceled = True

        def replied(result: Any) -> Any:
            _remove(things, name, thing)
            return result

        return self.call(method, [name]).addBoth(replied).addCallback(lambda _: None)

    def _checked(self, result: Deferred[Any], read: Callable[[Any], T]) -> Deferred[T]:
        def check(value: Any) -> T:
            try:
                return read(value)
            except ProtocolViolation as e:
                self.abort(e)
                raise

        return result.addCallback(check)


def _remove(things: dict[str, Subscribed], name: str, thing: Subscribed | None) -> None:
    # Another may have its name by now.
    if name in things and things[name] is thing:
        del things[name]


def _names(result: Any) -> list[str]:
    if type(result) is not list or not all(type(name) is str for name in result):
        raise ProtocolViolation(f"list_dbs: expected names, got {describe(result)}")
    return result


def _locked(result: Any) -> bool:
    if type(result) is not dict or type(result.get("locked")) is not bool:
        raise ProtocolViolation(f"expected whether it is locked, got {describe(result)}")
    locked: bool = result["locked"]
    return locked
