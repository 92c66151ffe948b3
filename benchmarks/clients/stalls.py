# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd}, in a process that measures how long its reactor is blocked:

    stalls FILE OPTION...

At SIGUSR1 it writes three times since the last SIGUSR1 to the file, in seconds: the longest
stall, the longest one without the time in which the kernel gave all cores to other threads, and
the most CPU that the reactor's thread used between two looks.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

STEP: Final = 0.005
"""Seconds between two looks."""


class Stalls:
    """Measures the longest stall."""

    def __init__(self, reactor: Any, path: Path) -> None:
        self._reactor = reactor
        self._path = path
        self._last = time.monotonic()
        self._used = time.thread_time()
        self._delays = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._waited = self._delay()
        self._worst = self._own = self._work = 0.0

    def start(self) -> None:
        """Begin."""
        self._last, self._waited = time.monotonic(), self._delay()
        signal.signal(signal.SIGUSR1, lambda *_: self._write())
        self._look()

    def _look(self) -> None:
        now, used, waited = time.monotonic(), time.thread_time(), self._delay()
        stall = now - self._last - STEP
        self._work = max(self._work, used - self._used)
        self._worst = max(self._worst, stall)
        self._own = max(self._own, stall - (waited - self._waited))
        self._last, self._used, self._waited = now, used, waited
        self._reactor.callLater(STEP, self._look)

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(f"{self._worst} {self._own} {self._work}", "ascii")
        os.replace(new, self._path)
        self._worst = self._own = self._work = 0.0

    def _delay(self) -> float:
        """How long this thread has waited for a core, by the kernel."""
        return int(os.pread(self._delays, 100, 0).split()[1]) / 1e9


def main(path: str, *options: str) -> None:
    """Run twistd."""
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    reactor.callWhenRunning(Stalls(reactor, Path(path)).start)
    sys.argv = ["twistd", *options]
    run()


if __name__ == "__main__":
    main(*sys.argv[1:])
