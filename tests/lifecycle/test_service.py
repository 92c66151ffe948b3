# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.service}.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.endpoints.test_connector import ManualEndpoint
from tests.fakes.observers import Recorder
from tests.fakes.rows import reply, vmRow
from tests.lifecycle.test_listener import Switch
from twisted_ovsdb import (
    OvsdbListenerFactory,
    OvsdbListenService,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
)


class OvsdbMonitorServiceTests(SynchronousTestCase):
    """
    Tests for L{OvsdbMonitorService}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = ManualEndpoint()
        self.observer = Recorder()
        self.factory = OvsdbMonitorFactory([self.observer], clock=self.clock)
        self.service = OvsdbMonitorService(self.endpoint, self.factory)

    def lose(self) -> None:
        """
        The connection is lost.
        """
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))

    def test_interface(self) -> None:
        """
        The service provides Twisted's interface for services.
        """
        verifyObject(IService, self.service)

    def test_wrongArguments(self) -> None:
        """
        What is no factory is refused when the service is made, not when it starts.
        """
        wrong: Any
        for wrong in (None, self.observer, OvsdbListenerFactory()):
            error = self.assertRaises(TypeError, OvsdbMonitorService, self.endpoint, wrong)
            self.assertIn("factory must be an OvsdbMonitorFactory", str(error))

    def test_startAndStop(self) -> None:
        """
        The service connects when it is started. When the Deferred of
        stopService fires, the connection is closed.
        """
        self.service.startService()
        transport = self.endpoint.accept()
        stopped = self.service.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(stopped)
        self.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopWhileConnecting(self) -> None:
        """
        A stop ends the attempt to connect.
        """
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopInBackOff(self) -> None:
        """
        A stop while the factory waits leaves no timer, and nothing connects
        afterwards.
        """
        self.service.startService()
        self.endpoint.refuse()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.endpoint.attempts, 1)

    def test_stopTwice(self) -> None:
        """
        Each caller of stopService learns when the service has stopped.
        """
        self.service.startService()
        self.endpoint.accept()
        first, second = self.service.stopService(), self.service.stopService()
        self.lose()
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.service.stopService())

    def test_secondStop(self) -> None:
        """
        Every stop closes the connection that is there then, ends, and leaves no
        timer.
        """
        for _ in range(3):
            self.service.startService()
            transport = self.endpoint.accept()
            self.endpoint.protocol.dataReceived(reply(1, {}))
            stopped = self.service.stopService()
            self.assertTrue(transport.disconnecting)
            self.assertEqual(self.observer.take()[-1], ("disconnected", "stopped"))
            self.assertNoResult(stopped)
            self.lose()
            self.successResultOf(stopped)
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.endpoint.attempts, 3)

    def test_startAgain(self) -> None:
        """
        After a stop the service can be started again. The new snapshot is
        compared with what was known.
        """
        self.service.startService()
        self.endpoint.accept()
        self.endpoint.protocol.dataReceived(reply(1, {1: vmRow("tap1")}))
        self.service.stopService()
        self.lose()
        self.service.startService()
        self.endpoint.accept()
        self.endpoint.protocol.dataReceived(reply(1, {}))
        self.assertEqual(
            self.observer.take(),
            [
                ("online", "vm", "tap1", "initial"),
                ("synchronized", "initial"),
                ("disconnected", "stopped"),
                ("offline", "vm", "tap1", "resync"),
                ("synchronized", "resync"),
            ],
        )

    def test_startWhileStopping(self) -> None:
        """
        A service that is started while it stops connects when it has stopped.
        """
        self.service.startService()
        self.endpoint.accept()
        stopped = self.service.stopService()
        self.service.startService()
        self.assertEqual(self.endpoint.attempts, 1)
        self.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.endpoint.attempts, 2)


@implementer(IStreamServerEndpoint)
class ManualServerEndpoint:
    """
    An endpoint that listens when the test says so.

    @ivar opened: how many times L{listen} was called.
    @ivar closed: how many times L{stopListening} was called.
    """

    def __init__(self) -> None:
        self.listening: Deferred[Any] = Deferred()
        self.opened = self.closed = 0

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Begin to listen.
        """
        self.opened += 1
        self.listening = Deferred()
        return self.listening

    def stopListening(self) -> Deferred[None] | None:
        """
        The port is closed.
        """
        self.closed += 1
        return None


