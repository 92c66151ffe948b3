# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
This package, through its public API.

    ours sync PORT       until Synchronized
    ours heap SOCKET     the same, and the heap that is then in use (slow)
    ours churn PORT      counts events between marks
    ours bytes PORT      the bytes from Synchronized on until a port comes online
    ours stay PORT       synchronizes, and stays until it is ended

All but heap take options of the factory too, as a JSON object; churn also takes
C{lines}: then JSON Lines are written to /dev/null too.
"""

from __future__ import annotations

import gc
import json
import operator
import os
import sys
import time
import tracemalloc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTCP, IReactorTime, IReactorUNIX
from twisted.internet.task import LoopingCall, deferLater, react
from zope.interface import implementer

from benchmarks.clients.figures import MARK, SENT, Phases, peakMemory, say
from twisted_ovsdb import (
    Disconnected,
    InterfaceOnline,
    IOvsdbEventObserver,
    OvsdbMonitorFactory,
    OvsdbProtocol,
    Synchronized,
)
from twisted_ovsdb.command.output import EventsService
from twisted_ovsdb.events import Event, InterfaceEvent

TICK = 0.005
"""Seconds between two calls of L{Stalls.tick}."""

readEveryField = operator.attrgetter(
    *("uuid", "name", "type", "ofport", "error", "external_ids", "options", "kind", "extra"),
    # These two read the mappings external_ids and options.
    *("iface_id", "remote_ip"),
)


@implementer(IOvsdbEventObserver)
class Reader:
    """
    Counts the interfaces it is told of and reads every field of each.

    @ivar synchronized: fires at Synchronized, with the time of the clock and
        the CPU time.
    """

    def __init__(self) -> None:
        self.events = 0
        self.synchronized: Deferred[tuple[float, float]] = Deferred()

    def eventReceived(self, event: Event) -> None:
        """
        Read the event.
        """
        if isinstance(event, Synchronized):
            self.synchronized.callback((time.monotonic(), time.process_time()))
        elif isinstance(event, Disconnected):
            # Before the figures, this line replaces them. After them, it is
            # not read.
            say(error=f"disconnected: {event.reason}")
        elif isinstance(event, InterfaceEvent):
            readEveryField(event.interface)
            self.events += 1


@implementer(IOvsdbEventObserver)
class Counter(Reader):
    """
    Reads every field too, and counts events between marks.

    @ivar ended: fires at the last mark.
    """

    def __init__(self) -> None:
        super().__init__()
        self.phases = Phases()
        self.ended: Deferred[None] = Deferred()

    def eventReceived(self, event: Event) -> None:
        """
        Read the event, and note its latency.
        """
        if not isinstance(event, InterfaceEvent):
            super().eventReceived(event)
            return
        interface = event.interface
        readEveryField(interface)
        if isinstance(event, InterfaceOnline):
            if interface.name.startswith(MARK):
                if self.phases.mark(interface.name):
                    self.ended.callback(None)
                return
            sent = interface.external_ids.get(SENT)
            if sent is not None:
                self.phases.sent(sent)
        self.phases.events += 1


class Writer(Counter):
    """
    Writes each event to /dev/null too, as the command does.
    """

    def __init__(self) -> None:
        super().__init__()
        service = EventsService(os.devnull)
        service.startService()
        self._lines = service.observer

    def eventReceived(self, event: Event) -> None:
        """
        Write the event, then count it.
        """
        self._lines.eventReceived(event)
        super().eventReceived(event)


class TimedFactory(OvsdbMonitorFactory):
    """
    Notes the CPU time at the first byte.
    """

    firstByte = 0.0

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """
        Note the time at the first chunk, and at no other.
        """
        protocol = super().buildProtocol(addr)
        if protocol is not None:
            protocol.dataReceived = self._first(protocol)  # type: ignore[method-assign]
        return protocol

    def _first(self, protocol: OvsdbProtocol):  # type: ignore[no-untyped-def]
        def dataReceived(data: bytes) -> None:
            self.firstByte = time.process_time()
            del protocol.dataReceived
            protocol.dataReceived(data)

        return dataReceived


class CountingFactory(OvsdbMonitorFactory):
    """
    Counts the bytes of its connection.
    """

    received = 0

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """
        Count the bytes of each chunk.
        """
        protocol = super().buildProtocol(addr)
        if protocol is not None:
            read = protocol.dataReceived

            def dataReceived(data: bytes) -> None:
                self.received += len(data)
                read(data)

            protocol.dataReceived = dataReceived  # type: ignore[method-assign]
        return protocol


class Stalls:
    """
    Measures the longest time for which the reactor did not call L{tick}.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._latest = time.monotonic()

    def tick(self) -> None:
        """
        Note a call. It is due every L{TICK} seconds.
        """
        now = time.monotonic()
        self.longest = max(self.longest, now - self._latest - TICK)
        self._latest = now


