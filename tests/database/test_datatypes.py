# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.database.datatypes}.
"""

from __future__ import annotations

import math
import uuid as stdlib
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid
from twisted_ovsdb.database.datatypes import DEFAULTS, AtomicType, BaseType, ColumnType
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.notation import NamedUUID

INTEGER, REAL, BOOLEAN, STRING, UUID = (
    BaseType(type)
    for type in (
        AtomicType.INTEGER,
        AtomicType.REAL,
        AtomicType.BOOLEAN,
        AtomicType.STRING,
        AtomicType.UUID,
    )
)


def optional(key: BaseType) -> ColumnType:
    """
    None or one.
    """
    return ColumnType(key, min=0)


def many(key: BaseType, value: BaseType | None = None, least: int = 0) -> ColumnType:
    """
    Any number.
    """
    return ColumnType(key, value, least, None)


A, B = uuid(1), uuid(2)

ONE_STRING = ColumnType(STRING)
STRINGS = many(STRING)
PAIRS = many(STRING, INTEGER)
ONE_PAIR = ColumnType(STRING, INTEGER, 0, 1)
TWO = ColumnType(INTEGER, None, 1, 2)

LEGAL: list[tuple[ColumnType, Any, object]] = [
    *[(ColumnType(INTEGER), n, n) for n in (0, -1, 2**63 - 1, -(2**63))],
    *[(ColumnType(REAL), n, float(n)) for n in (0, 3, -2.5, 1e18, 10**18)],
    *[(ColumnType(BOOLEAN), value, value) for value in (True, False)],
    *[(ONE_STRING, text, text) for text in ("", "set", "map", "é")],
    (ColumnType(UUID), ["uuid", A], A),
    (ONE_STRING, ["set", ["a"]], "a"),
    (ColumnType(UUID), ["set", [["uuid", A]]], A),
    (optional(STRING), ["set", []], None),
    (optional(STRING), "a", "a"),
    (optional(STRING), ["set", ["a"]], "a"),
    (optional(BOOLEAN), False, False),
    (optional(UUID), ["uuid", A], A),
    (STRINGS, ["set", []], frozenset()),
    (STRINGS, "a", frozenset(["a"])),
    (STRINGS, ["set", ["a"]], frozenset(["a"])),
    (STRINGS, ["set", ["a", "b"]], frozenset(["a", "b"])),
    (many(UUID), ["uuid", A], frozenset([A])),
    (many(UUID), ["set", [["uuid", A], ["uuid", B]]], frozenset([A, B])),
    (many(BOOLEAN), ["set", [False, True]], frozenset([False, True])),
    (many(REAL), ["set", [1, 0.5]], frozenset([1.0, 0.5])),
    # 0.3 and 0.30000000000000004, as ovsdb-server writes them.
    (many(REAL), ["set", [0.3, 0.3]], frozenset([0.3])),
    (many(REAL, STRING), ["map", [[0.3, "a"], [0.3, "b"]]], {0.3: "b"}),
    (TWO, 1, frozenset([1])),
    (TWO, ["set", [1, 2]], frozenset([1, 2])),
    (PAIRS, ["map", []], {}),
    (PAIRS, ["map", [["a", 1], ["b", 1]]], {"a": 1, "b": 1}),
    (ONE_PAIR, ["map", []], {}),
    (ONE_PAIR, ["map", [["a", 1]]], {"a": 1}),
    (many(INTEGER, UUID), ["map", [[1, ["uuid", A]]]], {1: A}),
    (many(UUID, REAL), ["map", [[["uuid", A], 1]]], {A: 1.0}),
    (many(BOOLEAN, BOOLEAN), ["map", [[True, False]]], {True: False}),
]
"""The type, the value in JSON, the value in Python."""

NO_ATOM: list[Any] = [
    *[None, {}, {"a": 1}, [], ["uuid"], ["uuid", "a"], ["uuid", 5], ["uuid", [A]], ["set"]],
    *[["named-uuid", "a"], ["set", None], ["set", {}], ["set", ["a"], []], ["map"], ["map", "ab"]],
    *[["set", [["set", []]]], ["set", [["map", []]]], ["set", [None]], ["set", [{}]]],
]
"""What is no value of any column that is no map."""

ILLEGAL: list[tuple[ColumnType, str, list[Any]]] = [
    (
        ColumnType(INTEGER),
        "expected integer, got ",
        [*NO_ATOM, 1.0, True, "1", 2**63, -(2**63) - 1, ["uuid", A], ["map", []]],
    ),
    (
        ColumnType(REAL),
        "expected real, got ",
        [*NO_ATOM, True, "1", 2**63, math.nan, math.inf, -math.inf, ["uuid", A]],
    ),
    (ColumnType(BOOLEAN), "expected boolean, got ", [*NO_ATOM, 0, 1, "true", 1.0]),
    (ONE_STRING, "expected string, got ", [*NO_ATOM, 0, 1.0, True, ["uuid", A]]),
    (ColumnType(UUID), "expected uuid, got ", [*NO_ATOM, A, 1, ["uuid", A + "0"]]),
    (STRINGS, "expected string, got ", [*NO_ATOM, 5, ["set", [5]], ["set", ["a", True]]]),
    (STRINGS, "an element stands there twice", [["set", ["a", "a"]]]),
    (many(INTEGER, REAL), "an element stands there twice", [["map", [[1, 1], [1, 2]]]]),
    (ONE_STRING, "expected 1 to 1 elements, got ", [["set", []], ["set", ["a", "b"]]]),
    (optional(STRING), "expected 0 to 1 elements, got 2", [["set", ["a", "b"]]]),
    (TWO, "expected 1 to 2 elements, got ", [["set", []], ["set", [1, 2, 3]]]),
    (many(STRING, None, 1), "expected 1 to any number elements, got 0", [["set", []]]),
    (ONE_PAIR, "expected 0 to 1 elements, got 2", [["map", [["a", 1], ["b", 1]]]]),
    (PAIRS, "expected a map, got ", [*NO_ATOM, "a", ["set", []], ["map", {}]]),
    (
        PAIRS,
        "expected a pair, got ",
        [
            ["map", [None]],
            ["map", [{}]],
            ["map", ["ab"]],
            *[["map", [["a"] * n]] for n in (0, 1, 3)],
        ],
    ),
    (PAIRS, "expected string, got ", [["map", [[1, 1]]]]),
    (PAIRS, "expected integer, got ", [["map", [["a", p]]] for p in ("1", None, ["set", []])]),
]
"""The type, what its fault says, the values."""

DIFFERENCES: list[tuple[ColumnType, object, Any, object]] = [
    (ONE_STRING, "a", "b", "b"),
    (optional(STRING), "a", ["set", []], None),
    (optional(STRING), None, "a", "a"),
    (optional(STRING), "a", "a", "a"),
    (ONE_PAIR, {"a": 1}, ["map", [["a", 1]]], {"a": 1}),
    (ONE_PAIR, {"a": 1}, ["map", [["b", 1]]], {"b": 1}),
    (ONE_PAIR, {"a": 1}, ["map", []], {}),
    (STRINGS, {"q", "r"}, "r", {"q"}),
    (STRINGS, {"q", "r"}, "s", {"q", "r", "s"}),
    (STRINGS, {"q", "r"}, ["set", ["p", "r"]], {"q", "p"}),
    (STRINGS, {"q"}, ["set", ["q"]], set()),
    (STRINGS, {"q"}, ["set", []], {"q"}),
    (STRINGS, set(), "q", {"q"}),
    (TWO, {1}, ["set", [1, 2]], {2}),
    (PAIRS, {"k": 1, "l": 2}, ["map", [["k", 1], ["m", 3]]], {"l": 2, "m": 3}),
    (PAIRS, {"k": 1, "l": 2}, ["map", [["l", 5]]], {"k": 1, "l": 5}),
    (PAIRS, {"k": 1}, ["map", []], {"k": 1}),
    (PAIRS, {"k": 1}, ["map", [["k", 1]]], {}),
    (many(STRING, BOOLEAN), {"k": False}, ["map", [["k", True]]], {"k": True}),
]
"""The type, the value before, the difference, the value after."""

ENCODED: list[tuple[ColumnType, object, Any]] = [
    (ColumnType(INTEGER), 5, 5),
    (ColumnType(REAL), 5, 5),
    (ColumnType(REAL), 0.5, 0.5),
    (ColumnType(BOOLEAN), True, True),
    (ONE_STRING, "uuid", "uuid"),
    (ColumnType(UUID), A, ["uuid", A]),
    (ColumnType(UUID), stdlib.UUID(A), ["uuid", A]),
    (ColumnType(UUID), NamedUUID("row1"), ["named-uuid", "row1"]),
    (optional(STRING), None, ["set", []]),
    (optional(STRING), "a", "a"),
    (STRINGS, frozenset(), ["set", []]),
    (STRINGS, {"a"}, ["set", ["a"]]),
    (STRINGS, ["uuid", A], ["set", ["uuid", A]]),
    (STRINGS, ("a", "b"), ["set", ["a", "b"]]),
    (many(UUID), [A, NamedUUID("a")], ["set", [["uuid", A], ["named-uuid", "a"]]]),
    (PAIRS, {}, ["map", []]),
    (PAIRS, {"a": 1}, ["map", [["a", 1]]]),
    (many(INTEGER, UUID), {1: NamedUUID("a")}, ["map", [[1, ["named-uuid", "a"]]]]),
]

NOT_ENCODED: list[tuple[ColumnType, type[Exception], object]] = [
    *[(ColumnType(INTEGER), TypeError, value) for value in (True, 1.0, "1", [1], {1})],
    (ColumnType(INTEGER), ValueError, 2**63),
    *[(ColumnType(REAL), TypeError, value) for value in (True, "1")],
    *[(ColumnType(REAL), ValueError, value) for value in (math.nan, 2**63)],
    *[(ColumnType(BOOLEAN), TypeError, value) for value in (0, "true")],
    *[(ONE_STRING, TypeError, value) for value in (0, b"a", NamedUUID("a"), stdlib.UUID(A))],
    (ONE_STRING, ValueError, "a\0"),
    (ONE_STRING, ValueError, None),
    *[(ColumnType(UUID), TypeError, value) for value in (5, ["uuid", A], {A})],
    (ColumnType(UUID), ValueError, "row1"),
    *[(STRINGS, TypeError, value) for value in ("a", None, {"a": 1}, [5], iter("a"))],
    *[(STRINGS, ValueError, value) for value in (["a", "a"], ("a", "b", "a"))],
    (many(UUID), ValueError, [A, A]),
    (TWO, ValueError, set()),
    (TWO, ValueError, {1, 2, 3}),
    *[(PAIRS, TypeError, value) for value in (None, [("a", 1)], {"a": "b"}, {1: 1})],
    (ONE_PAIR, ValueError, {"a": 1, "b": 1}),
]


class ColumnTypeTests(SynchronousTestCase):
    """
    Tests for L{ColumnType}.
    """

    def test_decode(self) -> None:
        """
        Every form that the notation allows is read, as values of exactly the
        column's type, which are read-only.
        """
        for type_, value, expected in LEGAL:
            result = type_.decode(value)
            self.assertEqual(result, expected, f"{type_} {value}")
            if isinstance(result, Mapping):
                self.assertFalse(hasattr(result, "__setitem__"))
            else:
                self.assertIs(type(result), type(expected), f"{type_} {value}")
        numbers = many(REAL).decode(["set", [1, 2.5]])
        assert isinstance(numbers, frozenset)
        self.assertEqual({type(number) for number in numbers}, {float})

    def test_illegal(self) -> None:
        """
        Anything else is a violation that says what is there.
        """
        for type_, text, values in ILLEGAL:
            for value in values:
                with self.assertRaises(ProtocolViolation, msg=f"{type_} {value}") as raised:
                    type_.decode(value)
                said = str(raised.exception)
                if value not in NO_ATOM or type_ is PAIRS:
                    self.assertTrue(said.startswith(text), f"{type_} {value}: {said}")

    def test_kinds(self) -> None:
        """
        A column is a map, a set or neither.
        """
        kinds = [
            (type_.isMap, type_.isSet) for type_ in (PAIRS, ONE_PAIR, STRINGS, TWO, ONE_STRING)
        ]
        self.assertEqual(kinds, [(True, False)] * 2 + [(False, True)] * 2 + [(False, False)])

    def test_default(self) -> None:
        """
        The default is the atomic type's where one has to be, and otherwise
        nothing.
        """
        for key in (INTEGER, REAL, BOOLEAN, STRING, UUID):
            atom = DEFAULTS[key.type]
            self.assertEqual(ColumnType(key).default, atom)
            self.assertIs(optional(key).default, None)
            self.assertEqual(many(key).default, frozenset())
            self.assertEqual(many(key, None, 1).default, frozenset([atom]))
            self.assertEqual(many(key, STRING).default, {})
            self.assertEqual(ColumnType(key, STRING).default, {atom: ""})
        self.assertEqual(DEFAULTS[AtomicType.UUID], "00000000-0000-0000-0000-000000000000")

    def test_applyDifference(self) -> None:
        """
        The difference of a C{modify}, as ovsdb-server(7) describes it.
        """
        for type_, before, difference, after in DIFFERENCES:
            held: Any = frozenset(before) if isinstance(before, set) else before
            result = type_.applyDifference(held, difference)
            self.assertEqual(result, after, f"{type_} {before} {difference}")
            self.assertEqual(held, before)

    def test_wrongDifference(self) -> None:
        """
        A difference of another type, or one that leaves too much or too
        little, is a violation.
        """
        wrong: list[tuple[ColumnType, Any, Any]] = [
            (ONE_STRING, "a", 5),
            (STRINGS, frozenset("a"), 5),
            (STRINGS, frozenset("a"), ["set", ["b", "b"]]),
            (TWO, frozenset([1]), 1),
            (TWO, frozenset([1, 2]), 3),
            (PAIRS, {}, ["set", []]),
            (many(STRING, STRING, 1), {"a": "b"}, ["map", [["a", "b"]]]),
        ]
        for type_, before, difference in wrong:
            self.assertRaises(ProtocolViolation, type_.applyDifference, before, difference)

    def test_encode(self) -> None:
        """
        Values are written by the column's type, and read back.
        """
        for type_, value, expected in ENCODED:
            self.assertEqual(type_.encode(value), expected, f"{type_} {value}")
        for type_, _, value in LEGAL:
            self.assertEqual(type_.decode(type_.encode(value)), value)

    def test_notEncoded(self) -> None:
        """
        What the column cannot hold is an error of the caller's.
        """
        for type_, error, value in NOT_ENCODED:
            with self.assertRaises(error, msg=f"{type_} {value}"):
                type_.encode(value)
