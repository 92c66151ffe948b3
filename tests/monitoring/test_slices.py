# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Large snapshots and updates are read and told in slices, and the reactor turns
between two slices. Observers are told the same events, in the same order, as
without slices.
"""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.clocks import TurningClock
from tests.fakes.fold import Fold
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import reply, update, vmRow
from twisted_ovsdb import InterfaceMonitor, OvsdbProtocol, RpcError, SessionLost
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.monitoring import telling
from twisted_ovsdb.wire import rowreader


class SliceTests(SynchronousTestCase):
    """
    Ten interfaces, read three at a time and told two at a time.
    """

    def setUp(self) -> None:
        self.patch(rowreader, "SLICE", 3)
        self.patch(telling, "DELIVERY_SLICE", 2)
        self.clock = TurningClock()
        self.observer = Recorder()
        self.monitor = InterfaceMonitor([self.observer], clock=self.clock)
        self.connect()

    def connect(self) -> Deferred[None]:
        """
        Make a new connection.
        """
        self.protocol, self.transport = OvsdbProtocol(), StringTransport()
        self.protocol.makeConnection(self.transport)
        self.attached = self.monitor.attach(self.protocol)
        return self.attached

    def paused(self) -> bool:
        """
        Whether reading from the connection is paused.
        """
        return self.transport.producerState == "paused"

    def turns(self, count: int = 40) -> None:
        """
        Let the reactor turn.
        """
        for _ in range(count):
            self.clock.turn()

    def rows(self, count: int = 10) -> dict[int, dict[str, Any]]:
        """
        Make this number of rows.
        """
        return {n: vmRow(f"tap{n}") for n in range(1, count + 1)}

    def receive(self, data: bytes) -> None:
        """
        The server sends.
        """
        self.protocol.dataReceived(data)

    def test_snapshot(self) -> None:
        """
        While a snapshot is read, nothing is told, and the messages after it
        wait. Then the snapshot is told, one slice a turn, and after it the
        update that followed.
        """
        waiting = self.monitor.whenSynchronized()
        self.receive(reply(1, self.rows()) + update({1: {"old": vmRow("tap1")}}))
        self.assertTrue(self.paused())
        self.turns(3)
        self.assertEqual(len(self.observer.events), 2)
        self.assertEqual(len(self.successResultOf(waiting)), 10)
        told = 2
        while told < 10:
            self.assertTrue(self.paused())
            self.turns(1)
            told += 2
            self.assertEqual(len(self.observer.events), told)
        self.turns()
        self.assertFalse(self.paused())
        self.assertEqual(
            self.observer.take()[10:],
            [("synchronized", "initial"), ("offline", "vm", "tap1", "update")],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.attached)

    def test_collector(self) -> None:
        """
        Between two slices, the garbage collector is on or off as the
        application has set it.
        """
        self.addCleanup(gc.enable)
        for set, enabled in ((gc.enable, True), (gc.disable, False)):
            set()
            self.receive(reply(1, self.rows()))
            self.assertTrue(self.paused())
            self.assertIs(gc.isenabled(), enabled)
            self.turns()
            self.assertIs(gc.isenabled(), enabled)
            self.protocol.connectionLost(Failure(ConnectionLost()))
            self.connect()

    def test_dataWhilePaused(self) -> None:
        """
        Bytes that arrive while reading is paused, which can happen with TLS,
        are kept and read later.
        """
        self.receive(reply(1, self.rows()))
        message = update({1: {"old": vmRow("tap1")}})
        self.receive(message[:50])
        self.receive(message[50:])
        self.turns()
        self.assertEqual(self.observer.take()[-1], ("offline", "vm", "tap1", "update"))

    def test_update(self) -> None:
        """
        A large update is read and told in slices too, and completely before the
        next update. Nothing of it is told before it is read.
        """
        self.receive(reply(1, {}))
        news = {n: {"new": row} for n, row in self.rows().items()}
        gone = {n: {"old": row} for n, row in self.rows().items()}
        self.receive(update(news) + update(gone))
        self.assertTrue(self.paused())
        for _ in range(2):
            self.turns(1)
            self.assertEqual(len(self.observer.events), 1)
        self.turns(1)
        self.assertEqual(len(self.observer.events), 1 + 2)
        self.turns()
        self.assertEqual(
            [event[0] for event in self.observer.take()],
            ["synchronized"] + ["online"] * 10 + ["offline"] * 10,
        )
        self.assertFalse(self.paused())

    def test_F84_wrongUpdate(self) -> None:
        """
        A fault in a later slice of an update ends the session, and nothing of the update
        is told.
        """
        self.receive(reply(1, {}))
        news: dict[int, Any] = {n: {"new": row} for n, row in self.rows().items()}
        self.receive(update({**news, 11: {"new": {"name": 5}}}))
        self.assertIsNone(self.protocol.lost)
        self.turns()
        self.assertIn("column type: missing", str(self.protocol.lost))
        told = [event[0] for event in self.observer.take()]
        self.assertEqual(told, ["synchronized", "disconnected"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_F84_lostWhileUpdating(self) -> None:
        """
        If the session is lost or left while an update is read, nothing of the update is
        told, and no delayed call is left.
        """
        news = {n: {"new": row} for n, row in self.rows().items()}
        for leave in (
            lambda: self.protocol.connectionLost(Failure(ConnectionLost())),
            lambda: self.protocol.abort(ConnectionLost()),
            lambda: self.monitor.detach(),
        ):
            self.receive(reply(1, {}))
            self.receive(update(news))
            self.turns(1)
            leave()
            self.turns()
            told = [event[0] for event in self.observer.take()]
            self.assertEqual(told, ["synchronized", "disconnected"])
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.connect()

    def test_F84_bugWhileUpdating(self) -> None:
        """
        A bug in a later slice is logged, and ends the session.
        """
        self.receive(reply(1, {}))

        def failing(rows: Any) -> Any:
            raise ZeroDivisionError

        self.patch(self.monitor._known, "update", failing)
        self.receive(update({n: {"new": row} for n, row in self.rows().items()}))
        self.turns()
        self.assertIsInstance(self.protocol.lost, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_busyObserverDoesNotPause(self) -> None:
        """
        A busy observer does not pause the connection.
        """
        self.receive(reply(1, {}))
        busy = Busy()
        self.monitor.addObserver(busy)
        self.turns(1)
        news = {n: {"new": row} for n, row in self.rows(2).items()}
        self.receive(update(news))
        self.turns(2)
        self.assertFalse(self.paused())
        self.assertEqual(len(busy.events), 1)

    def test_busyAtTheEndOfASlice(self) -> None:
        """
        An observer that becomes busy with the last event of a slice is told the
        next event when it is no longer busy, and not in the next turn.
        """
        self.patch(telling, "DELIVERY_SLICE", 1)
        busy = Busy()
        self.monitor.removeObserver(self.observer)
        self.monitor.addObserver(busy)
        self.receive(reply(1, self.rows()))
        self.turns()
        self.assertEqual(len(busy.events), 1)
        self.assertFalse(self.paused())
        for told in range(2, 12):
            busy.free()
            self.assertEqual(len(busy.events), told)
        self.assertEqual(busy.take()[-1], ("synchronized", "initial"))

    def test_lateObserver(self) -> None:
        """
        An observer that is added later is told in slices. What happens
        meanwhile is told after them.
        """
        self.receive(reply(1, self.rows()))
        self.turns()
        late = Recorder()
        self.monitor.addObserver(late)
        self.turns(1)
        self.assertEqual(len(late.events), 2)
        self.receive(update({11: {"new": vmRow("tap11")}}))
        self.turns()
        fold = Fold()
        for event in late.events:
            fold.receive(event)
        self.assertEqual(len(fold.interfaces), 11)
        self.assertFalse(self.paused())

    def test_badRowInALaterSlice(self) -> None:
        """
        A fault in the last row is found before anything is told.
        """
        self.receive(reply(1, {**self.rows(), 11: {"name": 5}}))
        self.turns()
        self.assertIn("column type: missing", str(self.protocol.lost))
        self.assertEqual(self.observer.events, [])
        self.failureResultOf(self.attached)

    def test_lostWhileReading(self) -> None:
        """
        If the session is lost while its snapshot is read, nothing of the
        snapshot is told, and no delayed call is left.
        """
        self.receive(reply(1, self.rows()))
        self.turns(1)
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(self.attached, SessionLost)
        self.turns()
        self.assertEqual(self.observer.events, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lostWhileTelling(self) -> None:
        """
        If the session is lost while its snapshot is told, the rest is not told.
        After the next snapshot, the events add up to what the server has.
        """
        self.receive(reply(1, self.rows()))
        self.turns(4)
        self.assertEqual(len(self.observer.events), 4)
        self.protocol.abort(ConnectionLost())
        self.turns()
        self.assertEqual(len(self.observer.events), 4)
        self.connect()
        self.receive(reply(1, self.rows(5)))
        self.turns()
        fold = Fold()
        for event in self.observer.events:
            fold.receive(event)
        self.assertTrue(fold.inSync)
        self.assertEqual(len(fold.interfaces), 5)

    def test_detachWhileReading(self) -> None:
        """
        If the monitor is detached while a snapshot is read, nothing of it is
        told, the connection is not paused, and no delayed call is left.
        """
        waiting = self.monitor.whenSynchronized()
        self.receive(reply(1, self.rows()))
        self.turns(1)
        self.transport.clear()
        self.monitor.detach()
        # Nothing is asked of a connection that is left: it is closed by its owner.
        self.assertEqual(self.transport.value(), b"")
        self.failureResultOf(waiting, CancelledError)
        failure = self.failureResultOf(self.attached, SessionLost)
        self.assertIsInstance(failure.value.reason, MonitorStopped)
        self.assertFalse(self.paused())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.receive(update({1: {"new": vmRow("tap1")}}))
        self.assertEqual(self.observer.events, [])

    def test_detachBeforeTheReply(self) -> None:
        """
        If the monitor is detached before the reply, nothing of it is told.
        """
        self.monitor.detach()
        self.receive(reply(1, self.rows(1)))
        self.failureResultOf(self.attached, SessionLost)
        self.assertEqual(self.observer.events, [])

    def assertAttachesAgain(self) -> None:
        """
        The monitor has left the connection: no observer is told of it, and it may be
        attached to it again before the server has answered.
        """
        self.failureResultOf(self.attached, CancelledError)
        self.assertIsNone(self.protocol.lost)
        self.assertFalse(self.paused())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.attached = self.monitor.attach(self.protocol)
        self.receive(update({1: {"old": vmRow("tap1")}}))
        self.receive(b'{"id":2,"result":{},"error":null}')
        self.receive(
            reply(3, self.rows(2)) + update({2: {"old": vmRow("tap2")}}, "twisted_ovsdb_2")
        )
        self.turns()
        self.successResultOf(self.attached)
        self.assertEqual(
            self.observer.take(),
            [
                ("online", "vm", "tap1", "initial"),
                ("online", "vm", "tap2", "initial"),
                ("synchronized", "initial"),
                ("offline", "vm", "tap2", "update"),
            ],
        )

    def test_cancelWhileReading(self) -> None:
        """
        If the Deferred of attach is cancelled while a snapshot is read, the
        server is told to end the monitor, and an update that waits is ignored.
        """
        self.receive(reply(1, self.rows()) + update({1: {"old": vmRow("tap1")}}))
        self.turns(1)
        self.transport.clear()
        self.attached.cancel()
        self.assertIn(b'"monitor_cancel"', self.transport.value())
        self.assertAttachesAgain()

    def test_cancelBeforeTheReply(self) -> None:
        """
        If it is cancelled before the reply, also when a part of the reply has
        been read, nothing of the reply is told.
        """
        self.patch(rowreader, "ARRIVED", 64)
        whole = reply(1, self.rows())
        for arrived in (0, 500):
            self.setUp()
            self.receive(whole[:arrived])
            self.attached.cancel()
            self.receive(whole[arrived:])
            self.assertAttachesAgain()

    def test_refused(self) -> None:
        """
        If the server refuses the monitor, the connection is up, and the monitor
        may be attached to another one.
        """
        self.receive(b'{"id":1,"result":null,"error":"unknown database"}')
        self.failureResultOf(self.attached, RpcError)
        self.assertIsNone(self.protocol.lost)
        self.connect()
        self.receive(reply(1, {}))
        self.assertEqual(self.observer.take(), [("synchronized", "initial")])

    def test_detachWhileTelling(self) -> None:
        """
        If the monitor is detached while a snapshot is told, the rest is not
        told, and no delayed call is left.
        """
        self.receive(reply(1, self.rows()))
        self.turns(4)
        self.monitor.detach()
        self.turns()
        self.assertEqual(len(self.observer.events), 4)
        self.assertFalse(self.paused())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_removeWhileTelling(self) -> None:
        """
        If an observer is removed while it is told a snapshot, the connection is
        not paused any more, and no delayed call is left.
        """
        self.receive(reply(1, self.rows()))
        self.turns(4)
        self.monitor.removeObserver(self.observer)
        self.turns(1)
        self.assertFalse(self.paused())
        self.assertEqual(self.clock.getDelayedCalls(), [])