async def sync(reactor: IReactorTCP, port: int, options: dict[str, Any]) -> None:
    """
    Measure the time until Synchronized.
    """
    reader = Reader()
    stalls = Stalls()
    ticking = LoopingCall(stalls.tick)
    ticking.start(TICK)
    start, cpuAtStart = time.monotonic(), time.process_time()
    factory = TimedFactory([reader], **options)
    reactor.connectTCP("127.0.0.1", port, factory)
    end, cpu = await reader.synchronized
    # A stall in which Synchronized was told must be measured, too.
    await deferLater(IReactorTime(reactor), 2 * TICK)
    ticking.stop()
    say(
        interfaces=reader.events,
        wall=end - start,
        cpu=cpu - factory.firstByte,
        cpuFromConnect=cpu - cpuAtStart,
        memory=peakMemory(),
        stall=stalls.longest,
    )
    await factory.stop()


async def heap(reactor: IReactorUNIX, path: str) -> None:
    """
    Measure the heap that is in use after Synchronized.

    tracemalloc makes this slow, and the time is not measured. On TCP,
    ovsdb-server would close a connection that is silent for ten seconds. On a
    unix socket it sends no probes.
    """
    tracemalloc.start()
    reader = Reader()
    factory = OvsdbMonitorFactory([reader])
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    reactor.connectUNIX(path, factory)
    await reader.synchronized
    # First, what only the delivery needed must be freed.
    await deferLater(IReactorTime(reactor), 0.2)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    say(interfaces=reader.events, heap=after - before)
    await factory.stop()


async def churn(reactor: IReactorTCP, port: int, options: dict[str, Any]) -> None:
    """
    Count events between marks.
    """
    counter = Writer() if options.pop("lines", False) else Counter()
    factory = OvsdbMonitorFactory([counter], **options)
    reactor.connectTCP("127.0.0.1", port, factory)
    await counter.synchronized
    counter.phases.events = 0
    say(ready=True)
    await counter.ended
    counter.phases.tell()
    await factory.stop()


async def countBytes(reactor: IReactorTCP, port: int, options: dict[str, Any]) -> None:
    """
    Count the bytes that come from Synchronized on until the port that is the
    last mark comes online.
    """
    counter = Counter()
    factory = CountingFactory([counter], **options)
    reactor.connectTCP("127.0.0.1", port, factory)
    await counter.synchronized
    before = factory.received
    say(ready=True)
    await counter.ended
    say(bytes=factory.received - before)
    await factory.stop()


async def stay(reactor: IReactorTCP, port: int, options: dict[str, Any]) -> None:
    """
    Synchronize and stay.
    """
    reader = Reader()
    reactor.connectTCP("127.0.0.1", port, OvsdbMonitorFactory([reader], **options))
    await reader.synchronized
    say(ready=True, interfaces=reader.events)
    await Deferred()


async def main(reactor: IReactorTCP, mode: str, address: str, options: str = "{}") -> None:
    """
    Do what the module's docstring says.
    """
    if mode == "heap":
        await heap(IReactorUNIX(reactor), address)
    else:
        modes = {"sync": sync, "churn": churn, "bytes": countBytes, "stay": stay}
        await modes[mode](reactor, int(address), json.loads(options))


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
