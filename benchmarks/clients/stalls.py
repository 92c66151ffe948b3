# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd}, in a process that measures how long its reactor is blocked:

    stalls FILE OPTION...

At SIGUSR1 it writes two times since the last SIGUSR1 to the file: the longest one, and the most
CPU that the reactor's thread used between two looks, in seconds. On a machine that has other
things to do, the first one is longer than what the process itself causes.
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
        self._worst = self._work = 0.0

    def start(self) -> None:
        """Begin."""
        self._last = time.monotonic()
        signal.signal(signal.SIGUSR1, lambda *_: self._write())
        self._look()

    def _look(self) -> None:
        now, used = time.monotonic(), time.thread_time()
        self._work = max(self._work, used - self._used)
        self._used = used
        self._worst = max(self._worst, now - self._last - STEP)
        self._last = now
        self._reactor.callLater(STEP, self._look)

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(f"{self._worst} {self._work}", "ascii")
        os.replace(new, self._path)
        self._worst = self._work = 0.0


def main(path: str, *options: str) -> None:
    """Run twistd."""
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    reactor.callWhenRunning(Stalls(reactor, Path(path)).start)
    sys.argv = ["twistd", *options]
    run()


if __name__ == "__main__":
    main(*sys.argv[1:])
