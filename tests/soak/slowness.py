# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that stays busy, and another one that is prompt.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from tests.soak.database import connectOne, readTable
from tests.soak.figures import Figure, Figures
from tests.soak.steady import Steady
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until
from tests.soak.watching import LogCount, Sceptic
from twisted_ovsdb import (
    Cause,
    EndpointConnector,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    IOvsdbEventObserver,
    OvsdbError,
    OvsdbMonitorFactory,
)
from twisted_ovsdb.events import Event
from twisted_ovsdb.openvswitch.tracker import Tracker

TRANSACTIONS: Final = 50_000
INTERFACES: Final = 1_000
WRITERS: Final = 10


class Hanging(Sceptic):
    """
    Is never busy during the snapshot, and stays busy from the first update on.

    @ivar hanging: what it returned for that update; None before.
    @ivar told: how many interfaces it knew when it became busy.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__("hanging", False, reactor)
        self.hanging: Deferred[None] | None = None
        self.told = 0

    def eventReceived(self, event: Event) -> Deferred[None] | None:
        """
        Check the event, and become busy at the first update.
        """
        super().eventReceived(event)
        if self.hanging is None and getattr(event, "cause", None) is Cause.UPDATE:
            self.hanging = Deferred()
            self.told = len(self.fold.interfaces)
            return self.hanging
        return None


@implementer(IOvsdbEventObserver)
class Measuring:
    """
    At each event, measures how many interfaces wait to be told to another
    observer.

    @ivar most: the most that have waited.
    @ivar beyond: how often that was more than the interfaces that were told
        and those that are present, together.
    """

    def __init__(self, hanging: Hanging) -> None:
        self.most = self.beyond = 0
        self.tracker: Tracker | None = None
        self._hanging = hanging

    def eventReceived(self, event: Event) -> None:
        """
        Measure.
        """
        if self.tracker is not None:
            waiting = self.tracker.waiting
            self.most = max(self.most, waiting)
            self.beyond += waiting > self._hanging.told + len(self.tracker.present.rows)


async def slowObserver(reactor: Any, seed: int) -> list[Figure]:
    """
    Run many transactions while one observer is busy. Then it goes on.
    """
    began = time.monotonic()
    ovs = SoakOpenVSwitch()
    trigger = reactor.addSystemEventTrigger("after", "shutdown", ovs.stop)
    prompt, hanging = Sceptic("prompt", False, reactor), Hanging(reactor)
    measuring = Measuring(hanging)
    factory = OvsdbMonitorFactory([hanging, prompt, measuring], replay=False)
    writers = [
        Steady(
            *(reactor, [ovs.unix], f"s{n}", random.Random(seed + n)),
            interfaces=INTERFACES // WRITERS,
        )
        for n in range(WRITERS)
    ]
    log = LogCount()
    log.start()
    try:
        await deferToThread(ovs.start)
        await _commit(reactor, writers, WRITERS)  # each writer makes its interfaces
        EndpointConnector(UNIXClientEndpoint(reactor, ovs.unix), factory).connect()
        await factory.whenSynchronized()
        measuring.tracker = factory.monitor._audience.deliveries[0].tracker
        await _commit(reactor, writers, TRANSACTIONS)
        figures = Figures("slow observer")
        await _compare(reactor, ovs, figures, writers, prompt, hanging, measuring)
    finally:
        log.stop()
        for writer in writers:
            await writer.stop()
        await factory.stop()
        reactor.removeSystemEventTrigger(trigger)
        await deferToThread(ovs.stop)
    figures.equal("tracebacks", len(log.failures), 0)
    figures.tell("run time, s", time.monotonic() - began)
    return figures.all


async def _commit(reactor: Any, writers: list[Steady], transactions: int) -> None:
    for writer in writers:
        writer.begin(transactions // len(writers))
    await until(reactor, lambda: all(writer.done for writer in writers), 600)


async def _compare(
    reactor: Any,
    ovs: SoakOpenVSwitch,
    figures: Figures,
    writers: list[Steady],
    prompt: Sceptic,
    hanging: Hanging,
    measuring: Measuring,
) -> None:
    protocol = await connectOne(reactor, ovs.unix)
    table = await readTable(protocol)
    protocol.abort(OvsdbError("the table is read"))
    expected = sum((writer.expected for writer in writers), Counter[str]())
    await until(reactor, lambda: prompt.transitions >= expected.total(), 10)
    committed = sum(writer.committed for writer in writers)
    figures.atLeast("transactions", committed - WRITERS, TRANSACTIONS)
    figures.tell("interfaces", INTERFACES)
    figures.equal("transactions refused", sum(writer.refused for writer in writers), 0)
    for kind in (InterfaceOnline, InterfaceOffline, InterfaceChanged):
        name = kind.__name__
        figures.equal(f"prompt: {name}", prompt.counts[name], expected[name])
    figures.equal("prompt: differences", _different(prompt, table), 0)
    figures.equal("prompt: contradictions", len(prompt.contradictions), 0)
    figures.equal("hanging: told meanwhile", hanging.transitions - INTERFACES, 1)
    assert measuring.tracker is not None
    limit = hanging.told + INTERFACES
    figures.atMost("hanging: most that waited", measuring.most, limit)
    figures.equal("hanging: waited more than told + present", measuring.beyond, 0)
    figures.tell("hanging: told + present when it goes on", hanging.told + len(table))
    figures.tell("hanging: waits when it goes on", measuring.tracker.waiting)
    assert hanging.hanging is not None
    hanging.hanging.callback(None)
    await until(reactor, lambda: not _different(hanging, table), 10)
    figures.equal("hanging: differences in the end", _different(hanging, table), 0)
    figures.equal("hanging: contradictions", len(hanging.contradictions), 0)
    figures.equal("hanging: violations of alternation", len(hanging.alternation.violations), 0)
    figures.equal("hanging: waits in the end", measuring.tracker.waiting, 0)


def _different(observer: Sceptic, table: dict[str, Any]) -> int:
    told = observer.fold.interfaces
    return sum(told.get(uuid) != table.get(uuid) for uuid in told.keys() | table.keys())
