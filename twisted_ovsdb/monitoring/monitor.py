# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitor of one server, as users have it: what its parameters mean, and what each
method promises. What happens on its connections is left to the monitored server, and
each answer to the part that knows it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.events import (
    Event,
    InterfaceKind,
    OvsInterface,
    ProblemFound,
    SwitchIdentity,
)
from twisted_ovsdb.interfaces import Observer, asObservers
from twisted_ovsdb.monitoring.audit import AuditCounts, checkAudit
from twisted_ovsdb.monitoring.earlier import Told
from twisted_ovsdb.monitoring.lockterms import LockTerms, checkLock
from twisted_ovsdb.monitoring.monitoredserver import MonitoredServer
from twisted_ovsdb.monitoring.problemwatch import checkProblemsAfter, steadily
from twisted_ovsdb.monitoring.switchlock import SwitchLock
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.views import checkBridges

DIALECTS: Final = {dialect.method: dialect for dialect in (MONITOR, MONITOR_COND)}
"""What C{method} may be."""


def checkMethod(method: str | None) -> None:
    """@raise ValueError: if there is no such request."""
    if method is not None and method not in tuple(DIALECTS):
        raise ValueError(f"method must be one of {', '.join(DIALECTS)}, not {method!r}")


class InterfaceMonitor:
    """
    The interfaces of one database server, across all its connections.

    L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>} makes its own
    monitor. An application that owns its connections makes a monitor and gives
    it each new protocol with L{attach}.
    """

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        rules: ClassificationRules = ClassificationRules(),
        replay: bool = True,
        extraColumns: Iterable[str] = (),
        source: str = "",
        clock: IReactorTime | None = None,
        identify: bool = False,
        bridges: bool = False,
        method: str | None = None,
        problemsAfter: float | None = None,
        audit: float | None = None,
        lock: str | LockTerms | None = None,
        instance: str | None = None,
    ) -> None:
        """
        The parameters are those of L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}. Events name no source unless
        C{source} is given.
        """
        checkProblemsAfter(problemsAfter)
        checkAudit(audit)
        now = steadily(clock)
        if not isinstance(lock, LockTerms):
            checkLock(lock, instance)
            lock = None if lock is None else LockTerms(lock, instance, now)
        if clock is None:
            from twisted.internet import reactor

            clock = reactor
        checkMethod(method)
        dialect = DIALECTS[method or ("monitor_cond" if bridges else "monitor")]
        # Other rooms of this package use it too, for what users are not offered.
        self._server = server = MonitoredServer(
            rules,
            replay,
            extraColumns,
            source,
            clock,
            now,
            identify,
            bridges,
            dialect,
            problemsAfter,
            audit,
            lock,
        )
        self._known, self._present = server.known, server.known.present
        self._audience, self._questions = server.audience, server.questions
        self._watch, self._audit, self._lock = server.watch, server.audit, server.lock
        for observer in asObservers(observers):
            self.addObserver(observer)

    @property
    def inSync(self) -> bool:
        """Whether everything is known as the server has it now."""
        return self._present.current

    @property
    def wasInSync(self) -> bool:
        """Whether it was in sync at any time since it was made, or forgotten."""
        return self._server.wasInSync

    @property
    def source(self) -> str:
        """The server's name in events."""
        return self._present.source

    @source.setter
    def source(self, source: str) -> None:
        self._present.source = source

    @property
    def identity(self) -> SwitchIdentity:
        """The identity of the switch in events."""
        return self._present.identity

    @property
    def switch(self) -> str:
        """The key of the switch: that of its identity if it has one, else C{source}."""
        return self._present.switch

    @property
    def heard(self) -> float | None:
        """
        When the server's last bytes came, in the seconds of the clock that watches its
        connections: C{time.monotonic}, or the clock that a factory was given. None if
        none came, or no factory watches.
        """
        return self._server.heard

    # The lock

    @property
    def lock(self) -> str | None:
        """The name of the lock; None if there is none."""
        return None if self._lock is None else self._lock.terms.name

    @property
    def speaking(self) -> bool:
        """
        Whether observers are told what happens: the monitor is in sync, and if there is a
        lock, it is this monitor's. If not, another one may tell its observers.
        """
        return self._present.inSync

    def confirmLock(self) -> Deferred[None]:
        """
        Ask the server whether the lock is still this monitor's (a transaction with
        C{assert}: RFC 7047, section 5.2.10). What was known before may be old: this
        process may have been stopped for any time. Before it is told what others have told
        meanwhile, an observer waits for this.

        @return: fires if the lock is this monitor's. L{LockLost <twisted_ovsdb.LockLost>}
            if it is not, or if the server does not answer for 5 s; the session has ended
            then, unless the monitor knew that it does not have the lock.
        @raise ValueError: if there is no lock.
        """
        return self._requireLock().confirm()

    def giveUp(self) -> None:
        """
        Give the lock back, and ask for it again after a random time of 2 to 6 s. Another
        monitor that waits for it speaks at once. Observers are told Disconnected (reason:
        L{LockLost <twisted_ovsdb.LockLost>}).

        @raise ValueError: if there is no lock.
        """
        self._requireLock().giveUp()

    def stealLock(self) -> None:
        """
        Take the lock from the client that has it: for a holder that is known to hang, and
        that the server does not find. Without a session in sync, this does nothing.

        @raise ValueError: if there is no lock.
        """
        self._requireLock().steal()

    def _requireLock(self) -> SwitchLock:
        if self._lock is None:
            raise ValueError("there is no lock: pass lock='NAME'")
        return self._lock

    # Observers

    def addObserver(self, observer: Observer, told: Told | None = None) -> None:
        """
        Tell this observer too. Nothing is told before this call returns. If
        the monitor is in sync, the observer is then told what exists now
        (INITIAL, and Synchronized); if not, it is told nothing until the next
        snapshot, which is INITIAL for this observer.

        With C{told}, the observer goes on from what it was told in an earlier
        life, for example before the process was restarted. Its first snapshot
        is then a RESYNC, as after an outage.

        @param told: the interfaces that the observer was told (those without a
            kind are ignored), or a function that is called with the switch key
            (the system-id, or the source if that is not known) and returns
            them, or an awaitable of them, such as a Deferred. It is called
            once, before the observer's first event. Until its Deferred fires,
            this observer is told nothing, and the others go on; removing the
            observer cancels the Deferred. If the function returns None, the
            observer was never told anything of this switch, and its first
            snapshot is INITIAL. It is INITIAL too if the function fails, which
            is logged once. With a C{lock}, the function is called each time when this
            monitor has got it, because others may have told the observer something
            meanwhile; if the function fails then, the lock is given up.
        @raise TypeError: if C{observer} is not an observer, or
            C{told} is neither a function nor interfaces.
        @raise ValueError: if it has been added already, or if C{told} is given for
            an observer of an L{ObserverState <twisted_ovsdb.ObserverState>}, which
            knows it.
        """
        checkBridges(observer, self._known.bridges)
        self._audience.add(observer, told)

    def removeObserver(self, observer: Observer) -> None:
        """
        Tell this observer nothing more. What waits for it is dropped, and the
        Deferred that it is busy with is cancelled.

        @raise ValueError: if it is no observer.
        """
        self._audience.remove(observer)

    def replayTo(self, observer: Observer) -> None:
        """
        Tell this observer once more what it was told, as after an outage that
        changed nothing: an online event with the cause REPLAY for each interface,
        then Synchronized. Whoever begins with nothing can add up these events: what
        changes meanwhile is told after the replay of that interface. While the
        monitor is not in sync, this waits for the next snapshot. Nothing is told
        before this call returns.

        @param observer: what was added: of an observer within C{onlyBridges} or its
            kin, what that returned.
        @raise ValueError: if it is no observer.
        """
        self._audience.replayTo(observer)

    def events(self, problems: bool = False) -> AsyncGenerator[Event, None]:
        """
        Events for C{async for}: what an observer is told that is added when
        the first event is asked for. While the consumer is busy, changes are
        merged as for any observer.

        @param problems: whether problems are told too (C{problemsAfter}).
        @return: ends when the monitor is stopped. It is closed when the loop
            is left, unless something else keeps a reference to it;
            C{contextlib.aclosing} closes it in any case.
        """
        return self._audience.events(problems)

    # Questions. No answer waits for an observer.

    def interfaces(
        self, kind: InterfaceKind | str | None = None, bridge: str | None = None
    ) -> tuple[OvsInterface, ...]:
        """
        Every interface that has a kind; in an outage, as it was last known.

        @param kind: only interfaces of this kind, or of the kind of this name.
        @param bridge: only interfaces on the bridge of this name.
        @raise ValueError: if there is no such kind; for a bridge, if the monitor
            does not ask for bridges.
        @raise TypeError: if the bridge is no text.
        """
        return self._questions.interfaces(kind, bridge)

    def problems(self) -> tuple[ProblemFound, ...]:
        """
        Every problem that has lasted for C{problemsAfter} seconds, as observers that
        ask for problems are told it. In an outage there is none, because nothing is
        known.

        @raise ValueError: if the monitor does not look for problems.
        """
        if self._watch is None:
            raise ValueError("problems are not looked for: pass problemsAfter=30.0")
        return tuple(self._watch.each())

    def audited(self) -> AuditCounts:
        """
        What the audit has done so far.

        @raise ValueError: if there is none.
        """
        if self._audit is None:
            raise ValueError("there is no audit: pass audit=10.0")
        return self._audit.counts

    def interfaceByOfport(self, bridge: str, ofport: int) -> OvsInterface | None:
        """
        Find an interface by its OpenFlow port.

        After a port has moved to another bridge, it has the number of its former
        bridge there, until ovs-vswitchd has given it another one. If two interfaces
        have one number in this time, the answer is the one that was there before. A
        monitor that has begun in this time does not know which one that is; its answer
        is None.

        @param bridge: the name of a bridge: an OpenFlow port number means nothing
            without it.
        @param ofport: the OpenFlow port number. No port has the number -1, which a row
            has if its port failed.
        @return: the interface that has this OpenFlow port; None if there is none,
            or it has no kind. In an outage, as it was last known.
        @raise ValueError: if the monitor does not ask for bridges.
        @raise TypeError: if the bridge is no text, or the number no integer.
        """
        return self._questions.byOfport(bridge, ofport)

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """
        @return: the interface of this name; None if there is none, or it has
            no kind. In an outage, as it was last known.
        """
        return self._questions.byName(name)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """
        @return: the interfaces that have a kind and this
            C{external_ids:iface-id}: usually one, and two while a VM's port
            moves to another interface. In an outage, as they were last known.
        """
        return self._questions.byIfaceId(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """
        @return: every interface that has a kind, as soon as a snapshot has
            been applied, at once if the monitor is in sync; does not wait for
            observers. CancelledError when the monitor is stopped.
        """
        return self._questions.whenSynchronized()

    def whenReady(self, ifaceId: str, timeout: float | None = None) -> Deferred[OvsInterface]:
        """
        Wait until a VM's interface can be used.

        @param ifaceId: its C{external_ids:iface-id}.
        @param timeout: seconds to wait at most; None: no limit.
        @return: the interface of kind VM that has this iface-id and is
            L{ready <OvsInterface.ready>}, at once if there is one already. In
            an outage nothing is ready until the next snapshot. Does not wait
            for observers. L{twisted.internet.defer.TimeoutError} after the
            timeout, whose text says what is missing; CancelledError when the
            monitor is stopped.
        @raise TypeError: if one of them is of another type.
        """
        return self._questions.whenReady(ifaceId, timeout)

    # The connection

    def attach(self, protocol: OvsdbProtocol, database: str = "Open_vSwitch") -> Deferred[None]:
        """
        Monitor the Interface table on this connection, which must be up.

        The connection stays the caller's. When it is lost, what is known is
        kept and compared with the snapshot of the next connection.

        @param database: the database's name.
        @return: fires when the snapshot has been applied. L{RpcError} or
            L{OvsdbError} if the server cannot be monitored: the connection is
            still up, and the caller has to close it. L{ProtocolViolation} if
            the reply is not understood, and L{SessionLost} if the connection
            is lost: there is no connection to close. If the Deferred is
            cancelled, the monitor leaves the connection, which is still up.
            After any of these, the monitor may be attached again.
        @raise RuntimeError: if a connection is attached already.
        """
        return self._server.attach(protocol, database)

    def detach(self) -> None:
        """
        Stop: leave the connection, if there is one, without closing it.

        Observers that are not busy are told Disconnected (reason:
        L{MonitorStopped}). Then no observer is told anything until the next
        L{attach}. An observer that calls this from inside eventReceived is
        busy with that event. What is known is kept.
        """
        self._server.detach()
