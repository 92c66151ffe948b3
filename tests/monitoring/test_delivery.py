# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.delivery}.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.fakes.clocks import TurningClock
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import vm
from tests.openvswitch.test_tracker import World
from twisted_ovsdb import IOvsdbEventObserver
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.monitoring import telling as module
from twisted_ovsdb.monitoring.delivery import Delivery


class DeliveryTestCase(SynchronousTestCase):
    """
    A delivery, and what its observer is told.
    """

    def deliveryTo(self, observer: Any, told: Any = None) -> Delivery:
        """
        A delivery of three interfaces. Nothing has been told of them yet.
        """
        self.world, self.clock = World(), TurningClock()
        delivery = Delivery(observer, self.world.track(), self.clock, told)
        self.world.put(vm(1), vm(2), vm(3))
        self.world.synchronize()
        delivery.start()
        return delivery


class DeliveryTests(DeliveryTestCase):
    """
    Tests for L{Delivery}.
    """

    def test_deliversAll(self) -> None:
        """
        An observer that returns None is told everything at once.
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
        # Nor does the log complain later that it is busy.
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stoppedBeforeItIsBusy(self) -> None:
        """
        If an observer stops everything and is busy with that event, nobody waits for
        it: no timer is left.
        """
        case = self
        busy: Deferred[None] = Deferred()

        @implementer(IOvsdbEventObserver)
        class Stopper:
            def eventReceived(self, event: object) -> Deferred[None]:
                case.delivery.stop()
                return busy

        self.delivery = self.deliveryTo(Stopper())
        self.delivery.deliver()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        busy.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ownCancellation(self) -> None:
        """
        An observer whose own Deferred is cancelled has failed: this is logged. A
        Deferred that we cancel, because the observer is removed, is not.
        """
        busy = Busy()
        delivery = self.deliveryTo(busy)
        delivery.deliver()
        assert busy.waiting is not None
        waiting, busy.waiting = busy.waiting, None
        waiting.cancel()
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)
        self.assertEqual(len(busy.take()), 2)
        delivery.close()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """
        A busy observer is told one event after another. What has changed
        meanwhile is in the next events.
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

    def test_awaitable(self) -> None:
        """
        Anything that can be awaited makes its observer busy until it ends.
        """
        gate: Deferred[None] = Deferred()

        class Later:
            """Awaits the gate."""

            def __await__(self) -> Any:
                return gate.__await__()

        observer = Recorder([Later()])
        self.deliveryTo(observer).deliver()
        self.assertEqual(len(observer.events), 1)
        gate.callback(None)
        self.assertEqual(len(observer.events), 4)

    def test_F44_failures(self) -> None:
        """
        If an observer raises, fails or returns something wrong, this is logged
        each time, and the observer is still told the next event.
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

    def test_meansToEnd(self) -> None:
        """
        What is no C{Exception} is a failure of the observer as any other: it is told
        the next event, and what is around it goes on.
        """
        for raised in (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):

            class Ending(Recorder):
                raises: type[BaseException] = raised

                def eventReceived(self, event: Any) -> None:
                    super().eventReceived(event)
                    raise self.raises

            observer = Ending()
            self.deliveryTo(observer).deliver()
            self.assertEqual(len(observer.events), 4)
            self.assertEqual(len(self.flushLoggedErrors(raised)), 4)

    def test_failsLater(self) -> None:
        """
        If the Deferred of an observer fails later, this is logged, and the
        observer is no longer busy.
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
        If an observer is busy for 30 s, there is one warning.
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
        Closing a delivery cancels the awaited Deferred and logs nothing. Then
        nothing more is told.
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
        An observer that is busy at the stop is told nothing when it is no
        longer busy. After the next start it is told the rest.
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
        What changes inside eventReceived is told after eventReceived returns,
        and not inside it.
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


