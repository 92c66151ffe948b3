# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Measures whether one switch that fails delays the events of others. One process
watches three servers. One of them is stopped, continued, killed and started
again, while ports come and go on the two others.

    python -m benchmarks.neighbours [--seconds 10]
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable
from statistics import median, quantiles

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.task import react
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from benchmarks.connection import Connection
from benchmarks.database import deletePorts, insertPorts, interfaceRow, makeBridge
from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb import InterfaceOnline, IOvsdbEventObserver, OvsdbMonitorFactory
from twisted_ovsdb.events import Event

SENT = "sent"
"""The key in external_ids for the time at which a port was made."""

PAUSE = 0.005
"""Seconds between two changes of one writer."""


@implementer(IOvsdbEventObserver)
class Latencies:
    """
    Measures the time from each transaction to its event.
    """

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def eventReceived(self, event: Event) -> None:
        """
        Note the age of a new port.
        """
        if isinstance(event, InterfaceOnline):
            sent = event.interface.external_ids.get(SENT)
            if sent is not None:
                self.milliseconds.append((time.monotonic() - float(sent)) * 1000)

    def take(self) -> tuple[int, float, float]:
        """
        @return: count, median and 99th percentile since the last call, in
            milliseconds.
        """
        taken, self.milliseconds = self.milliseconds, []
        return len(taken), median(taken), quantiles(taken, n=100)[98]


def write(port: int, seconds: float) -> None:
    """
    Make and remove ports for a while.
    """
    until = time.monotonic() + seconds
    number = 0
    with Connection(port) as connection:
        while time.monotonic() < until:
            number += 1
            row = interfaceRow(number, sent=repr(time.monotonic()))
            results = connection.transact(insertPorts([[row]]))
            made = [result["uuid"][1] for result in results if result and "uuid" in result]
            time.sleep(PAUSE)
            connection.transact(deletePorts(made[-1:]))
            time.sleep(PAUSE)


async def measure(reactor: IReactorTCP, seconds: float) -> None:
    """
    Print the figures of each phase.
    """
    switches = [PrivateOpenVSwitch(tcp=True, vswitchd=False) for _ in range(3)]
    ports: list[int] = []
    latencies = Latencies()
    factories = [OvsdbMonitorFactory([latencies]) for _ in switches]
    try:
        for switch, factory in zip(switches, factories, strict=True):
            switch.start()
            assert switch.port is not None
            ports.append(switch.port)
            with Connection(switch.port) as connection:
                makeBridge(connection)
            reactor.connectTCP("127.0.0.1", switch.port, factory)
            await factory.whenSynchronized()
        last = switches[-1]
        phases: list[tuple[str, Callable[[], object]]] = [
            ("all are well", lambda: None),
            ("one is stopped", lambda: last.signal("ovsdb-server", signal.SIGSTOP)),
            ("it goes on", lambda: last.signal("ovsdb-server", signal.SIGCONT)),
            ("it is killed", lambda: last.kill("ovsdb-server")),
            ("it is started", last.startServer),
        ]
        print("| the third server | ports on the others | latency p50 (ms) | p99 (ms) |")
        print("|---|--:|--:|--:|")
        for name, happen in phases:
            await deferToThread(happen)
            writers: list[Deferred[None]] = [
                deferToThread(write, port, seconds) for port in ports[:2]
            ]
            for writer in writers:
                await writer
            count, p50, p99 = latencies.take()
            print(f"| {name} | {count} | {p50:.2f} | {p99:.2f} |", flush=True)
    finally:
        for factory in factories:
            await factory.stop()
        for switch in switches:
            switch.stop()


def main() -> None:
    """
    Read the command line and measure.
    """
    parser = argparse.ArgumentParser(prog="benchmarks.neighbours")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each phase")
    arguments = parser.parse_args()
    react(lambda reactor: Deferred.fromCoroutine(measure(reactor, arguments.seconds)))


if __name__ == "__main__":
    main()
