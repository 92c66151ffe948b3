# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.database.schema}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid
from twisted_ovsdb.database.datatypes import AtomicType, BaseType, ColumnType, RefType
from twisted_ovsdb.database.schema import ColumnSchema, DatabaseSchema
from twisted_ovsdb.errors import ProtocolViolation

SCHEMA: dict[str, Any] = {
    "name": "T",
    "version": "1.0.0",
    "cksum": "1 2",
    "unknown": None,
    "tables": {
        "A": {
            "columns": {
                "name": {"type": "string", "mutable": False},
                "numbers": {
                    "type": {"key": "integer", "min": 0, "max": "unlimited"},
                    "ephemeral": True,
                },
                "others": {
                    "type": {
                        "key": {"type": "uuid", "refTable": "A", "refType": "weak"},
                        "value": {"type": "uuid", "refTable": "B"},
                        "min": 0,
                        "max": 5,
                    }
                },
            },
            "maxRows": 3,
            "isRoot": True,
            "indexes": [["name"], ["name", "numbers"]],
        },
        "B": {"columns": {}},
    },
}

BASES: list[tuple[Any, BaseType]] = [
    ("real", BaseType(AtomicType.REAL)),
    ({"type": "boolean"}, BaseType(AtomicType.BOOLEAN)),
    (
        {"type": "integer", "minInteger": -1, "maxInteger": 5},
        BaseType(AtomicType.INTEGER, minInteger=-1, maxInteger=5),
    ),
    (
        {"type": "real", "minReal": 0, "maxReal": 0.5},
        BaseType(AtomicType.REAL, minReal=0.0, maxReal=0.5),
    ),
    (
        {"type": "string", "minLength": 1, "maxLength": 2},
        BaseType(AtomicType.STRING, minLength=1, maxLength=2),
    ),
    (
        {"type": "string", "enum": ["set", ["a", "b"]]},
        BaseType(AtomicType.STRING, enum=frozenset(["a", "b"])),
    ),
    ({"type": "string", "enum": ["set", []]}, BaseType(AtomicType.STRING, enum=frozenset())),
    ({"type": "string", "enum": "a"}, BaseType(AtomicType.STRING, enum=frozenset(["a"]))),
    ({"type": "integer", "enum": 5}, BaseType(AtomicType.INTEGER, enum=frozenset([5]))),
    (
        {"type": "uuid", "refTable": "B"},
        BaseType(AtomicType.UUID, refTable="B", refType=RefType.STRONG),
    ),
    ({"type": "uuid", "refType": "weak"}, BaseType(AtomicType.UUID)),
]  # fmt: skip

