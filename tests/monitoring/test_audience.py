# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.audience}, through a monitor: observers
that are added and removed, and what they were told in an earlier process.
"""

from __future__ import annotations

import json
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred

from tests.fakes.monitorcase import MonitorTestCase
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import interface, jsonRow, plain, uuid, vm, vmRow
from twisted_ovsdb.events import OvsInterface, Synchronized
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.filters import withoutReplays
from twisted_ovsdb.openvswitch.views import View


class ObserverTests(MonitorTestCase):
    """
    Observers that are added and removed.
    """

    def test_F47_late(self) -> None:
        """
        An observer that is added while in sync is told nothing inside
        addObserver. In the next turn it is told what exists by then, and after
        that what happens.
        """
        self.synchronize({1: vmRow("tap1")})
        late = Recorder()
        self.monitor.addObserver(late)
        self.assertEqual(late.events, [])
        self.update({2: {"new": vmRow("tap2")}})
        self.clock.advance(0)
        self.update({3: {"new": vmRow("tap3")}})
        self.assertEqual(
            late.take(),
            [
                ("online", "vm", "tap1", "initial"),
                ("online", "vm", "tap2", "initial"),
                ("synchronized", "initial"),
                ("online", "vm", "tap3", "update"),
            ],
        )

    def test_addedInAnOutage(self) -> None:
        """
        An observer that is added in an outage is told nothing until the next
        snapshot. The snapshot is INITIAL for this observer, and RESYNC for the
        others.
        """
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.observer.take()
        late = Recorder()
        self.monitor.addObserver(late)
        self.clock.advance(0)
        self.assertEqual(late.events, [])
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(
            late.take(), [("online", "vm", "tap1", "initial"), ("synchronized", "initial")]
        )
        self.assertEqual(self.observer.take()[-1], ("synchronized", "resync"))

    def test_refused(self) -> None:
        """
        To add an object that is not an observer, to add an observer twice, and
        to remove an observer that was not added is refused.
        """
        self.assertRaises(TypeError, self.monitor.addObserver, object())
        self.assertRaises(ValueError, self.monitor.addObserver, self.observer)
        self.assertRaises(ValueError, self.monitor.removeObserver, Recorder())

    def test_remembers(self) -> None:
        """
        An observer may know itself what it was told before, also behind other
        views. To say it once more is a mistake.
        """

        @attrs.frozen(eq=False)
        class Remembering(View):
            """
            Was told of one interface, on a switch of this key.
            """

            @property
            def told(self) -> Any:
                return lambda switch: [vm(1)] if switch == "tcp:test" else None

        for wrap in (lambda o: o, withoutReplays):
            observer = Recorder()
            self.monitor = self.makeMonitor([wrap(Remembering(observer))])
            self.synchronize({2: vmRow("tap2")})
            self.assertEqual(
                observer.take(),
                [
                    ("offline", "vm", "tap1", "resync"),
                    ("online", "vm", "tap2", "resync"),
                    ("synchronized", "resync"),
                ],
            )
        with self.assertRaisesRegex(ValueError, "told= is given too"):
            self.monitor.addObserver(Remembering(Recorder()), told=[])

    def test_equalObservers(self) -> None:
        """
        If two observers are equal, only the one that is given is removed.
        """

        class Equal(Recorder):
            """Equal to all others."""

            def __eq__(self, other: object) -> bool:
                return True

        first, second = Equal(), Equal()
        self.monitor.addObserver(first)
        self.monitor.addObserver(second)
        self.monitor.removeObserver(second)
        self.synchronize({})
        self.assertEqual((len(first.events), len(second.events)), (1, 0))

    def test_adapted(self) -> None:
        """
        An object that is adapted to an observer can be added once, and is
        removed when the same object is given, or the observer that it became.
        """

        observer = Recorder()

        class Adapted:
            """Becomes an observer."""

            def __conform__(self, interface: object) -> object:
                return observer if interface is IOvsdbEventObserver else None

        adapted: Any = Adapted()
        self.monitor.addObserver(adapted)
        self.assertRaises(ValueError, self.monitor.addObserver, adapted)
        self.monitor.removeObserver(adapted)
        self.assertRaises(ValueError, self.monitor.removeObserver, adapted)
        # What is told may be given too.
        self.monitor.addObserver(adapted)
        self.monitor.removeObserver(observer)
        self.assertRaises(ValueError, self.monitor.removeObserver, adapted)

    def test_remove(self) -> None:
        """
        An observer that was removed is told nothing more, and its Deferred is
        cancelled.
        """
        busy = Busy()
        self.monitor.addObserver(busy)
        self.synchronize({1: vmRow("tap1")})
        waiting = busy.waiting
        assert waiting is not None
        results: list[object] = []
        waiting.addBoth(results.append)
        self.monitor.removeObserver(busy)
        self.monitor.removeObserver(self.observer)
        self.observer.take()
        self.update({2: {"new": vmRow("tap2")}})
        self.assertEqual((len(busy.events), self.observer.events), (1, []))

    def test_removeRaises(self) -> None:
        """
        If the Deferred of an observer cannot be cancelled, this is logged, and the
        observer is removed all the same.
        """

        class Stubborn(Recorder):
            def eventReceived(self, event: Any) -> Deferred[None]:
                super().eventReceived(event)
                return Deferred(self.refuse)

            def refuse(self, _: object) -> None:
                raise ZeroDivisionError

        observer = Stubborn()
        self.monitor.addObserver(observer)
        self.synchronize({1: vmRow("tap1")})
        self.monitor.removeObserver(observer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.update({2: {"new": vmRow("tap2")}})
        self.assertEqual(len(observer.events), 1)
        self.assertRaises(ValueError, self.monitor.removeObserver, observer)

    def test_F46_meddling(self) -> None:
        """
        Inside eventReceived, an observer may add another one and remove itself.
        """
        monitor, late = self.monitor, Recorder()

        class Meddler(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                monitor.addObserver(late)
                monitor.removeObserver(self)

        meddler = Meddler()
        monitor.addObserver(meddler)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.clock.advance(0)
        self.assertEqual(len(meddler.events), 1)
        self.assertEqual(len(late.events), 3)

    def test_F45_busyHoldsUpNobody(self) -> None:
        """
        Neither the other observers nor the connection wait for a busy observer.
        When it is no longer busy, it is told the difference.
        """
        busy = Busy()
        self.monitor.addObserver(busy)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        for port in range(1, 50):
            self.update({2: {"new": vmRow("tap2", ofport=port), "old": {"ofport": port - 1}}})
        self.assertEqual(len(self.observer.take()), 3 + 49)
        busy.freeAll()
        last = busy.events[-1]
        assert isinstance(last, Synchronized)
        self.assertEqual(len(busy.events), 3)
        self.assertEqual(last.interfaces[1].ofport, 49)

    def test_removeWhileGreetingWaits(self) -> None:
        """
        If an observer is added while in sync and removed at once, it is told
        nothing. A stop before another one is told anything leaves no delayed
        call.
        """
        self.synchronize({1: vmRow("tap1")})
        late, later = Recorder(), Recorder()
        self.monitor.addObserver(late)
        self.monitor.removeObserver(late)
        self.monitor.addObserver(later)
        self.monitor.detach()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((late.events, later.events), ([], []))

    def test_replayToInAnOutage(self) -> None:
        """
        In an outage, an observer is told everything with the next snapshot, once, and
        nothing before. It makes no timer.
        """
        self.monitor = self.makeMonitor([self.observer], replay=False)
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.observer.take()
        self.monitor.replayTo(self.observer)
        self.monitor.replayTo(self.observer)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for expected in (["replay"], []):
            self.synchronize({1: vmRow("tap1")})
            told = [words for words in self.observer.take() if words[0] == "online"]
            self.assertEqual([words[-1] for words in told], expected)
            self.lose()

    def test_replayTo(self) -> None:
        """
        One observer is told everything once more, in the next turn of the
        reactor; others are told nothing.
        """
        other = Recorder()
        self.monitor.addObserver(other)
        self.synchronize({1: vmRow("tap1")})
        self.observer.take()
        other.take()
        self.monitor.replayTo(self.observer)
        self.assertEqual(self.observer.events, [])
        self.clock.advance(0)
        self.assertEqual(
            self.observer.take(), [("online", "vm", "tap1", "replay"), ("synchronized", "resync")]
        )
        self.assertEqual(other.events, [])
        self.assertRaises(ValueError, self.monitor.replayTo, Recorder())

    def test_stopTwice(self) -> None:
        """
        A stop while one observer is busy and another one was told nothing yet
        leaves no delayed call, also if there are two stops. Both observers are
        then told the next snapshot correctly.
        """
        busy, late = Busy(), Recorder()
        self.monitor.addObserver(busy)
        self.synchronize({1: vmRow("tap1")})
        self.monitor.addObserver(late)
        for _ in range(2):
            self.monitor.detach()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        busy.free()
        self.assertEqual((len(busy.events), late.events), (1, []))
        self.synchronize({1: vmRow("tap1")})
        busy.freeAll()
        self.assertEqual(busy.take()[-1], ("synchronized", "initial"))
        self.assertEqual(
            late.take(), [("online", "vm", "tap1", "initial"), ("synchronized", "initial")]
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ToldTests(MonitorTestCase):
    """
    Observers that were told something in an earlier process.
    """

    def setUp(self) -> None:
        super().setUp()
        self.earlier: Deferred[list[OvsInterface]] = Deferred(self.cancelled)
        self.cancellations = 0
        self.keys: list[str] = []
        self.late = Recorder()

    def cancelled(self, _: object) -> None:
        """
        Count that the Deferred is cancelled.
        """
        self.cancellations += 1

    def told(self, switch: str) -> Deferred[list[OvsInterface]]:
        """
        Return a Deferred for what the observer was told.
        """
        self.keys.append(switch)
        return self.earlier

    def test_interfaces(self) -> None:
        """
        C{told} may be the interfaces. The first snapshot is then RESYNC for
        this observer, and INITIAL for the others. An interface without a kind
        is ignored.
        """
        self.monitor.addObserver(self.late, told=[vm(1), vm(2), vm(3), plain(4), plain(5)])
        self.synchronize({2: vmRow("tap2", ofport=2), 3: vmRow("tap3"), 4: vmRow("tap4")})
        self.assertEqual(
            self.late.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("changed", "vm", "tap2", "resync"),
                ("online", "vm", "tap4", "resync"),
                ("online", "vm", "tap3", "replay"),
                ("synchronized", "resync"),
            ],
        )
        self.assertEqual(self.observer.take()[-1], ("synchronized", "initial"))
        self.update({2: {"old": vmRow("tap2", ofport=2)}})
        self.assertEqual(self.late.take(), [("offline", "vm", "tap2", "update")])

    def test_noReplay(self) -> None:
        """
        Without replay, an observer that was told everything before is told only
        that it is in sync.
        """
        self.monitor = self.makeMonitor([], replay=False)
        self.monitor.addObserver(self.late, told=[vm(1)])
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(self.late.take(), [("synchronized", "resync")])

    def test_waits(self) -> None:
        """
        The observer is told nothing until the function's Deferred fires.
        Meanwhile the others are told what happens, and the connection is read.
        Then the observer is told the difference to what exists by then.
        """
        self.monitor.addObserver(self.late, self.told)
        self.assertEqual(self.keys, [])
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.update({2: {"old": vmRow("tap2")}, 3: {"new": vmRow("tap3")}})
        self.assertEqual(self.keys, ["tcp:test"])
        self.assertEqual((len(self.observer.events), self.late.events), (5, []))
        self.assertEqual(self.transport.producerState, "producing")
        self.earlier.callback([vm(1), vm(2), vm(3, ofport=9)])
        self.assertEqual(
            self.late.take(),
            [
                ("offline", "vm", "tap2", "resync"),
                ("changed", "vm", "tap3", "resync"),
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_key(self) -> None:
        """
        The function gets the system-id of the switch, if it is known.
        """
        self.monitor = self.makeMonitor([], identify=True)
        self.monitor.addObserver(self.late, self.told)
        self.attach()
        row = {"external_ids": ["map", [["system-id", "4aa64e21"]]]}
        tables = {"Open_vSwitch": {uuid(9): {"new": row}}}
        self.protocol.dataReceived(json.dumps({"id": 1, "result": tables}).encode())
        self.assertEqual(self.keys, ["4aa64e21"])

    def test_late(self) -> None:
        """
        If an observer is added while in sync, the function is called in the
        next turn, not inside addObserver.
        """
        self.synchronize({})
        self.monitor.addObserver(self.late, self.told)
        self.update({1: {"new": vmRow("tap1")}})
        self.assertEqual(self.keys, [])
        self.clock.advance(0)
        self.assertEqual(self.keys, ["tcp:test"])
        self.earlier.callback([])
        self.assertEqual(
            self.late.take(), [("online", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )

    def test_localPort(self) -> None:
        """
        That an interface was the local port of a bridge is part of what was
        told: its ofport is empty now, and it is still a bridge, for every
        observer.
        """
        lan = interface(1, jsonRow("LAN", ofport=65534))
        before = OvsInterface.fromJSON(json.loads(json.dumps(lan.toJSON())))
        self.monitor.addObserver(self.late, [before, vm(2)])
        self.synchronize({1: jsonRow("LAN")})
        self.assertEqual(
            self.late.take(),
            [
                ("offline", "vm", "tap2", "resync"),
                ("changed", "bridge", "LAN", "resync"),
                ("synchronized", "resync"),
            ],
        )
        self.assertEqual(
            self.observer.take(),
            [("synchronized", "initial"), ("online", "bridge", "LAN", "update")],
        )

    def test_answeredInAnOutage(self) -> None:
        """
        If the session is lost while the function's Deferred is awaited, the
        observer is told nothing of that session. The next snapshot is RESYNC.
        """
        self.monitor.addObserver(self.late, self.told)
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.earlier.callback([vm(1), vm(2)])
        self.assertEqual(self.late.events, [])
        self.synchronize({1: vmRow("tap1", ofport=1)})
        self.assertEqual(
            self.late.take(),
            [
                ("offline", "vm", "tap2", "resync"),
                ("changed", "vm", "tap1", "resync"),
                ("synchronized", "resync"),
            ],
        )
        self.assertEqual(self.keys, ["tcp:test"])

    def test_pendingOverAnOutage(self) -> None:
        """
        If the Deferred fires only after an outage, the observer is told the
        latest snapshot, and is not told of the outage.
        """
        self.monitor.addObserver(self.late, self.told)
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.synchronize({2: vmRow("tap2")})
        self.earlier.callback([vm(1)])
        self.assertEqual(
            self.late.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap2", "resync"),
                ("synchronized", "resync"),
            ],
        )

    def test_remove(self) -> None:
        """
        Removing the observer cancels the Deferred, and leaves no delayed call.
        """
        self.monitor.addObserver(self.late, self.told)
        self.synchronize({1: vmRow("tap1")})
        self.monitor.removeObserver(self.late)
        self.assertEqual((self.cancellations, self.late.events), (1, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_removeFromTheFunction(self) -> None:
        """
        The function may remove its observer, or stop the monitor.
        """

        def remove(switch: str) -> Deferred[list[OvsInterface]]:
            self.monitor.removeObserver(self.late)
            return self.told(switch)

        def stop(switch: str) -> list[OvsInterface]:
            self.monitor.detach()
            return [vm(1)]

        self.monitor.addObserver(self.late, remove)
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual((self.cancellations, self.late.events), (1, []))
        self.monitor.addObserver(self.late, stop)
        self.clock.advance(0)
        self.assertEqual(self.late.events, [])
        self.assertEqual(self.observer.take()[-1], ("disconnected", "stopped"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(
            self.late.take(), [("online", "vm", "tap1", "replay"), ("synchronized", "resync")]
        )

    def test_stop(self) -> None:
        """
        A stop while the Deferred is awaited leaves no delayed call. The result
        of the Deferred is used at the next start.
        """
        self.monitor.addObserver(self.late, self.told)
        self.synchronize({1: vmRow("tap1")})
        self.monitor.detach()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.earlier.callback([vm(1)])
        self.assertEqual(self.late.events, [])
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(
            self.late.take(), [("online", "vm", "tap1", "replay"), ("synchronized", "resync")]
        )

    def test_fails(self) -> None:
        """
        If the Deferred fails, this is logged once, and the observer begins like
        one that was told nothing before.
        """
        self.monitor.addObserver(self.late, self.told)
        self.synchronize({1: vmRow("tap1")})
        self.earlier.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(
            self.late.take(), [("online", "vm", "tap1", "initial"), ("synchronized", "initial")]
        )

    def test_refused(self) -> None:
        """
        If C{told} is neither a function nor interfaces, it is refused, and the
        observer is not added.
        """
        wrong: Any
        for wrong in (5, "tap1", [5], [OvsInterface("u", "tap1", external_ids=cast(Any, None))]):
            self.assertRaises(TypeError, self.monitor.addObserver, self.late, wrong)
        self.assertRaises(ValueError, self.monitor.removeObserver, self.late)
