# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Faults of the server and of the network, one after another, under churn. After
them, the events that observers were told must add up to what the server has.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from typing import Any, Final

from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.threads import deferToThread

from tests.soak.churn import Churn
from tests.soak.database import Refused, Rows, connectOne, readRows, withKind
from tests.soak.faults import KINDS, Faults
from tests.soak.figures import Figure, Figures
from tests.soak.proxy import Proxy
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until, wait
from tests.soak.watching import LogCount, Sceptic
from twisted_ovsdb import EndpointConnector, OvsdbError, OvsdbMonitorFactory

CHECK_EVERY: Final = 20
"""Faults between two comparisons of the folds with the table."""

CONVERGENCE: Final = 30.0
"""Seconds in which all folds must become equal to the table. What then differs is a failure."""

LATENCY: Final = 0.008
"""Seconds that a slow observer is busy with an event, at most."""

HOPELESS: Final = 20
"""Tracebacks after which the run is ended early."""

SHOWN: Final = 10
"""Failures of each sort that are printed, at most."""

LINES: Final = 4.0
"""Log lines for each fault and endpoint: the limit of the average."""

TIMES: Final[dict[str, Any]] = {
    "maxDelay": 0.3,
    "connectTimeout": 1.0,
    "snapshotTimeout": 2.0,
    "probeInterval": 0.7,
}
"""Options of all factories. The times are short, so that many faults fit into a minute."""

COMPLAINTS: Final = re.compile(
    r"bad JSON-RPC|unexpected|must (?:be|have)|Protocol error|error parsing|syntax error"
)
"""What ovsdb-server logs about a client that breaks the protocol."""


