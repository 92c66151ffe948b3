# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
When the problems of a switch are looked for: after each message, in slices, and when
one of them has lasted for long enough. Nothing is found while the switch is not in
sync.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_ovsdb.events import ProblemFound
from twisted_ovsdb.monitoring.turn import Turn
from twisted_ovsdb.openvswitch.conditions import SWITCH, Configuration, Key
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.openvswitch.problems import Problems
from twisted_ovsdb.parameters import checkPositive

LOOK_SLICE: Final = 1000
"""Interfaces that are looked at in one turn of the reactor, in a few milliseconds."""


def checkProblemsAfter(problemsAfter: float | None) -> None:
    """@raise ValueError: if this is neither None nor a number above zero."""
    if problemsAfter is not None:
        checkPositive(problemsAfter=problemsAfter)


class ProblemWatch:
    """
    Looks for the problems of one switch.

    @ivar problems: what was found.
    """

    def __init__(
        self,
        problems: Problems,
        present: Present,
        configuration: Callable[[], Configuration | None],
        clock: IReactorTime,
        now: Callable[[], float],
        onChanges: Callable[[Iterable[Key]], object],
        deliver: Callable[[], object],
    ) -> None:
        """
        @param configuration: says how far the switch has come with what is
            configured; None if that is not known.
        @param now: the time in seconds that never jump.
        @param onChanges: gets the problems that were found, have ended, or look
            different.
        @param deliver: called after that, if it is not called in L{settle}.
        """
        self.problems = problems
        self._present = present
        self._configuration = configuration
        self._clock = clock
        self._now = now
        self._onChanges = onChanges
        self._deliver = deliver
        self._turn = Turn(clock)
        self._timer: IDelayedCall | None = None
        self._snapshot = 0  # of which everything was looked at

    def settle(self) -> None:
        """Look at what was noted: a slice of it now, the others in the next turns."""
        problems, now = self.problems, self._now()
        if not self._turn.awaited:
            concerned = problems.look(now, LOOK_SLICE)
            if concerned:
                self._onChanges(concerned)
        if problems.changed:
            self._turn.take(self._goOn)
        else:
            problems.configure(self._configuration(), now)
            if self._snapshot != self._present.snapshots:
                self._snapshot = self._present.snapshots
                problems.restart(now)
            self._schedule(now)

    def _goOn(self) -> None:
        self.settle()
        self._deliver()

    def leave(self) -> None:
        """Another switch is behind the source, or the switch is forgotten."""
        self.problems.clear()
        self._pause()

    def lost(self) -> None:
        """The switch is not in sync any more: nothing is found until it is."""
        self._pause()

    def _pause(self) -> None:
        self._turn.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, now: float) -> None:
        due = self.problems.due
        if self._timer is not None:
            if due is not None:
                return  # What comes later is due later: it will wait for the rest.
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._clock.callLater(max(due - now, 0), self._ripen)

    def _ripen(self) -> None:
        self._timer = None
        if self._turn.awaited:
            return  # What has ended may not be looked at yet. Then it goes on in settle.
        now = self._now()
        ripe = list(self.problems.ripen(now, self._clock.seconds() - now, LOOK_SLICE))
        self._schedule(now)
        self._onChanges(ripe)
        self._deliver()

    def each(self) -> Iterator[ProblemFound]:
        """
        Every problem that was found, as an observer is told it, the oldest first; none
        in an outage. There may be very many of them: whoever shows them may take some
        in each turn of the reactor. What ends meanwhile is left out.
        """
        present, problems = self._present, self.problems
        for key in tuple(problems.found):
            lasting, uuid = problems.found.get(key), key[0]
            if not present.current or lasting is None:
                continue
            if uuid == SWITCH or uuid in present.rows:
                yield ProblemFound(
                    key[1],
                    present.rows.get(uuid),
                    lasting.since,
                    problems.conditions.detail(key),
                    present.source,
                    identity=present.identity,
                )


def steadily(clock: IReactorTime | None) -> Callable[[], float]:
    """What measures time: a clock that never jumps, or the clock of a test."""
    return time.monotonic if clock is None else clock.seconds
