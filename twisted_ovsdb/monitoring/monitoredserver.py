# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One server, over all connections to it: what follows when a session reads something,
begins or ends. Rows go to what is known, then to the questions and the problems, and then
to the observers. What users call is left to the monitor, and the requests on a connection
to the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.connection.failures import letGo
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import ForgetReason, OvsInterface, ProblemFound
from twisted_ovsdb.monitoring.audience import Audience
from twisted_ovsdb.monitoring.audit import Audit
from twisted_ovsdb.monitoring.kindless import KindlessLog
from twisted_ovsdb.monitoring.lockterms import LockTerms
from twisted_ovsdb.monitoring.oddities import OdditiesLog
from twisted_ovsdb.monitoring.problemwatch import ProblemWatch
from twisted_ovsdb.monitoring.questions import Questions
from twisted_ovsdb.monitoring.reading import Settled
from twisted_ovsdb.monitoring.session import MonitorSession, Rows
from twisted_ovsdb.monitoring.switchlock import SwitchLock
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.known import Changes, KnownSwitch
from twisted_ovsdb.openvswitch.problems import Problems
from twisted_ovsdb.openvswitch.rows import TABLE

NO_ROW: Final = (
    "{switch}: its Open_vSwitch table is empty, so nobody knows which switch it is, and this"
    " monitor stands by"
)