WRONG: list[tuple[tuple[str, ...], Any, str]] = [
    ((), None, "schema: expected an object, got None"),
    ((), [], "schema: expected an object, got []"),
    (("name",), None, "schema: name: unexpected None"),
    (("name",), 5, "schema: name: unexpected 5"),
    (("name",), ..., "schema: name is missing"),
    (("version",), 5, "schema: version: unexpected 5"),
    (("cksum",), 5, "schema: cksum: unexpected 5"),
    (("tables",), ..., "schema: tables is missing"),
    (("tables",), [], "schema: tables: unexpected []"),
    (("tables", "A"), [], "schema: table A: expected an object, got []"),
    (("tables", "A", "columns"), ..., "schema: table A: columns is missing"),
    (("tables", "A", "maxRows"), "5", "schema: table A: maxRows: unexpected '5'"),
    (("tables", "A", "maxRows"), True, "schema: table A: maxRows: unexpected True"),
    (("tables", "A", "isRoot"), 1, "schema: table A: isRoot: unexpected 1"),
    (("tables", "A", "indexes"), {}, "schema: table A: indexes: unexpected {}"),
    (("tables", "A", "indexes"), ["name"], "schema: table A: indexes: not columns"),
    (("tables", "A", "indexes"), [["nope"]], "schema: table A: indexes: not columns"),
    (("tables", "A", "indexes"), [[["a"]]], "schema: table A: indexes: not columns"),
    (("tables", "A", "columns", "name"), None, "schema: table A: column name: expected an object"),
    *[
        (("tables", "A", "columns", "name", "type"), value, f"schema: table A: column name: {text}")
        for value, text in (
            (..., "type is missing"),
            (None, "type: unexpected None"),
            ("text", "no atomic type: 'text'"),
            ({}, "key is missing"),
            ({"key": []}, "key: unexpected []"),
            ({"key": {"type": "text"}}, "no atomic type: 'text'"),
            ({"key": {}}, "type is missing"),
            ({"key": "string", "value": None}, "value: unexpected None"),
            ({"key": "string", "value": {"type": 5}}, "type: unexpected 5"),
            ({"key": "string", "min": 2}, "min 2 and max 1"),
            ({"key": "string", "min": -1}, "min -1 and max 1"),
            ({"key": "string", "max": 0}, "min 1 and max 0"),
            ({"key": "string", "max": "many"}, "min 1 and max 'many'"),
            ({"key": "string", "max": 1.5}, "max: unexpected 1.5"),
            ({"key": "string", "min": True}, "min: unexpected True"),
            ({"key": {"type": "string", "enum": ["set", [5]]}}, "expected string, got 5"),
            ({"key": {"type": "string", "enum": None}}, "enum: unexpected None"),
            ({"key": {"type": "integer", "minInteger": "1"}}, "minInteger: unexpected '1'"),
            ({"key": {"type": "uuid", "refTable": 5}}, "refTable: unexpected 5"),
            ({"key": {"type": "uuid", "refType": "other"}}, "refType: unexpected 'other'"),
        )
    ],
    (("tables", "A", "columns", "name", "mutable"), None, "schema: table A: column name: mutable"),
    (("tables", "A", "columns", "name", "ephemeral"), 0, "schema: table A: column name: epheme"),
]
"""Where, what stands there instead (... for nothing), what the fault says."""


def changed(schema: Any, path: tuple[str, ...], value: Any) -> Any:
    """
    The schema with another value in one place.
    """
    if not path:
        return value
    copy = dict(schema)
    if value is ... and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy.get(path[0]), path[1:], value)
    return copy


