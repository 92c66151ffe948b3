# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Interfaces by a key, such as their name: callers may look for one at every event,
and a search through all rows would be slow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted_ovsdb.events import OvsInterface


class Index:
    """
    The interfaces that have a kind, by a key. The first L{get} builds the index;
    before, it costs nothing.
    """

    def __init__(
        self, rows: Mapping[str, OvsInterface], key: Callable[[OvsInterface], str | None]
    ) -> None:
        self._rows = rows
        self._key = key
        # Most keys have one interface, and a tuple of one is small.
        self._found: dict[str, tuple[OvsInterface, ...]] | None = None

    @property
    def made(self) -> bool:
        """Whether the index is built; L{note} does nothing before."""
        return self._found is not None

    def get(self, key: str) -> tuple[OvsInterface, ...]:
        """The interfaces that have this key."""
        if self._found is None:
            self._found = {}
            for row in self._rows.values():
                self.note(row.uuid, None, row)
        return self._found.get(key, ())

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """
        Note that a row has changed.

        @param before: the row before this change, None if there was none.
        @param now: the row now, None if it is gone.
        """
        found = self._found
        if found is None:
            return
        old, new = self._keyOf(before), self._keyOf(now)
        if old is not None and old != new:
            rest = tuple(row for row in found[old] if row.uuid != uuid)
            if rest:
                found[old] = rest
            else:
                del found[old]
        if now is not None and new is not None:
            there = found.get(new, ())
            if old == new:
                found[new] = tuple(now if row.uuid == uuid else row for row in there)
            else:
                found[new] = (*there, now)

    def _keyOf(self, row: OvsInterface | None) -> str | None:
        return None if row is None or row.kind is None else self._key(row)
