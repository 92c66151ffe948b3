# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Starts clients as processes and reads the lines that they print; starts
servers, and waits until a server is at rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.clients.figures import processorTime
from benchmarks.connection import Connection
from benchmarks.database import makeBridge
from tools.openvswitch import PrivateOpenVSwitch

ROOT: Final = Path(__file__).resolve().parent.parent

SYSTEM_PYTHON: Final = "/usr/bin/python3"
"""The Python that has Debian's python3-openvswitch; a virtual environment does not have it."""

PATIENCE: Final = 300.0
"""Seconds that a client may be silent."""

GOODBYE: Final = 20.0
"""Seconds that a client may need to end, because it may have much memory to free."""

REST: Final = 0.1
"""Seconds in which a server at rest uses almost no CPU."""

Figures = dict[str, Any]


class Client:
    """
    One client, as a process of its own.
    """

    def __init__(self, name: str, *arguments: object) -> None:
        python = SYSTEM_PYTHON if name == "pyovs" else sys.executable
        self.name = name
        self._done = False
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.clients.{name}", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        """
        The process's id.
        """
        return self._process.pid

    def hear(self) -> Figures:
        """
        Wait for the next line and read it.

        @raise RuntimeError: if there is none.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise RuntimeError(f"{self.name} printed nothing; its status: {self._process.poll()}")
        figures: Figures = json.loads(line)
        if "error" in figures:
            raise RuntimeError(f"{self.name}: {figures['error']}")
        self._done = not figures.get("ready")
        return figures

    def end(self) -> None:
        """
        Wait until the client ends, if it has printed its figures. Otherwise
        end it.
        """
        assert self._process.stdout is not None
        if not self._done:
            self._process.terminate()
        try:
            self._process.wait(GOODBYE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def client(name: str, *arguments: object) -> Iterator[Client]:
    """
    A client that is ended when the block is left.
    """
    process = Client(name, *arguments)
    try:
        yield process
    finally:
        process.end()


def figuresOf(name: str, *arguments: object) -> Figures:
    """
    Run a client to its end, and return its last line.
    """
    with client(name, *arguments) as process:
        figures = process.hear()
        while figures.get("ready"):
            figures = process.hear()
        return figures


def rest(switch: PrivateOpenVSwitch) -> None:
    """
    Wait until ovsdb-server is at rest. After a client with many rows has
    disconnected, the server works on for a while.
    """
    pid = switch.pid("ovsdb-server")
    used = processorTime(pid)
    while True:
        time.sleep(REST)
        now = processorTime(pid)
        if now - used < REST / 50:
            return
        used = now


@contextlib.contextmanager
def server() -> Iterator[tuple[PrivateOpenVSwitch, int]]:
    """
    An ovsdb-server on TCP with an empty bridge and without an ovs-vswitchd,
    and its port.
    """
    with running(PrivateOpenVSwitch(tcp=True, vswitchd=False)) as (switch, port):
        with Connection(port) as connection:
            makeBridge(connection)
        yield switch, port


@contextlib.contextmanager
def running(switch: PrivateOpenVSwitch) -> Iterator[tuple[PrivateOpenVSwitch, int]]:
    """
    Start a switch, and stop it when the block is left.
    """
    try:
        switch.start()
        assert switch.port is not None
        yield switch, switch.port
    finally:
        switch.stop()


def parserOfPyovs() -> str | None:
    """
    Which JSON parser python-ovs has, C{C} or C{PYTHON}; None if python-ovs is
    not installed.
    """
    try:
        found = subprocess.run(
            [SYSTEM_PYTHON, "-m", "benchmarks.clients.pyovs", "parser"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    parser: str = json.loads(found.stdout)["parser"]
    return parser


def average(runs: Sequence[Figures]) -> Figures:
    """
    The mean of each figure. The speed of a machine changes from moment to
    moment. A run of a second is a mean of such moments by itself; a shorter
    run is not, so it is repeated.
    """
    return {
        name: None if value is None else statistics.fmean(run[name] for run in runs)
        for name, value in runs[0].items()
    }


def best(rounds: Sequence[Figures]) -> Figures:
    """
    The smallest value of each figure. C{rounds} has the figures of all rounds.
    """
    figures: Figures = {
        name: min(figures[name] for figures in rounds)
        for name, value in rounds[0].items()
        if value is not None
    }
    return {**figures, "rounds": list(rounds)}


def note(text: str) -> None:
    """
    Print a line of progress to standard error: standard output has only the
    tables.
    """
    print(text, file=sys.stderr, flush=True)
