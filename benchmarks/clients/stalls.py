# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd}, in a process that measures how long its reactor is blocked:

    stalls FILE OPTION...

At SIGUSR1 it writes the longest time since the last SIGUSR1 to the file.
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
        self._worst = 0.0

    def start(self) -> None:
        """Begin."""
        self._last = time.monotonic()
        signal.signal(signal.SIGUSR1, lambda *_: self._write())
        self._look()

    def _look(self) -> None:
        now = time.monotonic()
        self._worst = max(self._worst, now - self._last - STEP)
        self._last = now
        self._reactor.callLater(STEP, self._look)

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(repr(self._worst), "ascii")
        os.replace(new, self._path)
        self._worst = 0.0


def main(path: str, *options: str) -> None:
    """Run twistd."""
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    reactor.callWhenRunning(Stalls(reactor, Path(path)).start)
    sys.argv = ["twistd", *options]
    profile = os.environ.get("BENCH_PROFILE")
    if profile is None:
        run()
        return
    import cProfile

    cProfile.runctx("run()", {"run": run}, {}, profile)


if __name__ == "__main__":
    main(*sys.argv[1:])
