# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.backoff}.
"""

from __future__ import annotations

import random

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import NotLeader, OvsdbError, ProtocolViolation, RpcError, SessionLost
from twisted_ovsdb.lifecycle.backoff import BackOff


class BackOffTests(SynchronousTestCase):
    """
    Tests for L{BackOff}, without jitter.
    """

    def setUp(self) -> None:
        self.patch(random, "uniform", lambda low, high: high)

    def test_doubles(self) -> None:
        """
        The waits double up to the maximum.
        """
        backOff = BackOff(5)
        self.assertEqual([backOff.wait(None) for _ in range(5)], [1, 2, 4, 5, 5])

    def test_healthy(self) -> None:
        """
        After a session that was in sync for at least as long as the delay,
        there is no wait, and the next waits begin at 1 s again. After a shorter
        session, the waits go on growing.
        """
        backOff = BackOff(8)
        self.assertEqual([backOff.wait(0.5), backOff.wait(1.9), backOff.wait(4)], [1, 2, 0])
        self.assertEqual(backOff.wait(None), 1)

    def test_slow(self) -> None:
        """
        After a refusal, the wait is as long as the maximum.
        """
        for refusal in (RpcError("unknown database"), OvsdbError("no table Interface")):
            backOff = BackOff(8)
            backOff.refused(refusal)
            self.assertEqual(backOff.wait(None), 8)
            backOff.reset()
            self.assertEqual(backOff.wait(None), 1)

    def test_noRefusal(self) -> None:
        """
        After a lost session, a fault of the server, and while a member joins
        its cluster, the waits double as usual.
        """
        for reason in (
            SessionLost(ConnectionDone()),
            ProtocolViolation("not JSON"),
            RpcError("database not available"),
        ):
            backOff = BackOff(8)
            waits = []
            for _ in range(3):
                backOff.refused(reason)
                waits.append(backOff.wait(None))
            self.assertEqual(waits, [1, 2, 4])

    def test_members(self) -> None:
        """
        If there are several servers, each one is tried once before there is a
        wait.
        """
        backOff = BackOff(8, members=3)
        self.assertEqual([backOff.wait(None) for _ in range(7)], [0, 0, 1, 0, 0, 2, 0])
        self.assertEqual(backOff.wait(100), 0)
        self.assertEqual([backOff.wait(None) for _ in range(3)], [0, 0, 1])

    def test_soon(self) -> None:
        """
        While a cluster elects its leader, the wait stays short.
        """
        backOff = BackOff(8)
        for _ in range(4):
            backOff.refused(NotLeader("this server does not lead its cluster"))
            self.assertEqual(backOff.wait(None), 1)

    def test_wrong(self) -> None:
        """
        A maximum that is not above zero is refused.
        """
        for maximum in (0, -1):
            self.assertRaises(ValueError, BackOff, maximum)
