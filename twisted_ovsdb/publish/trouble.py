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
    which are not answered; with switches, whose messages are refused.
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
        # Of switches: why something was refused, and when it was the last time.
        self._refused: dict[str, tuple[str, float]] = {}
        self._connected = False

    def begin(self, what: str, reason: str) -> None:
        """
        Something is wrong.

        @param what: with what: C{connection} or C{requests}.
        """
        if self._reasons.get(what) == reason:
            return
        first = self.missing() is None
        self._reasons[what] = reason
        # While there is no connection, no request goes well.
        if first or what == "connection":
            self._say(reason)

    def end(self, what: str) -> None:
        """It is right, for the first time or again."""
        ended = self._reasons.pop(what, None) is not None
        if what == "connection":
            self._reasons.pop("requests", None)
            ended = bool(self._refused) or ended
            self._refused.clear()
            if not self._connected:
                self._connected = True
                self._log.info("--publish {broker}: connected, publishing", broker=self._name)
                return
        if ended:
            self._ended()

    def refuse(self, switch: str, reason: str) -> None:
        """
        Something of a switch is refused.

        @param switch: as it is written in subjects.
        """
        first = self.missing() is None
        self._refused[switch] = reason, self._now()
        if first:
            self._say(reason)

    def take(self, switch: str) -> None:
        """Something of a switch is taken."""
        if self._refused and self._refused.pop(switch, None) is not None:
            self._ended()

    def look(self) -> None:
        """See what was refused and may be tried again."""
        limit = self._now() - REFUSED
        for switch in [each for each, (_, at) in self._refused.items() if at <= limit]:
            self.take(switch)

    def has(self, what: str) -> bool:
        """Whether this is wrong."""
        return what in self._reasons

    def stops(self, switch: str) -> bool:
        """Whether nothing can be published of this switch now, as far as is known."""
        return bool(self._reasons) or switch in self._refused

    def missing(self) -> str | None:
        """What is wrong, for C{/ready}; None if nothing is."""
        for reason in (*self._reasons.values(), *(each for each, _ in self._refused.values())):
            return f"--publish {self._name}: {reason}"
        return None

    def _say(self, reason: str) -> None:
        self._log.warn(
            "--publish {broker}: {reason}; trying again, and what happens meanwhile is"
            " published as one difference",
            broker=self._name,
            reason=reason,
        )

    def _ended(self) -> None:
        if self.missing() is None:
            self._log.info("--publish {broker}: publishing again", broker=self._name)