@implementer(IStreamServerEndpoint)
class WrongServerEndpoint:
    """
    An endpoint that raises.
    """

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Fail.
        """
        raise OSError("/run/nowhere: No such file or directory")


class OvsdbListenServiceTests(SynchronousTestCase):
    """
    Tests for L{OvsdbListenService}.
    """

    def setUp(self) -> None:
        self.endpoint = ManualServerEndpoint()
        self.observer = Recorder()
        self.factory = OvsdbListenerFactory([self.observer], clock=Clock())
        self.service = OvsdbListenService(self.endpoint, self.factory)

    def start(self) -> None:
        """
        Start the service, as twistd does, and its port.
        """
        self.service.privilegedStartService()
        self.service.startService()
        self.endpoint.listening.callback(self.endpoint)

    def test_interface(self) -> None:
        """
        The service provides Twisted's interface for services.
        """
        verifyObject(IService, self.service)

    def test_wrongArguments(self) -> None:
        """
        What is no server endpoint, or no listener, is refused when the service is made.
        """
        wrong: Any = OvsdbMonitorFactory()
        error = self.assertRaises(TypeError, OvsdbListenService, self.endpoint, wrong)
        self.assertIn("factory must be an OvsdbListenerFactory", str(error))
        wrong = ManualEndpoint()
        error = self.assertRaises(TypeError, OvsdbListenService, wrong, self.factory)
        self.assertIn("not a server endpoint", str(error))

    def test_stopTellsAtOnce(self) -> None:
        """
        Observers are told of the stop before stopService returns, while
        services that write events still run. The port is closed, and the
        service can be started again.
        """
        self.service.startService()
        self.endpoint.listening.callback(self.endpoint)
        switch = Switch(self.factory, 1)
        switch.identify("one")
        switch.snapshot()
        self.observer.take()
        stopped = self.service.stopService()
        self.assertEqual(self.observer.take(), [("disconnected", "stopped")])
        self.assertNoResult(stopped)
        switch.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.endpoint.closed, 1)
        self.service.startService()
        self.assertIsNotNone(Switch(self.factory, 2).protocol)

    def test_portAndConnections(self) -> None:
        """
        The Deferred of stopService fires when both the port and the connections
        are closed.
        """
        self.start()
        closing: Deferred[None] = Deferred()
        self.endpoint.stopListening = lambda: closing  # type: ignore[method-assign]
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        closing.callback(None)
        self.successResultOf(stopped)
        self.assertFalse(self.service.running)

    def test_listensOnce(self) -> None:
        """
        The service listens once for each start, also if twistd starts it with
        privileges first.
        """
        self.start()
        self.assertEqual((self.endpoint.opened, self.service.running), (1, 1))
        self.successResultOf(self.service.stopService())
        self.service.startService()
        self.endpoint.listening.callback(self.endpoint)
        self.assertEqual((self.endpoint.opened, self.service.running), (2, 1))
        self.successResultOf(self.service.stopService())
        self.start()
        self.assertEqual(self.endpoint.opened, 3)
        self.assertEqual(self.endpoint.closed, 2)

    def test_stopTwice(self) -> None:
        """
        The service may be stopped before it is started, and it may be stopped
        twice.
        """
        self.successResultOf(self.service.stopService())
        self.start()
        self.successResultOf(self.service.stopService())
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.endpoint.closed, 1)

    def test_secondStop(self) -> None:
        """
        Every stop closes the port that is open then.
        """
        for number in range(1, 4):
            self.start()
            self.successResultOf(self.service.stopService())
            self.assertEqual((self.endpoint.opened, self.endpoint.closed), (number, number))

    def closeSlowly(self) -> Deferred[None]:
        """
        Start the service, and let its port be closed only when the Deferred fires.
        """
        self.start()
        closing: Deferred[None] = Deferred()
        self.endpoint.stopListening = lambda: closing  # type: ignore[method-assign]
        return closing

    def test_startWhileStopping(self) -> None:
        """
        A service that is started while it stops listens again when its port is
        closed, because the address is not free before.
        """
        closing = self.closeSlowly()
        stopped = self.service.stopService()
        self.service.privilegedStartService()
        self.service.startService()
        self.assertEqual(self.endpoint.opened, 1)
        closing.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.endpoint.opened, self.service.running), (2, 1))
        self.endpoint.listening.callback(self.endpoint)
        self.assertIsNotNone(Switch(self.factory, 1).protocol)

    def test_stopWhileStopping(self) -> None:
        """
        A service that is started while it stops, and stopped again, does not
        listen. Both callers learn when the port is closed.
        """
        closing = self.closeSlowly()
        first = self.service.stopService()
        self.service.startService()
        second = self.service.stopService()
        self.assertNoResult(first)
        self.assertNoResult(second)
        closing.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual((self.endpoint.opened, self.service.running), (1, 0))

    def test_cannotClose(self) -> None:
        """
        If the port fails to close, this is logged, and the service has stopped
        and can be started again.
        """
        closing = self.closeSlowly()
        stopped = self.service.stopService()
        closing.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.successResultOf(stopped)
        self.service.startService()
        self.assertEqual(self.endpoint.opened, 2)

    def test_stopBeforeItListens(self) -> None:
        """
        A stop cancels the attempt to listen, and nothing is logged.
        """
        self.service.startService()
        with capturedLogs() as logs:
            self.successResultOf(self.service.stopService())
        self.assertEqual(logs, [])

    def test_cannotListen(self) -> None:
        """
        If the service cannot listen, the log says why in one line.
        """
        self.service.startService()
        with capturedLogs() as logs:
            self.endpoint.listening.errback(OSError("Address already in use"))
        self.assertEqual([log["reason"] for log in logs], ["Address already in use"])
        self.successResultOf(self.service.stopService())

    def test_whenListening(self) -> None:
        """
        Whoever waits until it listens is told why it cannot, and the log is not.
        """
        waiting = self.service.whenListening()
        self.service.startService()
        with capturedLogs() as logs:
            self.endpoint.listening.errback(OSError("Address already in use"))
        self.failureResultOf(waiting, OSError)
        self.assertEqual(logs, [])
        self.successResultOf(self.service.stopService())

    def test_listensAgain(self) -> None:
        """
        Whoever waits is told each time when it listens, and after a stop it does not.
        """
        for _ in range(2):
            waiting = self.service.whenListening()
            self.assertNoResult(waiting)
            self.service.startService()
            self.assertNoResult(waiting)
            self.endpoint.listening.callback(self.endpoint)
            self.successResultOf(waiting)
            self.successResultOf(self.service.whenListening())
            self.successResultOf(self.service.stopService())

    def test_endpointRaises(self) -> None:
        """
        An endpoint that raises is reported in the same way.
        """
        service = OvsdbListenService(WrongServerEndpoint(), self.factory)
        with capturedLogs() as logs:
            service.startService()
        [reason] = [log["reason"] for log in logs]
        self.assertEqual(reason, "/run/nowhere: No such file or directory")
        self.successResultOf(service.stopService())
