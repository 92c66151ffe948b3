# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Several monitors that publish as one, with a real broker: each of them, the broker and
the connections fail at random moments under churn.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThread

from tests.soak.figures import Figure, Figures
from tests.soak.fleetjudge import Judge
from tests.soak.fleetscene import FENCED, FleetMonitor, FleetScene, FleetSwitch
from tests.soak.proxy import Direction, Proxy
from tests.soak.truth import RawClient, Truth
from tests.soak.waiting import until, wait
from twisted_ovsdb.publish.subjects import part

PROBE: Final = 1000
"""Milliseconds: a frozen monitor loses its locks after two seconds, not after ten."""

SILENT: Final = 20.0
"""Seconds after which the lock of a frozen monitor was stolen, on a unix socket."""

LOCK: Final = "ovsdb_monitor"

READY: Final = 60.0
"""Seconds within which all must be told at the end."""

QUIET: Final = 5.0
"""Seconds at the end in which nothing more may be told."""

DRAINED: Final = 1.0
"""
Seconds between two readings: the stream keeps the last messages only, and faults are
to hit whoever speaks.
"""


class Fleet:
    """
    Three monitors, two switches on TCP and one on a unix socket.
    """

    def __init__(
        self, reactor: Any, faults: int, seed: int, pace: float = 0.02, long: bool = True
    ) -> None:
        """
        @param pace: seconds between two changes of a switch, at most.
        @param long: whether monitors are frozen for more than two seconds.
        """
        self._reactor = reactor
        self._wanted = faults
        self._seed = seed
        self._rng = random.Random(seed)
        self._pace = pace
        self._long = long
        tcp, unix = (FleetSwitch(True, PROBE) for _ in range(2)), FleetSwitch(False)
        self._scene = FleetScene([*tcp, unix])
        self._links: list[Proxy] = []
        self._brokers: list[Proxy] = []
        self._truths: dict[str, Truth] = {}
        self._judge = Judge(self._scene.broker.url)
        self._locks: dict[object, DeferredLock] = {}
        self._faults: Counter[str] = Counter()
        self._running = 0
        self._broken: list[str] = []

    async def run(self) -> list[Figure]:
        """
        Make as many faults as wanted, then compare.
        """
        began = time.monotonic()
        trigger = self._reactor.addSystemEventTrigger("after", "shutdown", self._stop)
        try:
            await deferToThread(self._scene.start)
            await self._begin()
            await self._disturb()
            await until(self._reactor, lambda: not self._running)
            differences = await self._end()
            return self._figures(time.monotonic() - began, *differences)
        finally:
            for proxy in (*self._links, *self._brokers):
                await proxy.stop()
            self._stop()
            self._reactor.removeSystemEventTrigger(trigger)

    # The scene

    async def _begin(self) -> None:
        endpoints = []
        for switch in self._scene.switches:
            endpoint = f"unix:{switch.unix}"
            if switch.tcp is not None:
                proxy = Proxy(self._reactor, switch.tcp, self._rng)
                self._links.append(proxy)
                endpoint = f"tcp:127.0.0.1:{proxy.port}"
            endpoints.append(endpoint)
            rng = random.Random(self._rng.random())
            self._truths[part(switch.key)] = Truth(switch.unix, rng, self._pace)
        for number in range(3):
            proxy = Proxy(self._reactor, self._scene.broker.port, self._rng)
            self._brokers.append(proxy)
            url = f"nats://127.0.0.1:{proxy.port}"
            monitor = FleetMonitor(f"m{number}", self._scene.folder, url, endpoints)
            self._scene.monitors.append(monitor)
            monitor.start()
        self._locks = {each: DeferredLock() for each in (*self._scene.monitors, self._scene.broker)}
        for truth in self._truths.values():
            truth.start()
        await self._until("nobody speaks", lambda: len(self._judge.subjects) == 3)

    async def _until(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: {self._logged()}")
            await wait(self._reactor, 0.2)
            await deferToThread(self._judge.drain)

    def _logged(self) -> str:
        return "\n".join(m.log.read_text("utf-8", "replace")[-2000:] for m in self._scene.monitors)

    async def _end(self) -> tuple[list[str], list[str]]:
        """
        Heal all, wait until it is quiet, and compare.

        @return: what is different in the events, and in what is now.
        """
        for truth in self._truths.values():
            await deferToThread(truth.stop)
            if truth.failed is not None:
                raise truth.failed
        found: tuple[list[str], list[str]] = ([], [])

        def compare() -> bool:
            nonlocal found
            found = self._differences()
            return not any(found)

        deadline = time.monotonic() + READY
        while not await deferToThread(compare) and time.monotonic() < deadline:
            await wait(self._reactor, 0.5)
        await wait(self._reactor, QUIET)
        await deferToThread(compare)
        for monitor in self._scene.monitors:
            self._watch(monitor)
        for name, truth in self._truths.items():
            self._judge.match(name, truth.history)
        return found

    def _differences(self) -> tuple[list[str], list[str]]:
        events: list[str] = []
        now: list[str] = []
        if not self._judge.drain():
            events.append("the stream cannot be read")
        for name, truth in self._truths.items():
            expected = truth.now()
            told = self._judge.subjects[name].online
            kept, wrong = self._judge.nowOf(name)
            events += (
                f"{name} {uuid}: told {told.get(uuid)}, is {expected.get(uuid)}"
                for uuid in {*told, *expected}
                if told.get(uuid) != expected.get(uuid)
            )
            now += (
                f"{name} {uuid}: now {kept.get(uuid)}, is {expected.get(uuid)}"
                for uuid in {*kept, *expected}
                if kept.get(uuid) != expected.get(uuid)
            )
            now += wrong
        return events, now

    def _stop(self) -> None:
        for truth in self._truths.values():
            truth.close()
        self._scene.stop()

    # The faults

    async def _disturb(self) -> None:
        drained = time.monotonic()
        for _ in range(self._wanted):
            kinds = [each for each in KINDS if self._long or each not in LONG]
            weights = [KINDS[each] for each in kinds]
            (kind,) = self._rng.choices(kinds, weights)
            # Two at once, but not of the same process.
            await until(self._reactor, lambda: self._running < 2)
            self._running += 1
            running: Deferred[None] = Deferred.fromCoroutine(kind(self))
            running.addErrback(lambda failure: self._broken.append(str(failure)))
            running.addBoth(self._done)
            await wait(self._reactor, self._rng.choice((0.1, self._rng.uniform(0, 2.5))))
            if time.monotonic() > drained + DRAINED:
                await deferToThread(self._judge.drain)
                drained = time.monotonic()

    def _done(self, _: object) -> None:
        self._running -= 1

    async def _alone(self, target: Any, fault: Callable[[], Awaitable[None]]) -> None:
        await self._locks[target].acquire()
        try:
            await fault()
        finally:
            self._locks[target].release()

    def _monitor(self) -> FleetMonitor:
        """One of the monitors, mostly one that speaks."""
        speaking = [s.speakers[-1][0] for s in self._judge.subjects.values() if s.speakers]
        name = self._rng.choice([*speaking, *(m.name for m in self._scene.monitors)])
        return next(m for m in self._scene.monitors if m.name == name)

    async def killMonitor(self) -> None:
        """A monitor is killed, and started again."""
        monitor = self._monitor()

        async def fault() -> None:
            self._faults["kill -9 of a monitor"] += 1
            self._watch(monitor)
            await deferToThread(monitor.kill)
            await self._linger(0, self._rng.choice((0, 3)))
            monitor.start()
            await self._linger(0, 2)

        await self._alone(monitor, fault)

    def _watch(self, monitor: FleetMonitor) -> None:
        if monitor.died():
            self._broken.append(f"{monitor.name} has died: {self._logged()}")

    async def _freeze(self, what: str, least: float, most: float, cut: bool = False) -> None:
        monitor = self._monitor()

        async def fault() -> None:
            self._faults[what] += 1
            self._watch(monitor)
            seconds = self._rng.uniform(least, most)
            monitor.signal(signal.SIGSTOP)
            try:
                if cut:
                    # As a switch does that has found it silent.
                    await wait(self._reactor, seconds / 2)
                    self._hangUp(monitor)
                    seconds /= 2
                await wait(self._reactor, seconds)
            finally:
                monitor.signal(signal.SIGCONT)

        await self._alone(monitor, fault)

    def _hangUp(self, monitor: FleetMonitor) -> None:
        """Close the servers' ends of a monitor's connections: it can still read the rest."""
        for link in self._linksOf(monitor):
            link.server.transport.abortConnection()

    def _linksOf(self, monitor: FleetMonitor) -> list[Any]:
        ports = monitor.links()
        return [
            link
            for proxy in self._links
            for link in proxy.links
            if not link.client.gone and link.client.transport.getPeer().port in ports
            if link.server.transport is not None
        ]

    async def deafen(self) -> None:
        """
        Nothing reaches a monitor from its switches: they drop it, and it does not know.
        """
        monitor = self._monitor()

        async def fault() -> None:
            self._faults["a monitor hears nothing of its switches"] += 1
            self._watch(monitor)
            links = self._linksOf(monitor)
            for link in links:
                link.silent = Direction.DOWN
            await self._linger(1.5, 4)
            for link in links:
                link.silent = None
                link.pump()

        await self._alone(monitor, fault)

    async def freezeShortly(self) -> None:
        """A monitor is stopped, and goes on before somebody notices."""
        await self._freeze("SIGSTOP of a monitor, up to 1 s", 0.02, 1)

    async def freeze(self) -> None:
        """A monitor is stopped until the switches on TCP have dropped it."""
        await self._freeze("SIGSTOP of a monitor, 2 to 4 s", 2, 4)

    async def freezeAndHangUp(self) -> None:
        """A monitor is stopped, and its switches hang up."""
        await self._freeze("SIGSTOP of a monitor, and switches hang up", 0.1, 2, cut=True)

    async def freezeLong(self) -> None:
        """A monitor is stopped until its locks on unix sockets are stolen."""
        await self._freeze("SIGSTOP of a monitor, 8 to 20 s", 8, SILENT)

    async def steal(self) -> None:
        """Another client takes a lock for a while."""
        self._faults["a lock is stolen"] += 1
        switch = self._rng.choice(self._scene.switches)
        client = await deferToThread(RawClient, switch.unix)
        try:
            await deferToThread(client.call, "steal", LOCK)
            await self._linger(0, 1)
            await deferToThread(client.call, "unlock", LOCK)
        finally:
            client.close()

    async def killBroker(self) -> None:
        """The broker is killed, and started again."""

        async def fault() -> None:
            self._faults["kill -9 of the broker"] += 1
            await deferToThread(self._scene.broker.kill)
            await self._linger(0, self._rng.choice((0, 2)))
            await deferToThread(self._scene.broker.start)
            await self._linger(0, 2)

        await self._alone(self._scene.broker, fault)

    async def freezeBroker(self) -> None:
        """The broker is stopped."""

        async def fault() -> None:
            self._faults["SIGSTOP of the broker"] += 1
            self._scene.broker.signal(signal.SIGSTOP)
            await self._linger(0.1, 3)
            self._scene.broker.signal(signal.SIGCONT)

        await self._alone(self._scene.broker, fault)

    async def cutSwitch(self) -> None:
        """A connection to a switch is reset, or closed after a random byte."""
        self._faults["cut connection to a switch"] += 1
        await self._cut(self._rng.choice(self._links), 3000)

    async def cutBroker(self) -> None:
        """A monitor's connection to the broker is reset, or closed after a random byte."""
        self._faults["cut connection to the broker"] += 1
        await self._cut(self._rng.choice(self._brokers), 20000)

    async def _cut(self, proxy: Proxy, most: int) -> None:
        if self._rng.random() < 0.4:
            proxy.reset()
            return
        direction = self._rng.choice((Direction.UP, Direction.DOWN))
        proxy.cutAfter(self._rng.randint(1, most), direction)
        await self._linger(0.2, 1)
        proxy.heal()

    async def silence(self) -> None:
        """No bytes pass in one direction, between a monitor and the broker or of a switch."""
        self._faults["silent connections"] += 1
        proxy = self._rng.choice([*self._brokers, *self._links])
        proxy.silent = self._rng.choice((Direction.UP, Direction.DOWN))
        await self._linger(0.2, 4)
        if self._rng.random() < 0.3:
            proxy.reset()
        proxy.heal()

    async def _linger(self, least: float, most: float) -> None:
        await wait(self._reactor, self._rng.uniform(least, most))

    # The results

    def _figures(self, seconds: float, events: Sequence[str], now: Sequence[str]) -> list[Figure]:
        judge, figures = self._judge, Figures("fleet")
        figures.equal("faults", sum(self._faults.values()), self._wanted)
        for what, count in sorted(self._faults.items()):
            figures.tell(what, count)
        figures.tell("seconds", round(seconds))
        figures.tell("transactions", sum(t.committed for t in self._truths.values()))
        figures.tell("messages", judge.counts["messages"])
        told = sum(len(t) for s in judge.subjects.values() for t in s.told.values())
        figures.tell("events of interfaces", told)
        speakers = [[name for name, _, _ in s.speakers] for s in judge.subjects.values()]
        figures.tell("takeovers", sum(len(each) - 1 for each in speakers))
        changed = sum(a != b for each in speakers for a, b in itertools.pairwise(each))
        figures.tell("of them by another instance", changed)
        figures.tell("fenced attempts", self._scene.count(FENCED))
        figures.tell(
            "stolen from silent instances", self._scene.count("this monitor takes its lock")
        )
        for sort, what in SORTS.items():
            figures.equal(what, len(judge.violations.get(sort, ())), 0)
        figures.equal("differences at the end of events", len(events), 0)
        figures.equal("differences at the end of what is now", len(now), 0)
        figures.equal("monitors that died, and faults that failed", len(self._broken), 0)
        tracebacks = self._scene.count("Traceback")
        figures.equal("tracebacks in logs", tracebacks, 0)
        wrong = [*self._broken, *events, *now]
        for sort in SORTS:
            wrong += [f"{sort}: {text}" for text in judge.violations.get(sort, ())[:5]]
        for text in wrong[:20]:
            print(f"fleet: seed {self._seed}: {text}", flush=True)
        if not all(figure.holds for figure in figures.all):
            kept = Path(f"{self._scene.folder}-failed")
            shutil.copytree(self._scene.folder, kept)
            truths = {name: truth.history for name, truth in self._truths.items()}
            (kept / "truth.json").write_text(json.dumps(truths), "utf-8")
            print(f"fleet: seed {self._seed}: the logs are in {kept}", flush=True)
        return figures.all


SORTS: Final = {
    "false": "false or repeated events",
    "order": "events out of order",
    "gap": "gaps in predecessors",
    "anew": "takeovers that were not resumed",
    "lost": "messages that the broker has lost",
}

KINDS: Final[dict[Callable[[Fleet], Coroutine[Deferred[Any], Any, None]], int]] = {
    Fleet.killMonitor: 5,
    Fleet.freezeShortly: 4,
    Fleet.freeze: 5,
    Fleet.freezeAndHangUp: 9,
    Fleet.freezeLong: 2,
    Fleet.steal: 3,
    Fleet.killBroker: 3,
    Fleet.freezeBroker: 1,
    Fleet.cutSwitch: 3,
    Fleet.cutBroker: 4,
    Fleet.silence: 2,
    Fleet.deafen: 3,
}
"""The faults, and how often each is made."""

LONG: Final = (Fleet.freeze, Fleet.freezeLong)
"""Those that take more than two seconds."""
