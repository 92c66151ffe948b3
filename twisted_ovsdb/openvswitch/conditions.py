# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is wrong on one switch now, by the rows of its interfaces and the counters of
its configuration. How long it has been so is left to
L{twisted_ovsdb.openvswitch.problems}.

A row costs what it has: how many others have the same iface-id, or name the same
peer, does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import InterfaceKind, OvsInterface, Problem

Key = tuple[str, Problem]
"""The UUID of an interface, or C{SWITCH}, and what is wrong with it."""

SWITCH: Final = ""
"""In place of the UUID, for a problem of the switch."""

OF_INTERFACES: Final = tuple(problem for problem in Problem if problem is not Problem.NOT_APPLYING)
"""The problems that an interface may have."""

Configuration = tuple[int, int]
"""C{next_cfg} and C{cur_cfg} of a switch."""

NAMED: Final = 3
"""Interfaces with the same iface-id that a detail names."""

# Looked up once: CPython 3.11 is slow to find a member of an enum.
_FAILED, _PENDING, _BRIDGE = Problem.FAILED, Problem.PENDING, InterfaceKind.BRIDGE
_DUPLICATE, _ONE_SIDED = Problem.DUPLICATE_IFACE_ID, Problem.ONE_SIDED_PATCH


class Conditions:
    """
    What is wrong with the interfaces of one switch, as they were last looked at.

    @ivar rows: the interfaces by UUID, as they are now.
    """

    def __init__(self, rows: Mapping[str, OvsInterface]) -> None:
        self.rows = rows
        self.configuration: Configuration | None = None
        self._ifaceIds: dict[str, str] = {}  # of each interface that has one
        self._having: dict[str, dict[str, None]] = {}  # UUIDs by iface-id
        self._patches: dict[str, tuple[str, str | None]] = {}  # name and peer
        self._named: dict[str, str] = {}  # UUIDs of patch ports by name

    def clear(self) -> None:
        """Forget all interfaces."""
        self.configuration = None
        for index in (self._ifaceIds, self._having, self._patches, self._named):
            index.clear()

    def look(self, uuid: str) -> Iterator[tuple[Key, bool]]:
        """
        Look at an interface again, which has changed or is gone.

        @return: of each problem that it may have or may have had, and of those
            that others have or had because of it: whether it is there now. A
            problem that is told to be there may have been there already.
        """
        row = self.rows.get(uuid)
        if row is not None:
            failed = row.failed
            yield (uuid, _FAILED), failed
            yield (uuid, _PENDING), row.ofport is None and not failed
        ifaceId = peer = None
        if row is not None and row.external_ids and row.kind is not _BRIDGE:
            ifaceId = row.iface_id
        if ifaceId != self._ifaceIds.get(uuid):
            yield from self._moveIfaceId(uuid, ifaceId)
        if row is not None and row.type == "patch":
            peer = (row.name, row.peer)
        if peer != self._patches.get(uuid):
            yield from self._movePatch(uuid, peer)

    def _moveIfaceId(self, uuid: str, ifaceId: str | None) -> Iterator[tuple[Key, bool]]:
        before = self._ifaceIds.pop(uuid, None)
        if before is not None:
            others = self._having[before]
            del others[uuid]
            yield (uuid, _DUPLICATE), False
            if len(others) == 1:
                yield (next(iter(others)), _DUPLICATE), False
            elif not others:
                del self._having[before]
        if ifaceId is not None:
            self._ifaceIds[uuid] = ifaceId
            others = self._having.setdefault(ifaceId, {})
            if len(others) == 1:
                yield (next(iter(others)), _DUPLICATE), True
            others[uuid] = None
            yield (uuid, _DUPLICATE), len(others) > 1

    def _movePatch(
        self, uuid: str, patch: tuple[str, str | None] | None
    ) -> Iterator[tuple[Key, bool]]:
        # Only the peers that it names, and named, can be whole or one-sided by it.
        concerned = {uuid: None}
        before = self._patches.pop(uuid, None)
        if before is not None:
            concerned.update(dict.fromkeys(self._find(before[1])))
            if self._named.get(before[0]) == uuid:
                del self._named[before[0]]
        if patch is not None:
            self._patches[uuid] = patch
            self._named[patch[0]] = uuid
            concerned.update(dict.fromkeys(self._find(patch[1])))
        for each in concerned:
            yield (each, _ONE_SIDED), each in self._patches and not self._isWhole(each)

    def _find(self, name: str | None) -> list[str]:
        found = None if name is None else self._named.get(name)
        return [] if found is None else [found]

    def _isWhole(self, uuid: str) -> bool:
        name, peer = self._patches[uuid]
        return any(self._patches[other][1] == name for other in self._find(peer))

    # In words

    def detail(self, key: Key) -> str:
        """What is wrong, in a few words for people; printable."""
        uuid, problem = key
        if problem is Problem.NOT_APPLYING:
            wanted, applied = self.configuration or (0, 0)
            return f"cur_cfg {applied} is behind next_cfg {wanted}"
        row = self.rows.get(uuid)
        if row is None:
            return "the interface is gone"
        if problem is _FAILED:
            return printable(row.error or f"ofport {row.ofport}")
        if problem is _PENDING:
            return "no OpenFlow port"
        if problem is _DUPLICATE:
            return self._detailOfDuplicate(uuid)
        if row.peer is None:
            return "it names no peer"
        what = "names another peer" if self._find(row.peer) else "is no patch port of this switch"
        return f"its peer {printable(row.peer)} {what}"

    def _detailOfDuplicate(self, uuid: str) -> str:
        ifaceId = self._ifaceIds.get(uuid, "")
        having = self._having.get(ifaceId, {})
        others = islice((other for other in having if other != uuid), NAMED)
        rows = [row for row in map(self.rows.get, others) if row is not None]
        more = len(having) - 1 - len(rows)
        also = ", ".join(printable(row.name) for row in rows)
        also += f" and {more} more" if more > 0 else ""
        return f"iface-id {printable(ifaceId)} is also on {also}"
