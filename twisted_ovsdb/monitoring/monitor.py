# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitor of one server: it outlives the connections, keeps what was last known,
and answers questions about it. The audience has the observers, the session has
the requests on a connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from operator import attrgetter
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.connection.failures import letGo
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import (
    Event,
    ForgetReason,
    InterfaceKind,
    OvsInterface,
    ProblemFound,
    SwitchIdentity,
)
from twisted_ovsdb.interfaces import Observer, asObservers
from twisted_ovsdb.monitoring.audience import Audience
from twisted_ovsdb.monitoring.audit import Audit, AuditCounts, checkAudit
from twisted_ovsdb.monitoring.earlier import Told
from twisted_ovsdb.monitoring.index import Index, OfportIndex
from twisted_ovsdb.monitoring.kindless import KindlessLog
from twisted_ovsdb.monitoring.lockterms import LockTerms, checkLock
from twisted_ovsdb.monitoring.oddities import OdditiesLog
from twisted_ovsdb.monitoring.problemwatch import ProblemWatch, checkProblemsAfter, steadily
from twisted_ovsdb.monitoring.readiness import Readiness
from twisted_ovsdb.monitoring.reading import Settled
from twisted_ovsdb.monitoring.session import MonitorSession, Rows
from twisted_ovsdb.monitoring.switchlock import SwitchLock
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.known import Changes, KnownSwitch
from twisted_ovsdb.openvswitch.problems import Problems
from twisted_ovsdb.openvswitch.rows import TABLE
from twisted_ovsdb.openvswitch.views import checkBridges
from twisted_ovsdb.ovsinterface import kindOf
from twisted_ovsdb.parameters import checkIntegers, checkTexts

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
        watched = problemsAfter is not None
        self._known = KnownSwitch(
            rules,
            extraColumns,
            dialect,
            identify,
            bridges,
            source,
            self._leave,
            watched,
            lock is not None,
        )
        self._present = present = self._known.present
        self._session: MonitorSession | None = None
        problems = None if problemsAfter is None else Problems(present.rows, problemsAfter)
        self._lock: SwitchLock | None = None
        if lock is not None:
            self._lock = SwitchLock(lock, present, clock, self._takeOver, self._standBy)
        self._audience = audience = Audience(
            present,
            replay,
            clock,
            self._remembered,
            problems,
            self.giveUp,
            self.confirmLock,
        )
        self._watch: ProblemWatch | None = None
        if problems is not None:
            self._watch = ProblemWatch(
                problems,
                present,
                self._known.configuration,
                clock,
                now,
                audience.noteProblems,
                audience.deliver,
            )
        self._audit = None if audit is None else Audit(present, audit, clock)
        self._database = ""  # of the session
        self._clock = clock
        self._synchronized: Waiters[tuple[OvsInterface, ...]] = Waiters()
        self._byName = Index(present.rows, attrgetter("name"))
        self._byIfaceId = Index(present.rows, attrgetter("iface_id"))
        self._byOfport = OfportIndex(present.rows)
        self._indexes: tuple[Index, ...] = (self._byName, self._byIfaceId)
        if bridges:
            self._indexes += (self._byOfport,)
        self._kindless = KindlessLog(rules, clock)
        self._readiness = Readiness(present, self._byIfaceId, clock)
        self._oddities = OdditiesLog(present, bridges)
        self._wasInSync = False  # since it was made, or forgotten
        self._heard: float | None = None  # of the last session
        for observer in asObservers(observers):
            self.addObserver(observer)

    @property
    def inSync(self) -> bool:
        """Whether everything is known as the server has it now."""
        return self._present.current

    @property
    def wasInSync(self) -> bool:
        """Whether it was in sync at any time since it was made, or forgotten."""
        return self._wasInSync

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
        """The key of the switch: its system-id if that is known, else C{source}."""
        return self._present.switch

    @property
    def heard(self) -> float | None:
        """
        When the server's last bytes came, in the seconds of the clock that watches its
        connections: C{time.monotonic}, or the clock that a factory was given. None if
        none came, or no factory watches.
        """
        now = None if self._session is None else self._session.protocol.heard
        return self._heard if now is None else now

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

    def _offerLock(self) -> None:
        """See L{SwitchLock.offer}."""
        self._requireLock().offer()

    @property
    def _askedAfter(self) -> float:
        """See L{LockTerms.delay}."""
        return self._requireLock().terms.delay(self.switch)

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
        wanted = None if kind is None else kindOf(kind)
        found = self._present.interfaces()
        if bridge is not None:
            checkTexts(bridge=bridge)
            self._requireBridges()
        elif wanted is None:
            return found
        return tuple(
            row
            for row in found
            if (wanted is None or row.kind is wanted) and (bridge is None or row.bridge == bridge)
        )

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

    def _eachProblem(self) -> Iterator[ProblemFound]:
        """As L{problems}, one after another; none if they are not looked for."""
        return iter(()) if self._watch is None else self._watch.each()

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
        checkTexts(bridge=bridge)
        checkIntegers(ofport=ofport)
        self._requireBridges()
        return self._byOfport.find(bridge, ofport)

    def _requireBridges(self) -> None:
        if not self._known.bridges:
            raise ValueError("the bridges of interfaces are not known: pass bridges=True")

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """
        @return: the interface of this name; None if there is none, or it has
            no kind. In an outage, as it was last known.
        """
        checkTexts(name=name)
        return next(iter(self._byName.get(name)), None)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """
        @return: the interfaces that have a kind and this
            C{external_ids:iface-id}: usually one, and two while a VM's port
            moves to another interface. In an outage, as they were last known.
        """
        checkTexts(ifaceId=ifaceId)
        return self._byIfaceId.get(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """
        @return: every interface that has a kind, as soon as a snapshot has
            been applied, at once if the monitor is in sync; does not wait for
            observers. CancelledError when the monitor is stopped.
        """
        if self._present.current:
            return succeed(self._present.interfaces())
        return self._synchronized.wait()

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
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise TypeError(f"timeout must be a number of seconds or None, not {timeout!r}")
        checkTexts(ifaceId=ifaceId)
        return self._readiness.wait(ifaceId, timeout)

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
        return self._attach(protocol, database)

    def _attach(
        self,
        protocol: OvsdbProtocol,
        database: str,
        address: str | None = None,
    ) -> Deferred[None]:
        """
        As L{attach}.

        @param address: from where the switch connected to a listener. C{source}
            is the key of the switch then. The Deferred fails with
            L{SwitchChanged} if another switch is behind the connection.
        """
        if self._session is not None:
            raise RuntimeError("a connection is attached already")
        self._known.address = address
        session = MonitorSession(
            protocol,
            self._known.tables,
            self._known.prepare,
            self._snapshotRead,
            self._updateRead,
            self._clock,
        )
        self._session, self._database = session, database
        protocol.whenLost().addCallback(self._sessionLost, session)
        attached = Deferred.fromCoroutine(session.start(database)).addErrback(letGo)
        return attached.addErrback(self._attachFailed, session)

    def detach(self) -> None:
        """
        Stop: leave the connection, if there is one, without closing it.

        Observers that are not busy are told Disconnected (reason:
        L{MonitorStopped}). Then no observer is told anything until the next
        L{attach}. An observer that calls this from inside eventReceived is
        busy with that event. What is known is kept.
        """
        if self._session is not None:
            self._lose(MonitorStopped())
        self._audience.stop()
        self._synchronized.errback(CancelledError())
        self._readiness.cancel()

    def _forget(self, reason: ForgetReason) -> Deferred[None]:
        """
        Forget the switch, which is not connected now. Its observers are told
        that, also after a L{detach}; those that were told nothing of it are not.

        @return: fires when all of them have been told, and are not busy. Until
            then another connection may be attached; its snapshot is told as the
            first one, after that.
        """
        self._wasInSync = False
        if self._watch is not None:
            self._watch.leave()
        forgotten = self._audience.forget(reason)
        self._note(self._known.forget())
        self._synchronized.errback(CancelledError())
        self._readiness.cancel()
        return forgotten

    @property
    def _parted(self) -> bool:
        """Whether all observers that have to know it were told that the switch is forgotten."""
        return self._audience.parted

    def _goOn(self) -> None:
        """After L{detach}: tell what waits, if there is no connection."""
        self._audience.start()

    def _close(self) -> None:
        """Remove all observers, and end the loops over L{events}."""
        self.detach()
        self._audience.close()

    def _snapshotRead(self, rows: Rows) -> Settled:
        self._note(self._known.snapshot(rows))
        self._wasInSync = True
        self._present.snapshots += 1
        self._present.current = True
        if self._lock is None:
            self._present.session += 1
            self._present.inSync = True
        elif self._session is not None:
            self._lock.begin(self._session.protocol, self._database)
        if self._session is not None:
            self._beginAudit(self._session)
            self._oddities.lacking(self._session.lacking)
            if self._session.fellBack:
                self._oddities.fellBack(self._known.tables.dialect.method)
        if self._synchronized:
            self._synchronized.callback(self._present.interfaces())
        self._readiness.look(self._present.rows.values())
        if self._watch is not None and self._present.current:
            self._watch.settle()
        # A callback may have stopped the monitor.
        return self._audience.start() if self._present.current else None

    def _takeOver(self) -> None:
        """The lock is this monitor's: observers are told the snapshot, as after an outage."""
        self._present.session += 1
        self._present.inSync = True
        self._audience.start()

    def _standBy(self, reason: BaseException) -> None:
        """Nothing may be told to observers from now on."""
        if self._present.inSync:
            self._present.inSync = False
            self._present.reason = reason
            if self._lock is not None:
                self._audience.silence()
            self._audience.deliver()

    def _beginAudit(self, session: MonitorSession) -> None:
        if self._audit is not None:
            rows = session.tables.tables[TABLE].rows
            self._audit.begin(session.protocol, self._database, rows)

    def _updateRead(self, rows: Rows) -> Settled:
        self._note(self._known.update(rows))
        self._readiness.look(rows.get(TABLE, {}).values())
        if self._watch is not None and self._present.current:
            self._watch.settle()
        return self._audience.deliver()

    def _leave(self) -> None:
        self._audience.leave()
        if self._watch is not None:
            self._watch.leave()

    def _remembered(self, told: Iterable[OvsInterface]) -> None:
        self._note(self._known.remember(told))
        self._audience.deliver()

    def _attachFailed(self, failure: Failure, session: MonitorSession) -> Failure:
        # The connection may be up, and the monitor may be attached again.
        assert failure.value is not None
        self._sessionLost(failure.value, session)
        return failure

    def _sessionLost(self, reason: BaseException, session: MonitorSession) -> None:
        if self._session is session:
            self._lose(reason)

    def _lose(self, reason: BaseException) -> None:
        if self._session is not None:
            self._heard = self.heard
            self._session.close()
            self._session = None
        if self._lock is not None:
            self._lock.end()
        self._present.current = False
        if self._audit is not None:
            self._audit.end()
        if self._watch is not None:
            self._watch.lost()
        self._standBy(reason)

    def _note(self, changes: Changes) -> None:
        """Let the trackers and indexes note these changes."""
        notes = self._audience.notes()
        notes += [index.note for index in self._indexes if index.made]
        if self._watch is not None:
            notes.append(self._watch.problems.note)
        for uuid, before, now in changes:
            for note in notes:
                note(uuid, before, now)
            if now is not None and now.kind is None:
                self._kindless.note(before, now)
        self._kindless.explain()
        self._oddities.torn(self._known.torn)
