# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Measures whether memory grows with time.
"""

from __future__ import annotations

import os
import random
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.threads import deferToThread

from tests.soak.database import Rows, connectOne, readRows, withKind
from tests.soak.figures import Figure, Figures
from tests.soak.proxy import Proxy
from tests.soak.steady import Steady
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until
from tests.soak.watching import Sceptic
from twisted_ovsdb import EndpointConnector, OvsdbError, OvsdbMonitorFactory

TRANSACTIONS: Final = 100_000
RECONNECTIONS: Final = 1_000
WRITERS: Final = 8
INTERFACES: Final = 200

GROWTH: Final = 5.0
"""Per cent that the memory may grow."""


def residentMebibytes() -> float:
    """
    The resident memory of this process in MiB, from proc(5).
    """
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def growth(reactor: Any, seed: int) -> list[Figure]:
    """
    Measure the memory during many transactions and many reconnections.
    """
    began = time.monotonic()
    ovs = SoakOpenVSwitch()
    trigger = reactor.addSystemEventTrigger("after", "shutdown", ovs.stop)
    proxy = Proxy(reactor, ovs.unix, random.Random(seed))
    cut, direct = Sceptic("cut", True, reactor), Sceptic("direct", False, reactor)
    factories = [
        OvsdbMonitorFactory([cut], maxDelay=0.05),
        OvsdbMonitorFactory([direct], replay=False),
    ]
    writers = [
        Steady(reactor, [ovs.unix], f"s{n}", random.Random(n), interfaces=INTERFACES // WRITERS)
        for n in range(WRITERS)
    ]
    try:
        await deferToThread(ovs.start)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", proxy.port)
        EndpointConnector(endpoint, factories[0]).connect()
        EndpointConnector(UNIXClientEndpoint(reactor, ovs.unix), factories[1]).connect()
        sizes = await _run(reactor, proxy, cut, writers)
        figures = Figures("growth")
        figures.atLeast("transactions", sum(w.committed for w in writers), TRANSACTIONS)
        figures.atLeast("reconnections", cut.synchronizations - 1, RECONNECTIONS)
        figures.tell("RSS after each tenth, MiB", ", ".join(f"{size:.1f}" for size in sizes))
        figures.atMost(
            "growth from the first tenth on", 100 * (sizes[-1] / sizes[0] - 1), GROWTH, " %"
        )
        protocol = await connectOne(reactor, ovs.unix)
        rows = await readRows(protocol)
        protocol.abort(OvsdbError("the table is read"))
        for observer in (cut, direct):
            agrees = await until(reactor, partial(_agrees, observer, rows), 10)
            figures.equal(f"fold equals table: {observer.name}", agrees, True)
            figures.equal(f"contradictions: {observer.name}", len(observer.contradictions), 0)
    finally:
        for writer in writers:
            await writer.stop()
        for factory in factories:
            await factory.stop()
        await proxy.stop()
        reactor.removeSystemEventTrigger(trigger)
        await deferToThread(ovs.stop)
    figures.tell("run time, s", time.monotonic() - began)
    return figures.all


async def _run(reactor: Any, proxy: Proxy, observer: Sceptic, writers: list[Steady]) -> list[float]:
    """
    @return: the memory after each tenth of the run, in MiB.
    """
    sizes: list[float] = []
    for writer in writers:
        writer.begin(TRANSACTIONS // WRITERS)
    await until(reactor, partial(_synchronized, observer, 1))
    for number in range(1, RECONNECTIONS + 1):
        due = TRANSACTIONS // RECONNECTIONS * number
        await until(reactor, partial(_committed, writers, due), poll=0.005)
        proxy.reset()
        await until(reactor, partial(_synchronized, observer, number + 1), poll=0.005)
        if number % (RECONNECTIONS // 10) == 0:
            sizes.append(residentMebibytes())
    await until(reactor, lambda: all(writer.done for writer in writers))
    return sizes


def _committed(writers: list[Steady], count: int) -> bool:
    return sum(writer.committed for writer in writers) >= count


def _synchronized(observer: Sceptic, count: int) -> bool:
    return observer.synchronizations >= count


def _agrees(observer: Sceptic, rows: Rows) -> bool:
    told = observer.fold.interfaces
    return told == withKind(rows, told)
