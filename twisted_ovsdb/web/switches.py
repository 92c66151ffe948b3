# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which switches there are, read from the monitors when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Union
from weakref import WeakKeyDictionary

from twisted_ovsdb.events import ProblemFound
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.monitoring.audit import AuditCounts
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.observers.base import countKinds
from twisted_ovsdb.openvswitch.present import Wants
from twisted_ovsdb.ovsinterface import OvsInterface
from twisted_ovsdb.web.encoding import shownProblem
from twisted_ovsdb.web.watch import Watch

Monitored = Union[OvsdbMonitorFactory, OvsdbListenerFactory]


class Switches:
    """
    The switches of some factories and listeners.

    @ivar watch: the observer that was told of them.
    @ivar endpoints: the factories of one server each.
    """

    def __init__(
        self,
        monitored: Sequence[Monitored],
        watch: Watch,
        wants: Wants | None = None,
    ) -> None:
        """@param wants: which interfaces are shown; None: all."""
        self.watch = watch
        self._monitored = monitored
        self._wants = wants
        self._synced: WeakKeyDictionary[InterfaceMonitor, tuple[float, float]] = WeakKeyDictionary()

    @property
    def endpoints(self) -> list[OvsdbMonitorFactory]:
        """The factories of one server each."""
        return [each for each in self._monitored if isinstance(each, OvsdbMonitorFactory)]

    def monitors(self) -> dict[str, InterfaceMonitor]:
        """
        The monitor of each switch, by its key. If two endpoints lead to one switch,
        the one that is in sync.
        """
        found: dict[str, InterfaceMonitor] = {}
        known: set[tuple[str, str]] = set()
        for each in self._monitored:
            for monitor in _monitorsOf(each):
                switch = monitor.switch
                known.add((switch, monitor.source))
                if switch not in found or not found[switch].inSync:
                    found[switch] = monitor
        self.watch.keep(known)
        return found

    def shows(self, interface: OvsInterface) -> bool:
        """Whether an interface is shown to anybody."""
        return self._wants is None or self._wants(interface)

    def lastMessage(self, monitor: InterfaceMonitor) -> float | None:
        """When the last bytes of a switch came, in seconds since the epoch."""
        return None if monitor.heard is None else self.watch.wallOf(monitor.heard)

    def lastSync(self, monitor: InterfaceMonitor) -> float | None:
        """When the last session of a switch was in sync, in seconds since the epoch."""
        moment = monitor._server.syncedAt
        if moment is None:
            return None
        # Not anew at each question: it would be another number each time.
        if self._synced.get(monitor, (None, 0.0))[0] != moment:
            self._synced[monitor] = moment, self.watch.wallOf(moment)
        return self._synced[monitor][1]

    def disconnects(self, monitor: InterfaceMonitor) -> int:
        """How many sessions of a switch that were in sync have ended."""
        return monitor._server.outages

    def problems(self, monitor: InterfaceMonitor) -> Iterator[ProblemFound]:
        """The problems of a switch that are shown, the oldest first. There may be very many."""
        for problem in monitor._server.eachProblem():
            if problem.interface is None or self.shows(problem.interface):
                yield problem

    def audits(self) -> dict[str, AuditCounts]:
        """What the audits of the switches have done, by key; empty if there are none."""
        found = {}
        for switch, monitor in self.monitors().items():
            with suppress(ValueError):  # There is none.
                found[switch] = monitor.audited()
        return found

    def shown(self) -> Iterator[dict[str, Any]]:
        """Each switch, for the answer to C{/switches}."""
        for switch, monitor in self.monitors().items():
            yield self._shown(switch, monitor)

    def _shown(self, switch: str, monitor: InterfaceMonitor) -> dict[str, Any]:
        seen = self.watch.seen(switch, monitor.source)
        # Of a switch for which this monitor stands by, nothing is told.
        standsBy = monitor.lock is not None and not monitor.speaking
        inSync = monitor.inSync if standsBy else seen.inSync
        counts = countKinds(monitor.interfaces()) if standsBy else seen.counts.copy()
        return {
            "switch": switch,
            "source": monitor.source,
            "system_id": monitor.identity.system_id,
            "hostname": monitor.identity.hostname,
            "address": monitor.identity.address,
            "in_sync": inSync,
            "speaking": None if monitor.lock is None else monitor.speaking,
            "since": seen.since,
            "reason": None if inSync else seen.reason,
            "last_sync": self.lastSync(monitor),
            "last_message": self.lastMessage(monitor),
            "disconnects": self.disconnects(monitor),
            "counts": counts,
            "problems": [shownProblem(each) for each in seen.ownProblems],
            "problem_counts": seen.problems,
        }


def _monitorsOf(each: Monitored) -> tuple[InterfaceMonitor, ...]:
    if isinstance(each, OvsdbListenerFactory):
        return tuple(each.monitors.values())
    return (each.monitor,)
