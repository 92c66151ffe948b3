# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many connections that have work at the same time do it in turns. A reactor calls all
that can be read before it looks at its timers: when a thousand switches connect at
once, it would do nothing else for seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IReactorTime

SHARE: Final = 128 * 1024
"""
What all connections together may do in one turn of the reactor, in bytes that are read:
a snapshot of this size takes some seven milliseconds.
"""

COST: Final = 6 * 1024
"""
What each piece counts in addition to its bytes: an update of some rows takes as long as
this many bytes of a snapshot, if its events are published.
"""


class InTurn:
    """
    The connections of one reactor. What does not fit into the present turn waits, in
    its order, for one of the next. One connection alone never waits: Twisted reads
    from it once in each turn.
    """

    _all: Final[WeakValueDictionary[int, InTurn]] = WeakValueDictionary()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._used = 0  # in this turn, or in some of the last
        self._first = 0  # the id of the first connection that used something
        self._several = False  # whether others did too
        self._scheduled = False
        self._waiting: deque[tuple[int, Callable[[], object]]] = deque()

    @classmethod
    def of(cls, clock: IReactorTime) -> InTurn:
        """@return: the one of this reactor: all its connections share it."""
        # It refers to its clock, so no other clock has this id.
        found = cls._all.get(id(clock))
        if found is None:
            found = cls._all[id(clock)] = cls(clock)
        return found

    def take(self, connection: object, cost: int) -> bool:
        """
        @param connection: which one has some work.
        @param cost: of the work.
        @return: whether it may be done now. If not, L{wait} is to be called.
        """
        if self._waiting:
            return False
        if not self._several and self._first != id(connection):
            self._several, self._first = self._first != 0, id(connection)
            self._used = 0
        if self._several and self._used >= SHARE:
            return False
        self._used += cost
        # Not at each small update, each of which probably has a turn of its own.
        if self._several and self._used >= SHARE // 4:
            self._schedule()
        return True

    def wait(self, cost: int, call: Callable[[], object]) -> None:
        """
        Do some work later.

        @param call: does it; must not raise.
        """
        self._waiting.append((cost, call))
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._clock.callLater(0, self._next)

    def _next(self) -> None:
        self._scheduled = False
        self._used = 0
        waiting = self._waiting
        if not waiting:
            self._first, self._several = 0, False
        while waiting and self._used < SHARE:
            cost, call = waiting.popleft()
            self._used += cost
            call()
        if self._used >= SHARE // 4:
            self._schedule()