class DatabaseSchemaTests(SynchronousTestCase):
    """
    Tests for L{DatabaseSchema} and what it consists of.
    """

    def setUp(self) -> None:
        self.schema = DatabaseSchema.parse(SCHEMA)
        self.table = self.schema.tables["A"]

    def test_database(self) -> None:
        """
        A schema has its database's name and its tables, and the JSON it was
        read from.
        """
        self.assertEqual((self.schema.name, self.schema.version), ("T", "1.0.0"))
        self.assertEqual((self.schema.cksum, list(self.schema.tables)), ("1 2", ["A", "B"]))
        self.assertIs(self.schema.raw, SCHEMA)
        self.assertNotIn("raw", repr(self.schema))

    def test_table(self) -> None:
        """
        A table has what its schema says, and otherwise the defaults of the RFC.
        """
        self.assertEqual((self.table.maxRows, self.table.isRoot), (3, True))
        self.assertEqual(self.table.indexes, (("name",), ("name", "numbers")))
        other = self.schema.tables["B"]
        self.assertEqual((other.maxRows, other.isRoot, other.indexes), (None, False, ()))

    def test_columns(self) -> None:
        """
        A column has its type, and whether it can change and is kept.
        """
        name, numbers, others = self.table.columns.values()
        self.assertEqual((name.mutable, name.ephemeral), (False, False))
        self.assertEqual((numbers.mutable, numbers.ephemeral), (True, True))
        self.assertEqual(name.type, ColumnType(BaseType(AtomicType.STRING)))
        self.assertEqual(numbers.type, ColumnType(BaseType(AtomicType.INTEGER), None, 0, None))
        self.assertEqual((others.type.min, others.type.max), (0, 5))
        self.assertEqual(others.type.key.refType, RefType.WEAK)
        assert others.type.value is not None
        self.assertEqual(others.type.value.refTable, "B")

    def test_bases(self) -> None:
        """
        Every constraint is read.
        """
        for json, expected in BASES:
            path = ("tables", "A", "columns", "name", "type")
            schema = DatabaseSchema.parse(changed(SCHEMA, path, {"key": json}))
            self.assertEqual(schema.tables["A"].columns["name"].type, ColumnType(expected))

    def test_value(self) -> None:
        """
        Schemas are values: equal and of one hash, if they say the same.
        """
        again = DatabaseSchema.parse(dict(SCHEMA))
        self.assertEqual(self.schema, again)
        self.assertEqual(hash(self.schema), hash(again))
        self.assertEqual(hash(self.table), hash(again.tables["A"]))
        self.assertNotEqual(self.schema, DatabaseSchema.parse(changed(SCHEMA, ("name",), "U")))
        for mapping in (self.schema.tables, self.table.columns):
            self.assertFalse(hasattr(mapping, "__setitem__"))

    def test_least(self) -> None:
        """
        Only a name and tables are needed.
        """
        schema = DatabaseSchema.parse({"name": "T", "tables": {}})
        self.assertEqual((schema.version, schema.cksum), ("", ""))

    def test_wrong(self) -> None:
        """
        What is no schema is a violation that names the place.
        """
        for path, value, text in WRONG:
            with self.assertRaises(ProtocolViolation, msg=f"{path} {value}") as raised:
                DatabaseSchema.parse(changed(SCHEMA, path, value))
            said = str(raised.exception)
            self.assertTrue(said.startswith(text), f"{path} {value}: {said}")

    def test_implicit(self) -> None:
        """
        Every table has _uuid and _version, and nothing else of its own.
        """
        for name in ("_uuid", "_version"):
            column = self.schema.tables["B"].column(name)
            self.assertEqual((column.name, column.mutable), (name, False))
            self.assertEqual(column.decode(["uuid", uuid(1)]), uuid(1))
        self.assertIsInstance(self.table.column("name"), ColumnSchema)
        error = self.assertRaises(KeyError, self.table.column, "nope")
        self.assertIn("table A has no column nope", str(error))

    def test_decodeRow(self) -> None:
        """
        A row that was selected is read by the schema, read-only.
        """
        row = self.table.decodeRow(
            {"_uuid": ["uuid", uuid(1)], "name": "a", "numbers": 5, "others": ["map", []]}
        )
        self.assertEqual(
            row, {"_uuid": uuid(1), "name": "a", "numbers": frozenset([5]), "others": {}}
        )
        self.assertFalse(hasattr(row, "__setitem__"))
        for wrong, text in (
            ({"nope": 5}, "column 'nope': the schema has none"),
            ({"name": 5}, "column name: expected string, got 5"),
        ):
            with self.assertRaises(ProtocolViolation) as raised:
                self.table.decodeRow(wrong)
            self.assertEqual(str(raised.exception), text)

    def test_encodeRow(self) -> None:
        """
        A row to be inserted is written by the schema; errors name the column.
        """
        row = {"name": "a", "numbers": {5}, "others": {uuid(1): uuid(2)}}
        self.assertEqual(
            self.table.encodeRow(row),
            {
                "name": "a",
                "numbers": ["set", [5]],
                "others": ["map", [[["uuid", uuid(1)], ["uuid", uuid(2)]]]],
            },
        )
        self.assertRaises(KeyError, self.table.encodeRow, {"nope": 5})
        for wrong, error, text in (
            ({"name": 5}, TypeError, "column name: expected string, got 5"),
            ({"name": None}, ValueError, "column name: expected 1 to 1 elements, got 0"),
        ):
            with self.assertRaises(error) as raised:
                self.table.encodeRow(wrong)
            self.assertEqual(str(raised.exception), text)
