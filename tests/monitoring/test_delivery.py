# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.delivery}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.support import Busy, Recorder, vm
from tests.openvswitch.test_tracker import World
from twisted_ovsdb.monitoring.delivery import Delivery


class DeliveryTests(SynchronousTestCase):
    """
    Tests for L{Delivery}.
    """

    def deliveryTo(self, observer: Any) -> Delivery:
        """
        A delivery of three interfaces that has not begun.
        """
        self.world, self.clock = World(), Clock()
        delivery = Delivery(observer, self.world.track(), self.clock)
        self.world.put(vm(1), vm(2), vm(3))
        self.world.synchronize()
        delivery.start()
        return delivery

    def test_deliversAll(self) -> None:
        """
        An observer that answers None is told all in one go.
        """
        observer = Recorder()
        self.deliveryTo(observer).deliver()
        self.assertEqual(len(observer.take()), 4)

    def test_notStarted(self) -> None:
        """
        Nothing is delivered before the start or after the stop.
        """
        observer = Recorder()
        delivery = self.deliveryTo(observer)
        delivery.stop()
        delivery.deliver()
        self.assertEqual(observer.events, [])

    def test_finishedResults(self) -> None:
        """
        A Deferred that has fired and a coroutine that has ended do not make
        an observer busy.
        """

        async def coroutine() -> None:
            await succeed(None)

        observer = Recorder([succeed(None), coroutine(), succeed(1)])
        self.deliveryTo(observer).deliver()
        self.assertEqual(len(observer.take()), 4)

    def test_busy(self) -> None:
        """
        An observer is told one event after another, and between them learns
        of what has changed meanwhile.
        """
        observer = Busy()
        self.deliveryTo(observer).deliver()
        self.world.remove(3)
        self.world.put(vm(2, ofport=2))
        self.assertEqual(observer.take(), [("online", "vm", "tap1", "initial")])
        observer.freeAll()
        self.assertEqual(
            observer.take(), [("online", "vm", "tap2", "initial"), ("synchronized", "initial")]
        )

    def test_coroutine(self) -> None:
        """
        A coroutine makes its observer busy until it ends.
        """
        gate: Deferred[None] = Deferred()

        async def coroutine() -> None:
            await gate

        observer = Recorder([coroutine()])
        self.deliveryTo(observer).deliver()
        self.assertEqual(len(observer.events), 1)
        gate.callback(None)
        self.assertEqual(len(observer.events), 4)

    def test_F44_failures(self) -> None:
        """
        An observer that raises, fails or answers nonsense is logged each
        time, and is told what comes next.
        """

        class Failing(Recorder):
            def eventReceived(self, event: Any) -> Any:
                super().eventReceived(event)
                count = len(self.events)
                if count == 1:
                    raise ZeroDivisionError
                return fail(KeyError()) if count == 2 else 5

        observer = Failing()
        self.deliveryTo(observer).deliver()
        self.assertEqual(len(observer.events), 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    def test_failsLater(self) -> None:
        """
        A Deferred that fails later is logged, and frees its observer.
        """
        observer = Busy()
        self.deliveryTo(observer).deliver()
        waiting, observer.waiting = observer.waiting, None
        assert waiting is not None
        waiting.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(observer.events), 2)

    def test_F45_warnsOnce(self) -> None:
        """
        An observer that is busy for 30 s is warned of, once.
        """
        observer = Busy()
        self.deliveryTo(observer).deliver()
        with capturedLogs() as logs:
            self.clock.advance(29)
            self.assertEqual(logs, [])
            self.clock.advance(1)
            self.clock.advance(1000)
        (warning,) = logs
        self.assertIs(warning["observer"], observer)
        observer.freeAll()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self) -> None:
        """
        Closing cancels what is awaited, without a log, and ends all.
        """
        observer = Busy()
        delivery = self.deliveryTo(observer)
        delivery.deliver()
        cancelled: list[object] = []
        waiting = observer.waiting
        assert waiting is not None
        waiting._canceller = cancelled.append
        delivery.close()
        delivery.close()
        delivery.deliver()
        self.assertEqual(cancelled, [waiting])
        self.assertEqual(len(observer.events), 1)

    def test_stopWhileBusy(self) -> None:
        """
        An observer that is busy at the stop is told nothing when it is free,
        and goes on from there after the next start.
        """
        observer = Busy()
        delivery = self.deliveryTo(observer)
        delivery.deliver()
        delivery.stop()
        observer.free()
        self.assertEqual(len(observer.events), 1)
        delivery.start()
        delivery.deliver()
        observer.freeAll()
        self.assertEqual(len(observer.events), 4)

    def test_reentry(self) -> None:
        """
        What happens from inside eventReceived is told after it, not within.
        """
        world = World()
        depth: list[int] = [0]

        class Meddler(Recorder):
            def eventReceived(self, event: Any) -> None:
                depth[0] += 1
                assert depth[0] == 1
                super().eventReceived(event)
                if len(self.events) == 1:
                    world.put(vm(9))
                    delivery.deliver()
                depth[0] -= 1

        observer = Meddler()
        delivery = Delivery(observer, world.track(), Clock())
        world.put(vm(1))
        world.synchronize()
        delivery.start()
        delivery.deliver()
        self.assertEqual(
            observer.take(),
            [
                ("online", "vm", "tap1", "initial"),
                ("online", "vm", "tap9", "initial"),
                ("synchronized", "initial"),
            ],
        )
