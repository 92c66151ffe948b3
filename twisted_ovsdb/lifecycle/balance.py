# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Switches that several listeners share by a lock: whoever speaks for clearly more than its
share lets others have some, slowly. After a rolling restart, the listener that was
restarted last would else have none: the others were granted all locks meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_ovsdb.monitoring.monitor import InterfaceMonitor

FLEET: Final = 2
"""How many monitors share the switches, if nobody says it: the least that can share."""

STEP: Final = 2.0
"""Seconds between two switches that are offered: of a thousand, half change hands in 20 minutes."""

LONGEST: Final = 3600.0
"""Seconds between two offers while nobody takes one: nobody else is there."""

SLACK: Final = 1.2
"""How many times its share a listener keeps. Moments that are chosen at random are uneven."""

FEW: Final = 2
"""Switches that it keeps in addition: a few switches are never even."""


def hasTooMany(speaking: int, switches: int, fleet: int) -> bool:
    """
    Whether a listener has clearly more than its share.

    @param speaking: for how many switches it speaks.
    @param switches: how many switches are in sync with it.
    @param fleet: how many listeners share them.
    """
    return speaking > SLACK * switches / fleet + FEW


class Balance:
    """Offers the switches of one listener, one at a time."""

    def __init__(
        self, monitors: Mapping[str, InterfaceMonitor], fleet: int, clock: IReactorTime
    ) -> None:
        """@param fleet: how many listeners share the switches."""
        self._monitors = monitors
        self._fleet = fleet
        self._clock = clock
        self._wait = STEP
        self._offered = ""  # the switch that was offered last
        self._kept: set[str] = set()  # were offered, and nobody took them
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Look from time to time."""
        if self._timer is None:
            self._timer = self._clock.callLater(self._wait, self._look)

    def stop(self) -> None:
        """Look no more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        self._timer = None
        self._judgeOffer()
        current = [each for each in self._monitors.items() if each[1].inSync]
        speaking = [switch for switch, monitor in current if monitor.speaking]
        if hasTooMany(len(speaking), len(current), self._fleet):
            self._offer(speaking)
        self.start()

    def _judgeOffer(self) -> None:
        """See whether somebody has taken the switch that was offered."""
        offered, self._offered = self._offered, ""
        monitor = self._monitors.get(offered)
        if monitor is None or not monitor.inSync:
            return
        if monitor.speaking:
            self._kept.add(offered)
            self._wait = min(2 * self._wait, LONGEST)
        else:
            self._wait = STEP

    def _offer(self, speaking: list[str]) -> None:
        fresh = [switch for switch in speaking if switch not in self._kept]
        if not fresh:
            self._kept.clear()
            fresh = speaking
        # Where this listener asks late, another one is likelier to be before it.
        switch = max(fresh, key=lambda each: self._monitors[each]._requireLock().askedAfter)
        self._offered = switch
        self._monitors[switch]._requireLock().offer()
