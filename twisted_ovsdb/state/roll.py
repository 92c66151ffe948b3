# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The switches that one observer was told of: which of them no longer come back. What
is away for too long, and what is another switch by now, is forgotten, so that what
is stored stays bounded.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Protocol

import attrs

from twisted_ovsdb.events import Disconnected, Event, SwitchForgotten, Synchronized
from twisted_ovsdb.state.batch import Batch


class Known(Protocol):
    """What is stored of a switch."""

    source: str | None
    absent: float


@attrs.define
class _Member:
    source: str | None  # None: it connects to us
    absent: float
    here: bool = False  # whether it is in sync
    met: bool = False  # whether a monitor of this process has it


class Roll:
    """Knows the switches that are stored, and those that are told of now."""

    def __init__(self, stored: Mapping[str, Known]) -> None:
        self._members = {key: _Member(known.source, known.absent) for key, known in stored.items()}

    def apply(self, batch: Batch) -> None:
        """Add what was told at the end of an earlier life, and is not stored yet."""
        if batch.emptied:
            self._members.clear()
        for key, changes in batch.switches.items():
            if changes.forgotten:
                self.forget(key)
            elif key not in self._members:
                self._members[key] = _Member(changes.source, 0)

    def __contains__(self, switch: str) -> bool:
        return switch in self._members

    def met(self, switch: str) -> None:
        """A monitor has asked for this switch: it knows itself what becomes of it."""
        if switch in self._members:
            self._members[switch].met = True

    def note(self, event: Event) -> list[str]:
        """
        An event is about to be told.

        @return: the switches that were behind the same endpoint in an earlier life.
            No interface of theirs is left.
        """
        switch = event.switch
        if isinstance(event, SwitchForgotten):
            self.forget(switch)
            return []
        member = self._members.get(switch)
        if member is not None and member.met and member.source == event.source:
            replaced: list[str] = []
        else:
            source = None if event.address is not None else event.source
            replaced = [] if source is None else self._others(switch, source)
            if member is None:
                member = self._members[switch] = _Member(source, 0)
            member.source, member.met = source, True
        if isinstance(event, Synchronized):
            member.here, member.absent = True, 0
        elif isinstance(event, Disconnected):
            member.here = False
        return replaced

    def _others(self, switch: str, source: str) -> list[str]:
        return [
            key
            for key, member in self._members.items()
            if key != switch and member.source == source
        ]

    def wasMet(self, switch: str) -> bool:
        """Whether a monitor of this process has it, or had it."""
        return switch in self._members and self._members[switch].met

    def forget(self, switch: str) -> None:
        """It is not awaited any more."""
        self._members.pop(switch, None)

    def passed(self, seconds: float) -> Iterable[tuple[str, float]]:
        """
        Time has passed.

        @return: the switches that are away, and the seconds of each, in all lives of
            the process. While there is no process, no switch is awaited.
        """
        for key, member in self._members.items():
            if not member.here:
                member.absent += seconds
                yield key, member.absent

    def lost(self, limit: float) -> list[str]:
        """The switches that have been away for longer, and that no monitor has."""
        members = self._members.items()
        return [key for key, member in members if not member.met and member.absent > limit]

    def notGiven(self, sources: Container[str], listens: bool) -> list[str]:
        """
        The switches that cannot come back.

        @param sources: the endpoints that are given now.
        @param listens: whether switches can connect to us.
        """
        return [
            key
            for key, member in self._members.items()
            if not (listens if member.source is None else member.source in sources)
        ]
