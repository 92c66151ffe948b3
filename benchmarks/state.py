# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What C{--state} costs the command, beside the same run without it:

    python -m benchmarks.state [--quick]

Ports come and go, a thousand in a second: three events each. Then a state of 100,000
interfaces is written, and read as at a start.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import significant
from benchmarks.clients.figures import processorTime
from benchmarks.connection import Connection
from benchmarks.database import assignOfports, deletePorts, fill, insertPorts, interfaceRow
from benchmarks.processes import ROOT, note, server
from twisted_ovsdb.state.store import Store

PRESENT: Final = 1_000
BURST: Final = 50
"""Ports that come, get their ofports and go, in three transactions."""

BURSTS: Final = 20
"""In a second."""

APART: Final = 6
"""Bursts between two events of a port: 0.3 s."""

SECONDS: Final = 10
LARGE: Final = 100_000

PATIENCE: Final = 120.0

TWISTD: Final = "from twisted.scripts.twistd import run; run()"


@contextlib.contextmanager
def command(port: int, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """
    The command in sync, which writes its events to a file in this folder.
    """
    events = folder / "events.jsonl"
    arguments = ["-n", "--pidfile=", "--logfile=log", "ovsdb-monitor", *options]
    arguments += ["--endpoint", f"tcp:127.0.0.1:{port}", "--events", str(events)]
    process = subprocess.Popen(
        [sys.executable, "-c", TWISTD, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (events.exists() and b'"synchronized"' in _end(events)):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the command is not in sync")
            time.sleep(0.05)
        time.sleep(1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1000))
        return file.read()


def churn(port: int, state: bool, seconds: int) -> float:
    """
    @return: the share of a core that the command needs at a thousand ports a second.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ("--state", str(folder / "state")) if state else ()
        with command(port, folder, *options) as process, Connection(port) as connection:
            used, began = processorTime(process.pid), time.monotonic()
            bursts: list[list[str]] = []
            for number in range(seconds * BURSTS):
                rows = [interfaceRow(n) for n in range(BURST)]
                results = connection.transact(insertPorts([[row] for row in rows]))
                bursts.append([result["uuid"][1] for result in results[: 2 * BURST]])
                # No two events of a port are in one commit: each is a row that is written.
                if number >= APART:
                    connection.transact(assignOfports(bursts[number - APART][::2]))
                if number >= 2 * APART:
                    connection.transact(deletePorts(bursts[number - 2 * APART][1::2]))
                time.sleep(max(0.0, began + (number + 1) / BURSTS - time.monotonic()))
            time.sleep(0.3)
            took = time.monotonic() - began - 0.3
            share = (processorTime(process.pid) - used) / took
            note(f"state={state}: {seconds * BURSTS * BURST / took:.0f} ports a second")
            for burst in bursts[-2 * APART :]:
                connection.transact(deletePorts(burst[1::2]))
            return share


def large(port: int) -> dict[str, Any]:
    """
    A state of many interfaces: its size, and how long it takes to read.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with command(port, folder, "--state", str(folder / "state")):
            pass
        size = sum(path.stat().st_size for path in (folder / "state").iterdir())
        times: list[tuple[float, float]] = []
        for _ in range(3):
            began = time.monotonic()
            store = Store(folder / "state", "now")
            opened = time.monotonic()
            rows = store.told(str(folder / "events.jsonl"), f"tcp:127.0.0.1:{port}")
            times.append((opened - began, time.monotonic() - opened))
            store.close()
            assert rows is not None and len(rows) == LARGE
        opening, reading = min(times, key=sum)
        return {"size": size / 1e6, "open": opening, "read": reading}


def main(arguments: list[str]) -> None:
    """
    Measure, and print the figures as Markdown.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.state")
    parser.add_argument("--quick", action="store_true", help="one round, of a few seconds")
    options = parser.parse_args(arguments)
    found: dict[bool, list[float]] = {False: [], True: []}
    with server() as (_, port):
        with Connection(port) as connection:
            fill(connection, 0, PRESENT)
        for _ in range(1 if options.quick else 3):
            for state in (False, True):
                found[state].append(churn(port, state, 4 if options.quick else SECONDS))
                note(f"state={state}: {found[state][-1]}")
        with Connection(port) as connection:
            fill(connection, PRESENT, LARGE)
        figures = large(port)
    without, kept = min(found[False]) * 100, min(found[True]) * 100
    print("| figure | measured | at most |")
    print("|---|--:|--:|")
    for what, value, bar in (
        ("1,000 ports a second, without `--state` (% of a core)", without, ""),
        ("the same with `--state`", kept, ""),
        ("difference", kept - without, "10"),
        ("100,000 interfaces on the disk (MB)", figures["size"], "35"),
        ("they are checked (s)", figures["open"], ""),
        ("and read (s)", figures["read"], ""),
        ("both", figures["open"] + figures["read"], "2"),
    ):
        print(f"| {what} | {significant(value)} | {bar} |")


if __name__ == "__main__":
    main(sys.argv[1:])
