# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A process that has the web service over many switches in memory, on which things happen
at a steady rate. Each second it prints what it cost.

    python -m benchmarks.web.monitor PORT SWITCHES INTERFACES EVENTS-A-SECOND
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import LoopingCall

from twisted_ovsdb.command.collector import CollectorService
from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.rows import TABLE
from twisted_ovsdb.web.service import WebService

TICK = 0.005
"""Seconds between two looks at how late the reactor is."""


def interface(switch: int, number: int, ofport: int | None) -> OvsInterface:
    """
    The port of a VM as OpenStack makes it.
    """
    uuid = f"{switch:08x}-{number:04x}-4b1c-9d5b-64f1b5b3a6ce"
    ids = {"iface-id": uuid, "attached-mac": "fa:16:3e:00:00:01", "iface-status": "active"}
    return OvsInterface(
        uuid=uuid,
        name=f"tap{switch:04}-{number:05}",
        ofport=ofport,
        external_ids={**ids, "vm-uuid": uuid},
        kind=InterfaceKind.VM,
    )


class Load:
    """
    The switches, what happens on them, and what it costs.
    """

    def __init__(self, switches: int, interfaces: int, rate: int) -> None:
        # As in the command, before anything is known.
        CollectorService().startService()
        self.clock: Any = reactor
        self.service = WebService(TCP4ServerEndpoint(reactor, int(sys.argv[1]), 50, "127.0.0.1"))
        watched = [self.service.watch]
        self.listener = OvsdbListenerFactory(watched, maxSwitches=switches, problemsAfter=30.0)
        self.service.monitored.append(self.listener)
        self.rate = rate
        self.interfaces = interfaces // switches
        self.number = 0
        self.stall = self.work = self.collection = self.collectionBegan = 0.0
        self.last = time.monotonic()
        self.lastWork = self.processor = time.process_time()
        for number in range(switches):
            key = f"{number:08x}-0c7b-4c5a-9d4e-2f0f6a3f6f3a"
            monitor = InterfaceMonitor(watched, source=key, problemsAfter=30.0)
            rows = {r.uuid: r for n in range(self.interfaces) if (r := interface(number, n, n + 1))}
            monitor._server._snapshotRead({TABLE: rows})
            self.listener.monitors[key] = monitor
        self.monitors = list(self.listener.monitors.values())

    def start(self) -> None:
        """
        Begin.
        """
        gc.callbacks.append(self.collecting)
        self.service.startService()
        for function, interval in ((self.look, TICK), (self.happen, 0.01), (self.tell, 1.0)):
            LoopingCall(function).start(interval, now=False)

    def collecting(self, phase: str, info: dict[str, int]) -> None:
        """
        Note how long the garbage collector works at once.
        """
        if phase == "start":
            self.collectionBegan = time.monotonic()
        else:
            self.collection = max(self.collection, time.monotonic() - self.collectionBegan)

    def look(self) -> None:
        """
        Note how late this call is, and how much this process has worked since the last
        one: a machine that has other things to do makes it late too.
        """
        now, worked = time.monotonic(), time.process_time()
        self.work = max(self.work, worked - self.lastWork)
        self.lastWork = worked
        self.stall = max(self.stall, now - self.last - TICK)
        self.last = now

    def happen(self) -> None:
        """
        Ports lose their OpenFlow port and get it again.
        """
        for _ in range(self.rate // 100):
            switch = self.number % len(self.monitors)
            turn = self.number // len(self.monitors)
            port = (turn // 2) % self.interfaces
            row = interface(switch, port, None if turn % 2 == 0 else port + 1)
            self.monitors[switch]._server._updateRead({TABLE: {row.uuid: row}})
            self.number += 1

    def tell(self) -> None:
        """
        Print the figures of the last second.
        """
        now, stall = time.process_time(), self.stall
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * resource.getpagesize()
        figures = {
            "cpu": now - self.processor,
            "stall": stall,
            "work": self.work,
            "gc": self.collection,
            "rss": resident,
            "events": self.service.watch.recent.last,
        }
        self.processor, self.stall, self.work, self.collection = now, 0.0, 0.0, 0.0
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    load = Load(*map(int, sys.argv[2:5]))
    load.clock.callWhenRunning(load.start)
    load.clock.run()