class Chaos:
    """
    One run of all faults.

    @ivar seed: the same seed gives the same faults in the same order. Their
        effects may differ, because the server and the clock are real.
    """

    def __init__(
        self,
        reactor: Any,
        kills: int,
        faults: int,
        transactions: int,
        seed: int,
        longestStop: float = 20.0,
        writers: int = 3,
    ) -> None:
        """
        @param kills: how often the server is killed with SIGKILL, at least.
        @param faults: how many other faults there are.
        @param transactions: how many transactions are committed, at least.
        @param longestStop: seconds that the server is stopped, at most.
        """
        self.seed = seed
        self._reactor = reactor
        self._kills, self._others, self._transactions = kills, faults, transactions
        self._rng = random.Random(seed)
        self.ovs = SoakOpenVSwitch()
        self._proxy = Proxy(reactor, self.ovs.unix, self._rng)
        self._faults = Faults(reactor, self.ovs, self._proxy, self._rng, longestStop)
        self._faults.onReplaced = self._replaced
        self._faults.onConverted = self._check
        paths = (self.ovs.unix, str(self.ovs.folder / "hidden.sock"))
        self._writers = [
            Churn(reactor, paths, f"w{n}", random.Random(seed + n)) for n in range(writers)
        ]
        self._log = LogCount()
        self._kinds: Counter[str] = Counter()
        self._differences: list[str] = []
        self._checks = 0
        self._slowest = 0.0
        self._largest = 0
        self._guests: list[Sceptic] = []
        self._makeFactories()

    def _makeFactories(self) -> None:
        reactor = self._reactor
        self._observers = [
            Sceptic("proxy, prompt", False, reactor),
            Sceptic("unix, slow, replay", True, reactor, LATENCY),
            Sceptic("unix, prompt, replay", True, reactor),
            Sceptic("tcp, prompt", False, reactor),
            Sceptic("tcp, slow", False, reactor, LATENCY),
        ]
        proxy, slow, prompt, tcp, tcpSlow = self._observers
        self._factories = [
            OvsdbMonitorFactory([proxy], replay=False, **TIMES),
            OvsdbMonitorFactory([slow, prompt], replay=True, **TIMES),
            OvsdbMonitorFactory([tcp, tcpSlow], replay=False, **TIMES),
        ]

    async def run(self) -> list[Figure]:
        """
        Make all faults.

        @return: the figures.
        """
        began = time.monotonic()
        print(f"chaos: seed {self.seed}", flush=True)
        trigger = self._reactor.addSystemEventTrigger("after", "shutdown", self.ovs.stop)
        self._log.start()
        try:
            await deferToThread(self.ovs.start)
            self._connect()
            for writer in self._writers:
                writer.start()
            await self._torment()
            await until(self._reactor, lambda: self._committed >= self._transactions, 600)
            await self._check()
        finally:
            await self._end()
            self._reactor.removeSystemEventTrigger(trigger)
        return self._figures(time.monotonic() - began)

    def _connect(self) -> None:
        reactor = self._reactor
        proxied, direct, tcp = self._factories
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self._proxy.port)
        EndpointConnector(endpoint, proxied).connect()
        EndpointConnector(UNIXClientEndpoint(reactor, self.ovs.unix), direct).connect()
        reactor.connectTCP("127.0.0.1", self.ovs.port, tcp)

    @property
    def _committed(self) -> int:
        return sum(writer.committed for writer in self._writers)

    async def _torment(self) -> None:
        others = [KINDS[number % len(KINDS)] for number in range(self._others)]
        plan = [*others, *[Faults.kill] * self._kills]
        self._rng.shuffle(plan)
        for number, fault in enumerate(plan, 1):
            if len(self._log.failures) > HOPELESS:
                return
            self._log.fault = number
            self._kinds[fault.__name__] += 1
            # Not always enough to recover from the latest fault.
            await wait(self._reactor, self._rng.choice((0.05, 0.3, 0.7)))
            await fault(self._faults)
            if number % CHECK_EVERY == 0:
                await self._check()
                self._inviteGuest()
                await self._faults.compact()
                print(f"chaos: {number} of {len(plan)} faults", flush=True)

    def _replaced(self) -> None:
        for writer in self._writers:
            writer.stale = True

    def _inviteGuest(self) -> None:
        """
        Remove the latest guest, which may be busy, and add another observer.
        """
        factory = self._factories[len(self._guests) % len(self._factories)]
        if self._guests:
            leaving = self._guests[-1]
            self._factories[(len(self._guests) - 1) % len(self._factories)].removeObserver(leaving)
            leaving.gone = True
        replay = factory is self._factories[1]
        guest = Sceptic(f"guest {len(self._guests)}", replay, self._reactor, LATENCY)
        self._guests.append(guest)
        factory.addObserver(guest)

    # The comparison

    async def _check(self) -> None:
        """
        Pause the writers, and compare what the observers were told with what
        the server has.
        """
        for writer in self._writers:
            await writer.pause()
        rows = await self._readRows()
        began = time.monotonic()
        observers = [*self._observers, *(guest for guest in self._guests if not guest.gone)]
        await until(self._reactor, lambda: all(_agrees(o, rows) for o in observers), CONVERGENCE)
        self._slowest = max(self._slowest, time.monotonic() - began)
        self._largest = max(self._largest, len(rows))
        self._checks += 1
        self._differences += [
            text for observer in observers for text in _differences(observer, rows)
        ]
        for writer in self._writers:
            writer.start()

    async def _readRows(self) -> Rows:
        while True:
            try:
                protocol = await connectOne(self._reactor, self.ovs.unix)
                rows = await readRows(protocol)
            except (ConnectError, OvsdbError, Refused):
                await wait(self._reactor, 0.05)
                continue
            protocol.abort(OvsdbError("the table is read"))
            return rows

    async def _end(self) -> None:
        for writer in self._writers:
            await writer.stop()
        for factory in self._factories:
            await factory.stop()
        await self._proxy.stop()
        for guest in self._guests[-1:]:
            self._factories[(len(self._guests) - 1) % len(self._factories)].removeObserver(guest)
        for observer in self._observers:
            observer.close()
        self._log.stop()
        self._serverLog = self.ovs.log("ovsdb-server")
        await deferToThread(self.ovs.stop)

    # The figures

    def _figures(self, seconds: float) -> list[Figure]:
        figures = Figures("chaos")
        observers = [*self._observers, *self._guests]
        contradictions = [text for o in observers for text in o.contradictions]
        violations = [text for o in observers for text in o.alternation.violations]
        complaints = [line for line in self._serverLog.splitlines() if COMPLAINTS.search(line)]
        for texts in (
            self._differences,
            contradictions,
            violations,
            self._log.failures,
            complaints,
        ):
            for text in texts[:SHOWN]:
                print(f"chaos, seed {self.seed}: {text}", flush=True)
        faults = sum(self._kinds.values())
        endpoints = len(self._factories)
        lines = [self._log.lines[number] for number in range(1, faults + 1)]
        figures.tell("seed", str(self.seed))
        figures.atLeast("kill -9 of ovsdb-server", self._faults.kills, self._kills)
        figures.atLeast("other faults", faults - self._kinds["kill"], self._others)
        kinds = sorted(kind for kind in self._kinds if kind != "kill")
        figures.tell("of these", ", ".join(f"{kind} {self._kinds[kind]}" for kind in kinds))
        figures.tell("longest SIGSTOP, s", self._faults.longest)
        figures.atLeast("transactions committed", self._committed, self._transactions)
        figures.tell("transactions refused", sum(w.refused for w in self._writers))
        figures.tell("transactions with unknown result", sum(w.uncertain for w in self._writers))
        figures.atLeast("comparisons of folds and table", self._checks, 1)
        figures.tell("most interfaces in a comparison", self._largest)
        figures.tell("slowest convergence, s", self._slowest)
        for observer in self._observers:
            told = f"{observer.transitions:,} in {observer.synchronizations:,} sessions"
            figures.tell(f"events told: {observer.name}", told)
        figures.equal("differences between fold and table", len(self._differences), 0)
        figures.equal("events that contradict others", len(contradictions), 0)
        figures.equal("violations of alternation", len(violations), 0)
        figures.equal("tracebacks", len(self._log.failures), 0)
        figures.equal("complaints in the log of ovsdb-server", len(complaints), 0)
        figures.atMost("log lines per fault and endpoint", sum(lines) / faults / endpoints, LINES)
        figures.tell("log lines of the worst fault, all endpoints", max(lines))
        figures.tell("run time, s", seconds)
        return figures.all


def _agrees(observer: Sceptic, rows: Rows) -> bool:
    told = observer.fold.interfaces
    return observer.fold.inSync and told == withKind(rows, told)


def _differences(observer: Sceptic, rows: Rows) -> list[str]:
    told = observer.fold.interfaces
    table = withKind(rows, told)
    texts = [] if observer.fold.inSync else [f"{observer.name}: not in sync"]
    return texts + [
        f"{observer.name}: told {told.get(uuid)}, the server has {table.get(uuid)}"
        for uuid in sorted(told.keys() | table.keys())
        if told.get(uuid) != table.get(uuid)
    ]
