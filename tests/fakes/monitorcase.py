# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A monitor whose connections are made by the test.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.observers import Recorder
from tests.fakes.rows import reply, update
from twisted_ovsdb import InterfaceMonitor, OvsdbProtocol


class MonitorTestCase(SynchronousTestCase):
    """
    A monitor whose connections are made by the test.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.observer = Recorder()
        self.monitor = self.makeMonitor([self.observer])

    def makeMonitor(self, observers: list[Any], **options: Any) -> InterfaceMonitor:
        """
        A monitor on the test's clock.
        """
        return InterfaceMonitor(observers, source="tcp:test", clock=self.clock, **options)

    def attach(self) -> Deferred[None]:
        """
        Attach the monitor to a new connection.
        """
        self.protocol, self.transport = OvsdbProtocol(), StringTransport()
        self.protocol.makeConnection(self.transport)
        return self.monitor.attach(self.protocol)

    def snapshot(self, rows: dict[int, dict[str, Any]]) -> None:
        """
        The initial reply arrives.
        """
        self.protocol.dataReceived(reply(1, rows))

    def update(self, rows: dict[int, Any]) -> None:
        """
        An update arrives.
        """
        self.protocol.dataReceived(update(rows))

    def synchronize(self, rows: dict[int, dict[str, Any]]) -> None:
        """
        Attach the monitor to a new connection, and receive the snapshot.
        """
        attached = self.attach()
        self.snapshot(rows)
        self.successResultOf(attached)

    def lose(self) -> None:
        """
        The connection is lost.
        """
        self.protocol.connectionLost(Failure(ConnectionLost("gone")))
