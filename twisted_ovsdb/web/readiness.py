# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whether this program is ready: what it writes to is open, and it had time to connect.
A switch that is down does not make it unready, unless that is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted_ovsdb.errors import printable
from twisted_ovsdb.web.switches import Switches

GRACE: Final = 30.0
"""Seconds in which each endpoint has to be in sync once; a switch that is down may stay down."""

Check = Callable[[], str | None]
"""Says what is not ready; None if all is."""


class Readiness:
    """Asks whether all is ready."""

    def __init__(
        self, switches: Switches, now: Callable[[], float], checks: Sequence[Check] = ()
    ) -> None:
        """
        @param now: the time in seconds that never jump.
        @param checks: asked too, such as by files and brokers.
        """
        self._switches = switches
        self._now = now
        self._checks = checks
        self._begun: float | None = None

    def start(self) -> None:
        """The endpoints begin to connect."""
        self._begun = self._now()

    def missing(self, everySwitch: bool = False) -> list[str]:
        """
        Why it is not ready, a line for each reason.

        @param everySwitch: whether each switch has to be in sync now.
        """
        found = [text for check in self._checks if (text := check()) is not None]
        if self._begun is None or self._now() - self._begun < GRACE:
            found += [
                f"{printable(each.monitor.switch)} has not been in sync yet"
                for each in self._switches.endpoints
                if not each.monitor.wasInSync
            ]
        if everySwitch:
            found += [
                f"{printable(switch)} is not in sync"
                for switch, monitor in self._switches.monitors().items()
                if not monitor.inSync
            ]
        return found
