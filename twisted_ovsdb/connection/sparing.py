# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A kind of line that a peer can repeat as fast as it likes: it is said a few times,
and then only counted. twistd writes debug lines too, so they are not free either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from twisted.logger import Logger, LogLevel

LINES: Final = 10
"""Lines that are said in each time: enough to see what is going on."""

TIME: Final = 60.0
"""Seconds."""


class Sparing:
    """Logs some lines in each time. How many more there were is said after that."""

    def __init__(
        self,
        more: str = "... and {count} more such lines",
        lines: int = LINES,
        seconds: float = TIME,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param more: says how many more there were; with C{count}.
        @param lines: how many lines are said in each time.
        @param seconds: the time.
        @param now: tells the time, in seconds.
        """
        self._more = more
        self._lines = lines
        self._seconds = seconds
        self._now = now
        self._begun: float | None = None  # the present time
        self._said = self._counted = 0  # in it
        self._level = LogLevel.debug

    def say(self, log: Logger, level: LogLevel, text: str, **values: object) -> None:
        """Say a line, or count it. The values are made even if it is only counted."""
        now = self._now()
        if self._begun is None or now - self._begun >= self._seconds:
            self.sayCount(log)
            self._begun = now
        if self._said >= self._lines:
            self._counted += 1
            return
        self._said, self._level = self._said + 1, level
        log.emit(level, text, **values)

    def sayCount(self, log: Logger) -> None:
        """Say how many were only counted: nothing if none was. The time begins anew."""
        if self._counted:
            log.emit(self._level, self._more, count=self._counted)
        self._begun, self._said, self._counted = None, 0, 0
