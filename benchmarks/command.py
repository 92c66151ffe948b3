# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The command, from the start of its process until everything is told: as JSON Lines and
as log lines, beside ovsdb-client. And what is measured of parts: long steps, callers
that wait, and a crowd of switches that dial in.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from benchmarks.bars import ROUNDS
from benchmarks.churn import PRESENT, run
from benchmarks.clients.figures import processorTime
from benchmarks.connection import Connection
from benchmarks.database import fill
from benchmarks.processes import (
    PATIENCE,
    ROOT,
    Client,
    Figures,
    average,
    best,
    client,
    figuresOf,
    note,
    rest,
    server,
)
from tools.openvswitch import freePort

SIZES = {10: 5, 10_000: 5, 100_000: 2}
"""How many interfaces there are, and how often each program is measured in a round."""

POLL = 0.002
"""Seconds between two looks at the last line."""

SWITCHES = 1_000
FILES = 200
"""Files that a process may have open besides its switches."""

RUN_TLS = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
"""twistd, where pyOpenSSL is installed: Twisted imports it whether TLS is used or not."""

RUN = f"import sys; sys.modules['OpenSSL'] = None; {RUN_TLS}"
"""twistd, as the package is installed without its extra C{tls}."""

NOTHING = ROOT / "benchmarks" / "clients" / "nothing.tac"
"""An application that ends when it runs: what Twisted itself needs."""


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    All figures of this part.

    @param quick: one round only.
    """
    rounds = 1 if quick else ROUNDS
    found: dict[str, Any] = {"start": {}}
    for size, visits in SIZES.items():
        found["start"][str(size)] = _start(size, rounds, 1 if quick else visits)
    note("command: steps")
    found["steps"] = best([_steps() for _ in range(rounds)])
    found["crowd"] = best([_crowd() for _ in range(rounds)])
    found["lines"] = _churn(rounds, 1 if quick else 3)
    return found


def _start(size: int, rounds: int, visits: int) -> dict[str, Figures]:
    with server() as (switch, port):
        with Connection(port) as connection:
            fill(connection, 0, size)
        programs: dict[str, Callable[[], Figures]] = {
            "events": functools.partial(_events, port, switch.folder / "events"),
            "events_tls": functools.partial(_events, port, switch.folder / "events", RUN_TLS),
            "nothing": _nothing,
            "log": functools.partial(_log, port),
            "ovsdb_client": functools.partial(figuresOf, "ovsdb_client", "sync", port),
        }
        told: dict[str, list[Figures]] = {name: [] for name in programs}
        for number in range(rounds):
            figures: dict[str, list[Figures]] = {name: [] for name in programs}
            for _ in range(visits):
                for name, program in programs.items():
                    rest(switch)
                    figures[name].append(program())
            for name, each in figures.items():
                told[name].append(average(each))
                note(f"command: {size:,}, round {number + 1}, {name}: {told[name][-1]}")
        return {name: best(each) for name, each in told.items()}


@contextlib.contextmanager
def _twistd(
    port: int, *options: str, stdout: int | IO[bytes], run: str = RUN
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", run, "-n", "--pidfile=", "ovsdb-monitor"),
            *(f"--endpoint=tcp:127.0.0.1:{port}", *options),
        ],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    # Installed programs have their bytecode.
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


def _nothing() -> Figures:
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", RUN, "-n", "--pidfile=", "-y", str(NOTHING)],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": used}


def _events(port: int, path: Path, run: str = RUN) -> Figures:
    """
    C{--events -} into a file, until its last line is that of Synchronized.
    """
    with path.open("wb") as file:
        start = time.monotonic()
        with _twistd(port, "--events=-", stdout=file, run=run) as process:
            while b'"event":"synchronized"' not in _end(path):
                if time.monotonic() - start > PATIENCE:
                    raise RuntimeError("twistd did not synchronize")
                time.sleep(POLL)
            wall = time.monotonic() - start
            return {"wall": wall, "cpu": processorTime(process.pid)}


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 300))
        return file.read()


def _log(port: int) -> Figures:
    start = time.monotonic()
    with _twistd(port, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b"synchronized: " in line:
                wall = time.monotonic() - start
                return {"wall": wall, "cpu": processorTime(process.pid)}
    raise RuntimeError("twistd ended")


def _steps() -> Figures:
    found = figuresOf("steps", "resync", 100_000, 1_000)
    return {**found, **figuresOf("steps", "waiters", 1_000, 10_000)}


def _crowd() -> Figures:
    note(f"command: {SWITCHES} switches dial in")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(SWITCHES + FILES, hard), hard))
    port = freePort()
    with client("listener", "serve", port, SWITCHES) as listener:
        listener.hear()
        switches = Client("crowd", "dial", port, SWITCHES, 100)
        try:
            switches.hear()
            figures = listener.hear()
        finally:
            switches.end()
    return {**figures, "missing": SWITCHES - figures["synchronized"]}


def _churn(rounds: int, visits: int) -> dict[str, Figures]:
    told: dict[str, list[Figures]] = {"without": [], "lines": []}
    with server() as (switch, port):
        with Connection(port) as connection:
            fill(connection, 0, PRESENT)
        for _ in range(rounds):
            figures: dict[str, list[Figures]] = {name: [] for name in told}
            for _ in range(visits):
                for name, each in figures.items():
                    rest(switch)
                    options = '{"lines": true}' if name == "lines" else "{}"
                    each.append(run(switch, port, "ours", options))
            for name, each in figures.items():
                told[name].append(average(each))
                note(f"command: churn {name}: {told[name][-1]}")
    return {name: best(each) for name, each in told.items()}
