# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is wrong with the broker now: one line when it begins, and one when it ends. The
first connection is one line too.
"""

from __future__ import annotations

from twisted.logger import Logger


class Trouble:
    """
    Logs when something begins and ends to be wrong.
    """

    _log = Logger()

    def __init__(self, name: str) -> None:
        """@param name: of the broker, for people."""
        self._name = name
        self._reasons: dict[str, str] = {}
        self._connected = False

    def begin(self, what: str, reason: str) -> None:
        """
        Something is wrong.

        @param what: with what.
        """
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
            if not self._connected:
                self._connected = True
                self._log.info("--publish {broker}: connected, publishing", broker=self._name)
                return
        if ended and not self._reasons:
            self._log.info("--publish {broker}: publishing again", broker=self._name)

    def has(self, what: str) -> bool:
        """Whether this is wrong."""
        return what in self._reasons

    def missing(self) -> str | None:
        """What is wrong, for C{/ready}; None if nothing is."""
        for reason in self._reasons.values():
            return f"--publish {self._name}: {reason}"
        return None
