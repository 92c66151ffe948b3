# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How long nobody speaks for a switch when the monitor that did is killed or frozen:
C{python -m tests.soak.failover}.

The time is from the signal to the moment at which the broker has stored the C{started} of
another monitor. The servers probe as they do by default.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import time
from typing import Any, Final

from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from tests.soak.fleetjudge import Judge, Subject
from tests.soak.fleetscene import FleetMonitor, FleetScene, FleetSwitch
from tests.soak.truth import Truth
from tests.soak.waiting import wait
from twisted_ovsdb.publish.subjects import part

SWITCHES: Final = 4
"""Switches on TCP, and as many on unix sockets."""

PATIENCE: Final = 60.0
"""Seconds until somebody must speak."""

PACE: Final = 1.0
"""Seconds between two changes of a switch, at most."""


class Failover:
    """
    Two monitors, one of which is killed or frozen again and again.
    """

    def __init__(self, reactor: Any, samples: int, seed: int) -> None:
        """@param samples: how many of each sort are wanted."""
        self._reactor = reactor
        self._samples = samples
        self._rng = random.Random(seed)
        self._scene = FleetScene([FleetSwitch(n < SWITCHES) for n in range(2 * SWITCHES)])
        self._judge = Judge(self._scene.broker.url)
        self._truths: list[Truth] = []
        self.found: dict[tuple[str, str], list[float]] = {
            (fault, where): [] for fault in ("kill -9", "SIGSTOP") for where in ("tcp", "unix")
        }

    async def run(self) -> None:
        """Measure until there are as many of each sort as wanted."""
        try:
            await deferToThread(self._scene.start)
            endpoints = [
                f"unix:{s.unix}" if s.tcp is None else f"tcp:127.0.0.1:{s.tcp}"
                for s in self._scene.switches
            ]
            for switch in self._scene.switches:
                truth = Truth(switch.unix, random.Random(self._rng.random()), PACE)
                self._truths.append(truth)
                truth.start()
            scene = self._scene
            for number in range(2):
                monitor = FleetMonitor(f"m{number}", scene.folder, scene.broker.url, endpoints)
                scene.monitors.append(monitor)
                monitor.start()
            await self._spoken({part(s.key): ("", 0.0) for s in scene.switches})
            for fault in ("kill -9", "SIGSTOP"):
                while min(len(self.found[fault, w]) for w in ("tcp", "unix")) < self._samples:
                    # The other one must be up and in sync.
                    await wait(self._reactor, 4 + self._rng.uniform(0, 2))
                    await self._measure(fault)
            for sort, texts in self._judge.violations.items():
                raise RuntimeError(f"{sort}: {texts[0]}")
        finally:
            for truth in self._truths:
                truth.close()
            self._scene.stop()

    async def _measure(self, fault: str) -> None:
        await deferToThread(self._judge.drain)
        subjects = self._judge.subjects.values()
        name = max(("m0", "m1"), key=lambda name: self._heard(name, fault))
        monitor = next(m for m in self._scene.monitors if m.name == name)
        hit = {s.name: (name, time.time()) for s in subjects if s.speakers[-1][0] == name}
        monitor.signal(signal.SIGKILL if fault == "kill -9" else signal.SIGSTOP)
        await self._spoken(hit)
        self._repair(monitor, fault)
        for switch, (dead, since) in hit.items():
            speakers = self._judge.subjects[switch].speakers
            when = next(w for who, w, _ in speakers if who != dead and w > since)
            self.found[fault, switch.partition(":")[0]].append(when - since)

    def _heard(self, name: str, fault: str) -> int:
        """How many switches it speaks for of the sort of which more samples are wanted."""
        where = min(("tcp", "unix"), key=lambda where: len(self.found[fault, where]))
        subjects = self._judge.subjects.values()
        return sum(s.speakers[-1][0] == name and s.name.startswith(where) for s in subjects)

    def _repair(self, monitor: FleetMonitor, fault: str) -> None:
        if fault == "SIGSTOP":
            monitor.signal(signal.SIGCONT)
        else:
            monitor.kill()
            monitor.start()

    async def _spoken(self, hit: dict[str, tuple[str, float]]) -> None:
        """Wait until another one speaks for each of these switches."""

        def speaks(subject: Subject | None, name: str, since: float) -> bool:
            last = subject.speakers[-1] if subject is not None else ("", 0.0, False)
            return last[1] > since and last[0] != name

        deadline = time.monotonic() + PATIENCE
        while not all(speaks(self._judge.subjects.get(s), *at) for s, at in hit.items()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"nobody speaks for some of {hit}")
            await wait(self._reactor, 0.2)
            await deferToThread(self._judge.drain)


async def main(reactor: Any, *arguments: str) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.failover")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--samples", type=int, default=12, help="of each sort, at least")
    options = parser.parse_args(arguments)
    failover = Failover(reactor, options.samples, options.seed)
    await failover.run()
    print(f"seed {options.seed}")
    print("| fault | connection | samples | p50 | worst |\n|---|---|---|---|---|")
    for (fault, where), times in failover.found.items():
        middle, worst = statistics.median(times), max(times)
        print(f"| {fault} | {where} | {len(times)} | {middle:.3f} s | {worst:.3f} s |")


if __name__ == "__main__":
    react(main, sys.argv[1:])
