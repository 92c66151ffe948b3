# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.factory}: attempts and back-off. Some tests
are named after a fault (F1, F2, ...) that docs/faults.rst explains.
"""

from __future__ import annotations

import random
import time
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.endpoints.test_connector import ADDRESS
from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import vmRow
from twisted_ovsdb import (
    ConnectionHook,
    EndpointConnector,
    InterfaceMonitor,
    OvsdbMonitorFactory,
    OvsdbReplicaFactory,
)
from twisted_ovsdb.testing import MemoryServer


class InSyncTests(SynchronousTestCase):
    """
    Whether what a factory knows is what the server has.
    """

    def test_inSync(self) -> None:
        """
        It is from the end of a snapshot until the session is lost.
        """
        server, clock = MemoryServer(), Clock()
        interfaces = OvsdbMonitorFactory(clock=clock)
        rows = OvsdbReplicaFactory("Open_vSwitch", ["Bridge"], lambda *told: None, clock=clock)
        for factory in (interfaces, rows):
            known: OvsdbMonitorFactory | OvsdbReplicaFactory = factory
            self.assertFalse(known.inSync)
            EndpointConnector(server.endpoint, known).connect()
            server.advance(0)
            self.assertTrue(known.inSync)
        server.kill()
        self.assertEqual((interfaces.inSync, rows.inSync), (False, False))


class NoConnectorTests(FactoryTestCase):
    """
    A factory that is given to an endpoint directly.
    """

    def test_warns(self) -> None:
        """
        C{endpoint.connect(factory)} never connects again, and the log says so at
        once, with what to use. With a connector there is no such line.
        """
        with capturedLogs() as logs:
            self.synchronize()
        self.assertNotIn("no connector", str([log["log_format"] for log in logs]))
        factory = OvsdbMonitorFactory(clock=self.clock)
        with capturedLogs() as logs:
            factory.buildProtocol(ADDRESS)
        ((level, text),) = [(log["log_level"].name, log["log_format"]) for log in logs]
        self.assertEqual(level, "warn")
        self.assertIn("will not connect again: use EndpointConnector(endpoint, factory)", text)

    def test_stop(self) -> None:
        """
        C{stop} closes such a connection too, and fires when it is closed.
        """
        factory = OvsdbMonitorFactory(clock=self.clock)
        with capturedLogs():
            protocol = factory.buildProtocol(ADDRESS)
        assert protocol is not None
        transport = StringTransport()
        protocol.makeConnection(transport)
        stopped = factory.stop()
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(stopped)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(self.successResultOf(stopped))
        self.assertIsNone(self.successResultOf(factory.stop()))


class BackOffTests(FactoryTestCase):
    """
    When the factory connects again.
    """

    def test_F1_delays(self) -> None:
        """
        If there is no server, the next attempts come after 1, 2, 4, 8, 8, ...
        seconds.
        """
        for delay in (1, 2, 4, 8, 8, 8):
            self.endpoint.refuse()
            self.assertEqual(self.attemptsWithin(delay - 0.01), 0)
            self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_jitter(self) -> None:
        """
        The jitter shortens a wait by a quarter at most, and never makes it
        longer.
        """
        self.patch(random, "uniform", lambda low, high: low)
        for delay in (1, 2, 4, 8, 8):
            self.endpoint.refuse()
            self.assertEqual(self.attemptsWithin(delay * 0.75 - 0.01), 0)
            self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_maxDelay(self) -> None:
        """
        The delay never passes the maximum that was asked for, also one below
        the initial delay.
        """
        self.makeFactory(maxDelay=0.5)
        for _ in range(3):
            self.endpoint.refuse()
            self.assertEqual(self.attemptsWithin(0.49), 0)
            self.assertEqual(self.attemptsWithin(0.01), 1)
        for wrong in (0, -1):
            self.assertRaises(ValueError, OvsdbMonitorFactory, maxDelay=wrong)

    def test_F4_immediateAfterHealthySession(self) -> None:
        """
        After a session that was in sync for as long as the delay, the first
        attempt is made at once, and the next ones after the usual delays.
        """
        self.endpoint.refuse()
        self.clock.advance(1)
        self.synchronize()
        self.clock.advance(2)
        self.lose()
        self.assertEqual(self.attemptsWithin(0), 1)
        self.endpoint.refuse()
        self.assertEqual(self.attemptsWithin(0.99), 0)
        self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_F34_flapping(self) -> None:
        """
        A server that sends its snapshot and drops the connection at once is
        not asked too often: the delays grow as if it had refused.
        """
        for delay in (1, 2, 4, 8, 8):
            self.synchronize()
            self.lose()
            self.assertEqual(self.attemptsWithin(delay - 0.01), 0)
            self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_F3_backOffIsNotResetByAConnection(self) -> None:
        """
        A server that accepts and sends no snapshot does not reset the delays.
        """
        for delay in (1, 2, 4, 8):
            self.accept()
            self.lose()
            self.assertEqual(self.attemptsWithin(delay - 0.01), 0)
            self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_F2_connectTimeout(self) -> None:
        """
        An attempt that takes too long is given up after 5 s, and the log says
        so.
        """
        with capturedLogs() as logs:
            self.assertEqual(self.attemptsWithin(4.99), 0)
            self.clock.advance(0.01)
        self.assertEqual([log["reason"] for log in logs], ["no connection for 5 s"])
        self.assertEqual(self.attemptsWithin(1), 1)
        self.accept()
        self.assertEqual(self.connector.state, "connected")

    def test_noConnectTimeout(self) -> None:
        """
        Without a limit of the factory, the limit of the endpoint applies.
        """
        self.makeFactory(connectTimeout=0, snapshotTimeout=0)
        self.clock.advance(1000)
        self.assertEqual(self.connector.state, "connecting")

    def test_F40_anyFailure(self) -> None:
        """
        After a failed attempt there is another one, whatever the error.
        """
        for reason in (OSError(24, "Too many open files"), ImportError("idna"), KeyError("x")):
            self.endpoint.attempt.errback(reason)
            self.clock.advance(8)
        self.assertEqual(self.endpoint.attempts, 4)

    def test_oneServer(self) -> None:
        """
        While a session is up, a second connection is refused, and its end
        does not disturb the session.
        """
        self.synchronize()
        self.assertIsNone(self.factory.buildProtocol(ADDRESS))
        self.factory.clientConnectionLost(self.connector, Failure(ConnectionDone()))
        self.assertTrue(self.factory.monitor.inSync)
        self.assertEqual(self.attemptsWithin(4), 0)

    def test_resetDelay(self) -> None:
        """
        The next wait may be made short again. A factory that was stopped stays
        stopped.
        """
        self.assertEqual(self.factory.maxDelay, 8)
        for _ in range(4):
            self.endpoint.refuse()
            self.clock.advance(8)
        self.factory.resetDelay()
        self.endpoint.refuse()
        self.assertEqual(self.attemptsWithin(0.99), 0)
        self.assertEqual(self.attemptsWithin(0.01), 1)
        self.factory.stop()
        self.factory.resetDelay()
        self.assertEqual(self.attemptsWithin(100), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replayTo(self) -> None:
        """
        The factory tells an observer everything once more, as its monitor does.
        """
        self.synchronize({1: vmRow("tap1")})
        self.observer.take()
        self.factory.replayTo(self.observer)
        self.clock.advance(0)
        replay = [("online", "vm", "tap1", "replay"), ("synchronized", "resync")]
        self.assertEqual(self.observer.take(), replay)

    def test_retryOnce(self) -> None:
        """
        If the user calls retry during the wait, there is still only one next
        attempt.
        """
        self.endpoint.refuse()
        self.factory.retry()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_realTime(self) -> None:
        """
        Without a clock of the user, the reactor schedules calls, and time is
        measured by a clock that never jumps.
        """
        from twisted.internet import reactor

        factory = OvsdbMonitorFactory()
        self.assertIs(factory.clock, reactor)
        self.assertIs(factory._settings.now, time.monotonic)
        self.assertIs(InterfaceMonitor()._server._clock, reactor)

    def test_source(self) -> None:
        """
        Without a name of its own, the server is called by the host that the connector was
        given, and not by the address that it has.
        """
        reactor: Any = MemoryReactorClock()
        factory = OvsdbMonitorFactory(clock=reactor)
        reactor.connectTCP("localhost", 6640, factory)
        factory.buildProtocol(ADDRESS)
        self.assertEqual(factory.monitor.source, "tcp:localhost:6640")

    def test_stoppedWhileConnecting(self) -> None:
        """
        A connection that is made after the stop is refused, and its end is no failure.
        """
        told: list[object] = []

        class Hook(ConnectionHook):
            def failed(self, source: str, reason: BaseException) -> None:
                told.append(reason)

        reactor: Any = MemoryReactorClock()
        factory = OvsdbMonitorFactory(clock=reactor, hook=Hook())
        connector = reactor.connectTCP("localhost", 6640, factory)
        stopped = factory.stop()
        self.assertIsNone(factory.buildProtocol(ADDRESS))
        factory.clientConnectionLost(connector, Failure(ConnectionDone()))
        self.successResultOf(stopped)
        self.assertEqual(told, [])

    def test_retryWithoutConnector(self) -> None:
        """
        There is nothing to retry before the first attempt.
        """
        self.assertRaises(ValueError, OvsdbMonitorFactory(clock=self.clock).retry)
