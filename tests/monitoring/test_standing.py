# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.standing} and
L{twisted_ovsdb.monitoring.lockterms}.
"""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.monitoring.lockterms import NAME_LENGTH, SPREAD, LockTerms, checkLock
from twisted_ovsdb.monitoring.standing import Happening, Standing, after


class StandingTests(SynchronousTestCase):
    """
    Tests for the states of a lock.
    """

    def test_takeover(self) -> None:
        """
        A monitor speaks after it was in sync, asked, was granted the lock and had
        this confirmed, in this order.
        """
        steps = (Happening.IN_SYNC, Happening.ASKED, Happening.OURS, Happening.CONFIRMED)
        standing = Standing.AWAY
        for step in steps:
            self.assertIsNot(standing, Standing.SPEAKING)
            standing = after(standing, step)
        self.assertIs(standing, Standing.SPEAKING)

    def test_onlyConfirmed(self) -> None:
        """
        Nothing else than a confirmation makes a monitor speak, and only if the
        server has said before that the lock is its own.
        """
        for standing, happening in product(Standing, Happening):
            if standing is not Standing.SPEAKING:
                speaks = after(standing, happening) is Standing.SPEAKING
                granted = standing is Standing.GRANTED
                self.assertEqual(speaks, granted and happening is Happening.CONFIRMED)

    def test_end(self) -> None:
        """
        Whatever a monitor does, it speaks no more when its session ends, when the lock
        is stolen and when it is given up.
        """
        for standing in Standing:
            self.assertIs(after(standing, Happening.ENDED), Standing.AWAY)
        for happening in (Happening.STOLEN, Happening.GIVEN_UP):
            for standing in Standing:
                self.assertIsNot(after(standing, happening), Standing.SPEAKING)

    def test_late(self) -> None:
        """
        A lock that is granted while it is given back is not taken.
        """
        self.assertIs(after(Standing.LEAVING, Happening.OURS), Standing.LEAVING)


class TermsTests(SynchronousTestCase):
    """
    Tests for what follows from the names of a lock and a monitor.
    """

    def test_delay(self) -> None:
        """
        A monitor asks for the lock of a switch after a time that is always the same,
        at most two seconds, and another one for each switch and each monitor.
        """
        first, second = LockTerms("fleet", "a"), LockTerms("fleet", "b")
        delays = [terms.delay(f"s{n}") for terms in (first, second) for n in range(100)]
        self.assertEqual(delays[:100], [LockTerms("fleet", "a").delay(f"s{n}") for n in range(100)])
        self.assertEqual(len(set(delays)), 200)
        self.assertTrue(0 <= min(delays) < 0.2 and 1.8 < max(delays) < SPREAD)

    def test_even(self) -> None:
        """
        Of many switches, each of three monitors is the first to ask at about a third.
        """
        fleet = [LockTerms("fleet", name) for name in "abc"]
        firsts: list[str] = []
        for n in range(600):
            delays = {terms.delay(f"s{n}"): terms.instance for terms in fleet}
            firsts.append(delays[min(delays)])
        for name in "abc":
            self.assertTrue(150 < firsts.count(name) < 250, firsts.count(name))

    def test_instance(self) -> None:
        """
        A monitor is known by its host and its process, if nobody names it.
        """
        self.assertRegex(LockTerms("fleet").instance, r"^.+-\d+$")

    def test_wrong(self) -> None:
        """
        A name that OVSDB does not take for a lock is refused, and a name of a monitor that
        is empty, too long, not printable, or without a lock.
        """
        for lock in ("", "9x", "a-b", "a b", "é", "a\n"):
            self.assertRaises(ValueError, checkLock, lock, None)
        self.assertRaises(TypeError, checkLock, 7, None)
        for instance in ("", "a\n", "x" * (NAME_LENGTH + 1)):
            self.assertRaises(ValueError, checkLock, "fleet", instance)
        self.assertRaises(TypeError, checkLock, "fleet", 7)
        self.assertRaises(ValueError, checkLock, None, "a")
        checkLock("_Fleet9", "x" * NAME_LENGTH)
