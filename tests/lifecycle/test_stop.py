# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{OvsdbMonitorFactory.stop}, in every state.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import update, vmRow
from twisted_ovsdb import OvsdbMonitorFactory, SessionLost


class StopTests(FactoryTestCase):
    """
    Tests for L{OvsdbMonitorFactory.stop} in each state (F48).
    """

    def assertStopped(self, result: Any) -> None:
        """
        The stop has ended and left no timer, and the factory can be started
        again.
        """
        self.successResultOf(result)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connector.state, "disconnected")
        self.connector.connect()
        self.synchronize({1: vmRow("tap1")})
        self.assertTrue(self.factory.monitor.inSync)

    def test_F48_neverStarted(self) -> None:
        """
        If the factory was never started, the Deferred of its stop fires at
        once.
        """
        self.successResultOf(OvsdbMonitorFactory(clock=self.clock).stop())

    def test_F48_connecting(self) -> None:
        """
        While connecting, the attempt is given up.
        """
        waiting = self.factory.whenSynchronized()
        self.assertStopped(self.factory.stop())
        self.failureResultOf(waiting, CancelledError)

    def test_F48_backingOff(self) -> None:
        """
        During the wait before an attempt, the attempt is given up.
        """
        self.endpoint.refuse()
        self.assertStopped(self.factory.stop())

    def test_F48_waitingForTheSnapshot(self) -> None:
        """
        While the snapshot is awaited, everything pending fails at once.
        """
        self.accept()
        call = self.protocol.call("list_dbs", [])
        waiting = self.factory.whenSynchronized()
        stopped = self.factory.stop()
        self.failureResultOf(call, SessionLost)
        self.failureResultOf(waiting, CancelledError)
        self.lose()
        self.assertStopped(stopped)

    def test_F48_inSync(self) -> None:
        """
        In sync, observers are told Disconnected (stopped) and nothing after
        it, and the connection closes politely.
        """
        self.synchronize({1: vmRow("tap1")})
        self.observer.take()
        stopped = self.factory.stop()
        self.receive(update({2: {"new": vmRow("tap2")}}))
        self.lose()
        self.assertEqual(self.observer.take(), [("disconnected", "stopped")])
        self.assertStopped(stopped)
        self.assertEqual(self.observer.take()[-1], ("synchronized", "resync"))

    def test_F6_stalledPeer(self) -> None:
        """
        If a peer does not let the connection close, the connection is aborted
        within 2 s.
        """
        self.synchronize()
        aborted: list[bool] = []
        self.transport.abortConnection = lambda: aborted.append(True)  # type: ignore
        stopped = self.factory.stop()
        again = self.factory.stop()
        self.clock.advance(2)
        self.assertEqual(aborted, [True])
        self.lose(ConnectionLost())
        self.successResultOf(again)
        self.assertStopped(stopped)

    def test_F48_delivering(self) -> None:
        """
        After a stop from inside eventReceived nothing more is told.
        """
        factory = self.factory
        results: list[Any] = []

        class Stopper(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                if not results:
                    results.append(factory.stop())

        stopper = Stopper()
        factory.addObserver(stopper)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.assertEqual(len(stopper.events), 1)
        self.lose()
        self.assertStopped(results[0])

    def test_F48_busyObserver(self) -> None:
        """
        The timer for the warning about a busy observer is cancelled. The
        observer is told nothing when it is no longer busy.
        """
        busy = Busy()
        self.factory.addObserver(busy)
        self.synchronize({1: vmRow("tap1")})
        stopped = self.factory.stop()
        self.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        busy.free()
        self.assertEqual(len(busy.events), 1)

    def test_observers(self) -> None:
        """
        The factory adds and removes observers too.
        """
        late = Recorder()
        self.factory.addObserver(late)
        self.factory.removeObserver(late)
        self.synchronize()
        self.assertEqual(late.events, [])
