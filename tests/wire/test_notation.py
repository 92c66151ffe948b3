# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.notation}.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import (
    datum,
    isUUID,
    optionalInteger,
    optionalString,
    shared,
    string,
    stringMap,
)

PROPERTY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)

Reader = Callable[[str, Any], object]

READERS: list[Reader] = [string, optionalString, optionalInteger, stringMap, datum]

UUID = "ffcf0000-0a0b-4c0d-8e0f-ABCDEF012345"

EMPTY_SET: Any = ["set", []]

LEGAL: list[tuple[Reader, Any, object]] = [
    *[(reader, text, text) for reader in (string, optionalString, datum) for text in (
        "", "tap1", "set", "\0", "é",
    )],
    *[(reader, ["set", ["tap1"]], "tap1") for reader in (string, optionalString, datum)],
    (optionalString, EMPTY_SET, None),
    (optionalString, ["set", [""]], ""),
    *[(reader, number, number) for reader in (optionalInteger, datum) for number in (
        0, 7, -1, 65534, 2**63 - 1, -(2**63),
    )],
    *[(reader, ["set", [7]], 7) for reader in (optionalInteger, datum)],
    (optionalInteger, EMPTY_SET, None),
    *[(reader, ["map", []], {}) for reader in (stringMap, datum)],
    *[(reader, ["map", [["a", "b"], ["", ""]]], {"a": "b", "": ""}) for reader in (
        stringMap, datum,
    )],
    *[(reader, ["map", [["set", "map"]]], {"set": "map"}) for reader in (stringMap, datum)],
    (datum, EMPTY_SET, None),
    (datum, True, True),
    (datum, False, False),
    (datum, 0.5, 0.5),
    (datum, 3, 3),
    (datum, ["uuid", UUID], UUID),
    (datum, ["uuid", UUID.lower()], UUID.lower()),
    (datum, ["set", [False]], False),
    (datum, ["set", [["uuid", UUID]]], UUID),
    (datum, ["set", ["b", "a"]], frozenset({"a", "b"})),
    (datum, ["set", [1, 2, 3]], frozenset({1, 2, 3})),
    # Reals that differ in the 16th digit are written alike.
    (datum, ["set", [0.3, 0.3]], 0.3),
    (datum, ["set", [3, 0.3, 3]], frozenset({3, 0.3})),
    (datum, ["map", [[0.3, "a"], [0.3, "b"]]], {0.3: "b"}),
    (datum, ["set", [["uuid", UUID], ["uuid", UUID.lower()]]], frozenset({UUID, UUID.lower()})),
    (datum, ["map", [[1, 0.5], [2, True]]], {1: 0.5, 2: True}),
    (datum, ["map", [["a", ["uuid", UUID]]]], {"a": UUID}),
    (datum, ["map", [[["uuid", UUID], 1]]], {UUID: 1}),
]  # fmt: skip
"""The reader, the value in JSON, the value in Python."""

NEVER: list[Any] = [
    None,
    {},
    {"a": "b"},
    [],
    ["set"],
    ["map"],
    ["tap1"],
    ["set", "tap1"],
    ["set", None],
    ["set", {}],
    ["set", [], []],
    ["set", [[]]],
    ["set", [None]],
    ["set", [{}]],
    ["set", [EMPTY_SET]],
    ["set", [["map", []]]],
    ["set", [["set", ["a"]]]],
    ["Set", ["a"]],
    [["set"], ["a"]],
    [{}, []],
    [None, []],
    ["list", ["a"]],
    ["named-uuid", "row1"],
    ["uuid", "row1"],
    ["uuid", UUID + "0"],
    ["uuid", UUID + "\n"],
    ["uuid", UUID.replace("-", "")],
    ["uuid", 5],
    ["uuid", [UUID]],
    ["map", None],
    ["map", "ab"],
    ["map", ""],
    ["map", 5],
    ["map", {}],
    ["map", {"a": "b"}],
    ["map", [], []],
    ["map", ["ab"]],
    ["map", [["a"]]],
    ["map", [["a", "b", "c"]]],
    ["map", [[]]],
    ["map", [{"a": 1, "b": 2}]],
    ["map", [None]],
    ["map", [["a", "b"], "cd"]],
    ["map", [[["a"], "b"]]],
    ["map", [[{}, "b"]]],
    ["map", [["a", ["b"]]]],
    ["map", [["a", None]]],
    ["map", [["a", EMPTY_SET]]],
    ["map", [["a", "b"], ["a", "b"]]],
    ["map", [["a", "b"], ["c", "d"], ["a", "e"]]],
    ["set", ["a", "a"]],
    ["set", [True, True]],
    ["set", [["uuid", UUID]] * 2],
    2**63,
    -(2**63) - 1,
    ["set", [1, 2**63]],
    ["map", [[10**30, "a"]]],
    ["map", [["a", 10**30]]],
]
"""What is no value of any column."""

