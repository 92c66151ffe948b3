# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.known}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid, vm
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.known import SLICE, KnownSwitch
from twisted_ovsdb.openvswitch.topology import Parent


class SliceTests(SynchronousTestCase):
    """
    A snapshot is prepared in steps, between which the reactor turns.
    """

    def test_slices(self) -> None:
        """
        There is a step for each slice of ports and of interfaces, and few others.
        """
        known = KnownSwitch(ClassificationRules(), (), MONITOR_COND, False, True, "s", lambda: None)
        count = 3 * SLICE
        rows: dict[str, dict[str, Any]] = {
            "Interface": {uuid(n): vm(n) for n in range(count)},
            "Port": {uuid(count + n): Parent("", (uuid(n),), True) for n in range(count)},
            "Bridge": {},
        }
        steps = len(list(known.prepare(rows)))
        self.assertGreaterEqual(steps, 2 * 3)
        self.assertLessEqual(steps, 2 * 3 + 2)
