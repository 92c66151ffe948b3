# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.collector}.
"""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.command.collector import FULL, CollectorService


class CollectorServiceTests(SynchronousTestCase):
    """
    Tests for L{CollectorService}.
    """

    def test_startAndStop(self) -> None:
        """
        From start to stop, looks at all objects are rare, and those that were there
        are left out. After that all is as before, also at a second stop.
        """
        before = gc.get_threshold()
        service = CollectorService()
        service.startService()
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.set_threshold, *before)
        self.assertEqual(gc.get_threshold()[:2], before[:2])
        self.assertIn(gc.get_threshold()[2], (FULL, before[2]))  # 3.14 has two
        self.assertGreater(gc.get_freeze_count(), 0)
        service.stopService()
        service.stopService()
        self.assertEqual(gc.get_threshold(), before)
        self.assertEqual(gc.get_freeze_count(), 0)
