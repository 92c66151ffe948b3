# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.database.conditions}.
"""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import DatabaseSchema, Rows, RpcError
from twisted_ovsdb.database.conditions import refusedFor, requested

ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"

ANY: dict[str, Any] = {"min": 0, "max": "unlimited"}

SCHEMA = DatabaseSchema.parse(
    {
        "name": "D",
        "tables": {
            "T": {
                "columns": {
                    "s": {"type": "string"},
                    "i": {"type": "integer"},
                    "r": {"type": "real"},
                    "b": {"type": {"key": "boolean", "min": 0}},
                    "u": {"type": {"key": {"type": "uuid", "refTable": "T"}, "min": 0}},
                    "us": {"type": {"key": "uuid", **ANY}},
                    "ss": {"type": {"key": "string", **ANY}},
                    "m": {"type": {"key": "string", "value": "string", **ANY}},
                    "mu": {"type": {"key": "integer", "value": "uuid", **ANY}},
                }
            }
        },
    }
)

TABLE = SCHEMA.tables["T"]


def sent(*conditions: Any) -> Any:
    """
    The conditions as they are sent.
    """
    return requested(TABLE, Rows(where=conditions).where)


class ConditionsTests(SynchronousTestCase):
    """
    What is sent for the values of an application.
    """

    def test_values(self) -> None:
        """
        A value of a row of a replica is a value of a condition, of whatever type. So
        is a value in OVSDB's notation.
        """
        one, two = ["uuid", ONE], ["uuid", TWO]
        values: tuple[tuple[str, Any, Any], ...] = (
            ("s", ONE, ONE),
            ("s", "", ""),
            ("i", -1, -1),
            ("r", 1, 1),
            ("r", 1.5, 1.5),
            ("b", True, True),
            ("b", None, ["set", []]),
            ("u", ONE, one),
            ("u", uuid.UUID(ONE), one),
            ("u", ["uuid", ONE], one),
            ("u", ["set", [one]], ["set", [one]]),
            ("u", None, ["set", []]),
            ("_uuid", ONE, one),
            ("us", frozenset([ONE]), ["set", [one]]),
            ("us", (TWO, uuid.UUID(ONE)), ["set", [two, one]]),
            ("us", ONE, one),
            ("us", frozenset(), ["set", []]),
            ("ss", frozenset(["a"]), ["set", ["a"]]),
            ("m", MappingProxyType({"k": ONE}), ["map", [["k", ONE]]]),
            ("m", {}, ["map", []]),
            ("mu", {5: ONE}, ["map", [[5, one]]]),
        )
        for column, value, notation in values:
            self.assertEqual(sent([column, "==", value]), [[column, "==", notation]])

    def test_several(self) -> None:
        """
        Booleans are conditions too.
        """
        self.assertEqual(
            sent(True, ["u", "!=", ONE], False), [True, ["u", "!=", ["uuid", ONE]], False]
        )
        self.assertIsNone(requested(TABLE, None))

    def test_wrong(self) -> None:
        """
        A value that does not fit its column is an error that names both, and the table.
        """
        values: tuple[tuple[str, Any, str], ...] = (
            ("s", 5, "expected string, got 5"),
            ("s", ["uuid", ONE], "expected string, got ['uuid', "),
            ("i", "5", "expected integer, got '5'"),
            ("i", True, "expected integer, got True"),
            ("b", 1, "expected boolean, got 1"),
            ("u", "vm-1", "not a UUID: 'vm-1'"),
            ("u", ["named-uuid", "x"], "expected uuid, got ['named-uuid', 'x']"),
            ("us", {"vm-1"}, "not a UUID: 'vm-1'"),
            ("ss", {"a": "b"}, "expected string, got ['map', "),
            ("m", "k", "expected a map, got 'k'"),
            ("m", {"k": 1}, "expected string, got 1"),
        )
        for column, value, words in values:
            error = self.assertRaises(RpcError, sent, [column, "==", value])
            self.assertEqual(error.error, "syntax error")
            self.assertIn(f"condition of table T, column {column}: {words}", str(error))

    def test_lacking(self) -> None:
        """
        A column that the table does not have is named.
        """
        error = self.assertRaises(RpcError, sent, ["x", "==", 1])
        self.assertEqual(str(error), "unknown column: table T has no column x")

    def test_refused(self) -> None:
        """
        What the server refuses in its own words has the tables too.
        """
        for details, words in (
            ("expected string", "syntax error: expected string (asked for A, B)"),
            ("", "syntax error: asked for A, B"),
        ):
            error = refusedFor(RpcError("syntax error", details), ["B", "A"])
            self.assertEqual((error.error, str(error)), ("syntax error", words))
