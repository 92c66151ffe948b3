# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.index}.
"""

from __future__ import annotations

from operator import attrgetter

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import plain, uuid, vm
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.monitoring.index import Index, OfportIndex

NUMBERS = st.integers(1, 4)
CHANGES = st.lists(st.tuples(NUMBERS, st.sampled_from(["a", "b", "", "plain", "gone"])))


def row(number: int, state: str) -> OvsInterface | None:
    """
    An interface that has this iface-id, or one without a kind, or None.
    """
    if state == "gone":
        return None
    return plain(number) if state == "plain" else vm(number, state)


class IndexTests(SynchronousTestCase):
    """
    Tests for L{Index}.
    """

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(before=CHANGES, after=CHANGES)
    def test_follows(self, before: list[tuple[int, str]], after: list[tuple[int, str]]) -> None:
        """
        The index finds the same interfaces as a search through all rows,
        whatever has changed before the first question and after it.
        """
        rows: dict[str, OvsInterface] = {}
        index = Index(rows, attrgetter("iface_id"))

        def change(number: int, state: str) -> None:
            old, new = rows.pop(uuid(number), None), row(number, state)
            if new is not None:
                rows[uuid(number)] = new
            index.note(uuid(number), old, new)

        def check() -> None:
            for key in ("a", "b", "port", "c"):
                expected = {r.uuid: r for r in rows.values() if r.kind and r.iface_id == key}
                found = index.get(key)
                self.assertEqual({r.uuid: r for r in found}, expected)
                self.assertEqual(len(found), len(expected))

        for number, state in before:
            change(number, state)
        self.assertFalse(index.made)
        check()
        for number, state in after:
            change(number, state)
            check()

    def test_all(self) -> None:
        """
        All interfaces with a key can be asked for too, also those without a kind,
        in their order.
        """
        rows = {uuid(1): vm(1, "a"), uuid(2): vm(2, "b"), uuid(3): vm(3, "a")}
        index = Index(rows, attrgetter("iface_id"))
        self.assertEqual(index.all("a"), (vm(1, "a"), vm(3, "a")))
        kindless = attrs.evolve(vm(1, "a"), kind=None)
        index.note(uuid(1), vm(1, "a"), kindless)
        self.assertEqual(index.all("a"), (kindless, vm(3, "a")))
        self.assertEqual(index.get("a"), (vm(3, "a"),))

    def test_forgets(self) -> None:
        """
        Keys that no interface has any more take no memory.
        """
        index = Index({}, attrgetter("name"))
        index.get("")
        for number in range(9):
            index.note(uuid(number), None, vm(number))
            index.note(uuid(number), vm(number), vm(number, ofport=9))
            index.note(uuid(number), vm(number, ofport=9), None)
        self.assertEqual(index._found, {})

    def test_notAsked(self) -> None:
        """
        Before the first question, nothing is kept of an interface but whether it has
        moved.
        """
        index = OfportIndex({})
        here, there = (attrs.evolve(vm(1, ofport=3), bridge=name) for name in ("br0", "br1"))
        index.note(uuid(1), None, here)
        index.note(uuid(1), here, there)
        self.assertIsNone(index._found)

    def test_changedOtherwise(self) -> None:
        """
        A port that has moved does not have the number that another one has, whatever
        else changes of that one.
        """
        rows: dict[str, OvsInterface] = {}
        index = OfportIndex(rows)

        def put(row: OvsInterface) -> None:
            before, rows[row.uuid] = rows.get(row.uuid), row
            index.note(row.uuid, before, row)

        holder, moved = attrs.evolve(vm(1, ofport=3), bridge="br0"), vm(2, ofport=3)
        put(holder)
        put(attrs.evolve(moved, bridge="br1"))
        put(attrs.evolve(moved, bridge="br0"))
        now = attrs.evolve(holder, error="odd")
        put(now)
        self.assertEqual(index.find("br0", 3), now)
