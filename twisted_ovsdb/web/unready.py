# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How long it takes until a new port has its OpenFlow port: the time in which a new VM
has no network.
"""

from __future__ import annotations

from typing import Final

from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
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


class Unready:
    """
    Follows the ports that came online and are not ready yet.

    @ivar counts: how often the time was within each of L{BUCKETS}, and longer.
    @ivar total: the sum of the times, in seconds.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0
        self._began: dict[str, dict[str, float]] = {}  # by switch and UUID
        self._count = 0

    def note(self, event: Event, now: float) -> None:
        """
        Note an event.

        @param now: the time in seconds that never jump.
        """
        if isinstance(event, (Disconnected, SwitchForgotten)):
            # Whatever happens in an outage, nobody sees when.
            self._count -= len(self._began.pop(event.switch, ()))
        elif isinstance(event, InterfaceEvent):
            self._noteInterface(event, now)

    def _noteInterface(self, event: InterfaceEvent, now: float) -> None:
        row, fresh = event.interface, event.cause is Cause.UPDATE
        if isinstance(event, InterfaceOffline):
            self._forget(event.switch, row.uuid)
        elif row.ready:
            began = self._forget(event.switch, row.uuid)
            if began is not None and fresh:
                self._took(now - began)
            elif isinstance(event, InterfaceOnline) and fresh:
                self._took(0.0)
        elif isinstance(event, InterfaceOnline) and fresh and self._count < KNOWN:
            self._forget(event.switch, row.uuid)
            self._began.setdefault(event.switch, {})[row.uuid] = now
            self._count += 1

    def _forget(self, switch: str, uuid: str) -> float | None:
        ofSwitch = self._began.get(switch)
        began = None if ofSwitch is None else ofSwitch.pop(uuid, None)
        if began is not None:
            self._count -= 1
            if not ofSwitch:
                del self._began[switch]
        return began

    def _took(self, seconds: float) -> None:
        index = next((i for i, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        self.counts[index] += 1
        self.total += seconds
