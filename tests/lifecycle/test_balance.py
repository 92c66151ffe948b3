# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.balance}: listeners that share switches by a lock.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.fold import Fold
from tests.fakes.observers import Recorder
from twisted_ovsdb import Disconnected, LockLost, OvsdbListenerFactory
from twisted_ovsdb.lifecycle.balance import LONGEST, STEP, hasTooMany
from twisted_ovsdb.testing import MemoryServer

SOON = 2.0
"""Seconds until each listener has asked for the lock of each switch."""


class ShareTests(SynchronousTestCase):
    """
    Tests for how many switches are too many.
    """

    def test_share(self) -> None:
        """
        A listener may have a fifth more than its share, and two switches.
        """
        self.assertFalse(hasTooMany(62, 100, 2))
        self.assertTrue(hasTooMany(63, 100, 2))
        self.assertTrue(hasTooMany(43, 100, 3))

    def test_few(self) -> None:
        """
        A few switches may all have one speaker.
        """
        for switches in range(6):
            self.assertFalse(hasTooMany(switches, switches, 2), switches)
        self.assertTrue(hasTooMany(6, 6, 2))

    def test_alone(self) -> None:
        """
        Who shares with nobody has never too many.
        """
        self.assertFalse(hasTooMany(1000, 1000, 1))


class BalanceTests(SynchronousTestCase):
    """
    Tests for two listeners that share ten switches.
    """

    def setUp(self) -> None:
        self.patch(random, "uniform", lambda low, high: high)
        self.clock = Clock()
        self.servers = [MemoryServer(self.clock) for _ in range(10)]
        for number, server in enumerate(self.servers):
            ids = {"system-id": f"s{number}", "hostname": f"h{number}"}
            row = {"external_ids": ["map", [list(item) for item in ids.items()]]}
            server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})
            server.addBridge("br-int")

    def listener(self, instance: str, *observers: Any, **options: Any) -> OvsdbListenerFactory:
        """
        A listener to which all switches have connected.
        """
        listener = OvsdbListenerFactory(
            observers, clock=self.clock, lock="fleet", instance=instance, **options
        )
        for server in self.servers:
            server.endpoint.connect(listener)
        self.advance(0)
        self.assertTrue(all(each.inSync for each in listener.monitors.values()))
        return listener

    def advance(self, seconds: float) -> None:
        """
        Time passes.
        """
        for _ in range(max(int(seconds), 1)):
            self.servers[0].advance(seconds and 1)
            for server in self.servers:
                server.advance(0)

    def stop(self, listener: OvsdbListenerFactory) -> None:
        """
        A listener ends.
        """
        listener.stop()
        self.advance(0)

    def count(self, listener: OvsdbListenerFactory) -> int:
        """
        For how many switches a listener speaks.
        """
        return sum(each.speaking for each in listener.monitors.values())

    def test_spread(self) -> None:
        """
        Two listeners that begin together have about one half each. Each switch has one
        speaker.
        """
        first, second = self.listener("a", fleet=1), self.listener("b", fleet=1)
        self.advance(SOON)
        counts = self.count(first), self.count(second)
        self.assertEqual(sum(counts), 10)
        self.assertTrue(all(2 <= count <= 8 for count in counts), counts)

    def test_rollingRestart(self) -> None:
        """
        A listener that comes last has some switches after a while: the other one gives
        them up, one after another.
        """
        mine, yours = Recorder(), Recorder()
        first = self.listener("a", mine)
        self.advance(SOON)
        self.assertEqual(self.count(first), 10)
        second = self.listener("b", yours)
        before = 10
        while self.count(first) > 8:
            self.advance(STEP)
            self.assertLessEqual(before - self.count(first), 1)
            before = self.count(first)
        self.assertEqual((self.count(first), self.count(second)), (8, 2))
        lost = [each for each in mine.events if isinstance(each, Disconnected)]
        self.assertTrue(all(isinstance(each.reason, LockLost) for each in lost))
        self.advance(60)
        self.assertEqual((self.count(first), self.count(second)), (8, 2))

    def test_alone(self) -> None:
        """
        A listener that is alone keeps all switches, and offers one less and less often.
        """
        observer, fold = Recorder(), Fold()
        first = self.listener("a", observer)
        self.advance(120)
        self.assertEqual(self.count(first), 10)
        lost = [each.switch for each in observer.events if isinstance(each, Disconnected)]
        self.assertTrue(3 <= len(lost) <= 6, lost)
        self.assertEqual(len(set(lost)), len(lost), "each time another one")
        assert first._balance is not None
        first._balance._wait = LONGEST
        first._balance._judgeOffer()
        self.assertLessEqual(first._balance._wait, LONGEST)
        for event in observer.events:
            if event.switch == "s1":
                fold.receive(event)
        self.assertEqual(len(fold.interfaces), 1)

    def test_stopped(self) -> None:
        """
        A listener that is stopped leaves no timer.
        """
        first = self.listener("a")
        self.advance(SOON)
        self.stop(first)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        other = OvsdbListenerFactory(clock=self.clock, lock="fleet", instance="b")
        self.successResultOf(other.stop())

    def test_dies(self) -> None:
        """
        When a listener ends, the other one speaks for all switches, at once.
        """
        first, second = self.listener("a"), self.listener("b")
        self.advance(SOON)
        self.stop(first)
        self.assertEqual(self.count(second), 10)
