# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How late the reactor is: how long something has kept it from its work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

STEP: Final = 0.1
"""Seconds between two looks. What keeps the reactor for longer is seen."""

PERIOD: Final = 30.0
"""
Seconds. The greatest lag of this period and of the one before is shown, so that a
scrape each half minute misses none.
"""


class Lag:
    """Measures by how much timers are late."""

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        """@param now: the time in seconds that never jump."""
        self._clock = clock
        self._now = now
        self._timer: IDelayedCall | None = None
        self._due = self._end = 0.0
        self._present = self._before = 0.0

    @property
    def seconds(self) -> float:
        """The greatest lag of the last 30 to 60 seconds."""
        return max(self._present, self._before)

    def start(self) -> None:
        """Begin to measure."""
        self._end = self._now() + PERIOD
        self._wait()

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._due = self._now() + STEP
        self._timer = self._clock.callLater(STEP, self._look)

    def _look(self) -> None:
        now = self._now()
        self._present = max(self._present, now - self._due)
        if now >= self._end:
            self._before, self._present = self._present, 0.0
            self._end = now + PERIOD
        self._wait()
