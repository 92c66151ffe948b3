# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which events of a snapshot the log lists one by one. Nobody reads 100,000 lines, and
they cost more than all the rest; of many, how many there were is enough, and which
of them failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import Cause, InterfaceEvent, InterfaceOffline, InterfaceOnline
from twisted_ovsdb.observers.base import EVENT_NAMES

SNAPSHOT_LINES: Final = 50
"""Events of one sort that are listed: about as many lines as a screen has."""

FAILED_NAMES: Final = 50
"""Interfaces that are named because they failed; a server may have any number."""


class Snapshot:
    """
    The events of one snapshot, until it has been told.

    Online events are listed when it is known that there are few of them. Other ones
    are listed at once, until there are many: they may be the last for a long time.

    @ivar failed: whether an event that is not listed tells of a failure.
    """

    def __init__(self) -> None:
        self._sort: tuple[type[InterfaceEvent], Cause] | None = None  # of the latest event
        self._count = 0  # of this sort
        self._waiting: list[InterfaceEvent] = []  # of this sort
        self._unlisted: Counter[str] = Counter()
        self._failed: list[str] = []
        self._failures = 0

    @property
    def failed(self) -> bool:
        """Whether an event that is not listed tells of a failure."""
        return self._failures > 0

    def take(self, event: InterfaceEvent) -> Sequence[InterfaceEvent]:
        """
        Take the next event.

        @return: those to list now.
        """
        sort = type(event), event.cause
        listed: list[InterfaceEvent] = []
        if sort != self._sort:
            listed = self.end()
            self._sort, self._count = sort, 0
        self._count += 1
        if self._count > SNAPSHOT_LINES:
            for each in self.end():
                self._leaveOut(each)
            self._leaveOut(event)
        elif sort[0] is InterfaceOnline:
            self._waiting.append(event)
        else:
            listed.append(event)
        return listed

    def end(self) -> list[InterfaceEvent]:
        """@return: what is still to be listed: no more of this sort will come."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def describe(self) -> str:
        """What is not listed, to be put behind another line; empty if all is."""
        if not self._unlisted:
            return ""
        text = "; not listed: " + ", ".join(f"{n} {what}" for what, n in self._unlisted.items())
        if self._failures:
            names = ", ".join(self._failed)
            more = self._failures - len(self._failed)
            text += f"; failed: {names}{f' and {more} more' if more else ''}"
        return text

    def _leaveOut(self, event: InterfaceEvent) -> None:
        name = "unchanged" if event.cause is Cause.REPLAY else EVENT_NAMES[type(event)]
        self._unlisted[name] += 1
        if event.interface.failed and not isinstance(event, InterfaceOffline):
            self._failures += 1
            if len(self._failed) < FAILED_NAMES:
                self._failed.append(printable(event.interface.name))
