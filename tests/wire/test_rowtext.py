# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.rowtext}: what is read from the text is what the
usual way reads, and everything else is left to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.support import uuid
from twisted_ovsdb import ClassificationRules, OvsInterface, ProtocolViolation
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.openvswitch import rowtext
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.wire import members
from twisted_ovsdb.wire.members import decodeMessage

Rows = dict[str, "OvsInterface | None"]


def plainRow(number: int, **columns: Any) -> dict[str, Any]:
    """
    A row as ovsdb-server writes it.
    """
    empty: dict[str, Any] = {"external_ids": ["map", []], "options": ["map", []]}
    return {"name": f"tap{number}", "ofport": number, **empty, "type": "", "error": ["set", []]} | (
        columns
    )


TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["tap1", 'a"b', "back\\slash", "\x01", '],["x","y"]', "iface-id", "ü", "\U0001f600"]
)
NAMES = TEXT.filter(bool)
MAPS = st.dictionaries(TEXT, TEXT, max_size=3).map(lambda d: ["map", [[k, d[k]] for k in d]])
NONE = st.just(["set", []])
ODD: Any = st.sampled_from([True, None, 1.5, 10**30, -0.0, {}, [], "x", ["set", ["x"]], ["map", 1]])
ROWS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "ofport": NONE | st.integers(-(2**63), 2**63),
        "external_ids": MAPS,
        "options": MAPS,
        "type": st.sampled_from(["", "internal", "patch", "vxlan", "VXLAN"]),
        "error": NONE | TEXT,
    }
)
ALIKE = st.builds(
    lambda name, ofport, values: plainRow(
        1,
        name=name,
        ofport=ofport,
        external_ids=["map", [*map(list, zip("ab", values))]],  # noqa: B905
    ),
    NAMES,
    NONE | st.integers(1, 9),
    st.tuples(TEXT, TEXT),
)
"""Rows of which an expression of their own is learned."""

ODD_ROWS = st.tuples(
    ROWS, st.sampled_from(["name", "ofport", "options", "error", "else"]), ODD
).map(lambda drawn: {**drawn[0], drawn[1]: drawn[2]})
ANY_ROWS = st.one_of(ROWS, ALIKE, ROWS, ALIKE, ODD_ROWS)
OLD = st.dictionaries(st.sampled_from(["ofport", "error", "options"]), NONE | MAPS | ODD)

KNOWN = [uuid(number) for number in range(4)]
UPDATES = st.one_of(
    st.fixed_dictionaries({"new": ANY_ROWS}),
    st.fixed_dictionaries({"new": ANY_ROWS, "old": OLD}),
    st.fixed_dictionaries({"old": ANY_ROWS}),
    st.just({}),
)
TABLES = st.dictionaries(
    st.sampled_from([uuid(number) for number in range(8)] + ["no-uuid", uuid(9).upper()]),
    UPDATES,
    max_size=6,
)
WRITING: Any = st.sampled_from(
    [{"separators": (",", ":")}] * 4
    + [{}, {"indent": 1}, {"separators": (",", ":"), "sort_keys": True}]
)


def write(message: Any, **form: Any) -> str:
    """
    A message's text.
    """
    return json.dumps(message, ensure_ascii=False, **(form or {"separators": (",", ":")}))


