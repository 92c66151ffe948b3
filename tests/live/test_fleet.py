# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observer that publishes with a real NATS server, and the reader of C{examples/}. The
switch is in memory; its lock is granted by the test.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, succeed

from tests.fakes.documented import CHECKOUT
from tests.live.test_broker import CLOCK, BrokerTestCase
from tests.test_examples import Program
from twisted_ovsdb.publish.observer import PublishingObserver, publishing
from twisted_ovsdb.publish.streampublisher import StreamPublisher
from twisted_ovsdb.testing import MemoryServer, connectedFactory

READER = str(CHECKOUT / "examples" / "fleet_reader.py")


class Held:
    """
    A monitor that holds the lock of its switch.
    """

    speaking = True

    def __init__(self) -> None:
        self.gaveUp = 0

    def confirmLock(self) -> Deferred[None]:
        """See C{LockedMonitor}."""
        return succeed(None)

    def giveUp(self) -> None:
        """See C{LockedMonitor}."""
        self.gaveUp += 1

    def stealLock(self) -> None:
        """See C{LockedMonitor}."""


class Reader(Program):
    """
    The reader.

    @ivar everything: all that it has written.
    """

    def __init__(self, url: str) -> None:
        self.everything = b""
        super().__init__(sys.executable, READER, url)

    def outReceived(self, data: bytes) -> None:
        """Keep it."""
        self.everything += data
        super().outReceived(data)

    errReceived = outReceived


class ObserverTests(BrokerTestCase):
    """
    From a switch to a reader.
    """

    def observer(self, instance: str) -> PublishingObserver:
        """An observer that publishes."""
        publisher = StreamPublisher(self.streams(instance), instance, CLOCK)
        made = PublishingObserver(publisher, instance, lambda switch: self.held, CLOCK)
        self.addCleanup(made.close)
        return made

    async def test_reader(self) -> None:
        """
        A reader sees what one instance tells and what the next one tells, nothing
        twice; and one that comes late takes what is now.
        """
        self.held = Held()
        server = MemoryServer()
        server.addBridge("br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        first = self.observer("first")
        factory = connectedFactory(server, publishing(first), source="s1")
        await self.until(lambda: first.published["acknowledged"] >= 4)
        early = Reader(self.broker.url)
        self.addCleanup(early.kill)
        await early.line("s1 now tap1")
        server.addPort("br-int", "tap2", iface_id="vm-2", ofport=2)
        await early.line("s1 online tap2")
        factory.stop()
        server.deletePort("tap1")
        second = self.observer("second")
        connectedFactory(server, publishing(second), source="s1")
        await early.line("s1 offline tap1")
        # It told: started, offline, synchronized.
        await self.until(lambda: second.published["acknowledged"] == 3)
        self.assertEqual((first.fenced, second.fenced), (0, 0))
        server.addPort("br-int", "tap3", iface_id="vm-3", ofport=3)
        await early.line("s1 online tap3")
        late = Reader(self.broker.url)
        self.addCleanup(late.kill)
        await late.line("s1 now tap3")
        told = [line for line in early.everything.decode().splitlines() if " br-" not in line]
        expected = ["s1 now tap1", "s1 online tap2", "s1 offline tap1", "s1 online tap3"]
        self.assertEqual(told, expected)

    async def test_burst(self) -> None:
        """
        A thousand interfaces go out in few messages, and the reactor is not held up.
        """
        self.held = Held()
        server = MemoryServer()
        server.addBridge("br-int")
        for number in range(1000):
            server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}", ofport=number + 1)
        first = self.observer("first")
        connectedFactory(server, publishing(first), source="s1")
        await self.until(lambda: first.published["acknowledged"] >= 1003)
        streams: Any = first._publisher
        told = await streams.read("s1")
        self.assertEqual(len(told.interfaces), 1001)
