# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What one observer was told, on its way to the store: when a commit is made, what
waits for it, and what happens if the disk is full. How a commit is made is left to
others.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import Event
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import explain
from twisted_ovsdb.state.position import Position

INTERVAL: Final = 0.1
"""Seconds from an event to the commit that holds it: each commit waits for the disk twice."""

SOON: Final = 0.05
"""The same where what is not committed may be told again: half of what is promised."""

EVENTS: Final = 10_000
"""Events that may wait for a commit before the observer is busy: some megabytes."""

RETRY: Final = 5.0
"""Seconds between two attempts to commit to a full disk."""

Settle = Callable[[], "Position | None"]
"""Is called in the thread before a commit; tells how far the file has come."""

Commit = Callable[[Batch, Settle], Deferred[None]]
"""Commits a batch. It is called again only when that has ended."""


class SinkFate:
    """What a L{Sink} tells its owner. Each method does nothing."""

    def full(self, reason: str) -> None:
        """The disk takes no commit. It is tried again every L{RETRY} seconds."""

    def goesOn(self) -> None:
        """The disk takes commits again."""

    def failed(self, reason: str) -> None:
        """No commit is possible any more. What is told from now on is not kept."""


def _nothing() -> None:
    return None


def mayPass(fault: BaseException | None) -> bool:
    """Whether it may be that the disk takes the same commit later."""
    if isinstance(fault, OSError):
        # After another fault, it is not known what the file has.
        return fault.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(fault, sqlite3.Error)


class Sink:
    """
    Collects what an observer was told, and commits it soon.

    @ivar lastCommit: when the last commit was made, in seconds of the clock; None
        before the first.
    @ivar over: whether nothing more is noted and committed.
    """

    def __init__(
        self,
        commit: Commit,
        clock: IReactorTime,
        fate: SinkFate,
        cut: Callable[[], Settle | None] = lambda: _nothing,
        batch: Batch | None = None,
        interval: float = INTERVAL,
    ) -> None:
        """
        @param commit: makes a commit.
        @param batch: what is to be committed first.
        @param cut: is called when a commit is due, before the events for it are
            taken. It returns what is to be done in the thread before the commit;
            None if no commit may be made now.
        """
        self._commit = commit
        self._clock = clock
        self._fate = fate
        self._cut = cut
        self._interval = interval
        self._since = 0.0  # when the first event of the batch was noted
        self._batch = Batch() if batch is None else batch
        self._committing = False  # or waiting to try it again
        self._underway = 0  # events of the batch that is being committed
        self.lastCommit: float | None = None
        self._timer: IDelayedCall | None = None
        self._full = False
        self._finishing = False
        self.over = False
        self._room: Waiters[None] = Waiters()
        self._flushing: Waiters[None] = Waiters()  # for the next commit

    @property
    def batch(self) -> Batch:
        """What is to be committed next. Call L{changed} after adding to it."""
        return self._batch

    @property
    def waiting(self) -> int:
        """How many events are not committed yet."""
        return self._underway + self._batch.events

    @property
    def settled(self) -> bool:
        """Whether everything that was told is committed."""
        return not self._committing and not self._batch

    def note(self, event: Event) -> Deferred[None] | None:
        """
        An event was told.

        @return: fires when the next one may be told; None if that is now.
        """
        if self.over:
            return None
        if not self._batch.events:
            self._since = self._clock.seconds()
        self._batch.note(event)
        if self._batch.events <= EVENTS:
            if self._timer is None:
                self.changed()
            return None
        self._now()
        # It may be committed already.
        return self._room.wait() if self._batch.events > EVENTS else None

    def changed(self) -> None:
        """Something was added to the batch: commit it soon."""
        if not self._committing and self._timer is None and not self.over:
            # A commit before this one may have taken long; and the clock may jump.
            passed = self._clock.seconds() - self._since if self._batch.events else 0
            wait = min(self._interval, max(0.0, self._interval - passed))
            self._timer = self._clock.callLater(wait, self._due)

    def flush(self) -> Deferred[None]:
        """
        Commit now.

        @return: fires when everything that was told before this call is committed,
            or never will be.
        """
        flushed = self._flushing.wait()
        if self.over:
            self._flushing.callback(None)
        else:
            self._now()
        return flushed

    def finish(self) -> Deferred[None]:
        """
        Commit what waits. Later events are not noted.

        @return: fires when that is committed, or cannot be now.
        """
        if self._full:
            self.stop()
            return succeed(None)
        self._finishing = True
        return self.flush().addCallback(lambda _: self.stop())

    def last(self) -> Batch:
        """
        Commit nothing more.

        @return: what waits. What is being committed, or is tried again, comes before it.
        """
        self.stop()
        return self._batch

    def stop(self) -> None:
        """Commit nothing more, also what waits."""
        self.over = True
        self._cancel()
        self._room.callback(None)
        self._flushing.callback(None)

    def _now(self) -> None:
        if not self._committing:
            self._cancel()
            self._due()

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _due(self) -> None:
        self._timer = None
        # While this asks, events may be told.
        self._committing = True
        settle = self._cut()
        if self.over:
            return
        if settle is None:
            self._committing = False
            self._timer = self._clock.callLater(self._interval, self._due)
            return
        batch, self._batch = self._batch, Batch()
        self._underway = batch.events
        waiting, self._flushing = self._flushing, Waiters()
        self._try(batch, settle, waiting)

    def _try(self, batch: Batch, settle: Settle, waiting: Waiters[None]) -> None:
        self._timer = None
        trying = self._commit(batch, settle)
        trying.addCallbacks(
            lambda _: self._committed(waiting),
            lambda failure: self._failed(failure, batch, settle, waiting),
        )

    def _committed(self, waiting: Waiters[None]) -> None:
        self._committing, self._underway = False, 0
        self.lastCommit = self._clock.seconds()
        if self._full:
            self._full = False
            self._fate.goesOn()
        waiting.callback(None)
        if self.over:
            return
        if self._flushing or self._batch.events > EVENTS:
            self._now()
        elif self._batch:
            self.changed()
        if self._batch.events <= EVENTS:
            self._room.callback(None)

    def _failed(
        self, failure: Failure, batch: Batch, settle: Settle, waiting: Waiters[None]
    ) -> None:
        fault = failure.value
        assert isinstance(fault, Exception)
        if self.over:
            waiting.callback(None)
        elif mayPass(fault) and self._finishing:
            self.stop()
            waiting.callback(None)
            self._fate.full(explain(fault))
        elif mayPass(fault):
            self._timer = self._clock.callLater(RETRY, self._try, batch, settle, waiting)
            if not self._full:
                self._full = True
                self._fate.full(explain(fault))
        else:
            self._committing = False
            self.stop()
            waiting.callback(None)
            self._fate.failed(explain(fault))
