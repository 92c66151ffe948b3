# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The audit of a real Open vSwitch, while ports come and go.
"""

from __future__ import annotations

import time
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.live.support import SCENE, LiveTestCase
from twisted_ovsdb import Disconnected, InterfaceChanged, ReplicaWrong, Synchronized

EVERY = 0.02
"""Seconds between two steps: far more often than anybody would, to find more."""

CHURN = 2.0
"""Seconds."""


class AuditTests(LiveTestCase):
    """
    Tests for a factory with C{audit}.
    """

    timeout = 60

    async def test_monitor(self) -> None:
        """
        With C{monitor}.
        """
        await self.audit()

    async def test_monitorCond(self) -> None:
        """
        With C{monitor_cond}, and with the tables Bridge and Port.
        """
        await self.audit(bridges=True)

    async def audit(self, **options: bool) -> None:
        """
        While ports come, change and go, nothing that is right is found wrong. A row
        that is damaged then is found within two rounds, and told as it is.
        """
        ports = " -- ".join(f"add-port br-int q{number}" for number in range(150))
        await self.vsctl(f"{SCENE} -- {ports}")
        factory = self.watch(audit=EVERY, replay=False, **options)
        await self.observer.untilSynchronized()
        await deferToThread(self.churn)
        counts = factory.audited()
        self.assertEqual(counts.mismatches, 0)
        self.assertGreater(counts.rounds, 5)
        self.assertEqual([e for e in self.observer.everything if isinstance(e, Disconnected)], [])
        rows: Any = factory.monitor._known._interfaces._rows
        key = next(key for key, row in rows.items() if row.name == "tap1")
        rows[key] = attrs.evolve(rows[key], ofport=4711)
        told = await self.observer.until(lambda event: isinstance(event, Disconnected))
        (lost,) = [event for event in told if isinstance(event, Disconnected)]
        self.assertIsInstance(lost.reason, ReplicaWrong)
        found = factory.audited()
        self.assertEqual(found.mismatches, 1)
        self.assertLessEqual(found.rounds - counts.rounds, 2)
        told = await self.observer.until(lambda event: isinstance(event, Synchronized))
        changed = [event for event in told if isinstance(event, InterfaceChanged)]
        self.assertEqual([event.interface.name for event in changed], ["tap1"])
        clock: Any = reactor
        await deferLater(clock, 0.5)
        self.assertEqual(factory.audited().mismatches, 1)

    def churn(self) -> None:
        """
        Add, change and remove ports for a while.
        """
        end = time.monotonic() + CHURN
        number = 0
        while time.monotonic() < end:
            number += 1
            add = f"add-port br-int p{number} -- set Interface p{number} external_ids:iface-id=v"
            self.ovs.vsctl("--no-wait", *add.split())
            self.ovs.vsctl("--no-wait", "set", "Interface", f"p{number}", "external_ids:n=1")
            if number > 4:
                self.ovs.vsctl("--no-wait", "del-port", f"p{number - 4}")
