# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which interfaces have no OpenFlow port, since when, and how long it took until they
got one: the time in which a new VM has no network.
"""

from __future__ import annotations

from typing import Final

import attrs

from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceOffline,
    InterfaceOnline,
    SwitchForgotten,
)

KNOWN: Final = 10000
"""Interfaces without a port whose beginning is kept: more than any site has for long."""

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""
Seconds. ovs-vswitchd needs some milliseconds for a port, seconds when it adds
hundreds, and a minute is an incident.
"""


@attrs.frozen
class Since:
    """
    When an interface began to have no port.

    @ivar wall: seconds since the epoch.
    @ivar began: seconds that never jump, if it came online then; else None.
    """

    wall: float
    began: float | None


class Unready:
    """
    Follows the interfaces that are not ready.

    @ivar counts: how often the time was within each of L{BUCKETS}, and longer.
    @ivar total: the sum of the times, in seconds.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0
        self._since: dict[str, dict[str, Since]] = {}  # by switch and UUID
        self._count = 0

    def since(self, switch: str, uuid: str) -> float | None:
        """Since when an interface is not ready, in seconds since the epoch; None if unknown."""
        found = self._since.get(switch, {}).get(uuid)
        return None if found is None else found.wall

    def note(self, event: Event, wall: float, now: float) -> None:
        """
        Note an event.

        @param wall: the time in seconds since the epoch.
        @param now: the time in seconds that never jump.
        """
        if isinstance(event, (Disconnected, SwitchForgotten)):
            # Whatever happens in an outage, nobody sees when.
            self._count -= len(self._since.pop(event.switch, ()))
        elif isinstance(event, InterfaceEvent):
            self._noteInterface(event, wall, now)

    def _noteInterface(self, event: InterfaceEvent, wall: float, now: float) -> None:
        row, fresh = event.interface, event.cause is Cause.UPDATE
        if isinstance(event, InterfaceOffline):
            self._forget(event.switch, row.uuid)
        elif row.ready:
            found = self._forget(event.switch, row.uuid)
            if found is not None and found.began is not None and fresh:
                self._took(now - found.began)
            elif isinstance(event, InterfaceOnline) and fresh:
                self._took(0.0)
        elif isinstance(event, InterfaceOnline) and event.cause is not Cause.REPLAY:
            self._begin(event.switch, row.uuid, Since(wall, now if fresh else None))
        elif isinstance(event, InterfaceChanged) and event.previous.ready:
            self._begin(event.switch, row.uuid, Since(wall, None))

    def _begin(self, switch: str, uuid: str, since: Since) -> None:
        if self._count < KNOWN:
            self._forget(switch, uuid)
            self._since.setdefault(switch, {})[uuid] = since
            self._count += 1

    def _forget(self, switch: str, uuid: str) -> Since | None:
        ofSwitch = self._since.get(switch)
        found = None if ofSwitch is None else ofSwitch.pop(uuid, None)
        if found is not None:
            self._count -= 1
            if not ofSwitch:
                del self._since[switch]
        return found

    def _took(self, seconds: float) -> None:
        index = next((i for i, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        self.counts[index] += 1
        self.total += seconds
