# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A server that keeps its connections open but does not answer.
"""

from __future__ import annotations

import random
import signal
import time
from typing import Any, Final

from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from tests.soak.churn import Churn
from tests.soak.faults import SERVER
from tests.soak.figures import Figure, Figures
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until, wait
from twisted_ovsdb import (
    Disconnected,
    EndpointConnector,
    IOvsdbEventObserver,
    OvsdbMonitorFactory,
    OvsdbProtocol,
    Synchronized,
)
from twisted_ovsdb.events import Event

SNAPSHOT_TIMEOUT: Final = 20.0
"""Instead of 60 s, so that the wait is short."""

STEADY: Final = 3.0
"""Seconds in which nothing happens, before the server is stopped."""


@implementer(IOvsdbEventObserver)
class Stopwatch:
    """
    Notes the times of the latest Synchronized and of the latest Disconnected.
    """

    def __init__(self) -> None:
        self.up = self.down = 0.0

    def eventReceived(self, event: Event) -> None:
        """
        Note the time.
        """
        if isinstance(event, Synchronized):
            self.up = time.monotonic()
        elif isinstance(event, Disconnected):
            self.down = time.monotonic()


class FreezingFactory(OvsdbMonitorFactory):
    """
    Stops the server as soon as the first connection is made, before any byte
    has been sent.

    @ivar made: when each connection was made.
    @ivar first: the first protocol.
    """

    def __init__(self, ovs: SoakOpenVSwitch, **options: Any) -> None:
        super().__init__(**options)
        self.made: list[float] = []
        self.first: OvsdbProtocol | None = None
        self._ovs = ovs

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """
        A connection is made.
        """
        protocol = super().buildProtocol(addr)
        if not self.made:
            self._ovs.signal(SERVER, signal.SIGSTOP)
            self.first = protocol
        self.made.append(time.monotonic())
        return protocol


async def halfOpen(reactor: Any, seed: int) -> list[Figure]:
    """
    Stop the server while sessions are in sync, and while a snapshot is awaited.
    """
    figures = Figures("half-open")
    began = time.monotonic()
    ovs = SoakOpenVSwitch()
    trigger = reactor.addSystemEventTrigger("after", "shutdown", ovs.stop)
    try:
        await deferToThread(ovs.start)
        writer = Churn(reactor, [ovs.unix], "w", random.Random(seed))
        writer.start()
        await until(reactor, lambda: writer.committed >= 100)
        await writer.stop()
        await _inSteadyState(reactor, ovs, figures)
        await _whileTheSnapshotIsAwaited(reactor, ovs, figures)
    finally:
        reactor.removeSystemEventTrigger(trigger)
        await deferToThread(ovs.stop)
    figures.tell("run time, s", time.monotonic() - began)
    return figures.all


async def _inSteadyState(reactor: Any, ovs: SoakOpenVSwitch, figures: Figures) -> None:
    watches = {"unix": Stopwatch(), "tcp": Stopwatch()}
    factories = {name: OvsdbMonitorFactory([watch]) for name, watch in watches.items()}
    EndpointConnector(UNIXClientEndpoint(reactor, ovs.unix), factories["unix"]).connect()
    reactor.connectTCP("127.0.0.1", ovs.port, factories["tcp"])
    await until(reactor, lambda: all(watch.up for watch in watches.values()))
    await wait(reactor, STEADY)
    stopped = time.monotonic()
    ovs.signal(SERVER, signal.SIGSTOP)
    await until(reactor, lambda: all(watch.down for watch in watches.values()))
    await wait(reactor, STEADY)
    went = time.monotonic()
    ovs.signal(SERVER, signal.SIGCONT)
    await until(reactor, lambda: all(watch.up > went for watch in watches.values()))
    for name, watch in watches.items():
        figures.atMost(f"{name}: Disconnected after", watch.down - stopped, 11.0, " s")
        figures.atMost(f"{name}: in sync again after", watch.up - went, 10.0, " s")
    for factory in factories.values():
        await factory.stop()


async def _whileTheSnapshotIsAwaited(reactor: Any, ovs: SoakOpenVSwitch, figures: Figures) -> None:
    watch = Stopwatch()
    factory = FreezingFactory(ovs, observers=[watch], snapshotTimeout=SNAPSHOT_TIMEOUT)
    EndpointConnector(UNIXClientEndpoint(reactor, ovs.unix), factory).connect()
    await until(reactor, lambda: bool(factory.made))
    protocol, made = factory.first, factory.made[0]
    assert protocol is not None
    await wait(reactor, SNAPSHOT_TIMEOUT - 1)
    figures.equal("snapshot awaited: connections after 19 s", len(factory.made), 1)
    figures.equal("snapshot awaited: lost after 19 s", protocol.lost is not None, False)
    await protocol.whenLost()
    lost = time.monotonic() - made
    figures.atLeast("snapshot awaited: given up after", lost, SNAPSHOT_TIMEOUT, " s")
    figures.atMost("snapshot awaited: given up after", lost, SNAPSHOT_TIMEOUT + 1, " s")
    figures.tell("snapshot awaited: reason", str(protocol.lost))
    went = time.monotonic()
    ovs.signal(SERVER, signal.SIGCONT)
    await until(reactor, lambda: watch.up > went)
    figures.atMost("snapshot awaited: in sync after", watch.up - went, 10.0, " s")
    await factory.stop()
