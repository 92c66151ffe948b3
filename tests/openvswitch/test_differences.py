# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for rows of the Interface table in the dialect C{monitor_cond}, which reports
differences: the events are those of C{monitor}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import jsonRow, uuid
from twisted_ovsdb import ClassificationRules, InterfaceKind
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.openvswitch.rows import InterfaceRows
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory

UUID = uuid(1)

SET = {"type": {"key": "string", "min": 0, "max": "unlimited"}}
MAP = {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}}
OPTIONAL = {"type": {"key": "integer", "min": 0}}
TABLE = DatabaseSchema.parse(
    {"name": "T", "tables": {"Interface": {"columns": {"s": SET, "m": MAP, "o": OPTIONAL}}}}
).tables["Interface"]


class DifferencesTests(SynchronousTestCase):
    """
    Tests for C{withDefaults} and C{modified} of L{InterfaceRows}.
    """

    def setUp(self) -> None:
        self.rows = InterfaceRows(ClassificationRules())

    def test_defaults(self) -> None:
        """
        A column that is not there has its default value.
        """
        self.assertEqual(
            self.rows.withDefaults(UUID, {"name": "tap1"}), self.rows.whole(UUID, jsonRow("tap1"))
        )
        row = {"name": "tap1", "external_ids": ["map", [["iface-id", "x"]]], "ofport": 3}
        self.assertEqual(
            self.rows.withDefaults(UUID, row),
            self.rows.whole(UUID, jsonRow("tap1", ofport=3, external_ids={"iface-id": "x"})),
        )

    def test_modified(self) -> None:
        """
        A scalar is replaced; of a map, pairs are added, replaced and removed.
        """
        before = self.rows.whole(
            UUID, jsonRow("tap1", ofport=1, external_ids={"a": "1", "iface-id": "x"})
        )
        differences = {
            "ofport": ["set", []],
            "error": "broken",
            "external_ids": ["map", [["a", "1"], ["iface-id", "y"], ["b", "2"]]],
            "type": "internal",
        }
        row = jsonRow("tap1", "internal", error="broken", external_ids={"iface-id": "y", "b": "2"})
        self.assertEqual(self.rows.modified(UUID, before, differences), self.rows.whole(UUID, row))
        # A column that was not asked for means nothing.
        self.assertEqual(self.rows.modified(UUID, before, {"mtu": 1500}), before)

    def test_localPort(self) -> None:
        """
        The local port is remembered in this dialect too.
        """
        before = self.rows.whole(UUID, jsonRow("LAN", ofport=65534))
        now = self.rows.modified(UUID, before, {"ofport": ["set", []]})
        self.assertIs(now.kind, InterfaceKind.BRIDGE)
        now = self.rows.modified(UUID, now, {"ofport": 7})
        self.assertIsNone(now.kind)

    def test_extra(self) -> None:
        """
        Differences of extra columns need their types, which the schema has.
        """
        rows = InterfaceRows(ClassificationRules(), ("s", "m", "o"))
        self.assertTrue(rows.untyped)
        rows = rows.typed(TABLE)
        self.assertFalse(rows.untyped)
        row = rows.withDefaults(UUID, {"name": "x"})
        self.assertEqual(dict(row.extra), {"s": None, "m": {}, "o": None})
        for differences, expected in (
            ({"s": "a"}, {"s": "a", "m": {}, "o": None}),
            ({"s": ["set", ["b", "c"]], "o": 5}, {"s": frozenset("abc"), "m": {}, "o": 5}),
            ({"s": "a"}, {"s": frozenset("bc"), "m": {}, "o": 5}),
            ({"s": "a"}, {"s": frozenset("abc"), "m": {}, "o": 5}),
            (
                {"s": ["set", ["a", "b"]], "m": ["map", [["k", 1]]]},
                {"s": "c", "m": {"k": 1}, "o": 5},
            ),
            (
                {"s": "c", "m": ["map", [["k", 1]]], "o": ["set", []]},
                {"s": None, "m": {}, "o": None},
            ),
        ):
            row = rows.modified(UUID, row, differences)
            self.assertEqual(dict(row.extra), expected)
        whole = InterfaceRows(ClassificationRules(), ("s",))
        self.assertEqual(whole.without(("s",)).typed(TABLE).columns[-1], "options")

    def test_violations(self) -> None:
        """
        What is not of its type is a violation that names the column.
        """
        before = self.rows.whole(UUID, jsonRow("tap1"))
        typed = InterfaceRows(ClassificationRules(), ("s",)).typed(TABLE)
        for rows, differences in (
            (self.rows, {"ofport": "x"}),
            (self.rows, {"type": 5}),
            (self.rows, {"error": 5}),
            (self.rows, {"options": ["set", []]}),
            (self.rows, {"external_ids": ["map", [["a", 1]]]}),
            (typed, {"s": 5}),
        ):
            (column,) = differences
            known = rows.withDefaults(UUID, {"name": "tap1"}) if rows is typed else before
            fault = self.assertRaises(ProtocolViolation, rows.modified, UUID, known, differences)
            self.assertIn(f"column {column}: ", str(fault))


NUMBERS = st.integers(1, 4)
CHANGES = st.one_of(
    st.tuples(st.just("add"), NUMBERS, st.sampled_from(["br-int", "br-ex"])),
    st.tuples(st.just("delete"), NUMBERS, st.none()),
    st.tuples(st.just("ofport"), NUMBERS, st.sampled_from([-1, 1, 2, 65534])),
    st.tuples(
        st.just("ids"),
        NUMBERS,
        st.dictionaries(st.sampled_from(["iface-id", "x"]), st.sampled_from("ab")),
    ),
    st.tuples(st.just("type"), NUMBERS, st.sampled_from(["", "patch", "internal"])),
    st.tuples(st.just("link_state"), NUMBERS, st.sampled_from(["up", "down"])),
    st.tuples(st.just("restart"), NUMBERS, st.none()),
)


class SameEventsTests(SynchronousTestCase):
    """
    The same history in both dialects.
    """

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(st.lists(CHANGES, max_size=14))
    def test_random(self, changes: list[tuple[str, int, Any]]) -> None:
        """
        C{monitor} and C{monitor_cond} tell the same events.
        """
        server = MemoryServer()
        server.addBridge("br-int")
        server.addBridge("br-ex")
        told = []
        for method in ("monitor", "monitor_cond"):
            observer = RecordingObserver()
            connectedFactory(server, observer, method=method, extraColumns=["link_state"])
            told.append(observer)
        for what, number, value in changes:
            self.play(server, what, f"tap{number}", value)
        one, two = (observer.take() for observer in told)
        self.assertEqual(len(one), len(two))
        for first, second in zip(one, two, strict=True):
            self.assertIs(type(first), type(second))
            for name in ("interface", "previous", "cause", "interfaces"):
                self.assertEqual(getattr(first, name, None), getattr(second, name, None))

    def play(self, server: MemoryServer, what: str, name: str, value: Any) -> None:
        """
        Change the server's database.
        """
        exists = any(row["name"] == name for row in server.tables["Interface"].values())
        if what == "restart":
            server.restart()
            server.advance(10)
        elif what == "add":
            if not exists:
                server.addPort(value, name, iface_id="vm")
        elif not exists:
            return
        elif what == "delete":
            server.deletePort(name)
        elif what == "ids":
            server.setInterface(name, external_ids=value)
        else:
            server.setInterface(name, **{what: value})
