# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{whenReady} in L{twisted_ovsdb.monitoring.readiness}, through a factory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import jsonRow, plain, reply, update, vm, vmRow
from twisted_ovsdb import OvsInterface

UNASSIGNED = {"ofport": ["set", []]}


class WhenReadyTests(FactoryTestCase):
    """
    Tests for C{whenReady}.
    """

    def assign(self, number: int, ofport: int, ifaceId: str = "port") -> None:
        """
        ovs-vswitchd assigns an OpenFlow port.
        """
        row = vmRow(f"tap{number}", ifaceId, ofport)
        self.receive(update({number: {"new": row, "old": UNASSIGNED}}))

    def failsLate(self, waiting: Deferred[OvsInterface]) -> str:
        """
        Wait for the timeout, and return what the TimeoutError says.
        """
        self.assertNoResult(waiting)
        self.clock.advance(1)
        return str(self.failureResultOf(waiting, TimeoutError).value)

    def test_atOnce(self) -> None:
        """
        If the VM is ready already, the Deferred fires at once, and nothing is
        scheduled.
        """
        self.synchronize({1: vmRow("tap1", ofport=1), 2: vmRow("tap2", "other", 2)})
        before = self.clock.getDelayedCalls()
        waiting = self.factory.whenReady("other", 5)
        self.assertEqual(self.successResultOf(waiting), vm(2, "other", 2))
        self.assertEqual(self.clock.getDelayedCalls(), before)

    def test_wrongTimeout(self) -> None:
        """
        A timeout that is not a number is refused, and leaves nothing behind.
        """
        self.synchronize({})
        wrong: Any = "5"
        self.assertRaises(TypeError, self.factory.whenReady, "port", wrong)
        self.assertRaises(ValueError, self.factory.whenReady, "port", -1)
        self.assertEqual(self.factory.monitor._questions.readiness._waiting, {})
        self.factory.stop()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_plugged(self) -> None:
        """
        If the VM is plugged in later, the Deferred fires when the VM has its
        OpenFlow port, and not before. Other VMs do not make it fire.
        """
        self.synchronize({})
        waiting = self.factory.whenReady("port", 5)
        self.receive(update({2: {"new": vmRow("tap2", "other", 2)}}))
        self.receive(update({1: {"new": vmRow("tap1")}}))
        self.assertNoResult(waiting)
        self.assign(1, 7)
        self.assertEqual(self.successResultOf(waiting), vm(1, ofport=7))
        self.receive(update({1: {"new": vmRow("tap1", ofport=8), "old": {"ofport": 7}}}))

    def test_firstSnapshot(self) -> None:
        """
        whenReady may be called before there is a connection. The Deferred then
        fires with the first snapshot.
        """
        waiting = self.factory.whenReady("port")
        self.synchronize({1: vmRow("tap1", ofport=1)})
        self.assertEqual(self.successResultOf(waiting), vm(1, ofport=1))

    def test_failed(self) -> None:
        """
        A port that could not be made is not ready, and nothing fires when it is
        deleted. The Deferred fires for the next port with this iface-id.
        """
        self.synchronize({1: vmRow("tap1")})
        waiting = self.factory.whenReady("port")
        self.assign(1, -1)
        self.receive(update({1: {"old": vmRow("tap1", ofport=-1)}}))
        self.assertNoResult(waiting)
        self.receive(update({2: {"new": vmRow("tap2", ofport=2)}}))
        self.assertEqual(self.successResultOf(waiting), vm(2, ofport=2))

    def test_onlyVMs(self) -> None:
        """
        An interface of another kind does not make the Deferred fire, and the
        text of the error says which kind it has.
        """
        ids = {"iface-id": "port"}
        patch = jsonRow("patch-ex", "patch", 1, external_ids=ids, options={"peer": "patch-int"})
        self.synchronize({1: patch})
        text = self.failsLate(self.factory.whenReady("port", 1))
        self.assertIn("patch-ex has kind patch", text)

    def test_sharedIfaceId(self) -> None:
        """
        If a patch port and a VM's interface have the same iface-id, the text explains
        the VM's interface, wherever it stands. Without a VM it explains the first one.
        """
        ids = {"iface-id": "port"}
        patch = jsonRow("patch-ex", "patch", 1, external_ids=ids, options={"peer": "patch-int"})
        for rows in (
            {1: patch, 2: vmRow("tap2")},
            {1: vmRow("tap2"), 2: patch},
            {1: patch, 2: vmRow("tap2"), 3: {**patch, "name": "patch-last"}},
        ):
            self.makeFactory()
            self.synchronize(rows)
            text = self.failsLate(self.factory.whenReady("port", 1))
            self.assertIn("tap2 has no OpenFlow port", text)
        self.makeFactory()
        self.synchronize({1: patch, 2: {**patch, "name": "patch-last"}})
        text = self.failsLate(self.factory.whenReady("port", 1))
        self.assertIn("patch-ex has kind patch", text)

    def test_outage(self) -> None:
        """
        An interface that was ready before an outage does not count as ready in
        the outage. The next snapshot decides.
        """
        self.synchronize({1: vmRow("tap1", ofport=1)})
        self.lose()
        waiting = self.factory.whenReady("port")
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.synchronize({1: vmRow("tap1")})
        self.assertNoResult(waiting)
        self.assign(1, 3)
        self.assertEqual(self.successResultOf(waiting), vm(1, ofport=3))

    def test_waitsThroughAnOutage(self) -> None:
        """
        If the connection is lost while a caller waits, the Deferred fires with
        the next snapshot in which the VM is ready.
        """
        self.synchronize({1: vmRow("tap1")})
        waiting = self.factory.whenReady("port")
        self.lose()
        self.clock.advance(1)
        self.assertNoResult(waiting)
        self.synchronize({1: vmRow("tap1", ofport=4)})
        self.assertEqual(self.successResultOf(waiting), vm(1, ofport=4))

    def test_busyObserver(self) -> None:
        """
        The Deferred does not wait for a busy observer.
        """
        self.factory.addObserver(Busy())
        self.synchronize({1: vmRow("tap1")})
        waiting = self.factory.whenReady("port")
        self.assign(1, 1)
        self.successResultOf(waiting)

    def test_oneStep(self) -> None:
        """
        The Deferred fires after all rows of a message have been applied.
        """
        self.synchronize({1: vmRow("tap1")})
        known: list[object] = []
        waiting = self.factory.whenReady("port")
        waiting.addCallback(lambda _: known.extend(self.factory.interfaces()))
        new = {"new": vmRow("tap1", ofport=1), "old": UNASSIGNED}
        self.receive(update({1: new, 2: {"new": vmRow("tap2", "other")}}))
        self.assertEqual(known, [vm(1, ofport=1), vm(2, "other")])

    def test_several(self) -> None:
        """
        Each caller has a Deferred of its own. Cancelling one, also in the
        callback of another one, does not disturb the others.
        """
        self.synchronize({1: vmRow("tap1")})
        first, second, third, fourth = (self.factory.whenReady("port") for _ in range(4))
        first.addCallback(lambda _: second.cancel())
        fourth.cancel()
        self.failureResultOf(fourth, CancelledError)
        self.assign(1, 1)
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)
        self.successResultOf(third)
        self.assertEqual(self.factory.monitor._questions.readiness._waiting, {})

    def test_noOthers(self) -> None:
        """
        An update looks only at those that wait for its iface-ids. Callers that wait
        for others cost it nothing.
        """
        self.synchronize({1: vmRow("tap1")})
        ready = self.factory.whenReady("port")
        others = [self.factory.whenReady(f"other{number}") for number in range(3)]
        found: list[object] = []
        waiting = self.factory.monitor._questions.readiness._waiting

        class Asked(dict[str, Any]):
            def __getitem__(self, key: str) -> Any:
                found.append(key)
                return super().__getitem__(key)

        self.factory.monitor._questions.readiness._waiting = Asked(waiting)
        self.assign(1, 1)
        self.successResultOf(ready)
        self.assertEqual(found, ["port"])
        for each in others:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.factory.monitor._questions.readiness._waiting, {})

    def test_waitsAgain(self) -> None:
        """
        A callback that waits again for the same iface-id is not answered at once
        with rows of a session that it has stopped; other callers are cancelled.
        """
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2", "other")})
        again: list[Any] = []

        def stop(_: object) -> None:
            self.factory.stop()
            again.append(self.factory.whenReady("other"))

        self.factory.whenReady("port").addCallback(stop)
        other = self.factory.whenReady("other")
        new = [
            {"new": vmRow(*each), "old": UNASSIGNED}
            for each in (("tap1", "port", 1), ("tap2", "other", 2))
        ]
        self.receive(update({1: new[0], 2: new[1]}))
        self.failureResultOf(other, CancelledError)
        self.assertNoResult(again[0])

    def test_stop(self) -> None:
        """
        At a stop, every Deferred fails with CancelledError and no timer is
        left, with or without a connection, also if one of them cancels another
        one.
        """
        before = self.factory.whenReady("port", 9)
        self.factory.stop()
        self.failureResultOf(before, CancelledError)
        self.connector.connect()
        self.synchronize({1: vmRow("tap1")})
        first, second = self.factory.whenReady("port", 9), self.factory.whenReady("port", 9)
        first.addErrback(lambda _: second.cancel())
        stopped = self.factory.stop()
        self.lose()
        self.successResultOf(stopped)
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopWhenReady(self) -> None:
        """
        A callback that gets the interface may stop the factory: the other
        Deferreds are cancelled, and nothing more is told, not even to an
        observer that was busy.
        """
        busy = Busy()
        self.factory.addObserver(busy)
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.clock.advance(1)
        first, second = self.factory.whenReady("port"), self.factory.whenReady("port")
        first.addCallback(lambda _: self.factory.stop())
        self.observer.take()
        self.synchronize({1: vmRow("tap1", ofport=1)})
        self.failureResultOf(second, CancelledError)
        busy.free()
        self.assertEqual(self.observer.take(), [])
        self.assertEqual(busy.take(), [("online", "vm", "tap1", "initial")])
        self.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_askedWhileStopping(self) -> None:
        """
        If whenReady is called right after a stop, it does not fire for rows of
        the session that was stopped.
        """
        again: list[Any] = []

        def stop(_: object) -> None:
            self.factory.stop()
            again.append(self.factory.whenReady("port"))

        self.factory.whenSynchronized().addCallback(stop)
        self.synchronize({1: vmRow("tap1", ofport=1)})
        self.assertNoResult(again[0])

    def test_late(self) -> None:
        """
        After the timeout, the Deferred fails with Twisted's TimeoutError, as
        with Deferred.addTimeout, and nothing is left behind. The text says what
        is missing.
        """
        self.synchronize({1: vmRow("tap1", "a"), 2: vmRow("tap2", "b"), 3: jsonRow("tap3")})
        broken = jsonRow("tap2", ofport=-1, error="no such device", external_ids={"iface-id": "b"})
        self.receive(update({2: {"new": broken, "old": UNASSIGNED}}))
        self.assertEqual(
            self.failsLate(self.factory.whenReady("a", 1)),
            "iface-id a is not ready after 1 s: tap1 has no OpenFlow port",
        )
        self.assertIn("tap2: no such device", self.failsLate(self.factory.whenReady("b", 1)))
        self.assertIn("no interface has it", self.failsLate(self.factory.whenReady("c", 1)))
        self.assertEqual(self.factory.monitor._questions.readiness._waiting, {})
        self.assign(1, 1, "a")

    def test_lateInAnOutage(self) -> None:
        """
        The timeout also ends the wait in an outage, and the text says that the
        monitor is not in sync.
        """
        waiting = self.factory.whenReady("port", 1)
        self.assertIn("not in sync with the server", self.failsLate(waiting))

    def test_noKind(self) -> None:
        """
        The text also says when the rules give the interface no kind.
        """
        self.makeFactory(rules=self.factory.monitor._known._rows.rules.dragonflow())
        self.synchronize({1: vmRow("eth1", ofport=1)})
        self.assertIn("eth1 has no kind", self.failsLate(self.factory.whenReady("port", 1)))
        self.assertIsNone(plain(1).kind)

    def test_inTime(self) -> None:
        """
        A Deferred that fires in time, or is cancelled, leaves no timer.
        """
        self.synchronize({1: vmRow("tap1")})
        before = len(self.clock.getDelayedCalls())
        ready, cancelled = self.factory.whenReady("port", 5), self.factory.whenReady("port", 5)
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.assign(1, 1)
        self.successResultOf(ready)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)


class StopInACallbackTests(FactoryTestCase):
    """
    A callback of whenSynchronized may stop the factory.
    """

    def test_nothingMore(self) -> None:
        """
        After such a stop, no observer is told anything of that snapshot.
        """
        self.factory.whenSynchronized().addCallback(lambda _: self.factory.stop())
        self.accept()
        self.receive(reply(1, {1: vmRow("tap1")}))
        late = Recorder()
        self.factory.addObserver(late)
        self.lose()
        self.assertEqual((self.observer.events, late.events), ([], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
