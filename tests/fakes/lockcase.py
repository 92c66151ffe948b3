# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Monitors that share one switch by a lock, at a server in memory.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.observers import Recorder
from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, OvsInterface
from twisted_ovsdb.testing import MemoryServer

LOCK = "fleet"

SOON = 2.0
"""Seconds until each monitor has asked for the lock."""


class LockTestCase(SynchronousTestCase):
    """
    A server with one VM's port, and monitors that share it.
    """

    def setUp(self) -> None:
        self.patch(random, "uniform", lambda low, high: high)
        self.server = MemoryServer()
        self.clock = self.server.clock
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "tap1", "port-1", ofport=1)

    def monitor(
        self, instance: str | None, *observers: Any, told: Any = None, **options: Any
    ) -> OvsdbMonitorFactory:
        """
        A monitor that is connected, and has not asked for the lock yet.
        """
        options = {"lock": LOCK, "instance": instance, "replay": False, **options}
        factory = OvsdbMonitorFactory((), clock=self.clock, source="memory", **options)
        for observer in observers:
            factory.addObserver(observer, told)
        EndpointConnector(self.server.endpoint, factory).connect()
        self.server.advance(0)
        self.assertTrue(factory.inSync)
        return factory

    def speaker(self, instance: str, *observers: Any, **options: Any) -> OvsdbMonitorFactory:
        """
        A monitor that has the lock.
        """
        factory = self.monitor(instance, *observers, **options)
        self.server.advance(SOON)
        self.assertTrue(factory.speaking)
        return factory

    def stop(self, factory: OvsdbMonitorFactory) -> None:
        """
        Stop a monitor, which closes its connection.
        """
        factory.stop()
        self.server.advance(0)


class Memory:
    """
    What an observer was told, by any monitor: it says so to the next one.

    @ivar asked: for which switches it was asked.
    """

    def __init__(self, *known: OvsInterface) -> None:
        self.known: list[OvsInterface] | None = list(known)
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, switch: str) -> list[OvsInterface] | None:
        """
        What C{told=} is asked.
        """
        self.asked.append(switch)
        self.meanwhile()
        return self.known


def online(*names: str, cause: str = "initial") -> list[tuple[str, ...]]:
    """
    What is told of these ports, as L{Recorder.take} returns it.
    """
    return [("online", "vm", name, cause) for name in names]


__all__ = ["LOCK", "SOON", "LockTestCase", "Memory", "Recorder", "online"]
