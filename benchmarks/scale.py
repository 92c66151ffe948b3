# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many sessions in one process, against a few real servers:

    python -m benchmarks.scale [--sessions 1000] [--quick]

Three clients are measured, one after another, each in its own process:

  - all sessions, while the servers have no interfaces;
  - all sessions, with 100 interfaces each;
  - ten sessions that have as many interfaces as all sessions of the second
    client together. They show what the interfaces alone cost. (A single
    session would receive one message of 30 MB, and the memory left from that
    would count, too.)

The figures go to standard output, as Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from zope.interface import implementer

from benchmarks.bars import significant
from benchmarks.clients.figures import SENT, percentile, processorTime, say
from benchmarks.connection import STAMP, Connection
from benchmarks.database import deletePorts, fill, insertPorts, interfaceRow
from benchmarks.processes import ROOT, Client, Figures, note, rest, server
from tools.openvswitch import PrivateOpenVSwitch, missing
from twisted_ovsdb import InterfaceOnline, IOvsdbEventObserver, OvsdbMonitorFactory, Synchronized
from twisted_ovsdb.events import Event

SERVERS: Final = 5

INTERFACES: Final = 100
"""Interfaces of each session."""

FEW: Final = 10
"""Sessions of the third client."""

IDLE: Final = 60
QUICK_IDLE: Final = 15

CHANGES: Final = 200
"""Ports that come and go. Each change is told to all sessions of its server."""

PAUSE: Final = 0.05
"""Seconds between two changes."""

SETTLE: Final = 2.0
"""Seconds from the last Synchronized until the memory is read."""

SPARE_FILES: Final = 500
"""Files that a process may have open besides its sessions."""

MEMORY_BAR: Final = 150.0
IDLE_BAR: Final = 5.0

Switches = Sequence[tuple[PrivateOpenVSwitch, int]]


# The client


@implementer(IOvsdbEventObserver)
class Crowd:
    """
    Observes all sessions at once.

    @ivar synchronized: fires when all sessions are in sync.
    @ivar latencies: seconds from the sending of a change to each event of it.
    """

    def __init__(self, sessions: int) -> None:
        self.synchronized: Deferred[None] = Deferred()
        self.latencies: list[float] = []
        self._awaited = sessions

    def eventReceived(self, event: Event) -> None:
        """
        Count a Synchronized, or note the latency of a change.
        """
        if isinstance(event, Synchronized):
            self._awaited -= 1
            if not self._awaited:
                self.synchronized.callback(None)
        elif isinstance(event, InterfaceOnline):
            sent = event.interface.external_ids.get(SENT)
            if sent is not None:
                self.latencies.append(time.monotonic() - float(sent))


async def watch(reactor: Any, sessions: str, changes: str, *ports: str) -> None:
    """
    Synchronize all sessions, print the figures, and go on until all changes
    have been seen.

    @param changes: how many events of changes will come; with 0, go on without
        end.
    """
    count = int(sessions)
    crowd = Crowd(count)
    before, start, cpu = residentMemory(), time.monotonic(), time.process_time()
    for number in range(count):
        factory = OvsdbMonitorFactory([crowd])
        reactor.connectTCP("127.0.0.1", int(ports[number % len(ports)]), factory)
    await crowd.synchronized
    wall, cpu = time.monotonic() - start, time.process_time() - cpu
    await deferLater(reactor, SETTLE)
    say(ready=True, wall=wall, cpu=cpu, memory=residentMemory() - before)
    while len(crowd.latencies) < int(changes) or not int(changes):
        await deferLater(reactor, PAUSE)
    p50, p99 = (percentile(crowd.latencies, share) for share in (0.5, 0.99))
    say(events=len(crowd.latencies), p50=p50, p99=p99, worst=max(crowd.latencies))
    # The figures are printed. A regular end would first close a thousand
    # connections.
    sys.stdout.flush()
    os._exit(0)


def residentMemory() -> int:
    """
    The resident memory of this process, in bytes.
    """
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


# The program that starts the client and the servers


class Watcher(Client):
    """
    This module's client as a process.
    """

    def __init__(self, sessions: int, changes: int, switches: Switches) -> None:
        self.name = "scale"
        self._done = False
        arguments = (sessions, changes, *(port for _, port in switches))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scale", "--watch", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )


@contextlib.contextmanager
def watcher(sessions: int, changes: int, switches: Switches) -> Iterator[tuple[Watcher, Figures]]:
    """
    Start a client, and wait until it is in sync.

    @return: a context manager that gives the client and its figures.
    """
    note(f"{sessions} sessions with {len(switches)} servers")
    process = Watcher(sessions, changes, switches)
    try:
        yield process, process.hear()
    finally:
        process.end()
        for switch, _ in switches:
            rest(switch)


