# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{async for event in factory.events()}.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.observers import summaries
from tests.fakes.rows import update, vmRow
from twisted_ovsdb import IOvsdbEventObserver
from twisted_ovsdb.events import Event, Synchronized
from twisted_ovsdb.monitoring.audience import Handover
from twisted_ovsdb.monitoring.telling import DELIVERY_SLICE, PATIENCE


class Consumer:
    """
    Takes events in a coroutine, as users do. While C{busy} is set, it is busy
    with each event until L{free} is called.

    @ivar ended: fires when its loop has ended.
    """

    def __init__(self, events: AsyncGenerator[Event, None], busy: bool = False) -> None:
        self.events: list[Event] = []
        self.busy = busy
        self.working: Deferred[None] | None = None
        self.ended = Deferred.fromCoroutine(self._consume(events))

    async def _consume(self, events: AsyncGenerator[Event, None]) -> None:
        async for event in events:
            self.events.append(event)
            if self.busy:
                self.working = Deferred()
                await self.working

    def free(self) -> None:
        """
        Finish the present event.
        """
        working, self.working = self.working, None
        assert working is not None
        working.callback(None)

    def take(self) -> list[tuple[str, ...]]:
        """
        Take the events since the last call, in a few words.
        """
        events, self.events = self.events, []
        return summaries(events)


