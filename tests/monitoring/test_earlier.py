# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests of C{told} in L{twisted_ovsdb.monitoring.delivery}.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import vm
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.monitoring.earlier import askTold


class Awaited:
    """
    An awaitable that is neither a Deferred nor a coroutine.
    """

    def __await__(self) -> Generator[Any, Any, list[OvsInterface]]:
        yield from succeed(None).__await__()
        return [vm(1)]


class AskTests(SynchronousTestCase):
    """
    Tests for L{askTold}.
    """

    def test_interfaces(self) -> None:
        """
        C{told} may be the interfaces. They are copied at once, so an iterator
        can be given, and a list may change afterwards.
        """
        given = [vm(1), vm(2)]
        for told in (given, iter(given), {row.uuid: row for row in given}.values()):
            function = askTold(told)
            for _ in range(2):
                self.assertEqual(self.successResultOf(function("s")), (vm(1), vm(2)))
        function = askTold(given)
        given.clear()
        self.assertEqual(self.successResultOf(function("s")), (vm(1), vm(2)))

    def test_function(self) -> None:
        """
        A function gets the key of the switch, and may return interfaces, a
        Deferred, a coroutine or any other awaitable of them, or None.
        """
        keys: list[str] = []

        async def coroutine(switch: str) -> list[OvsInterface]:
            return await succeed([vm(1)])

        def function(switch: str) -> list[OvsInterface]:
            keys.append(switch)
            return [vm(1)]

        for told in (function, lambda _: succeed(iter([vm(1)])), coroutine, lambda _: Awaited()):
            self.assertEqual(self.successResultOf(askTold(told)("s")), (vm(1),))
        self.assertEqual(keys, ["s"])
        self.assertIsNone(self.successResultOf(askTold(lambda _: None)("s")))
        self.assertIsNone(self.successResultOf(askTold(lambda _: succeed(None))("s")))

    def test_fails(self) -> None:
        """
        If the function raises an exception, the Deferred fails with it.
        """

        def function(switch: str) -> list[OvsInterface]:
            raise ZeroDivisionError

        self.failureResultOf(askTold(function)("s"), ZeroDivisionError)

    def test_mistakes(self) -> None:
        """
        Anything but interfaces is a TypeError: at once for what is given, and
        as a failure for what a function returns.
        """
        mistakes: tuple[Any, ...] = (5, "tap1", [5], [vm(1), None])
        for mistake in mistakes:
            self.assertRaises(TypeError, askTold, mistake)
            returned = succeed(mistake)
            self.failureResultOf(askTold(partial(self.give, returned))("s"), TypeError)

    def give(self, told: Any, switch: str) -> Any:
        """
        Return what is given.
        """
        return told

    def test_cancel(self) -> None:
        """
        Cancelling the Deferred also cancels the Deferred that the function
        returned.
        """
        cancelled: list[object] = []
        waiting: Deferred[list[OvsInterface]] = Deferred(cancelled.append)
        asked = askTold(lambda _: waiting)("s")
        self.assertNoResult(asked)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(cancelled, [waiting])
