# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{Replica}: a snapshot that was compared in slices before it is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.database import tableset
from twisted_ovsdb.database.tableset import Replica

ROWS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 2).map(lambda n: [n]))

Rows = dict[str, list[int]]


def nothing(replica: Replica[Any]) -> None:
    """
    Nothing happens meanwhile.
    """


class PrepareTests(SynchronousTestCase):
    """
    Tests for L{Replica.prepare}.
    """

    def setUp(self) -> None:
        self.patch(tableset, "COMPARED", 2)

    def replaced(
        self, before: Rows, now: Rows, meanwhile: Callable[[Replica[Any]], object] | None
    ) -> tuple[Rows, Any]:
        """
        Replace some rows by others.

        @param meanwhile: called with the replica at each slice; None: without slices.
        @return: the rows after that, and the changes: first what is gone.
        """
        replica: Replica[list[int]] = Replica()
        list(replica.replace(before))
        rows = dict(now)
        if meanwhile is not None:
            for _ in replica.prepare(rows):
                meanwhile(replica)
            self.assertEqual(rows, now)
        changes = list(replica.replace(rows))
        gone = [uuid for uuid, _, after in changes if after is None]
        self.assertEqual([uuid for uuid, _, _ in changes[: len(gone)]], gone)
        return dict(replica.rows), sorted(changes)

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(before=ROWS, now=ROWS)
    def test_same(self, before: Rows, now: Rows) -> None:
        """
        With slices and without, the rows and the changes are the same.
        """
        expected = self.replaced(before, now, None)
        self.assertEqual(expected[0], now)
        self.assertEqual(self.replaced(before, now, nothing), expected)

    def test_slices(self) -> None:
        """
        A slice has so many rows, and those that are known do not change before the
        snapshot is applied. Equal rows are the known ones: the others are freed in
        slices too.
        """
        replica: Replica[list[int]] = Replica()
        list(replica.replace({uuid: [0] for uuid in "abcd"}))
        known = dict(replica.rows)
        rows = {"a": [0], "b": [1], "e": [0], "d": [0]}
        self.assertEqual(len(list(replica.prepare(rows))), 4)
        self.assertEqual(replica.rows, known)
        self.assertIs(rows["a"], known["a"])
        changes = list(replica.replace(rows))
        self.assertEqual(changes, [("c", [0], None), ("b", [0], [1]), ("e", None, [0])])

    def test_changedMeanwhile(self) -> None:
        """
        If a row changes between the slices, all rows are compared once more.
        """

        def change(replica: Replica[Any]) -> None:
            list(replica.apply({"a": [7], "c": None} if "c" in replica.rows else {"a": [8]}))

        before = {uuid: [0] for uuid in "abcd"}
        rows, changes = self.replaced(before, {"a": [0], "b": [0], "c": [0]}, change)
        self.assertEqual(rows, {"a": [0], "b": [0], "c": [0]})
        self.assertEqual(changes, [("a", [8], [0]), ("c", None, [0]), ("d", [0], None)])

    def test_changedAfterItWasCompared(self) -> None:
        """
        A row that was equal, and has changed since, is changed back.
        """

        turns = iter(range(2))

        def change(replica: Replica[Any]) -> None:
            if next(turns) == 1:
                list(replica.apply({"b": [1]}))

        before = {uuid: [0] for uuid in "abc"}
        rows, changes = self.replaced(before, dict(before), change)
        self.assertEqual((rows, changes), (before, [("b", [1], [0])]))

    def test_comparedOnce(self) -> None:
        """
        What was compared in slices is not compared once more when it is applied, except
        the rows that differ.
        """
        compared = []

        class Counted:
            def __init__(self, value: int) -> None:
                self.value = value

            def __eq__(self, other: object) -> bool:
                compared.append(self)
                return isinstance(other, Counted) and self.value == other.value

        replica: Replica[Counted] = Replica()
        list(replica.replace({uuid: Counted(0) for uuid in "abcd"}))
        rows = {uuid: Counted(uuid == "d") for uuid in "abcd"}
        list(replica.prepare(rows))
        self.assertEqual(len(compared), 4)
        self.assertEqual(len(list(replica.replace(rows))), 1)
        self.assertEqual(len(compared), 5)

    def test_first(self) -> None:
        """
        A first snapshot has nothing to be compared with, and takes no turn.
        """
        replica: Replica[list[int]] = Replica()
        self.assertEqual(list(replica.prepare({uuid: [0] for uuid in "abcdef"})), [])

    def test_another(self) -> None:
        """
        What was prepared for one snapshot is not applied for another one.
        """
        replica: Replica[list[int]] = Replica()
        list(replica.replace({"a": [0]}))
        list(replica.prepare({"b": [0]}))
        list(replica.replace({"c": [0]}))
        self.assertEqual(dict(replica.rows), {"c": [0]})
