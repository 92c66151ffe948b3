# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The changes of conditions that wait for a server, over all connections: which is asked
for when, and what its caller is told. How the server is asked is left to the session.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.internet.defer import CancelledError, Deferred

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.database.knowntables import KnownTables
from twisted_ovsdb.database.wanted import Rows
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation, RpcError, SessionLost
from twisted_ovsdb.monitoring.replicasession import ReplicaSession


@attrs.define(eq=False)
class _Change:
    """
    @ivar wanted: what is wanted of each table, without the tables for which a later
        change was accepted.
    @ivar waiters: the caller, until it cancels or the replica is stopped.
    """

    wanted: dict[str, Rows]
    waiters: Waiters[None] = attrs.Factory(Waiters)


class ConditionChanges:
    """
    The changes that wait, in the order of the calls.

    A session begins with what is agreed, which a server has accepted before. Then one
    change at a time is asked for. A change is not asked for while a later one waits for
    one of its tables. If the later one is accepted, it replaces the earlier one; if it
    is refused, the earlier one is asked for after all.
    """

    def __init__(self, known: KnownTables) -> None:
        """
        @param known: its C{wanted} is what the present session has.
        """
        self._known = known
        self._agreed = dict(known.wanted)
        self._agreedFails = False  # whether the last session could not begin with it
        self._waiting: list[_Change] = []
        self._asking: ReplicaSession | None = None

    def add(self, wanted: Mapping[str, Rows]) -> Deferred[None]:
        """@return: fires when this change is accepted, refused or replaced."""
        change = _Change(dict(wanted))
        self._waiting.append(change)
        return change.waiters.wait()

    def prepare(self) -> None:
        """
        Say what the next session begins with. If a server did not accept what is
        agreed, for example because its schema has changed, every second session begins
        with the changes.
        """
        self._known.wanted = dict(self._agreed)
        if self._agreedFails:
            for change in self._waiting:
                self._known.wanted.update(change.wanted)

    def beginFailed(self) -> None:
        """The server did not accept what L{prepare} has said."""
        self._agreedFails = not self._agreedFails

    def begin(self, session: ReplicaSession) -> None:
        """The server has accepted what L{prepare} has said. Now ask for the changes."""
        self._agreed, self._agreedFails = dict(self._known.wanted), False
        self.ask(session)

    def ask(self, session: ReplicaSession) -> None:
        """Ask for the changes, until none waits."""
        if self._asking is None:
            self._asking = session
            Deferred.fromCoroutine(self._ask(session))

    def end(self) -> None:
        """The session has ended: changes wait for the next one."""
        self._asking = None

    def cancelWaits(self) -> None:
        """Callers wait no longer. What they wanted is still wanted."""
        for change in list(self._waiting):
            change.waiters.errback(CancelledError())

    async def _ask(self, session: ReplicaSession) -> None:
        # A callback of a change may end the session.
        while self._asking is session:
            change = self._next()
            if change is None:
                self._asking = None
                return
            try:
                await session.change(change.wanted)
            except (SessionLost, ProtocolViolation):
                return
            except OvsdbError as refusal:
                # A session that was left says nothing about the present one.
                if self._asking is session:
                    self._waiting.remove(change)
                    if isinstance(refusal, RpcError):
                        await session.restore(change.wanted)
                    change.waiters.errback(refusal.with_traceback(None))
            else:
                if self._asking is session:
                    self._accepted(change)

    def _next(self) -> _Change | None:
        """The oldest change of whose tables no later one wants any."""
        found, later = None, set[str]()
        for change in reversed(self._waiting):
            if later.isdisjoint(change.wanted):
                found = change
            later.update(change.wanted)
        return found

    def _accepted(self, change: _Change) -> None:
        accepted = dict(change.wanted)
        self._known.wanted.update(accepted)
        self._agreed.update(accepted)
        count = self._waiting.index(change) + 1
        earlier, later = self._waiting[:count], self._waiting[count:]
        for each in earlier:
            for name in accepted:
                each.wanted.pop(name, None)
        self._waiting = [each for each in earlier if each.wanted] + later
        for each in earlier:
            if not each.wanted:
                each.waiters.callback(None)
