# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer is told once more, although it is as it was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted_ovsdb.events import OvsInterface


class Replay:
    """
    The interfaces that were told when it began, each of them once. One that is told
    otherwise meanwhile is left out.

    @ivar active: from L{begin} to L{end}: whether L{note} has to be called.
    """

    def __init__(self) -> None:
        self.active = False
        # A list and a set of what is left out: of many interfaces, they are made in
        # a tenth of the time of a dict of what is left.
        self._rows: list[OvsInterface] = []  # taken from the end
        self._done: set[str] = set()

    def begin(
        self, rows: Sequence[OvsInterface], untold: set[str], gone: Iterable[OvsInterface]
    ) -> None:
        """
        @param rows: what is present, in the order in which it is told.
        @param untold: the UUIDs of those among them that were not told.
        @param gone: what was told and is no longer present: it may come back, as it was.
        """
        self.active = True
        self._rows = [*reversed(rows), *gone]
        self._done = untold

    def end(self) -> None:
        """Nothing is told once more."""
        self.active = False
        self._rows, self._done = [], set()

    def waits(self, uuid: str) -> bool:
        """Whether an interface that was told, and that may be gone, is still to be told again."""
        return self.active and uuid not in self._done

    def note(self, uuid: str) -> None:
        """Note that something is told of this interface."""
        self._done.add(uuid)

    def next(self) -> str | None:
        """Take the UUID of the next interface; None if there is none."""
        while self._rows:
            uuid = self._rows.pop().uuid
            if uuid not in self._done:
                self._done.add(uuid)
                return uuid
        return None
