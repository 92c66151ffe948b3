# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is wrong with the broker now: one line when it begins, and one when it ends. The
first connection is one line too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from twisted.logger import Logger

REFUSED: Final = 30.0
"""
Seconds after which what was refused may be tried again: whoever does not speak writes
nothing, and would never learn that it would be taken.
"""


class Trouble:
    """
    Logs when something begins and ends to be wrong: with the connection; with requests,
    which are not answered; with writes, which are refused.
    """

    _log = Logger()

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        """
        @param name: of the broker, for people.
        @param now: the time in seconds that never jump.
        """
        self._name = name
        self._now = now
        self._reasons: dict[str, str] = {}
        self._refused = 0.0  # when something was refused last
        self._connected = False

    def begin(self, what: str, reason: str) -> None:
        """
        Something is wrong.

        @param what: with what.
        """
        if what == "writes":
            self._refused = self._now()
        if self._reasons.get(what) == reason:
            return
        first = not self._reasons
        self._reasons[what] = reason
        # While there is no connection, no request goes well.
        if first or what == "connection":
            self._log.warn(
                "--publish {broker}: {reason}; trying again, and what happens meanwhile is"
                " published as one difference",
                broker=self._name,
                reason=reason,
            )

    def end(self, what: str) -> None:
        """It is right, for the first time or again."""
        ended = self._reasons.pop(what, None) is not None
        if what == "connection":
            self._reasons.pop("requests", None)
            self._reasons.pop("writes", None)
            if not self._connected:
                self._connected = True
                self._log.info("--publish {broker}: connected, publishing", broker=self._name)
                return
        if ended and not self._reasons:
            self._log.info("--publish {broker}: publishing again", broker=self._name)

    def look(self) -> None:
        """See whether what was refused may be tried again."""
        if self.has("writes") and self._now() - self._refused >= REFUSED:
            self.end("writes")

    def has(self, what: str) -> bool:
        """Whether this is wrong."""
        return what in self._reasons

    def missing(self) -> str | None:
        """What is wrong, for C{/ready}; None if nothing is."""
        for reason in self._reasons.values():
            return f"--publish {self._name}: {reason}"
        return None
