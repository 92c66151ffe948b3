# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.handover}.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.publish.handover import SLICE, Handover


class HandoverTests(SynchronousTestCase):
    """
    Calls from one thread into another.
    """

    def setUp(self) -> None:
        self.woken: list[Callable[[], object]] = []
        self.later: list[Callable[[], object]] = []
        self.now = 0.0
        self.done: list[object] = []
        self.handover = Handover(self.woken.append, self.later.append, lambda: self.now)

    def run_(self, calls: list[Callable[[], object]]) -> None:
        """The other thread's turn."""
        found, calls[:] = calls[:], []
        for each in found:
            each()

    def test_together(self) -> None:
        """
        Calls that are made before the other thread comes for them wake it once, and are
        done in their order.
        """
        for number in range(3):
            self.handover.call(self.done.append, number)
        self.assertEqual(len(self.woken), 1)
        self.assertEqual(self.done, [])
        self.run_(self.woken)
        self.assertEqual(self.done, [0, 1, 2])
        self.handover.call(self.done.append, 3)
        self.run_(self.woken)
        self.assertEqual(self.done, [0, 1, 2, 3])

    def test_slices(self) -> None:
        """
        Many calls do not stop the other thread from doing something else for longer than
        L{SLICE} and one call; their order stays, also with what is added meanwhile.
        """

        def slow(number: int) -> None:
            self.done.append(number)
            self.now += SLICE / 2

        for number in range(5):
            self.handover.call(slow, number)
        self.run_(self.woken)
        self.assertEqual(self.done, [0, 1])
        self.handover.call(slow, 5)
        self.assertEqual(self.woken, [])
        self.run_(self.later)
        self.assertEqual(self.done, [0, 1, 2, 3])
        self.run_(self.later)
        self.assertEqual(self.done, [0, 1, 2, 3, 4, 5])
        self.assertEqual(self.later, [])

    def test_fault(self) -> None:
        """What a call raises is logged, and does not keep the next one."""
        self.handover.call(lambda: 1 // 0)
        self.handover.call(self.done.append, "next")
        self.run_(self.woken)
        self.assertEqual(self.done, ["next"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_threads(self) -> None:
        """No call is lost or done twice where both threads are at it all the time."""
        wanted = 20_000
        event = threading.Event()
        handover = Handover(self.woken.append, self.woken.append, lambda: 0.0)

        def make() -> None:
            for number in range(wanted):
                handover.call(self.done.append, number)
            event.set()

        maker = threading.Thread(target=make)
        maker.start()
        while not event.is_set() or self.woken:
            while self.woken:
                self.woken.pop()()
        maker.join()
        self.run_(self.woken)
        self.assertEqual(self.done, list(range(wanted)))