class SliceTests(DeliveryTestCase):
    """
    What L{Delivery.deliver} returns, with two events a turn.
    """

    def setUp(self) -> None:
        self.patch(module, "DELIVERY_SLICE", 2)

    def delivering(self, delivery: Delivery) -> Deferred[None]:
        """
        Begin a delivery that takes more than one turn.
        """
        waiting = delivery.deliver()
        assert waiting is not None
        return waiting

    def test_nothingToWaitFor(self) -> None:
        """
        deliver returns None when everything is told, when the observer is busy,
        and when the delivery is stopped.
        """
        delivery = self.deliveryTo(Recorder())
        delivery.stop()
        self.assertIsNone(delivery.deliver())
        delivery.start()
        self.delivering(delivery)
        self.clock.turn()
        self.clock.turn()
        self.assertIsNone(delivery.deliver())
        self.assertIsNone(self.deliveryTo(Busy()).deliver())

    def test_slices(self) -> None:
        """
        Each call returns a Deferred of its own, which fires when the last slice
        is told. A call before that tells no event by itself.
        """
        observer = Recorder()
        delivery = self.deliveryTo(observer)
        first = self.delivering(delivery)
        second = self.delivering(delivery)
        self.assertEqual(len(observer.events), 2)
        self.clock.turn()
        self.assertEqual(len(observer.events), 4)
        self.assertNoResult(first)
        self.clock.turn()
        self.assertIsNone(self.successResultOf(first))
        self.assertIsNone(self.successResultOf(second))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busyInALaterSlice(self) -> None:
        """
        The Deferred fires when the observer becomes busy: it does not wait for
        a busy observer.
        """
        busy: Deferred[None] = Deferred()
        observer = Recorder([None, None, busy])
        delivery = self.deliveryTo(observer)
        waiting = self.delivering(delivery)
        self.clock.turn()
        self.successResultOf(waiting)
        self.assertEqual(len(observer.events), 3)
        delivery.stop()

    def test_stop(self) -> None:
        """
        The Deferred fires when the delivery is stopped, and no delayed call is
        left.
        """
        for stop in (Delivery.stop, Delivery.close):
            observer = Recorder()
            delivery = self.deliveryTo(observer)
            waiting = self.delivering(delivery)
            stop(delivery)
            self.successResultOf(waiting)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(len(observer.events), 2)

    def test_stopInASlice(self) -> None:
        """
        If the observer stops the delivery inside an event, the Deferred fires
        after this event.
        """

        class Stopper(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                if len(self.events) == 3:
                    delivery.stop()
                    fired.append(waiting.called)

        fired: list[bool] = []
        delivery = self.deliveryTo(Stopper())
        waiting = self.delivering(delivery)
        self.clock.turn()
        self.successResultOf(waiting)
        self.assertEqual(fired, [False])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ToldTests(DeliveryTestCase):
    """
    An observer that was told something in an earlier process.
    """

    def test_atOnce(self) -> None:
        """
        If the function returns interfaces, there is no wait. The function gets
        the key of the switch, and is called once.
        """
        observer = Recorder()
        keys: list[str] = []

        def told(switch: str) -> list[OvsInterface]:
            keys.append(switch)
            return [vm(1), vm(4)]

        delivery = self.deliveryTo(observer, told)
        self.assertEqual(keys, [])
        delivery.deliver()
        delivery.deliver()
        self.assertEqual(keys, ["tcp:test"])
        self.assertEqual(
            observer.take(),
            [
                ("offline", "vm", "tap4", "resync"),
                ("online", "vm", "tap2", "resync"),
                ("online", "vm", "tap3", "resync"),
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_waits(self) -> None:
        """
        The first event waits for the Deferred. The events then are the
        difference to what exists by then.
        """
        observer = Recorder()
        earlier: Deferred[list[OvsInterface]] = Deferred()
        delivery = self.deliveryTo(observer, lambda _: earlier)
        self.assertIsNone(delivery.deliver())
        self.world.remove(1, 2)
        self.world.put(vm(3, ofport=3))
        self.assertIsNone(delivery.deliver())
        self.assertEqual(observer.events, [])
        earlier.callback([vm(1), vm(3)])
        self.assertEqual(
            observer.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("changed", "vm", "tap3", "resync"),
                ("synchronized", "resync"),
            ],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_laterSession(self) -> None:
        """
        Where another process may tell in the place of this one, an answer to the question
        of an earlier session counts for nothing: it is asked again.
        """
        observer = Recorder()
        answers: list[Deferred[Any]] = [Deferred(), Deferred()]
        asked = iter(answers)
        self.world, self.clock = World(), TurningClock()
        self.world.present.exclusive = True
        tracker = self.world.track(replay=False)
        delivery = Delivery(observer, tracker, self.clock, lambda switch: next(asked))
        self.world.put(vm(1), vm(2))
        self.world.synchronize()
        delivery.start()
        delivery.deliver()
        self.world.lose()
        self.world.synchronize()
        answers[0].callback([vm(7)])
        self.assertEqual(observer.take(), [])
        answers[1].callback([vm(1)])
        self.assertEqual(
            observer.take(), [("online", "vm", "tap2", "resync"), ("synchronized", "resync")]
        )

    def test_neverTold(self) -> None:
        """
        If the function returns None, the observer was never told anything, and
        its first snapshot is INITIAL.
        """
        observer = Recorder()
        self.deliveryTo(observer, lambda _: None).deliver()
        self.assertEqual(observer.take()[-1], ("synchronized", "initial"))

    def test_fails(self) -> None:
        """
        If the function fails, this is logged once, and the first snapshot is
        INITIAL.
        """

        def told(switch: str) -> Any:
            raise ZeroDivisionError

        for function in (told, lambda _: fail(ZeroDivisionError())):
            observer = Recorder()
            self.deliveryTo(observer, function).deliver()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual(len(observer.events), 4)
            self.assertEqual(observer.take()[-1], ("synchronized", "initial"))

    def test_nonsense(self) -> None:
        """
        If the function returns anything but interfaces, this is logged, and the
        first snapshot is INITIAL.
        """
        observer = Recorder()
        self.deliveryTo(observer, lambda _: succeed([vm(1), 5])).deliver()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(observer.take()[-1], ("synchronized", "initial"))

    def test_itsOwnCancellation(self) -> None:
        """
        If other code cancels the Deferred, this is logged as a failure too.
        """
        observer = Recorder()
        earlier: Deferred[list[OvsInterface]] = Deferred()
        self.deliveryTo(observer, lambda _: earlier).deliver()
        earlier.cancel()
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)
        self.assertEqual(observer.take()[-1], ("synchronized", "initial"))

    def test_close(self) -> None:
        """
        Closing the delivery cancels the Deferred, logs nothing and leaves no
        delayed call.
        """
        observer = Recorder()
        cancelled: list[object] = []
        earlier: Deferred[list[OvsInterface]] = Deferred(cancelled.append)
        delivery = self.deliveryTo(observer, lambda _: earlier)
        delivery.deliver()
        delivery.close()
        self.assertEqual(cancelled, [earlier])
        self.assertEqual((observer.events, self.clock.getDelayedCalls()), ([], []))

    def test_closeFromTheFunction(self) -> None:
        """
        The function may close the delivery. The Deferred that it returns is
        then cancelled.
        """
        observer = Recorder()
        cancelled: list[object] = []
        earlier: Deferred[list[OvsInterface]] = Deferred(cancelled.append)

        def told(switch: str) -> Deferred[list[OvsInterface]]:
            delivery.close()
            return earlier

        delivery = self.deliveryTo(observer, told)
        delivery.deliver()
        self.assertEqual(cancelled, [earlier])
        self.assertEqual((observer.events, self.clock.getDelayedCalls()), ([], []))

    def test_closeUncancelled(self) -> None:
        """
        If the Deferred fires with interfaces when it is cancelled, they are
        ignored.
        """
        observer = Recorder()
        earlier: Deferred[list[OvsInterface]] = Deferred(lambda d: d.callback([vm(1)]))
        delivery = self.deliveryTo(observer, lambda _: earlier)
        delivery.deliver()
        delivery.close()
        delivery.deliver()
        self.assertEqual(observer.events, [])

    def test_stop(self) -> None:
        """
        After a stop the Deferred is still awaited. Its interfaces are used at
        the next start, and the function is not called again.
        """
        for late in (False, True):
            observer = Recorder()
            earlier: Deferred[list[OvsInterface]] = Deferred()
            delivery = self.deliveryTo(observer, lambda _, d=earlier: d)
            delivery.deliver()
            delivery.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            if not late:
                earlier.callback([vm(1)])
            self.assertEqual(observer.events, [])
            delivery.start()
            delivery.deliver()
            if late:
                self.assertEqual(observer.events, [])
                earlier.callback([vm(1)])
            self.assertEqual(
                observer.take(),
                [
                    ("online", "vm", "tap2", "resync"),
                    ("online", "vm", "tap3", "resync"),
                    ("online", "vm", "tap1", "replay"),
                    ("synchronized", "resync"),
                ],
            )

    def test_warnsOnce(self) -> None:
        """
        If the Deferred has not fired after 30 s, there is one warning.
        """
        observer = Recorder()
        earlier: Deferred[list[OvsInterface]] = Deferred()
        self.deliveryTo(observer, lambda _: earlier).deliver()
        with capturedLogs() as logs:
            self.clock.advance(29)
            self.assertEqual(logs, [])
            self.clock.advance(1)
            self.clock.advance(1000)
        (warning,) = logs
        self.assertIn("told nothing: what it was told before", str(formatEvent(warning)))
        earlier.callback([])
        self.assertEqual(len(observer.events), 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])
