# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.streampublisher}, with a model of a broker.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.fakes.broker import ModelBroker, ModelStreams
from tests.publish.test_contract import PublisherContract
from twisted_ovsdb.publish.streampublisher import StreamPublisher


class ModelContractTests(PublisherContract, TestCase):
    """
    The contract, with the model.
    """

    def setUp(self) -> None:
        self.broker = ModelBroker()
        self.clock = Clock()
        self.clients: dict[str, ModelStreams] = {}

    def publisher(self, instance: str) -> Any:
        """Make a publisher."""
        streams = self.clients[instance] = ModelStreams(self.broker)
        return StreamPublisher(streams, instance, self.clock, now=self.clock.seconds)

    async def settled(self) -> None:
        """Let timers run."""
        self.clock.pump([0.1] * 10)
