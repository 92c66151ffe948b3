# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A factory whose server is the test.
"""

from __future__ import annotations

import json
import random
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.endpoints.test_connector import ManualEndpoint
from tests.fakes.observers import Recorder
from tests.fakes.rows import reply
from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, OvsdbProtocol


class FactoryTestCase(SynchronousTestCase):
    """
    A factory whose server is the test. Its waits have no jitter.
    """

    def setUp(self) -> None:
        self.patch(random, "uniform", lambda low, high: high)
        self.makeFactory()

    @property
    def protocol(self) -> OvsdbProtocol:
        """The factory's protocol of the present connection."""
        link = self.factory._link
        assert link is not None
        return link.protocol

    def makeFactory(self, **options: Any) -> None:
        """
        Make a factory with these options, and let it connect.
        """
        self.clock = Clock()
        self.endpoint = ManualEndpoint()
        self.observer = Recorder()
        self.factory = OvsdbMonitorFactory([self.observer], clock=self.clock, **options)
        self.connector = EndpointConnector(self.endpoint, self.factory)
        self.connector.connect()

    def accept(self) -> StringTransport:
        """
        The server accepts.
        """
        self.transport = self.endpoint.accept()
        return self.transport

    def receive(self, data: bytes) -> None:
        """
        The server sends.
        """
        self.endpoint.protocol.dataReceived(data)

    def sent(self) -> list[Any]:
        """
        Take the requests that were sent since the last call: method and params.
        """
        text, found = self.transport.value().decode(), []
        self.transport.clear()
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.append((value.get("method"), value.get("params")))
            text = text[end:]
        return found

    def synchronize(self, rows: dict[int, dict[str, Any]] | None = None) -> None:
        """
        The server accepts and sends a snapshot.
        """
        self.accept()
        self.receive(reply(1, rows or {}))

    def lose(self, reason: Exception | None = None) -> None:
        """
        The connection is lost.
        """
        self.endpoint.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def advance(self, seconds: float, step: float = 0.5) -> None:
        """
        Time passes, and the reactor turns meanwhile.
        """
        for _ in range(int(seconds / step)):
            self.clock.advance(step)

    def attemptsWithin(self, seconds: float) -> int:
        """
        Count the attempts that are made in this time.
        """
        before = self.endpoint.attempts
        self.clock.advance(seconds)
        return self.endpoint.attempts - before
