# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Clients as processes: starting them, hearing what they say, and a server that
has come to rest before each.
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
"""Which has Debian's python3-openvswitch; a virtual environment has not."""

PATIENCE: Final = 300.0
"""Seconds that a client may be silent."""

GOODBYE: Final = 20.0
"""Seconds that a client may need to end: it may have much memory to give back."""

REST: Final = 0.1
"""Seconds in which a server at rest uses next to no CPU."""

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
            raise RuntimeError(f"{self.name} said nothing; its status: {self._process.poll()}")
        figures: Figures = json.loads(line)
        if "error" in figures:
            raise RuntimeError(f"{self.name}: {figures['error']}")
        self._done = not figures.get("ready")
        return figures

    def end(self) -> None:
        """
        Wait for its end if it has given its figures; else end it.
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
    The last line of a client.
    """
    with client(name, *arguments) as process:
        figures = process.hear()
        while figures.get("ready"):
            figures = process.hear()
        return figures


def rest(switch: PrivateOpenVSwitch) -> None:
    """
    Wait until ovsdb-server is at rest: it works on for a while after a client
    has gone that had many rows.
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
    Start it, and stop it in the end.
    """
    try:
        switch.start()
        assert switch.port is not None
        yield switch, switch.port
    finally:
        switch.stop()


def parserOfPyovs() -> str | None:
    """
    Which JSON parser python-ovs has, C{C} or C{PYTHON}; None if there is no
    python-ovs.
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
    The mean of each figure: what takes a second is a mean of good and bad
    moments of the machine by itself, and what takes less has to be made one.
    """
    return {
        name: None if value is None else statistics.fmean(run[name] for run in runs)
        for name, value in runs[0].items()
    }


def best(rounds: Sequence[Figures]) -> Figures:
    """
    The smallest value of each figure, and under C{rounds} all that were.
    """
    figures: Figures = {
        name: min(figures[name] for figures in rounds)
        for name, value in rounds[0].items()
        if value is not None
    }
    return {**figures, "rounds": list(rounds)}


def note(text: str) -> None:
    """
    Tell who waits what is going on; standard output has the tables only.
    """
    print(text, file=sys.stderr, flush=True)
