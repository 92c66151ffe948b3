# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.service}.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support import Recorder, reply, vmRow
from tests.test_connector import ManualEndpoint
from twisted_ovsdb import OvsdbMonitorFactory, OvsdbMonitorService


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
        The connection goes.
        """
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))

    def test_interface(self) -> None:
        """
        It is a service.
        """
        verifyObject(IService, self.service)

    def test_startAndStop(self) -> None:
        """
        It connects when started, and has closed when stopService fires.
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
        A stop gives up the attempt.
        """
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopInBackOff(self) -> None:
        """
        A stop gives up the next attempt, and nothing connects afterwards.
        """
        self.service.startService()
        self.endpoint.refuse()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.endpoint.attempts, 1)

    def test_stopTwice(self) -> None:
        """
        Everyone who stops it learns when it has stopped.
        """
        self.service.startService()
        self.endpoint.accept()
        first, second = self.service.stopService(), self.service.stopService()
        self.lose()
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.service.stopService())

    def test_startAgain(self) -> None:
        """
        After a stop it starts again and compares with what it knew.
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
        A start while it stops is a start when it has stopped.
        """
        self.service.startService()
        self.endpoint.accept()
        stopped = self.service.stopService()
        self.service.startService()
        self.assertEqual(self.endpoint.attempts, 1)
        self.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.endpoint.attempts, 2)
