# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The interfaces of one server: the one monitor that all connections to it feed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.events import Event, InterfaceKind, OvsInterface, ProblemFound
from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY
from twisted_ovsdb.lifecycle.client import CONNECT_TIMEOUT, OvsdbClientFactory, checkSource
from twisted_ovsdb.lifecycle.hook import ConnectionHook
from twisted_ovsdb.lifecycle.settings import Settings, lockTerms, timeSource
from twisted_ovsdb.monitoring.audit import AuditCounts
from twisted_ovsdb.monitoring.earlier import Told
from twisted_ovsdb.monitoring.lockterms import LockTerms
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH


def checkLockOf(lock: str | LockTerms | None, members: int) -> None:
    """@raise ValueError: if there is a lock, and more than one server that grants it."""
    if lock is not None and members > 1:
        name = lock.name if isinstance(lock, LockTerms) else lock
        raise ValueError(
            f"lock {name}: each member of a cluster grants it, so several monitors would speak;"
            " members must be 1"
        )


class OvsdbMonitorFactory(OvsdbClientFactory[InterfaceMonitor]):
    """
    Keeps one session with one OVSDB server, both for C{reactor.connectTCP} and
    for L{EndpointConnector <twisted_ovsdb.EndpointConnector>}.

    @ivar monitor: the L{InterfaceMonitor <twisted_ovsdb.InterfaceMonitor>},
        which outlives the connections.
    @ivar database: the name of the database.
    """

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        database: str = "Open_vSwitch",
        rules: ClassificationRules = ClassificationRules(),
        replay: bool = True,
        extraColumns: Iterable[str] = (),
        source: str | None = None,
        clock: IReactorTime | None = None,
        maxDelay: float = MAX_DELAY,
        connectTimeout: float = CONNECT_TIMEOUT,
        snapshotTimeout: float = SNAPSHOT_TIMEOUT,
        probeInterval: float = PROBE_INTERVAL,
        maxLength: int = DEFAULT_MAX_LENGTH,
        identify: bool = False,
        leaderOnly: bool = False,
        members: int = 1,
        hook: ConnectionHook | None = None,
        bridges: bool = False,
        method: str | None = None,
        problemsAfter: float | None = None,
        audit: float | None = None,
        lock: str | LockTerms | None = None,
        instance: str | None = None,
    ) -> None:
        """
        @param observers: the observers, which are told every event.
        @param database: the name of the database.
        @param rules: which kind an interface has.
        @param replay: whether interfaces that an outage left unchanged are
            told once more, as online with the cause REPLAY.
        @param extraColumns: columns of the Interface table to monitor beside
            the usual six.
        @param source: what events name as their source; by default the
            address that the connector leads to.
        @param clock: schedules calls and tells the time, such as the L{Clock
            <twisted.internet.task.Clock>} of a test; by default the reactor,
            and a clock that never jumps.
        @param maxDelay: seconds between two attempts at most.
        @param connectTimeout: seconds that an attempt may take; 0: as long as
            the connector allows.
        @param snapshotTimeout: seconds without a byte of a reply while the
            initial reply is awaited, which may take ten times that in all; 0: no
            limits.
        @param probeInterval: seconds without a byte until the server is asked
            for a sign of life, and as many until it is given up; also after 20
            times that without a complete message. 0: never.
        @param maxLength: how many bytes one message of the server may have.
        @param identify: whether the identity of the switch is monitored too, in
            its Open_vSwitch table. Each event then has C{system_id} and
            C{hostname}, and when the system-id changes, this is an outage in
            which no interface survives. With C{lock}, a switch without a system-id
            is known by the UUID of its row there, and while there is none, this
            monitor stands by.
        @param leaderOnly: whether a member of a cluster that does not lead it
            is left.
        @param members: how many servers the connector tries one after
            another, as L{ClusterEndpoint <twisted_ovsdb.ClusterEndpoint>}
            does.
        @param hook: is told of attempts, failures and sessions.
        @param bridges: whether it is asked on which bridge each interface is: the
            tables Bridge and Port are monitored too, by C{monitor_cond}.
        @param method: the request that monitors: C{monitor}, or C{monitor_cond},
            which costs fewer bytes and needs Open vSwitch 2.6. By default
            C{monitor_cond} with C{bridges}, and C{monitor} without. A server that
            does not know C{monitor_cond} is asked by C{monitor}, with a warning.
        @param problemsAfter: how many seconds something has to be wrong, such as a
            port without its OpenFlow port, until observers that ask for problems are
            told. What is wrong for a shorter time is not told. None: problems are
            not looked for.
        @param audit: seconds after which 100 rows are read once more and compared
            with what is known, in rotation. If a row is wrong twice, the session is
            ended, and the next one shows what is different. None: there is no audit.
        @param lock: the name of a lock of OVSDB (letters, digits and underscores), by which
            several monitors speak as one: observers are told what happens while this
            monitor has the lock. Otherwise it stands by: it knows everything, and tells
            nothing. None: it always tells.
        @param instance: names this monitor among those that share the lock; by default the
            host's name and the number of the process.
        @raise ValueError: if a value is wrong; the text names the parameter.
        """
        checkLockOf(lock, members)
        source = checkSource(source)
        clock, now = timeSource(clock)
        settings = Settings(
            observers=observers,
            database=database,
            rules=rules,
            replay=replay,
            extraColumns=extraColumns,
            snapshotTimeout=snapshotTimeout,
            probeInterval=probeInterval,
            maxLength=maxLength,
            clock=clock,
            now=now,
            bridges=bridges,
            method=method,
            problemsAfter=problemsAfter,
            audit=audit,
            lock=lockTerms(lock, instance, now),
        )
        monitor = settings.makeMonitor(source, identify)
        super().__init__(monitor, settings, maxDelay, connectTimeout, leaderOnly, members, hook)

    # What the monitor does: this delegates to it

    @property
    def speaking(self) -> bool:
        """See L{InterfaceMonitor.speaking}."""
        return self.monitor.speaking

    def confirmLock(self) -> Deferred[None]:
        """See L{InterfaceMonitor.confirmLock}."""
        return self.monitor.confirmLock()

    def giveUp(self) -> None:
        """See L{InterfaceMonitor.giveUp}."""
        self.monitor.giveUp()

    def stealLock(self) -> None:
        """See L{InterfaceMonitor.stealLock}."""
        self.monitor.stealLock()

    def addObserver(self, observer: Observer, told: Told | None = None) -> None:
        """See L{InterfaceMonitor.addObserver}."""
        self.monitor.addObserver(observer, told)

    def removeObserver(self, observer: Observer) -> None:
        """See L{InterfaceMonitor.removeObserver}."""
        self.monitor.removeObserver(observer)

    def replayTo(self, observer: Observer) -> None:
        """See L{InterfaceMonitor.replayTo}."""
        self.monitor.replayTo(observer)

    def events(self, problems: bool = False) -> AsyncGenerator[Event, None]:
        """See L{InterfaceMonitor.events}."""
        return self.monitor.events(problems)

    def problems(self) -> tuple[ProblemFound, ...]:
        """See L{InterfaceMonitor.problems}."""
        return self.monitor.problems()

    def audited(self) -> AuditCounts:
        """See L{InterfaceMonitor.audited}."""
        return self.monitor.audited()

    def interfaces(
        self, kind: InterfaceKind | str | None = None, bridge: str | None = None
    ) -> tuple[OvsInterface, ...]:
        """See L{InterfaceMonitor.interfaces}."""
        return self.monitor.interfaces(kind, bridge)

    def interfaceByOfport(self, bridge: str, ofport: int) -> OvsInterface | None:
        """See L{InterfaceMonitor.interfaceByOfport}."""
        return self.monitor.interfaceByOfport(bridge, ofport)

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """See L{InterfaceMonitor.interfaceByName}."""
        return self.monitor.interfaceByName(name)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """See L{InterfaceMonitor.interfacesByIfaceId}."""
        return self.monitor.interfacesByIfaceId(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """See L{InterfaceMonitor.whenSynchronized}."""
        return self.monitor.whenSynchronized()

    def whenReady(self, ifaceId: str, timeout: float | None = None) -> Deferred[OvsInterface]:
        """See L{InterfaceMonitor.whenReady}."""
        return self.monitor.whenReady(ifaceId, timeout)
