# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One connection to an OVSDB server: the requests of RFC 7047, section 4.1, as
methods that return Deferreds. To follow any tables::

    schema = await protocol.getSchema("Open_vSwitch")
    replica = DatabaseReplica(schema, {"Bridge": ["name", "ports"]})
    rows = await protocol.follow(replica, "bridges", onChanges)

A message that the RFC does not allow aborts the connection. Every request that
waits then, also that of a wrong reply, fails with L{ProtocolViolation}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from itertools import chain, count
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from twisted_ovsdb.connection.rpc import TRANSACT, JSONRPCProtocol
from twisted_ovsdb.connection.subscriptions import (
    Lock,
    Monitor,
    OnLock,
    OnUpdate,
    Subscription,
    Subscriptions,
)
from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation, TransactionFailed, describe
from twisted_ovsdb.parameters import checkCallables, checkTexts
from twisted_ovsdb.wire.jsonrpc import Notification
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH
from twisted_ovsdb.wire.rowreader import RowReader

T = TypeVar("T")


class OvsdbProtocol(JSONRPCProtocol):
    """
    A session with a database server. Every Deferred fails with L{RpcError
    <twisted_ovsdb.RpcError>} if the server refuses, with L{ProtocolViolation
    <twisted_ovsdb.ProtocolViolation>} if it breaks the protocol, and with
    L{SessionLost <twisted_ovsdb.SessionLost>} if the session ends otherwise
    before the server answers.
    When a Deferred is cancelled, its reply is ignored; a monitor is then ended,
    and a lock given back.
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
        self._subscriptions = Subscriptions(self._odd)

    def listDatabases(self) -> Deferred[list[str]]:
        """Ask for the names of the databases (RFC 7047, section 4.1.1)."""
        return self._checked(self.call("list_dbs", []), _names)

    def getSchema(self, database: str) -> Deferred[DatabaseSchema]:
        """
        Ask for the schema of a database (RFC 7047, section 4.1.2). The schema
        as JSON is in its C{raw}.
        """
        checkTexts(database=database)
        return self._checked(self.call("get_schema", [database]), DatabaseSchema.parse)

    def transact(self, database: str, *operations: Mapping[str, Any]) -> Deferred[list[Any]]:
        """
        Do all of these operations, or none (RFC 7047, sections 4.1.3 and 5.2).

        If the Deferred is cancelled, the server is asked to cancel the
        transaction (section 4.1.4), for example a C{wait}. The server may have
        done it already: the caller is not told.

        @param operations: C{<operation>}s, whose values are in OVSDB's
            notation: see L{encode <twisted_ovsdb.wire.notation.encode>}.
        @return: the results, one for each operation. L{TransactionFailed
            <twisted_ovsdb.TransactionFailed>} if an operation or the commit
            failed, and therefore nothing was done.
        @raise TypeError: if an operation is no object.
        """
        checkTexts(database=database)
        for operation in operations:
            if not isinstance(operation, Mapping):
                raise TypeError(
                    'an operation is an object, such as {"op": ...}; several are arguments of'
                    f" their own, not {describe(operation)}"
                )
        result = self.call(TRANSACT, [database, *operations])
        return self._checked(result, lambda results: _results(results, len(operations)))

    def monitor(
        self, database: str, monitorId: str, requests: Mapping[str, Any], onUpdate: OnUpdate
    ) -> Deferred[Any]:
        """
        Monitor tables (RFC 7047, section 4.1.5).

        @param monitorId: a name for the monitor that no other monitor of this
            connection has.
        @param requests: C{<monitor-request>}s by the names of the tables.
        @param onUpdate: gets the table updates of each update notification.
        @return: the table updates of the initial reply. Its callbacks run
            before the next message of the same chunk is read.
        @raise ValueError: if there is a monitor of this name.
        @raise TypeError: if a parameter is of another type.
        """
        return self._monitor(MONITOR, database, monitorId, requests, onUpdate)

    def monitorCond(
        self, database: str, monitorId: str, requests: Mapping[str, Any], onUpdate: OnUpdate
    ) -> Deferred[Any]:
        """
        Monitor the rows of tables that match conditions, as L{monitor} does
        (ovsdb-server(7), section 4.1.12; Open vSwitch 2.6 and newer). The reply
        and the updates are C{<table-updates2>}, which report differences.
        """
        return self._monitor(MONITOR_COND, database, monitorId, requests, onUpdate)

    def monitorCancel(self, monitorId: str) -> Deferred[None]:
        """
        End a monitor (RFC 7047, section 4.1.7). Its C{onUpdate} is not called
        any more; its name is free when the reply has come.
        """
        checkTexts(monitorId=monitorId)
        return self._unsubscribe(self._subscriptions.monitors, monitorId, Monitor.END)

    def follow(
        self,
        replica: DatabaseReplica,
        monitorId: str,
        onChanges: Callable[[list[RowChange]], object] | None = None,
    ) -> Deferred[list[RowChange]]:
        """
        Keep a replica like the tables of the server. If the server has
        converted the database, get the schema again and make a new replica.

        @param monitorId: as for L{monitor}.
        @param onChanges: gets what an update has changed in the replica, after
            that; not called if nothing has changed. What it raises ends the
            session.
        @return: what the initial reply has changed in the replica: all rows,
            if the replica was empty.
        @raise ValueError: if there is a monitor of this name.
        """

        def updated(tables: Any) -> None:
            changes = replica.update(tables)
            if changes and onChanges is not None:
                onChanges(changes)

        reader = replica._tableSet.reader()
        dialect, database = replica._tableSet.dialect, replica.schema.name
        reply = self._monitor(dialect, database, monitorId, replica.requests(), updated, reader)
        return self._checked(reply, lambda tables: replica._replace(reader.readAll(tables)))

    def lock(self, lockId: str, onChange: OnLock = lambda owned: None) -> Deferred[bool]:
        """
        Ask for a lock of the server (RFC 7047, section 4.1.8), which
        transactions can assert. When the connection ends, the lock is free.

        @param lockId: an C{<id>}: letters, digits and underscores.
        @param onChange: called with True when the lock becomes ours after the
            reply (C{locked}), and with False when it is stolen (C{stolen});
            after that it may become ours again. What it raises ends the
            session.
        @return: whether the lock is ours at once.
        @raise ValueError: if the lock was asked for, and not unlocked since.
        """
        return self._lock("lock", lockId, onChange)

    def steal(self, lockId: str, onChange: OnLock = lambda owned: None) -> Deferred[bool]:
        """Take a lock, even from another client; otherwise as L{lock}."""
        return self._lock("steal", lockId, onChange)

    def unlock(self, lockId: str) -> Deferred[None]:
        """Give a lock back, or stop to wait for it (RFC 7047, section 4.1.8)."""
        checkTexts(lockId=lockId)
        return self._unsubscribe(self._subscriptions.locks, lockId, Lock.END)

    def echo(self, *params: object) -> Deferred[list[Any]]:
        """Ask the server to send these parameters back (RFC 7047, section 4.1.11)."""
        return self.call("echo", params)

    def _monitor(
        self,
        dialect: Dialect,
        database: str,
        monitorId: str,
        requests: Mapping[str, Any],
        onUpdate: OnUpdate,
        reader: RowReader | None = None,
        since: str | None = None,
    ) -> Deferred[Any]:
        """
        Monitor tables in any dialect.

        @param since: the transaction from which on changes are wanted, where
            the dialect asks for one.
        @param reader: as for L{_call}. With a reader, C{onUpdate} gets each
            update as it was received, and has to read it with C{rowUpdates}
            before it returns.
        """
        checkTexts(database=database, monitorId=monitorId)
        checkCallables(onUpdate=onUpdate)
        if not isinstance(requests, Mapping):
            raise TypeError(f"requests must be by table, not {describe(requests)}")
        monitor = Monitor(monitorId, onUpdate, dialect.notification, reader is not None)
        params = [database, monitorId, requests]
        if since is not None:
            params.append(since)

        def replied(tables: Any) -> Any:
            monitor.replied = True
            return tables

        monitors = self._subscriptions.monitors
        reply = self._subscribe(monitors, monitor, dialect.method, params, reader)
        return reply.addCallback(replied)

    def _unusedName(self, name: str) -> str:
        """
        @return: this name, or if a monitor has it, for example one that is being
            ended, this name with a number.
        """
        numbered = (f"{name}_{number}" for number in count(2))
        return next(n for n in chain([name], numbered) if n not in self._subscriptions.monitors)

    def _notificationReceived(self, message: Notification) -> None:
        self._subscriptions.received(message)

    def _end(self, reason: BaseException) -> None:
        self._subscriptions = Subscriptions(self._odd)
        super()._end(reason)

    def _lock(self, method: str, lockId: str, onChange: OnLock) -> Deferred[bool]:
        checkTexts(lockId=lockId)
        checkCallables(onChange=onChange)
        lock = Lock(lockId, onChange)
        reply = self._subscribe(self._subscriptions.locks, lock, method, [lockId])
        return self._checked(reply, _locked)

    def _subscribe(
        self,
        byName: dict[str, Subscription],
        subscription: Subscription,
        method: str,
        params: list[Any],
        reader: RowReader | None = None,
    ) -> Deferred[Any]:
        name = subscription.name
        if name in byName:
            raise ValueError(f"{method}: there is {name!r} already")
        reply = self._call(method, params, reader)
        byName[name] = subscription

        def failed(failure: Failure) -> Failure:
            """The request failed, or its caller has left: the subscription ends."""
            if failure.check(CancelledError):
                ended = self._unsubscribe(byName, name, subscription.END)
                ended.addErrback(lambda refusal: refusal.trap(OvsdbError))
            else:
                _remove(byName, subscription)
            return failure

        return reply.addErrback(failed)

    def _unsubscribe(self, byName: dict[str, Subscription], name: str, end: str) -> Deferred[None]:
        subscription = byName.get(name)
        if subscription is not None:
            subscription.canceled = True

        def replied(result: Any) -> Any:
            if subscription is not None:
                _remove(byName, subscription)
            return result

        return self.call(end, [name]).addBoth(replied).addCallback(lambda _: None)

    def _checked(self, result: Deferred[Any], read: Callable[[Any], T]) -> Deferred[T]:
        def check(value: Any) -> T | Failure:
            """Read the result. A wrong one ends the session."""
            try:
                return read(value)
            except ProtocolViolation as e:
                self.abort(e)
                # Not raised again: that would be with this frame, which holds the value.
                return Failure(copy(e))

        return result.addCallback(check)


def _remove(byName: dict[str, Subscription], subscription: Subscription) -> None:
    # Another subscription may have the name by now.
    if byName.get(subscription.name) is subscription:
        del byName[subscription.name]


def _names(result: Any) -> list[str]:
    if type(result) is not list or not all(type(name) is str for name in result):
        raise ProtocolViolation(f"list_dbs: expected names, got {describe(result)}")
    return result


def _results(results: Any, count: int) -> list[Any]:
    if type(results) is not list:
        raise ProtocolViolation(f"transact: expected results, got {describe(results)}")
    # A transaction that fails has no error reply: the error is one of the results.
    for index, result in enumerate(results):
        if type(result) is dict and type(result.get("error")) is str:
            details = result.get("details", "")
            text = details if type(details) is str else describe(details)
            raise TransactionFailed(result["error"], text, results, index)
    if len(results) != count:
        raise ProtocolViolation(f"transact: {len(results)} results of {count} operations")
    return results


def _locked(result: Any) -> bool:
    if type(result) is not dict or type(result.get("locked")) is not bool:
        raise ProtocolViolation(f"expected whether it is locked, got {describe(result)}")
    locked: bool = result["locked"]
    return locked