class StreamTests(FactoryTestCase):
    """
    Tests for C{factory.events}.
    """

    def observers(self) -> int:
        """
        How many observers the factory has, without the one of the test.
        """
        return len(self.factory.monitor._audience.deliveries) - 1

    def test_contract(self) -> None:
        """
        The object behind events() is an observer like any other.
        """
        verifyObject(IOvsdbEventObserver, Handover(self.clock))

    def test_events(self) -> None:
        """
        A consumer that is never busy gets the same events as an observer.
        """
        consumer = Consumer(self.factory.events())
        self.synchronize({1: vmRow("tap1")})
        self.receive(update({2: {"new": vmRow("tap2")}}))
        self.lose()
        self.clock.advance(1)
        self.synchronize({2: vmRow("tap2")})
        self.assertEqual(consumer.events, self.observer.events)
        self.assertEqual(len(consumer.take()), 7)
        self.assertNoResult(consumer.ended)

    def test_late(self) -> None:
        """
        A consumer that begins while in sync gets what exists now, as INITIAL,
        and then what happens.
        """
        self.synchronize({1: vmRow("tap1")})
        consumer = Consumer(self.factory.events())
        self.assertEqual(consumer.events, [])
        self.clock.advance(0)
        self.receive(update({2: {"new": vmRow("tap2")}}))
        self.assertEqual(
            consumer.take(),
            [
                ("online", "vm", "tap1", "initial"),
                ("synchronized", "initial"),
                ("online", "vm", "tap2", "update"),
            ],
        )

    def test_busy(self) -> None:
        """
        While the consumer is busy, no queue grows: what happens meanwhile
        reaches it as one difference.
        """
        self.synchronize({1: vmRow("tap1")})
        consumer = Consumer(self.factory.events(), busy=True)
        self.clock.advance(0)
        self.assertEqual(consumer.take(), [("online", "vm", "tap1", "initial")])
        for port in range(1, 50):
            new = {"new": vmRow("tap1", ofport=port), "old": {"ofport": port - 1}}
            self.receive(update({1: new}))
            self.receive(update({2: {"new": vmRow("tap2")}}))
            self.receive(update({2: {"old": vmRow("tap2")}}))
        self.assertEqual(consumer.take(), [])
        consumer.free()
        self.assertEqual(consumer.take(), [("changed", "vm", "tap1", "initial")])
        consumer.free()
        last = consumer.events[-1]
        assert isinstance(last, Synchronized)
        self.assertEqual(last.interfaces[0].ofport, 49)
        consumer.busy = False
        consumer.free()
        self.receive(update({3: {"new": vmRow("tap3")}}))
        self.assertEqual(consumer.take()[-1], ("online", "vm", "tap3", "update"))

    def test_several(self) -> None:
        """
        Several consumers do not disturb one another.
        """
        slow, fast = Consumer(self.factory.events(), busy=True), Consumer(self.factory.events())
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.assertEqual((len(slow.take()), len(fast.take())), (1, 3))

    def test_stop(self) -> None:
        """
        A stop ends the loop. A consumer that waits for an event still gets
        Disconnected. A consumer that is busy gets no other event.
        """
        consumer = Consumer(self.factory.events())
        busy = Consumer(self.factory.events(), busy=True)
        self.synchronize({1: vmRow("tap1")})
        self.assertNoResult(consumer.ended)
        self.factory.stop()
        self.successResultOf(consumer.ended)
        self.assertEqual(consumer.take()[-1], ("disconnected", "stopped"))
        self.assertNoResult(busy.ended)
        busy.free()
        self.successResultOf(busy.ended)
        self.assertEqual(len(busy.events), 1)
        self.lose()
        self.assertEqual((self.observers(), self.clock.getDelayedCalls()), (0, []))

    def test_stopWithoutConnection(self) -> None:
        """
        A stop also ends the loop if there is no connection, and if the loop has
        not begun.
        """
        later = self.factory.events()
        consumer = Consumer(self.factory.events())
        self.factory.stop()
        self.successResultOf(consumer.ended)
        self.successResultOf(Consumer(later).ended)
        self.assertEqual((consumer.events, self.observers()), ([], 0))

    def test_stopFromTheLoop(self) -> None:
        """
        The consumer may stop the factory. Its loop then ends after the present
        event.
        """

        async def consume() -> int:
            taken = 0
            async for _ in self.factory.events():
                taken += 1
                self.factory.stop()
            return taken

        taken = Deferred.fromCoroutine(consume())
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.assertEqual((self.successResultOf(taken), self.observers()), (1, 0))

    def test_startAgain(self) -> None:
        """
        After a stop, a new loop gets the events of the next start.
        """
        self.factory.stop()
        consumer = Consumer(self.factory.events())
        self.connector.connect()
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(len(consumer.events), 2)

    def test_leave(self) -> None:
        """
        After a consumer has left its loop, the factory has no observer for it.
        """

        async def first() -> Event:
            async for event in self.factory.events():
                return event
            raise AssertionError("ended")

        event = Deferred.fromCoroutine(first())
        self.assertEqual(self.observers(), 1)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.assertEqual(summaries([self.successResultOf(event)])[0][2], "tap1")
        gc.collect()
        self.assertEqual(self.observers(), 0)

    def test_failure(self) -> None:
        """
        If the body of the loop raises, the consumer gets the exception, and
        other observers are not disturbed.
        """

        async def fail() -> None:
            async with aclosing(self.factory.events()) as events:
                async for _ in events:
                    raise ZeroDivisionError

        failing = Deferred.fromCoroutine(fail())
        self.synchronize({1: vmRow("tap1")})
        self.failureResultOf(failing, ZeroDivisionError)
        self.assertEqual((self.observers(), len(self.observer.events)), (0, 2))

    def test_close(self) -> None:
        """
        Closing the generator removes its observer, and the generator ends.
        """
        self.synchronize({1: vmRow("tap1")})
        events = self.factory.events()

        async def take() -> object:
            return await anext(events, None)

        first = Deferred.fromCoroutine(take())
        self.clock.advance(0)
        self.successResultOf(first)
        self.assertEqual(self.observers(), 1)
        closing: Any = events.aclose()
        self.successResultOf(Deferred.fromCoroutine(closing))
        self.assertEqual(self.observers(), 0)
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(take())))

    def test_cancel(self) -> None:
        """
        Cancelling the consumer while it waits removes its observer.
        """
        consumer = Consumer(self.factory.events())
        self.synchronize({1: vmRow("tap1")})
        consumer.ended.cancel()
        self.failureResultOf(consumer.ended, CancelledError)
        self.assertEqual(self.observers(), 0)
        self.receive(update({2: {"new": vmRow("tap2")}}))
        self.assertEqual(len(consumer.events), 2)

    def test_unused(self) -> None:
        """
        A generator that is never used adds no observer, and nothing of it is
        kept.
        """
        events = self.factory.events()
        self.assertEqual(self.observers(), 0)
        del events
        gc.collect()
        self.assertEqual(len(self.factory.monitor._audience._streams), 0)

    def test_dropped(self) -> None:
        """
        If nothing refers to a factory and its consumers any more, they are
        freed without an error in the log.
        """
        waiting, busy = Consumer(self.factory.events()), Consumer(self.factory.events(), busy=True)
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual((len(waiting.events), len(busy.events)), (2, 1))
        del waiting, busy
        self.makeFactory()
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_fair(self) -> None:
        """
        A consumer that has many events to catch up with gets a limited number
        of them in one turn, and the rest in the next turn. A consumer that is
        cancelled between them gets no more, and leaves no timer behind.
        """
        many = {n: vmRow(f"tap{n}") for n in range(1, DELIVERY_SLICE + 100)}
        consumer = Consumer(self.factory.events(), busy=True)
        stopped = Consumer(self.factory.events(), busy=True)
        self.synchronize(many)
        for each in (consumer, stopped):
            each.busy = False
            each.free()
            self.assertEqual(len(each.events), DELIVERY_SLICE)
        timers = len(self.clock.getDelayedCalls())
        stopped.ended.cancel()
        self.failureResultOf(stopped.ended, CancelledError)
        # The next turn, and the warning about a slow observer.
        self.assertEqual(len(self.clock.getDelayedCalls()), timers - 2)
        self.clock.advance(0)
        self.assertEqual(len(consumer.events), len(many) + 1)
        self.assertIsInstance(consumer.events[-1], Synchronized)
        self.assertEqual(len(stopped.events), DELIVERY_SLICE)

    def test_slow(self) -> None:
        """
        The warning about slow observers names the consumer.
        """
        with capturedLogs() as logs:
            # Kept: what nothing refers to ends at the next garbage collection.
            consumer = Consumer(self.factory.events(), busy=True)
            self.synchronize({1: vmRow("tap1")})
            self.advance(PATIENCE)
        self.assertEqual(len(consumer.events), 1)
        [warning] = [log for log in logs if log["log_level"] is LogLevel.warn]
        self.assertIn("the consumer of events()", str(formatEvent(warning)))