class MonitoredServer:
    """
    A server that is monitored.

    @ivar known: what is known of it.
    @ivar audience: the observers.
    @ivar questions: answers questions about it.
    @ivar lock: the lock of the switch; None if there is none.
    @ivar watch: looks for problems; None if nothing does.
    @ivar audit: reads rows once more; None if nothing does.
    @ivar session: the session on the connection that is attached; None if there is none.
    @ivar wasInSync: whether it was in sync at any time since this was made, or forgotten.
    @ivar outages: how many sessions that were in sync have ended.
    @ivar syncedAt: when the last one of them began, in the seconds of C{now}; None: there
        was none.
    """

    def __init__(
        self,
        rules: ClassificationRules,
        replay: bool,
        extraColumns: Iterable[str],
        source: str,
        clock: IReactorTime,
        now: Callable[[], float],
        identify: bool,
        bridges: bool,
        dialect: Dialect,
        problemsAfter: float | None,
        audit: float | None,
        terms: LockTerms | None,
    ) -> None:
        """
        The parameters are those of L{InterfaceMonitor}.

        @param now: the time in seconds that never jump.
        @param terms: of the lock; None: there is none.
        """
        watched = problemsAfter is not None
        exclusive = terms is not None
        self.known = KnownSwitch(
            rules,
            extraColumns,
            dialect,
            identify,
            bridges,
            source,
            self._leave,
            watched,
            exclusive,
        )
        self._present = present = self.known.present
        self.session: MonitorSession | None = None
        problems = None if problemsAfter is None else Problems(present.rows, problemsAfter)
        self.lock: SwitchLock | None = None
        if terms is not None:
            self.lock = SwitchLock(terms, present, clock, self._takeOver, self._standBy)
        asked = () if self.lock is None else (self.lock.giveUp, self.lock.confirm)
        self.audience = Audience(present, replay, clock, self._remembered, problems, *asked)
        self.watch: ProblemWatch | None = None
        if problems is not None:
            self.watch = ProblemWatch(
                problems,
                present,
                self.known.configuration,
                clock,
                now,
                self.audience.noteProblems,
                self.audience.deliver,
            )
        self.audit = None if audit is None else Audit(present, audit, clock)
        self.questions = Questions(self.known, clock)
        self.wasInSync = False
        self.outages = 0
        self.syncedAt: float | None = None
        self._now = now
        self._kindless = KindlessLog(rules, clock)
        self._oddities = OdditiesLog(present, bridges)
        self._clock = clock
        self._database = ""  # of the session
        self._heard: float | None = None  # of the last session

    @property
    def heard(self) -> float | None:
        """See L{InterfaceMonitor.heard}."""
        now = None if self.session is None else self.session.protocol.heard
        return self._heard if now is None else now

    def eachProblem(self) -> Iterator[ProblemFound]:
        """As L{InterfaceMonitor.problems}; none if they are not looked for."""
        return iter(()) if self.watch is None else self.watch.each()

    # The connection

    def attach(
        self, protocol: OvsdbProtocol, database: str, address: str | None = None
    ) -> Deferred[None]:
        """
        As L{InterfaceMonitor.attach}.

        @param address: from where the switch connected to a listener. The source
            is the key of the switch then. The Deferred fails with
            L{SwitchChanged} if another switch is behind the connection.
        """
        if self.session is not None:
            raise RuntimeError("a connection is attached already")
        self.known.address = address
        session = MonitorSession(
            protocol,
            self.known.tables,
            self.known.prepare,
            self._snapshotRead,
            self._updateRead,
            self._clock,
        )
        self.session, self._database = session, database
        protocol.whenLost().addCallback(self._sessionLost, session)
        attached = Deferred.fromCoroutine(session.start(database)).addErrback(letGo)
        return attached.addErrback(self._attachFailed, session)

    def detach(self) -> None:
        """See L{InterfaceMonitor.detach}."""
        if self.session is not None:
            self._lose(MonitorStopped())
        self.audience.stop()
        self.questions.cancel()

    def forget(self, reason: ForgetReason) -> Deferred[None]:
        """
        Forget the switch, which is not connected now. Its observers are told
        that, also after a L{detach}; those that were told nothing of it are not.

        @return: fires when all of them have been told, and are not busy. Until
            then another connection may be attached; its snapshot is told as the
            first one, after that.
        """
        self.wasInSync = False
        if self.watch is not None:
            self.watch.leave()
        forgotten = self.audience.forget(reason)
        self._note(self.known.forget())
        self.questions.cancel()
        return forgotten

    def close(self) -> None:
        """Remove all observers, and end the loops over L{InterfaceMonitor.events}."""
        self.detach()
        self.audience.close()

    def _attachFailed(self, failure: Failure, session: MonitorSession) -> Failure:
        # The connection may be up, and the monitor may be attached again.
        assert failure.value is not None
        self._sessionLost(failure.value, session)
        return failure

    def _sessionLost(self, reason: BaseException, session: MonitorSession) -> None:
        if self.session is session:
            self._lose(reason)

    def _lose(self, reason: BaseException) -> None:
        if self.session is not None:
            self._heard = self.heard
            self.session.close()
            self.session = None
        if self.lock is not None:
            self.lock.end()
        self.outages += self._present.current
        self._present.current = False
        if self.audit is not None:
            self.audit.end()
        if self.watch is not None:
            self.watch.lost()
        self._standBy(reason)

    # What a session has read

    def _snapshotRead(self, rows: Rows) -> Settled:
        self._note(self.known.snapshot(rows))
        self.wasInSync = True
        self.syncedAt = self._now()
        self._present.snapshots += 1
        self._present.current = True
        if self.lock is None:
            self._present.session += 1
            self._present.inSync = True
        elif self.known.unknown:
            # Its source may lead other monitors to other switches.
            self.lock.terms.warn(NO_ROW, self._present.switch)
        elif self.session is not None:
            self.lock.begin(self.session.protocol, self._database)
        if self.session is not None:
            self._beginAudit(self.session)
            self._oddities.lacking(self.session.lacking)
            if self.session.fellBack:
                self._oddities.fellBack(self.known.tables.dialect.method)
        self.questions.begin()
        if self.watch is not None and self._present.current:
            self.watch.settle()
        # A callback may have stopped the monitor.
        return self.audience.start() if self._present.current else None

    def _beginAudit(self, session: MonitorSession) -> None:
        if self.audit is not None:
            rows = session.tables.tables[TABLE].rows
            self.audit.begin(session.protocol, self._database, rows)

    def _updateRead(self, rows: Rows) -> Settled:
        self._note(self.known.update(rows))
        self.questions.readiness.look(rows.get(TABLE, {}).values())
        if self.watch is not None and self._present.current:
            self.watch.settle()
        return self.audience.deliver()

    def _note(self, changes: Changes) -> None:
        """Let the trackers and indexes note these changes."""
        notes = self.audience.notes()
        notes += self.questions.notes()
        if self.watch is not None:
            notes.append(self.watch.problems.note)
        for uuid, before, now in changes:
            for note in notes:
                note(uuid, before, now)
            if now is not None and now.kind is None:
                self._kindless.note(before, now)
        self._kindless.explain()
        self._oddities.torn(self.known.torn)

    # What the lock, the rows and the observers have found

    def _takeOver(self) -> None:
        """The lock is this monitor's: observers are told the snapshot, as after an outage."""
        self._present.session += 1
        self._present.inSync = True
        self.audience.start()

    def _standBy(self, reason: BaseException) -> None:
        """Nothing may be told to observers from now on."""
        if self._present.inSync:
            self._present.inSync = False
            self._present.reason = reason
            if self.lock is not None:
                self.audience.silence()
            self.audience.deliver()

    def _leave(self) -> None:
        """Another switch is behind the source."""
        self.audience.leave()
        if self.watch is not None:
            self.watch.leave()

    def _remembered(self, told: Iterable[OvsInterface]) -> None:
        """An observer was told these in an earlier process."""
        self._note(self.known.remember(told))
        self.audience.deliver()