ILLEGAL: list[tuple[Reader, str, list[Any]]] = [
    *[(reader, "column c: expected ", NEVER) for reader in READERS],
    (
        string,
        "column c: expected a string, got ",
        [5, 0.5, True, EMPTY_SET, ["set", [5]], ["set", ["a", "b"]], ["map", []], ["uuid", UUID]],
    ),
    (
        optionalString,
        "column c: expected a string or an empty set, got ",
        [5, 0.5, False, ["set", [5]], ["set", ["a", "b"]], ["map", []], ["uuid", UUID]],
    ),
    (
        optionalInteger,
        "column c: expected an integer or an empty set, got ",
        [
            *["7", 7.0, True, False, 2**63, -(2**63) - 1, 10**30],
            *[["set", [item]] for item in ("7", 7.0, True, 2**63)],
            *[["set", [1, 2]], ["map", []], ["uuid", UUID]],
        ],
    ),
    (
        stringMap,
        "column c: expected a map",
        [
            *["a", 5, 0.5, True, EMPTY_SET, ["set", ["a"]], ["set", [["a", "b"]]], ["uuid", UUID]],
            *[["map", [pair]] for pair in ([1, "a"], ["a", 1], ["a", True], [None, "a"])],
            ["map", [["a", "b"], ["c", 5]]],
            ["map", [["a", ["uuid", UUID]]]],
        ],
    ),
]
"""The reader, what its fault says, the values."""


class ReaderTests(SynchronousTestCase):
    """
    Columns as ovsdb-server writes them.
    """

    def test_legal(self) -> None:
        """
        Every form that the notation allows is read: the atom alone and the
        set of one are the same.
        """
        for reader, value, expected in LEGAL:
            result = reader("c", value)
            self.assertEqual(result, expected, f"{reader.__name__} {value}")
            if not isinstance(expected, dict):
                self.assertIs(type(result), type(expected), f"{reader.__name__} {value}")

    def test_illegal(self) -> None:
        """
        Anything else is a fault that names the column and what is wrong.
        """
        for reader, says, values in ILLEGAL:
            for value in values:
                try:
                    result = reader("c", value)
                except ProtocolViolation as e:
                    if value not in NEVER:
                        self.assertIn(says, str(e), f"{reader.__name__} {value}")
                    self.assertIn("column c: expected ", str(e))
                else:
                    self.fail(f"{reader.__name__} takes {value} for {result!r}")

    def test_saysWhatIsThere(self) -> None:
        """
        A fault shows the value, so that one can look for it in the database.
        """
        fault = self.assertRaises(ProtocolViolation, optionalInteger, "ofport", "7")
        expected = "column ofport: expected an integer or an empty set, got '7'"
        self.assertEqual(str(fault), expected)

    def test_mapsAreReadOnly(self) -> None:
        """
        What observers receive cannot be changed under them.
        """
        for reader in (stringMap, datum):
            for pairs in ([], [["a", "b"]]):
                result = reader("c", ["map", pairs])
                self.assertIs(type(result), MappingProxyType, f"{reader.__name__} {pairs}")

    @PROPERTY
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.sampled_from(["set", "map", "uuid", UUID, "x"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2)
                | st.tuples(st.sampled_from(["set", "map", "uuid"]), st.lists(inner)).map(list)
            ),
            max_leaves=8,
        )
    )
    def test_anything(self, value: Any) -> None:
        """
        Whatever JSON stands in a column, it is a value that can be compared
        and that is immutable, or a fault that names the column.
        """
        for reader in READERS:
            try:
                result = reader("c", value)
            except ProtocolViolation as e:
                self.assertIn("column c: expected ", str(e))
            else:
                allowed = (str, int, float, bool, type(None), frozenset, MappingProxyType)
                self.assertIn(type(result), allowed)


class DescribeTests(SynchronousTestCase):
    """
    Values in messages.
    """

    def test_short(self) -> None:
        """
        A short value is shown as it is.
        """
        for value, expected in [("5", "'5'"), (None, "None"), (["x", {}], "['x', {}]")]:
            self.assertEqual(describe(value), expected)

    def test_long(self) -> None:
        """
        A message stays one short line, however much was sent.
        """
        for value in ("x" * 1000, "\n" * 1000, ["x" * 1000], [0] * 1000, {"a" * 1000: 1}, 10**100):
            text = describe(value)
            self.assertLessEqual(len(text), 60)
            self.assertIn("...", text)
            self.assertNotIn("\n", text)

    def test_deep(self) -> None:
        """
        A value that is nested as deep as a peer likes can be described.
        """
        value: list[Any] = []
        for _ in range(100000):
            value = [value]
        self.assertLessEqual(len(describe(value)), 60)


class UUIDTests(SynchronousTestCase):
    """
    What a UUID looks like.
    """

    def test_isUUID(self) -> None:
        """
        Hexadecimal digits in either case, in five groups, and nothing else.
        """
        for text in (UUID, UUID.lower(), "0" * 8 + "-0000" * 3 + "-" + "0" * 12):
            self.assertTrue(isUUID(text), text)
        for text in ("", " " + UUID, UUID + "\n", UUID[1:], "g" + UUID[1:], f"{{{UUID}}}"):
            self.assertFalse(isUUID(text), text)


class SharedTests(SynchronousTestCase):
    """
    Strings that many rows have are one object each.
    """

    def test_same(self) -> None:
        """
        The keys of two rows' maps are the same objects, and no number of
        different ones fills the memory.
        """
        first, second = (
            next(iter(stringMap("c", ["map", [["-".join(("some", "key")), "x"]]])))
            for _ in range(2)
        )
        self.assertIs(first, second)
        for number in range(2 * shared.LIMIT):
            stringMap("c", ["map", [[f"key-{number}", "x"]]])
        self.assertLessEqual(len(shared), shared.LIMIT)
