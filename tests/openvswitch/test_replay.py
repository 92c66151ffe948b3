# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.replay}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid, vm
from twisted_ovsdb.openvswitch.replay import Replay


class ReplayTests(SynchronousTestCase):
    """
    Tests for L{Replay}.
    """

    def test_once(self) -> None:
        """
        Each interface is told once: also one that waits to be told as gone.
        """
        replay = Replay()
        replay.begin([vm(1), vm(2)], {uuid(2)}, [vm(3)])
        self.assertTrue(replay.waits(uuid(3)))
        self.assertEqual(replay.next(), uuid(3))
        self.assertFalse(replay.waits(uuid(3)))
        self.assertEqual([replay.next(), replay.next()], [uuid(1), None])

    def test_end(self) -> None:
        """
        At the end nothing waits, and nothing more is noted.
        """
        replay = Replay()
        replay.begin([vm(1)], set(), [])
        replay.end()
        self.assertFalse(replay.active)
        self.assertFalse(replay.waits(uuid(1)))
        self.assertIsNone(replay.next())
