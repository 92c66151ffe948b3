# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.beginning}.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.command.beginning import AT_ONCE, SPREAD, SpreadService


class SpreadServiceTests(SynchronousTestCase):
    """
    Tests for L{SpreadService}.
    """

    def make(self, count: int) -> list[Service]:
        """
        Make so many services.
        """
        self.clock = Clock()
        self.parent = SpreadService(self.clock)
        services = [Service() for _ in range(count)]
        for service in services:
            self.parent.addService(service)
        return services

    def test_few(self) -> None:
        """
        A few services are started at once, and no timer is left.
        """
        services = self.make(AT_ONCE)
        self.parent.startService()
        self.assertEqual(sum(service.running for service in services), AT_ONCE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """
        Of many, the first ones are started at once, and the others at equal
        distances in the next seconds.
        """
        services = self.make(AT_ONCE + 100)
        self.parent.startService()
        self.assertEqual([service.running for service in services].count(1), AT_ONCE)
        self.clock.advance(SPREAD / 2)
        self.assertEqual([service.running for service in services].count(1), AT_ONCE + 50)
        self.clock.advance(SPREAD / 2)
        self.assertTrue(all(service.running for service in services))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """
        A stop meanwhile starts no more of them. A second start begins anew.
        """
        services = self.make(AT_ONCE + 4)
        self.parent.startService()
        self.clock.advance(SPREAD / 2)
        self.successResultOf(self.parent.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(any(service.running for service in services))
        self.parent.startService()
        self.clock.advance(SPREAD)
        self.assertTrue(all(service.running for service in services))
        self.successResultOf(self.parent.stopService())
