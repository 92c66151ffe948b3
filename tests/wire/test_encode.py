# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the writing half of L{twisted_ovsdb.wire.notation}.
"""

from __future__ import annotations

import enum
import math
import uuid as stdlib
from types import MappingProxyType

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid
from twisted_ovsdb.wire.notation import (
    NamedUUID,
    datum,
    decode,
    encode,
    encodeAtom,
    encodeRow,
    encodeUUID,
)

ROW = stdlib.UUID(uuid(1))


class Number(enum.IntEnum):
    """
    A number that is not quite one.
    """

    ONE = 1


LEGAL: list[tuple[object, object]] = [
    *[(atom, atom) for atom in (0, -1, 2**63 - 1, -(2**63), 0.5, 1e18, True, False, "é", "set")],
    (Number.ONE, 1),
    (ROW, ["uuid", uuid(1)]),
    (NamedUUID("row_1"), ["named-uuid", "row_1"]),
    (None, ["set", []]),
    (set(), ["set", []]),
    ((), ["set", []]),
    (frozenset(["a"]), ["set", ["a"]]),
    (("a", "b"), ["set", ["a", "b"]]),
    ({ROW}, ["set", [["uuid", uuid(1)]]]),
    ((ROW, NamedUUID("a")), ["set", [["uuid", uuid(1)], ["named-uuid", "a"]]]),
    ({}, ["map", []]),
    ({"a": 1, "b": 2}, ["map", [["a", 1], ["b", 2]]]),
    (MappingProxyType({1: NamedUUID("a")}), ["map", [[1, ["named-uuid", "a"]]]]),
]  # fmt: skip

NO_NOTATION: list[tuple[type[Exception], object]] = [
    *[(TypeError, value) for value in (b"a", object(), 1j, [], ["uuid", uuid(1)], iter("a"))],
    *[(TypeError, value) for value in ((None,), ((),), {"a": None}, {"a": ()}, {("a",): 1})],
    *[(ValueError, value) for value in (2**63, -(2**63) - 1, math.nan, math.inf, -math.inf)],
    *[(ValueError, value) for value in (("a", "a"), (1, 1), (ROW, ROW), (True, True))],
    *[(ValueError, value) for value in ("\0", "a\ud800", "\udfff", {"a\0"}, {"a": "\0"})],
]


DECODED: list[tuple[object, object]] = [
    *[(atom, atom) for atom in (0, -(2**63), 0.5, True, "é", "set")],
    (["uuid", uuid(1)], ROW),
    (["named-uuid", "row_1"], NamedUUID("row_1")),
    (["set", []], None),
    (["set", ["a"]], "a"),
    (["set", [1, 2]], frozenset([1, 2])),
    (["set", [["uuid", uuid(1)]]], ROW),
    # Two reals that differ in the 16th digit, as ovsdb-server writes them.
    (["set", [0.3, 0.3]], 0.3),
    (["set", [1, 1, 2]], frozenset([1, 2])),
    (["map", []], {}),
    (["map", [["a", 1], ["b", ["uuid", uuid(1)]]]], {"a": 1, "b": ROW}),
]

NO_VALUE: list[object] = [
    *(None, [], {}, ["set"], ["set", "a"], ["map", {}], ["map", [["a"]]], ["map", ["ab"]]),
    *(
        ["uuid", "no"],
        ["uuid", 5],
        ["named-uuid", "no id"],
        ["set", [["set", []]]],
        ["set", [None]],
    ),
    *(2**63, -(2**63) - 1, ["set", [2**63]], ["map", [[2**63, 1]]], ["map", [[1, 10**30]]]),
    *(["set", ["a", "b", "a"]], ["set", [True, True]], ["set", [["uuid", uuid(1)]] * 2]),
    *(["map", [["a", "b"], ["a", "b"]]], ["map", [["a", 1], ["a", 2]]]),
]


class DecodeTests(SynchronousTestCase):
    """
    Tests for L{decode}.
    """

    def test_values(self) -> None:
        """
        Each form of the notation is a value in Python. Written again, it means
        the same.
        """
        for notation, expected in DECODED:
            found = decode(notation)
            self.assertEqual(found, expected, notation)
            self.assertIs(type(found) is bool, type(expected) is bool)
            self.assertEqual(decode(encode(found)), expected)

    def test_refused(self) -> None:
        """
        What is not in the notation is an error that shows it.
        """
        for value in NO_VALUE:
            fault = self.assertRaises(ValueError, decode, value)
            self.assertRegex(str(fault), "notation|pairs|letters|different")

    def test_hint(self) -> None:
        """
        The error for a list says what to write in its place.
        """
        fault = self.assertRaises(TypeError, encode, ["a"])
        self.assertIn("a set of values is a tuple or a set", str(fault))


class EncodeTests(SynchronousTestCase):
    """
    Tests for L{encode} and what it consists of.
    """

    def test_legal(self) -> None:
        """
        A value is written by what it is.
        """
        for value, expected in LEGAL:
            written = encode(value)
            self.assertEqual(written, expected)
            self.assertIs(type(written), type(expected))

    def test_inverse(self) -> None:
        """
        What was read is written as it was; a set in any order.
        """
        for json in (5, "a", ["set", []], ["map", [["a", 1]]]):
            self.assertEqual(encode(datum("c", json)), json)
        atoms = datum("c", ["set", ["a", "b"]])
        self.assertIn(encode(atoms), (["set", ["a", "b"]], ["set", ["b", "a"]]))

    def test_noNotation(self) -> None:
        """
        What OVSDB cannot hold is refused, and said; so is a list, which may
        be notation already.
        """
        for error, value in NO_NOTATION:
            self.assertRaises(error, encode, value)
        for value, text in (
            ([], "OVSDB has no notation for a list: []; a set of values is a tuple or a set"),
            (2**63, "an integer has 64 bits: 9223372036854775808"),
            (math.nan, "OVSDB has no nan"),
            ("\0", "a string holds NUL or half a character: '\\x00'"),
        ):
            with self.assertRaises((TypeError, ValueError)) as raised:
                encode(value)
            self.assertEqual(str(raised.exception), text)

    def test_atom(self) -> None:
        """
        An atom is neither a set nor a map.
        """
        self.assertEqual(encodeAtom("a"), "a")
        self.assertRaises(TypeError, encodeAtom, None)
        self.assertRaises(TypeError, encodeAtom, ())

    def test_row(self) -> None:
        """
        A row is written column by column; an error names the column.
        """
        self.assertEqual(encodeRow({"a": 1, "b": None}), {"a": 1, "b": ["set", []]})
        error = self.assertRaises(TypeError, encodeRow, {"a": 1, "b": []})
        self.assertIn("column b: OVSDB has no notation for a list: []; a set", str(error))
        error = self.assertRaises(ValueError, encodeRow, {"a": 2**63})
        self.assertIn("column a: ", str(error))

    def test_references(self) -> None:
        """
        References are checked where they are made.
        """
        self.assertEqual(encodeUUID(uuid(1)), ["uuid", uuid(1)])
        for text in ("", "row1", uuid(1) + "0"):
            self.assertRaises(ValueError, encodeUUID, text)
        for name in ("", "1a", "a b", "a-b", "a\n"):
            self.assertRaises(ValueError, NamedUUID, name)
