# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
This package, as a listener for switches that dial in.

    listener serve PORT SWITCHES INTERFACES   until all are in sync
"""

from __future__ import annotations

import sys
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater, react
from zope.interface import implementer

from benchmarks.clients.figures import say
from benchmarks.clients.ours import TICK, Stalls
from twisted_ovsdb import (
    InterfaceOnline,
    IOvsdbEventObserver,
    OvsdbListenerFactory,
    Synchronized,
    serverFromRemote,
)
from twisted_ovsdb.command.collector import CollectorService
from twisted_ovsdb.events import Event

PATIENCE = 20.0
"""Seconds until all must be in sync."""


@implementer(IOvsdbEventObserver)
class Crowd:
    """
    Counts the switches that are in sync, and their interfaces.

    @ivar all: fires when so many switches are in sync.
    """

    def __init__(self, switches: int) -> None:
        self.synchronized = self.interfaces = 0
        self.all: Deferred[None] = Deferred()
        self._switches = switches

    def eventReceived(self, event: Event) -> None:
        """
        Count the event.
        """
        if isinstance(event, InterfaceOnline):
            self.interfaces += 1
        elif isinstance(event, Synchronized):
            self.synchronized += 1
            if self.synchronized == self._switches:
                self.all.callback(None)


async def serve(reactor: Any, port: int, switches: int) -> None:
    """
    Listen until all are in sync, or for too long.
    """
    CollectorService().startService()  # as the command has it
    crowd, stalls = Crowd(switches), Stalls()
    factory = OvsdbListenerFactory([crowd], maxSwitches=switches)
    await serverFromRemote(reactor, f"ptcp:{port}:127.0.0.1").listen(factory)
    say(ready=True)
    ticking = LoopingCall(stalls.tick)
    ticking.start(TICK)
    start, cpu = time.monotonic(), time.process_time()
    crowd.all.addTimeout(PATIENCE, reactor, lambda result, timeout: None)
    await crowd.all
    wall, cpu = time.monotonic() - start, time.process_time() - cpu
    await deferLater(reactor, 2 * TICK)
    ticking.stop()
    say(
        synchronized=crowd.synchronized,
        interfaces=crowd.interfaces,
        wall=wall,
        cpu=cpu,
        stall=stalls.longest,
    )
    await factory.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(serve(reactor, *map(int, sys.argv[2:4]))))
