# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Interfaces by a key, such as their name, or their bridge and OpenFlow port.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from twisted_ovsdb.ovsinterface import OvsInterface, saysNothing


class Index:
    """
    All interfaces by a key such as their name. The first question builds the index;
    before, it costs nothing. Callers may look for an interface at every event, and a
    search through all rows would be slow.
    """

    def __init__(
        self, rows: Mapping[str, OvsInterface], key: Callable[[OvsInterface], Hashable]
    ) -> None:
        """@param key: the key of an interface, None if it has none."""
        self._rows = rows
        self._key = key
        # Most keys have one interface. Without a tuple around it, an index of
        # 100,000 is built in half the time, because the collector has nothing to do.
        self._found: dict[Hashable, OvsInterface | tuple[OvsInterface, ...]] | None = None

    @property
    def made(self) -> bool:
        """Whether the index is built; L{note} does nothing before."""
        return self._found is not None

    def get(self, key: Hashable) -> tuple[OvsInterface, ...]:
        """The interfaces that have this key and a kind."""
        return tuple(row for row in self.all(key) if row.kind is not None)

    def all(self, key: Hashable) -> tuple[OvsInterface, ...]:
        """The interfaces that have this key, also those without a kind."""
        if self._found is None:
            self._build()
        assert self._found is not None
        found = self._found.get(key, ())
        return found if isinstance(found, tuple) else (found,)

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """Note that a row has changed: what it was before, and what it is now."""
        if self._found is None:
            return
        old = None if before is None else self._key(before)
        new = None if now is None else self._key(now)
        if old is not None and old != new:
            self._put(old, tuple(row for row in self.all(old) if row.uuid != uuid))
        if now is not None and new is not None:
            there = self.all(new)
            if old == new:
                self._put(new, tuple(now if row.uuid == uuid else row for row in there))
            else:
                self._put(new, (*there, now))

    def _build(self) -> None:
        rows = self._rows.values()
        keys = list(map(self._key, rows))
        # All at once, in two thirds of the time that a loop needs.
        found: dict[Hashable, OvsInterface | tuple[OvsInterface, ...]]
        found = self._found = dict(zip(keys, rows, strict=True))
        found.pop(None, None)
        if len(found) + keys.count(None) == len(keys):
            return
        others: dict[Hashable, list[OvsInterface]] = {}  # than the last one with this key
        for key, row in zip(keys, rows, strict=True):
            if key is not None and found[key] is not row:
                others.setdefault(key, []).append(row)
        for key, before in others.items():
            found[key] = (*before, *self.all(key))

    def _put(self, key: Hashable, rows: tuple[OvsInterface, ...]) -> None:
        assert self._found is not None
        if rows:
            self._found[key] = rows[0] if len(rows) == 1 else rows
        else:
            del self._found[key]


def _bridgeAndOfport(row: OvsInterface) -> tuple[str, int] | None:
    if row.bridge is None or row.ofport is None or saysNothing(row.ofport):
        return None
    return row.bridge, row.ofport


class OfportIndex(Index):
    """
    The interfaces by bridge and OpenFlow port, also those that have no kind.

    A port that has moved to another bridge has the number of its former bridge until
    ovs-vswitchd gives it another one. In this time, two interfaces may have one bridge
    and one number, and the one that has moved is not what the number means. It cannot
    be told from a row which one that is, so moves are noted from the beginning.
    """

    def __init__(self, rows: Mapping[str, OvsInterface]) -> None:
        super().__init__(rows, _bridgeAndOfport)
        self._moved: dict[str, None] = {}  # UUIDs, in the order of the moves

    @property
    def made(self) -> bool:
        """True: L{note} does something from the beginning."""
        return True

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """See L{Index.note}."""
        if before is not None:
            if now is None or now.ofport != before.ofport:
                self._moved.pop(uuid, None)
            elif now.bridge != before.bridge:
                self._moved.pop(uuid, None)
                self._moved[uuid] = None
        super().note(uuid, before, now)

    def find(self, bridge: str, ofport: int) -> OvsInterface | None:
        """
        @return: the interface that has this OpenFlow port of this bridge; None if
            there is none, if it has no kind, or if more than one has not moved.
        """
        claims = {row.uuid: row for row in self.all((bridge, ofport))}
        holders = [row for row in claims.values() if row.uuid not in self._moved]
        if not holders and claims:
            # ovs-vswitchd may have given one the number of before, which shows no change.
            holders = [next(claims[uuid] for uuid in self._moved if uuid in claims)]
        if len(holders) != 1 or holders[0].kind is None:
            return None
        return holders[0]
