# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.link}.
"""

from __future__ import annotations

import gc
import weakref

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.lifecycle.test_hook import RecordingHook
from twisted_ovsdb import ClassificationRules, OvsdbError, SessionLost
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.lifecycle.hook import Hooks
from twisted_ovsdb.lifecycle.link import GOODBYE_TIMEOUT, Link
from twisted_ovsdb.lifecycle.settings import Settings


class LinkTests(SynchronousTestCase):
    """
    Tests for L{Link}, with an opening that ends when the test says so.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.hook = RecordingHook()
        self.opened: Deferred[None] = Deferred()
        self.connect()

    def connect(self) -> None:
        """
        Make a link and its connection.
        """
        settings = Settings(
            observers=(),
            database="Open_vSwitch",
            rules=ClassificationRules(),
            replay=True,
            extraColumns=(),
            snapshotTimeout=60.0,
            probeInterval=5.0,
            maxLength=1000,
            clock=self.clock,
            now=self.clock.seconds,
        )
        self.link = Link("tcp:10.0.0.1:6640", settings, Hooks(self.hook), self.opening)
        self.transport = StringTransport()
        self.aborted = 0
        self.transport.abortConnection = self.abort  # type: ignore[method-assign]
        self.link.protocol.makeConnection(self.transport)

    async def opening(self, link: Link) -> None:
        """
        Wait for the test.
        """
        await self.opened

    def abort(self) -> None:
        """
        The connection is aborted.
        """
        self.aborted += 1

    def lose(self) -> None:
        """
        The transport is closed.
        """
        self.link.protocol.connectionLost(Failure(ConnectionDone()))

    def test_inSync(self) -> None:
        """
        A link is in sync when its opening has ended. From then on, a probe is
        sent when the peer is silent.
        """
        self.assertIsNone(self.link.inSyncFor)
        self.opened.callback(None)
        self.assertEqual(self.hook.take(), ["synchronized tcp:10.0.0.1:6640"])
        self.clock.advance(5)
        self.clock.advance(0)
        self.assertEqual(self.link.inSyncFor, 5)
        self.assertIn(b"echo", self.transport.value())

    def test_openingFails(self) -> None:
        """
        The connection is aborted for the reason for which its opening failed.
        """
        reason = OvsdbError("no table Interface")
        self.opened.errback(reason)
        self.assertIs(self.link.protocol.lost, reason)
        self.assertEqual(self.aborted, 1)
        self.assertEqual(self.hook.take(), ["failed: no table Interface"])

    def test_bug(self) -> None:
        """
        A bug in the opening is logged with its traceback and ends the
        connection. So does SystemExit, which does not end the reactor.
        """
        for bug in (ZeroDivisionError, SystemExit):
            self.opened = Deferred()
            self.connect()
            self.opened.errback(bug())
            self.assertEqual(len(self.flushLoggedErrors(bug)), 1)
            self.assertEqual(self.aborted, 1)

    def test_sessionLost(self) -> None:
        """
        An opening that fails because the session is lost ends for the reason
        of that loss.
        """
        self.opened.errback(SessionLost(MonitorStopped()))
        self.assertIsInstance(self.link.protocol.lost, MonitorStopped)
        self.assertEqual(self.hook.take(), ["failed: stopped"])

    def test_lostAndThenOpened(self) -> None:
        """
        If the opening ends after the session is lost, the session does not
        count as in sync.
        """
        self.link.close(MonitorStopped())
        self.opened.callback(None)
        self.assertIsNone(self.link.inSyncFor)
        self.assertEqual(self.hook.take(), ["failed: stopped"])

    def test_close(self) -> None:
        """
        close closes the connection politely, and its Deferred fires when the
        transport is closed. Then no timer is left.
        """
        self.opened.callback(None)
        closed = self.link.close(MonitorStopped())
        self.assertTrue(self.transport.disconnecting)
        self.assertNoResult(closed)
        self.lose()
        self.successResultOf(closed)
        self.assertEqual(self.aborted, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cutOff(self) -> None:
        """
        A connection that does not close is aborted after the timeout, and not
        before. It is aborted once, also if close was called twice.
        """
        first, second = self.link.close(MonitorStopped()), self.link.close(MonitorStopped())
        self.clock.advance(GOODBYE_TIMEOUT - 0.01)
        self.assertEqual(self.aborted, 0)
        self.clock.advance(0.01)
        self.assertEqual(self.aborted, 1)
        self.assertNoResult(first)
        self.assertNoResult(second)
        self.lose()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_closeTheAborted(self) -> None:
        """
        For a connection that was aborted, the Deferred of close fires when the
        transport is closed. If it is closed already, the Deferred fires at
        once, without a timer.
        """
        self.link.protocol.abort(OvsdbError("wrong"))
        waiting = self.link.close(MonitorStopped())
        self.assertNoResult(waiting)
        self.lose()
        self.successResultOf(waiting)
        self.successResultOf(self.link.close(MonitorStopped()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_freed(self) -> None:
        """
        The objects of a closed connection are freed at once, without the
        garbage collector.
        """
        self.opened.callback(None)
        gone = weakref.ref(self.link.protocol)
        self.lose()
        gc.disable()
        self.addCleanup(gc.enable)
        del self.link
        self.assertIsNone(gone())