def measure(sessions: int, quick: bool) -> Figures:
    """
    Measure all figures.
    """
    figures: Figures = {"before": os.getloadavg()}
    with contextlib.ExitStack() as stack:
        switches = [stack.enter_context(server()) for _ in range(SERVERS)]
        with watcher(sessions, 0, switches) as (_, empty):
            figures["empty"] = empty
        for _, port in switches:
            with Connection(port) as connection:
                fill(connection, 0, INTERFACES)
        events = CHANGES * sessions // SERVERS
        with watcher(sessions, events, switches) as (process, full):
            figures["full"] = full
            figures["idle"] = _idle(process.pid, QUICK_IDLE if quick else IDLE)
            cpu = processorTime(process.pid)
            start = time.monotonic()
            change([port for _, port in switches])
            wall = time.monotonic() - start
            figures["load"] = (processorTime(process.pid) - cpu) / wall
            figures["rate"] = 2 * events / wall
            figures["latency"] = process.hear()
    with server() as (switch, port):
        with Connection(port) as connection:
            fill(connection, 0, sessions * INTERFACES // FEW)
        rest(switch)
        with watcher(FEW, 0, [(switch, port)]) as (_, few):
            figures["few"] = few
    return figures


def _idle(pid: int, seconds: int) -> float:
    """
    @return: the share of a core that a process uses while nothing happens.
    """
    note(f"idle: {seconds} s")
    before = processorTime(pid)
    time.sleep(seconds)
    return (processorTime(pid) - before) / seconds


def change(ports: Sequence[int]) -> None:
    """
    Add and remove ports, on one server after another.
    """
    note(f"{CHANGES} ports come and go")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Connection(port)) for port in ports]
        for number in range(CHANGES):
            connection = servers[number % len(servers)]
            row = interfaceRow(INTERFACES + number, True, **{SENT.replace("-", "_"): STAMP})
            port = connection.transact(insertPorts([[row]]))[1]["uuid"][1]
            time.sleep(PAUSE)
            connection.transact(deletePorts([port]))
            time.sleep(PAUSE)


def markdown(sessions: int, figures: Figures) -> str:
    """
    The figures as tables.
    """
    full, empty, few = (figures[name] for name in ("full", "empty", "few"))
    latency = figures["latency"]
    alone = (full["memory"] - few["memory"]) / sessions / 1000
    bare = empty["memory"] / sessions / 1000
    idle = figures["idle"] * 100
    cores = f"{os.cpu_count()} cores, load before {figures['before'][0]:.2f}"
    lines = [
        f"- {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC; {cores}",
        f"- Python {platform.python_version()}; {sessions:,} sessions in one process,"
        f" {SERVERS} servers, {INTERFACES} interfaces a session",
        "",
        "| figure | measured | at most | |",
        "|---|---|---|---|",
        _row("time to sync all (s)", full["wall"]),
        _row("CPU of the client for that (s)", full["cpu"]),
        _row("RSS growth, all sessions (MB)", full["memory"] / 1e6),
        _row(f"RSS growth, {FEW} sessions, as many interfaces (MB)", few["memory"] / 1e6),
        _row("RSS a session beyond its interfaces (kB)", alone, MEMORY_BAR),
        _row("RSS a session without any interface (kB)", bare, MEMORY_BAR),
        _row("idle CPU, all sessions (% of a core)", idle, IDLE_BAR),
        _row("load: events a second", figures["rate"]),
        _row("load: CPU of the client (% of a core)", figures["load"] * 100),
        _row("latency of a change under load, p50 (ms)", latency["p50"] * 1000),
        _row("latency of a change under load, p99 (ms)", latency["p99"] * 1000),
        _row("latency of a change under load, worst (ms)", latency["worst"] * 1000),
    ]
    return "\n".join(lines)


def _row(what: str, value: float, bar: float | None = None) -> str:
    if bar is None:
        return f"| {what} | {significant(value)} | | |"
    verdict = "pass" if value <= bar else "**FAIL**"
    return f"| {what} | {significant(value)} | {bar:g} | {verdict} |"


def main() -> int:
    """
    Measure and print the report.
    """
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=main.__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="measure 15 s in place of a minute")
    options = parser.parse_args()
    if missing():
        note(f"Open vSwitch is not installed (missing: {', '.join(missing())})")
        return 1
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.sessions + SPARE_FILES
    # The clients inherit this limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    print(markdown(options.sessions, measure(options.sessions, options.quick)), flush=True)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--watch"]:
        react(lambda reactor: Deferred.fromCoroutine(watch(reactor, *sys.argv[2:])))
    sys.exit(main())
