# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What all clients measure of themselves, and how they print it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

COLUMNS = ("name", "type", "ofport", "error", "external_ids", "options")
"""The columns that every client asks for: those that this package monitors by default."""

SENT = "bench-sent"
"""The key in external_ids for the time of sending, by CLOCK_MONOTONIC."""

MARK = "mark-"
"""The prefix of a mark: the name of an interface that begins or ends a phase."""

LAST_MARK = "mark-end"


def say(**figures: object) -> None:
    """
    Print one JSON line.
    """
    print(json.dumps(figures), flush=True)


def peakMemory(pid: int | str = "self") -> int:
    """
    The most memory that a process has had, in bytes.
    """
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"no VmHWM for {pid}")


def processorTime(pid: int) -> float:
    """
    The CPU time of a process with all its threads, in seconds, exact to the
    nanosecond.
    """
    # This is what clock_getcpuclockid(3) computes, which Python does not have.
    return time.clock_gettime((~pid << 3) | 2)


def percentile(values: Sequence[float], share: float) -> float:
    """
    The smallest value that this share of the values does not exceed.
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Phases:
    """
    Counts events between one mark and the next.
    """

    def __init__(self) -> None:
        self.events = 0
        self._latencies: list[float] = []
        self._phases: dict[str, dict[str, float]] = {}
        self._name = ""
        self._cpu = 0.0

    def sent(self, stamp: str) -> None:
        """
        Note when the row of the present event was sent.
        """
        self._latencies.append(time.monotonic() - float(stamp))

    def mark(self, name: str) -> bool:
        """
        End the present phase and begin another.

        @return: whether that was the last mark. Then L{tell} is to be called.
        """
        cpu = time.process_time()
        if self.events:
            phase = {"events": self.events, "cpu": cpu - self._cpu}
            if self._latencies:
                phase["p50"] = percentile(self._latencies, 0.5)
                phase["p99"] = percentile(self._latencies, 0.99)
            self._phases[self._name] = phase
        self.events, self._latencies = 0, []
        self._name = name.removeprefix(MARK)
        self._cpu = time.process_time()
        return name == LAST_MARK

    def tell(self) -> None:
        """
        Print the figures of all phases.
        """
        say(phases=self._phases)