class RowTextTests(SynchronousTestCase):
    """
    Two replicas, one of which takes rows from the text.
    """

    def setUp(self) -> None:
        self.patch(members, "LARGE", 0)
        self.patch(members, "ROWS", 0)
        self.patch(rowtext, "LEARNED", 1)

    def replica(
        self,
        fast: bool,
        rules: ClassificationRules = ClassificationRules(),
        learn: dict[str, Any] | None = None,
    ) -> Any:
        """
        A replica with four rows.

        @param learn: a row of whose like it has learned to read more.
        """
        rows = InterfaceRows(rules)
        replica: Replica[OvsInterface] = Replica(TABLE, rows.decode)
        if fast:
            replica.take = rows.text.take
        if fast and learn is not None:
            text = write({uuid(1): {"new": learn}})[1:]
            rows.text.take(text, 0, {}, {}, 1)
        known = {name: plainRow(number) for number, name in enumerate(KNOWN)}
        snapshot = {TABLE: {name: {"new": row} for name, row in known.items()}}
        list(replica.replace(replica.readWholeSnapshot(snapshot)))
        return replica

    def outcome(
        self, read: Callable[[Any], Mapping[str, OvsInterface | None]], text: str, where: str
    ) -> Any:
        """
        What comes of a message: the rows in their order, or its fault.
        """
        try:
            message = decodeMessage(bytearray(text.encode()))
            tables = message["params"][1] if where == "params" else message["result"]
            return list(read(tables).items())
        except ProtocolViolation as e:
            return str(e)

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(rows=TABLES, form=WRITING, learn=ALIKE | ROWS)
    def test_updates(
        self, rows: dict[str, Any], form: dict[str, Any], learn: dict[str, Any]
    ) -> None:
        """
        The same rows come of an update, or the same fault, whatever rows were
        read before.
        """
        message = {"id": None, "method": "update", "params": ["m", {TABLE: rows}]}
        text = write(message, **form)
        slow = self.outcome(self.replica(fast=False).readUpdate, text, "params")
        fast = self.outcome(self.replica(fast=True, learn=learn).readUpdate, text, "params")
        self.assertEqual(fast, slow)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(rows=TABLES, form=WRITING, learn=ALIKE | ROWS)
    def test_snapshots(
        self, rows: dict[str, Any], form: dict[str, Any], learn: dict[str, Any]
    ) -> None:
        """
        The same rows come of a first reply, or the same fault, whatever rows
        were read before.
        """
        text = write({"id": 1, "result": {TABLE: rows}, "error": None}, **form)
        slow = self.outcome(self.replica(fast=False).readWholeSnapshot, text, "result")
        replica = self.replica(fast=True, learn=learn)
        fast = self.outcome(replica.readWholeSnapshot, text, "result")
        self.assertEqual(fast, slow)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(
        place=st.integers(0, 10**4),
        byte=st.sampled_from('{}[]",:\\x0 -9\n\x01'),
        learned=st.booleans(),
    )
    def test_damage(self, place: int, byte: str, learned: bool) -> None:
        """
        With one character changed, a message is refused as it would be
        without this module, or read as it would be.
        """
        ids = ["map", [["iface-id", "x"]]]
        rows = {
            uuid(5): {"new": plainRow(5, external_ids=ids)},
            uuid(1): {"new": plainRow(1, ofport=2), "old": {"ofport": 1}},
            uuid(2): {"old": plainRow(2)},
            uuid(6): {"new": plainRow(6, error="bad", options=ids)},
        }
        text = write({"id": None, "method": "update", "params": ["m", {TABLE: rows}]})
        start = text.index(TABLE)
        place = start + place % (len(text) - 3 - start)
        text = text[:place] + byte + text[place + 1 :]
        try:
            slow = self.outcome(self.replica(fast=False).readUpdate, text, "params")
        except IndexError:
            return
        learn = plainRow(1, external_ids=ids) if learned else None
        fast = self.outcome(self.replica(fast=True, learn=learn).readUpdate, text, "params")
        self.assertEqual(fast, slow)

    def test_taken(self) -> None:
        """
        What ovsdb-server writes is taken to the last row: nothing of it goes
        the usual way.
        """
        replica = self.replica(fast=True)
        rows = {
            uuid(5): {"new": plainRow(5, external_ids=["map", [["iface-id", "x"], ["a", "ü"]]])},
            uuid(1): {"new": plainRow(1, ofport=["set", []]), "old": {"ofport": 1}},
            uuid(3): {"new": plainRow(3), "old": {}},
            uuid(2): {"old": plainRow(2)},
            uuid(6): {"new": plainRow(6, error="bad", type="vxlan", ofport=-1)},
        }
        replica.decode = None
        text = write({"id": None, "method": "update", "params": ["m", {TABLE: rows}]})
        changes = self.outcome(replica.readUpdate, text, "params")
        self.assertEqual([name for name, row in changes], list(rows))
        self.assertEqual(changes[0][1].external_ids, {"iface-id": "x", "a": "ü"})
        self.assertEqual([row and row.ofport for _, row in changes], [5, None, 3, None, -1])
        self.assertEqual(changes[4][1].error, "bad")
        self.assertIs(type(changes[4][1]), OvsInterface)
        with self.assertRaises(FrozenInstanceError):
            changes[4][1].error = None
        text = write({"id": 1, "result": {TABLE: {uuid(5): rows[uuid(5)]}}})
        self.assertEqual(self.outcome(replica.readWholeSnapshot, text, "result"), changes[:1])

    def test_alike(self) -> None:
        """
        Once rows were seen, those like them need no other expression, and
        those unlike them are still taken.
        """
        ids = ["map", [["iface-id", "x"], ["mac", ""]]]
        tunnel = {"options": ["map", [["remote_ip", "10.0.0.1"]]], "type": "vxlan"}
        for learn in (plainRow(1, external_ids=ids), plainRow(1, **tunnel), plainRow(1)):
            replica = self.replica(fast=True, learn=learn)
            replica.decode = None
            rows = {uuid(5): {"new": {**learn, "name": "tap5", "ofport": ["set", []]}}}
            changed = {uuid(1): {"new": {**learn, "ofport": 7}, "old": {"ofport": 1}}}
            other = {uuid(6): {"new": plainRow(6, error="bad")}, uuid(2): {"old": plainRow(2)}}
            text = write({uuid(5): rows[uuid(5)]})[1:]
            reader = replica.take.__self__
            general, reader._match = reader._match, rowtext._Alike().match
            taken: Rows = {}
            self.assertEqual(replica.take(text, 0, taken, {}, 9), len(text) - 1)
            self.assertEqual([row and row.name for row in taken.values()], ["tap5"])
            reader._match = general
            message: Any = {"id": None, "method": "update", "params": ["m", {TABLE: None}]}
            message["params"][1][TABLE] = {**rows, **other, **changed}
            read = dict(self.outcome(replica.readUpdate, write(message), "params"))
            slow = dict(self.outcome(self.replica(False).readUpdate, write(message), "params"))
            self.assertEqual(read, slow)
            self.assertEqual(len(read), 4)

    def test_neverAlike(self) -> None:
        """
        Where no two rows are alike, ever fewer are learned from: making an
        expression takes as long as reading a thousand rows.
        """
        made = 0
        expression = rowtext._expression

        def counting(*args: Any) -> Any:
            nonlocal made
            made += 1
            return expression(*args)

        replica = self.replica(fast=True)
        self.patch(rowtext, "_expression", counting)
        for number in range(200):
            row = plainRow(number, external_ids=["map", [[f"key{number}", ""]]])
            text = write({uuid(9): {"new": row}})[1:]
            taken: Rows = {}
            self.assertEqual(replica.take(text, 0, taken, {}, 1), len(text) - 1)
        self.assertEqual(made, 7)
        # And from enormous ones nothing.
        for keys in ([f"key{number}" for number in range(300)], ["x" * 2000]):
            row = plainRow(1, external_ids=["map", [[key, ""] for key in keys]])
            text = write({uuid(9): {"new": row}})[1:]
            for _ in range(500):
                replica.take(text, 0, {}, {}, 1)
        self.assertEqual(made, 7)

    def test_rules(self) -> None:
        """
        Rows are classified by the rules.
        """
        replica = self.replica(fast=True, rules=ClassificationRules(vmKeys=("mine",)))
        ids = ["map", [["mine", "x"]]]
        text = write(
            {"id": 1, "result": {TABLE: {uuid(5): {"new": plainRow(5, external_ids=ids)}}}}
        )
        ((_, interface),) = self.outcome(replica.readWholeSnapshot, text, "result")
        self.assertEqual(interface.kind.value, "vm")
