# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.waiters}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import MonitorStopped


class WaitersTests(SynchronousTestCase):
    """
    Tests for L{Waiters}.
    """

    def setUp(self) -> None:
        self.waiters: Waiters[int] = Waiters()

    def test_callback(self) -> None:
        """
        All callers get the value, each in a Deferred of its own, in the order
        in which they began to wait; no Deferred waits afterwards.
        """
        results: list[tuple[str, int]] = []

        def record(value: int, name: str) -> None:
            results.append((name, value))

        for name in ("first", "second"):
            self.waiters.wait().addCallback(record, name)
        self.assertEqual(len(self.waiters), 2)
        self.waiters.callback(5)
        self.assertEqual(results, [("first", 5), ("second", 5)])
        self.assertEqual(len(self.waiters), 0)
        self.waiters.callback(6)
        self.assertEqual(len(results), 2)

    def test_errback(self) -> None:
        """
        All callers get the failure.
        """
        waiting = [self.waiters.wait(), self.waiters.wait()]
        reason = MonitorStopped()
        self.waiters.errback(reason)
        for waiter in waiting:
            self.assertIs(self.failureResultOf(waiter, MonitorStopped).value, reason)

    def test_cancel(self) -> None:
        """
        A caller that cancels its Deferred does not disturb the others.
        """
        first, second = self.waiters.wait(), self.waiters.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.waiters.callback(5)
        self.assertEqual(self.successResultOf(second), 5)

    def test_cancelFromACallback(self) -> None:
        """
        A callback may cancel a Deferred whose turn has not come.
        """
        first = self.waiters.wait()
        second = self.waiters.wait()
        first.addCallback(lambda _: second.cancel())
        self.waiters.callback(5)
        self.failureResultOf(second, CancelledError)

    def test_waitFromACallback(self) -> None:
        """
        A caller that begins to wait in a callback waits for the next time.
        """
        later: list[Deferred[int]] = []
        self.waiters.wait().addCallback(lambda _: later.append(self.waiters.wait()))
        self.waiters.callback(5)
        self.assertNoResult(later[0])
        self.waiters.callback(6)
        self.assertEqual(self.successResultOf(later[0]), 6)
