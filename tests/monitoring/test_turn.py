# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for turns of the reactor in L{twisted_ovsdb.monitoring.delivery}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.clocks import TurningClock
from twisted_ovsdb.monitoring.turn import Turn


class TurnTests(SynchronousTestCase):
    """
    Tests for L{Turn}.
    """

    def setUp(self) -> None:
        self.clock = TurningClock()
        self.turn = Turn(self.clock)
        self.calls: list[str] = []

    def take(self, name: str) -> None:
        """
        Take a turn that records its name.
        """
        self.turn.take(lambda: self.calls.append(name))

    def test_take(self) -> None:
        """
        The call is made in the next turn, once, and not before.
        """
        self.assertFalse(self.turn.awaited)
        self.take("a")
        self.assertTrue(self.turn.awaited)
        self.assertEqual(self.calls, [])
        self.clock.turn()
        self.clock.turn()
        self.assertEqual((self.calls, self.turn.awaited), (["a"], False))

    def test_takeTwice(self) -> None:
        """
        While a call is awaited, another one is not added.
        """
        self.take("a")
        self.take("b")
        self.clock.turn()
        self.assertEqual(self.calls, ["a"])

    def test_takeFromTheCall(self) -> None:
        """
        The call may take the next turn itself.
        """
        self.turn.take(lambda: self.take("b"))
        self.clock.turn()
        self.assertEqual((self.calls, self.turn.awaited), ([], True))
        self.clock.turn()
        self.assertEqual(self.calls, ["b"])

    def test_cancel(self) -> None:
        """
        A cancelled call is never made, and leaves no delayed call in the
        reactor.
        """
        self.assertFalse(self.turn.cancel())
        self.take("a")
        self.assertTrue(self.turn.cancel())
        self.assertFalse(self.turn.cancel())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.take("b")
        self.clock.turn()
        self.assertEqual(self.calls, ["b"])
