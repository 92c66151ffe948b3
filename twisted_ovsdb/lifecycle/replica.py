# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Any tables of one server: the one replica that all connections to it feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.database.wanted import Tables
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY
from twisted_ovsdb.lifecycle.client import CONNECT_TIMEOUT, OvsdbClientFactory, checkSource
from twisted_ovsdb.lifecycle.hook import ConnectionHook
from twisted_ovsdb.lifecycle.settings import ConnectionSettings, timeSource
from twisted_ovsdb.monitoring.replicamonitor import OnChanges, ReplicaMonitor, RowsByTable
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH


class OvsdbReplicaFactory(OvsdbClientFactory[ReplicaMonitor]):
    """
    Keeps a replica of any tables of any OVSDB database, such as Bridge and Port of
    a switch, or Port_Binding of OVN, and tells a function what changes in it. It
    connects again as L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>}
    does, and then tells exactly what differs.
    """

    def __init__(
        self,
        database: str,
        tables: Tables,
        onChanges: OnChanges,
        source: str | None = None,
        clock: IReactorTime | None = None,
        maxDelay: float = MAX_DELAY,
        connectTimeout: float = CONNECT_TIMEOUT,
        snapshotTimeout: float = SNAPSHOT_TIMEOUT,
        probeInterval: float = PROBE_INTERVAL,
        maxLength: int = DEFAULT_MAX_LENGTH,
        leaderOnly: bool = False,
        members: int = 1,
        hook: ConnectionHook | None = None,
    ) -> None:
        """
        @param database: the name of the database.
        @param tables: the names of the tables, or by these names the columns of each
            table, or L{Rows <twisted_ovsdb.Rows>} with columns and conditions. A
            server that lacks one of them is not monitored: the log says which.
        @param onChanges: called with the L{RowChange <twisted_ovsdb.RowChange>}s of
            each step and with its L{Cause <twisted_ovsdb.Cause>}: INITIAL, also if
            there are no rows; then UPDATE, and RESYNC for what differs after an
            outage, if anything does. While a Deferred or coroutine that it returns
            is not done, it is told nothing, and then what differs by now. What it
            raises is logged, and the step counts as told.

        The other parameters are those of L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}.

        @raise TypeError: if a value is of another type.
        @raise ValueError: if a value is wrong; the text names the parameter.
        """
        source = checkSource(source)
        clock, now = timeSource(clock)
        settings = ConnectionSettings(
            database=database,
            snapshotTimeout=snapshotTimeout,
            probeInterval=probeInterval,
            maxLength=maxLength,
            clock=clock,
            now=now,
        )
        monitor = ReplicaMonitor(tables, onChanges, source, clock)
        super().__init__(monitor, settings, maxDelay, connectTimeout, leaderOnly, members, hook)

    @property
    def replica(self) -> RowsByTable:
        """
        The rows by table and UUID, read-only; in an outage as they were last known.
        """
        return self.monitor.replica

    def whenSynchronized(self) -> Deferred[RowsByTable]:
        """
        @return: the replica, as soon as a snapshot has been applied, at once if it
            is in sync; does not wait for C{onChanges}. CancelledError when it is
            stopped.
        """
        return self.monitor.whenSynchronized()

    def changeConditions(self, wheres: Mapping[str, Iterable[Any] | None]) -> Deferred[None]:
        """
        Monitor the rows that match other conditions. Rows that come and go are told
        as changes with the cause UPDATE.

        @param wheres: by table the conditions, as those of L{Rows
            <twisted_ovsdb.Rows>}.
        @return: fires when the replica has these rows, or those of a later change that
            replaces this one before it is asked for; in an outage after the next
            snapshot. L{RpcError <twisted_ovsdb.RpcError>} if the server refuses the
            conditions: the former ones hold, also those of the other tables.
            L{OvsdbError <twisted_ovsdb.OvsdbError>} if it is too old for conditions,
            and CancelledError when the replica is stopped. To cancel it, or to stop the
            replica, ends only the wait.
        @raise KeyError: if there is no such table in the replica.
        @raise TypeError: if these are no conditions.
        @raise ValueError: if a condition has no function of OVSDB or a value that OVSDB
            cannot hold, or a list has no condition.
        """
        return self.monitor.changeConditions(wheres)
