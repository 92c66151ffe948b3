# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is known of any tables of a database, over all connections, and the callback
that is told what changes in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.connection.failures import letGo
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.database.knowntables import KnownTables
from twisted_ovsdb.database.schema import Row
from twisted_ovsdb.database.steps import ChangeTracker, Step
from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.database.wanted import Tables, asRows
from twisted_ovsdb.errors import ProtocolViolation, SessionLost
from twisted_ovsdb.events import Cause
from twisted_ovsdb.interfaces import ObserverResult
from twisted_ovsdb.monitoring.conditionchanges import ConditionChanges
from twisted_ovsdb.monitoring.reading import Settled
from twisted_ovsdb.monitoring.replicasession import ReplicaSession
from twisted_ovsdb.monitoring.telling import Telling

RowsByTable = Mapping[str, Mapping[str, Row]]
"""Rows by table and UUID."""

OnChanges = Callable[[tuple[RowChange, ...], Cause], ObserverResult]
"""
Called with the changes of each step, and why: INITIAL for the first snapshot, UPDATE,
or RESYNC for what an outage has left different. While a Deferred or coroutine that it
returns is not done, nothing is told; what happens meanwhile is then one step. What it
raises is logged, and the step counts as told.
"""


class ReplicaMonitor:
    """
    Keeps a replica of any tables, over many connections.

    @ivar source: the server, for the log.
    @ivar replica: the rows by table and UUID, read-only; in an outage as they were
        last known.
    @ivar inSync: whether a session is up whose snapshot has been applied.
    """

    def __init__(
        self, tables: Tables, onChanges: OnChanges, source: str, clock: IReactorTime
    ) -> None:
        """
        @raise TypeError: if C{tables} or C{onChanges} is something else.
        """
        if not callable(onChanges):
            raise TypeError(f"onChanges must be a function, not {onChanges!r}")
        self.source = source
        self.inSync = False
        self._known = KnownTables(asRows(tables))
        self.replica: RowsByTable = self._known.rows
        self._changes = ConditionChanges(self._known)
        self._tracker = ChangeTracker(self.replica)

        def tell(step: Step) -> ObserverResult:
            return onChanges(step.changes, step.cause)

        nextStep = self._tracker.nextStep
        self._telling: Telling[Step] = Telling(onChanges, tell, nextStep, clock, "onChanges")
        self._clock = clock
        self._session: ReplicaSession | None = None
        self._synchronized: Waiters[RowsByTable] = Waiters()

    @property
    def switch(self) -> str:
        """The key of the server: its source."""
        return self.source

    def whenSynchronized(self) -> Deferred[RowsByTable]:
        """
        As L{OvsdbReplicaFactory.whenSynchronized
        <twisted_ovsdb.OvsdbReplicaFactory.whenSynchronized>}.
        """
        return succeed(self.replica) if self.inSync else self._synchronized.wait()

    def changeConditions(self, wheres: Mapping[str, Iterable[Any] | None]) -> Deferred[None]:
        """
        As L{OvsdbReplicaFactory.changeConditions
        <twisted_ovsdb.OvsdbReplicaFactory.changeConditions>}.
        """
        changed = self._changes.add(self._known.withConditions(wheres))
        if self.inSync:
            assert self._session is not None
            self._changes.ask(self._session)
        return changed

    def attach(self, protocol: OvsdbProtocol, database: str) -> Deferred[None]:
        """
        Monitor the tables on this connection, which must be up, as
        L{InterfaceMonitor.attach <twisted_ovsdb.InterfaceMonitor.attach>} does.

        @return: fires when the snapshot has been applied.
        @raise RuntimeError: if a connection is attached already.
        """
        if self._session is not None:
            raise RuntimeError("a connection is attached already")
        self._changes.prepare()
        session = ReplicaSession(
            protocol, self._known, self._snapshotRead, self._updateRead, self._clock
        )
        self._session = session
        protocol.whenLost().addCallback(self._sessionLost, session)
        attached = Deferred.fromCoroutine(session.start(database)).addErrback(letGo)
        return attached.addErrback(self._attachFailed, session)

    def detach(self) -> None:
        """
        Stop: leave the connection, if there is one, without closing it. Nothing is
        told until the next L{attach}. What is known is kept.
        """
        self._lose()
        self._telling.stop()
        self._synchronized.errback(CancelledError())
        self._changes.cancelWaits()

    def _snapshotRead(self, changes: list[RowChange]) -> Settled:
        session = self._session
        assert session is not None
        self._tracker.session += 1
        self.inSync = True
        self._note(changes)
        self._synchronized.callback(self.replica)
        # A callback may have stopped it.
        if self._session is not session:
            return None
        self._telling.start()
        settled = self._telling.deliver()
        if self._session is session:
            self._changes.begin(session)
        return settled

    def _updateRead(self, changes: list[RowChange]) -> Settled:
        self._note(changes)
        return self._telling.deliver()

    def _note(self, changes: list[RowChange]) -> None:
        for change in changes:
            self._tracker.note(change)

    def _attachFailed(self, failure: Failure, session: ReplicaSession) -> Failure:
        if not failure.check(SessionLost, ProtocolViolation, CancelledError):
            self._changes.beginFailed()
        # The connection may be up, and the monitor may be attached again.
        self._sessionLost(failure.value, session)
        return failure

    def _sessionLost(self, reason: object, session: ReplicaSession) -> None:
        if self._session is session:
            self._lose()

    def _lose(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        self._changes.end()
        self.inSync = False
