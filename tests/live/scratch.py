# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A database that has every type of column, and random transactions on it.
"""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path
from typing import Any, Final

from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb.database.datatypes import AtomicType, BaseType, ColumnType, RefType, Value
from twisted_ovsdb.database.schema import ColumnSchema, DatabaseSchema, TableSchema
from twisted_ovsdb.wire.notation import NamedUUID, encode

ATOMIC: Final = ("integer", "real", "boolean", "string", "uuid")

POOLS: Final[dict[AtomicType, list[Any]]] = {
    AtomicType.INTEGER: [0, 1, 2, 7, -1, 2**63 - 1, -(2**63)],
    AtomicType.REAL: [0.0, 1.0, -1.5, 0.1, 1e18, 1e-07, 3.0],
    AtomicType.BOOLEAN: [False, True],
    AtomicType.STRING: ["", "a", "b", "set", "map", "é€\U0001f600", 'q"\\\n\x01'],
    AtomicType.UUID: [str(uuid.UUID(int=n)) for n in range(5)],
}
"""Few values, so that an old and a new value often have elements in common."""


def _columns() -> dict[str, Any]:
    """
    Columns of every atomic type in every shape, and maps from each type to
    each.
    """
    columns: dict[str, Any] = {}
    for key in ATOMIC:
        columns[f"{key}_one"] = {"type": key}
        for name, least, most in (
            ("optional", 0, 1),
            ("set", 0, "unlimited"),
            ("some", 1, "unlimited"),
            ("few", 0, 2),
        ):
            columns[f"{key}_{name}"] = {"type": {"key": key, "min": least, "max": most}}
        for value in ATOMIC:
            for name, least, most in (
                ("map", 0, "unlimited"),
                ("pair", 0, 1),
                ("pairOne", 1, 1),
                ("pairs", 1, 2),
            ):
                columns[f"{key}_{value}_{name}"] = {
                    "type": {"key": key, "value": value, "min": least, "max": most}
                }
    return columns


def _reference(table: str, kind: str, least: int, most: int | str, **key: Any) -> dict[str, Any]:
    uuids = {"type": "uuid", "refTable": table, "refType": kind}
    ends = {"min": least, "max": most}
    return {"type": {"key": key["key"], "value": uuids, **ends} if key else {"key": uuids, **ends}}


SCHEMA: Final[dict[str, Any]] = {
    "name": "Every",
    "version": "1.2.3",
    "tables": {
        "Main": {"isRoot": True, "columns": _columns()},
        "Special": {
            "isRoot": True,
            "columns": {
                "name": {"type": "string"},
                "fixed": {"type": "string", "mutable": False},
                "enum": {"type": {"key": {"type": "string", "enum": ["set", ["a", "b", ""]]}}},
                "enums": {
                    "type": {
                        "key": {"type": "integer", "enum": ["set", [1, 2, 7]]},
                        "min": 0,
                        "max": "unlimited",
                    }
                },
                "percent": {
                    "type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 100}}
                },
                "ratio": {"type": {"key": {"type": "real", "minReal": -2.0, "maxReal": 2.0}}},
                "short": {"type": {"key": {"type": "string", "maxLength": 3}}},
                "fleeting": {"type": "string", "ephemeral": True},
                "fleetingMap": {
                    "type": {"key": "string", "value": "real", "min": 0, "max": "unlimited"},
                    "ephemeral": True,
                },
                "strong": _reference("Leaf", "strong", 0, 1),
                "strongs": _reference("Leaf", "strong", 0, "unlimited"),
                "weak": _reference("Leaf", "weak", 0, 1),
                "weaks": _reference("Special", "weak", 0, "unlimited"),
                "strongMap": _reference("Leaf", "strong", 0, "unlimited", key="string"),
                "weakMap": _reference("Special", "weak", 0, "unlimited", key="integer"),
            },
            "indexes": [["name"]],
        },
        "Leaf": {
            "columns": {
                "value": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
                "next": _reference("Leaf", "strong", 0, 1),
                "back": _reference("Special", "weak", 0, 1),
            },
        },
        "Few": {"isRoot": True, "maxRows": 2, "columns": {"value": {"type": "real"}}},
    },
}


class ScratchServer(PrivateOpenVSwitch):
    """
    An ovsdb-server with the database Every and an empty database Open_vSwitch.
    """

    def __init__(self) -> None:
        super().__init__(vswitchd=False)

    def start(self) -> None:
        """
        Make the databases and start the server.
        """
        schema, database = self.folder / "every.ovsschema", str(self.folder / "every.db")
        Path(schema).write_text(json.dumps(SCHEMA))
        self.run("ovsdb-tool", "create", database, str(schema))
        self.createDatabase()
        self.startServer(database)


class Author:
    """
    Writes random transactions. The same seed gives the same transactions.

    @ivar rows: the rows that exist, by table and UUID. The caller keeps this
        up to date.
    """

    def __init__(self, schema: DatabaseSchema, seed: int) -> None:
        self.schema = schema
        self.rows: dict[str, dict[str, Any]] = {}
        self.random = random.Random(seed)
        self._names = 0
        # The server makes new UUIDs in each run. The order of the rows stays
        # the same.
        self._born: dict[str, int] = {}

    def transaction(self) -> tuple[str, list[dict[str, Any]]]:
        """
        Make the next transaction.

        @return: its name, and its operations.
        """
        kinds = [
            *[self.insert, self.update, self.mutate, self.delete, self.refer, self.special] * 2,
            *[self.toDefaults, self.nothing, self.insertAndDelete, self.replace, self.limited],
        ]
        kind = self.random.choice(kinds)
        name, operations = kind.__name__, kind()
        if self.random.random() < 0.25:
            name = "several"
            for more in self.random.choices(kinds, k=2):
                operations += more()
        return name, operations

    def committed(self, results: list[Any]) -> None:
        """
        A transaction was committed, with these results.
        """
        for result in results:
            if "uuid" in result:
                self._born[result["uuid"][1]] = len(self._born)

    def insert(self) -> list[dict[str, Any]]:
        """
        A new row, with values for a few columns or for all.
        """
        if len(self.rows["Main"]) > 12:
            return self.delete()
        table = self.schema.tables["Main"]
        row = self.someValues(table, self.random.choice([0, 3, 20, len(table.columns)]))
        return [{"op": "insert", "table": "Main", "row": table.encodeRow(row)}]

    def update(self) -> list[dict[str, Any]]:
        """
        New values for some columns of a row, or of all rows.
        """
        table = self.schema.tables["Main"]
        row = table.encodeRow(self.someValues(table, self.random.choice([1, 2, 10, 200])))
        where = [] if self.random.random() < 0.1 else self.anyRow("Main")
        return [{"op": "update", "table": "Main", "where": where, "row": row}]

    def toDefaults(self) -> list[dict[str, Any]]:
        """
        The default values for some columns.
        """
        table = self.schema.tables["Main"]
        columns = self.random.sample(sorted(table.columns), 30)
        row = table.encodeRow({name: table.columns[name].type.default for name in columns})
        return [{"op": "update", "table": "Main", "where": self.anyRow("Main"), "row": row}]

    def mutate(self) -> list[dict[str, Any]]:
        """
        Arithmetic on numbers; elements of sets and pairs of maps are added or
        removed.
        """
        table = self.schema.tables["Main"]
        columns = self.random.sample(sorted(table.columns), self.random.choice([1, 2, 5]))
        found = [self.mutation(table.columns[name]) for name in columns]
        mutations = [mutation for mutation in found if mutation is not None]
        where = self.anyRow("Main")
        return [{"op": "mutate", "table": "Main", "where": where, "mutations": mutations}]

    def mutation(self, column: ColumnSchema) -> list[Any] | None:
        """
        A mutation of this column, or None if its type allows none.
        """
        type = column.type
        if type.isMap or type.isSet:
            change = self.random.choice(["insert", "delete"])
            value = self.value(type)
            if type.isMap and change == "delete" and self.random.random() < 0.5:
                assert isinstance(value, dict)
                keys = ColumnType(type.key, min=0, max=None)
                return [column.name, change, keys.encode(frozenset(value))]
            return [column.name, change, column.encode(value)]
        if type.key.type not in (AtomicType.INTEGER, AtomicType.REAL):
            return None
        return [column.name, self.random.choice(["+=", "-=", "*="]), self.random.choice([1, 2])]

    def delete(self) -> list[dict[str, Any]]:
        """
        A row is deleted.
        """
        table = self.random.choice(["Main", "Special", "Special"])
        return [{"op": "delete", "table": table, "where": self.anyRow(table)}]

    def nothing(self) -> list[dict[str, Any]]:
        """
        An update to the values that a row has already, and an update that
        matches no row.
        """
        where = [["string_one", "==", "nowhere"]]
        nowhere = {"op": "update", "table": "Main", "where": where, "row": {"integer_one": 5}}
        if not self.rows["Main"]:
            return [nowhere]
        rowId = self.random.choice(self.inOrder("Main"))
        row = self.rows["Main"][rowId]
        same = {n: v for n, v in row.items() if not n.startswith("_")}
        again = {
            "op": "update",
            "table": "Main",
            "where": [["_uuid", "==", ["uuid", rowId]]],
            "row": self.schema.tables["Main"].encodeRow(same),
        }
        return [nowhere, again]

    def insertAndDelete(self) -> list[dict[str, Any]]:
        """
        A row that is inserted and deleted at once: no client is told of it.
        """
        name = self.name()
        return [
            {"op": "insert", "table": "Main", "row": {}, "uuid-name": name},
            {"op": "delete", "table": "Main", "where": [["_uuid", "==", ["named-uuid", name]]]},
        ]

    def replace(self) -> list[dict[str, Any]]:
        """
        A row is deleted, and another one with the same unique name is inserted.
        """
        if not self.rows["Special"]:
            return self.special()
        rowId = self.random.choice(self.inOrder("Special"))
        row = self.rows["Special"][rowId]
        new = {"name": row["name"], "strongs": frozenset(row["strongs"])}
        return [
            {"op": "delete", "table": "Special", "where": [["_uuid", "==", ["uuid", rowId]]]},
            {
                "op": "insert",
                "table": "Special",
                "row": self.schema.tables["Special"].encodeRow(new),
            },
        ]

    def special(self) -> list[dict[str, Any]]:
        """
        A row with references to rows that the same transaction inserts.
        """
        if len(self.rows["Special"]) > 8:
            return self.delete()
        leaf, next, own = (NamedUUID(self.name()) for _ in range(3))
        table, leaves = self.schema.tables["Special"], self.schema.tables["Leaf"]
        row: dict[str, Any] = {
            **self.someValues(table, 4, references=False),
            "name": own.name,
            "strong": leaf,
            "strongs": {leaf, next},
            "weaks": {own, *self.uuids("Special")},
            "strongMap": {"a": next},
            "weakMap": {1: own},
        }
        return [
            {
                "op": "insert",
                "table": "Leaf",
                "row": leaves.encodeRow({"value": {1, 2}, "next": next, "back": own}),
                "uuid-name": leaf.name,
            },
            {"op": "insert", "table": "Leaf", "row": {}, "uuid-name": next.name},
            {
                "op": "insert",
                "table": "Special",
                "row": table.encodeRow(row),
                "uuid-name": own.name,
            },
        ]

    def refer(self) -> list[dict[str, Any]]:
        """
        References change. The server removes each row to which no strong
        reference is left.
        """
        table = self.schema.tables["Special"]
        row: dict[str, Any] = self.someValues(table, 2, references=False)
        leaves = self.uuids("Leaf")
        columns: dict[str, Any] = {
            "strong": next(iter(leaves), None),
            "strongs": leaves,
            "weak": next(iter(self.uuids("Leaf")), None),
            "weaks": self.uuids("Special"),
            "strongMap": {str(n): leaf for n, leaf in enumerate(self.uuids("Leaf"))},
            "weakMap": dict(enumerate(self.uuids("Special"))),
        }
        for name in self.random.sample(sorted(columns), 3):
            row[name] = columns[name]
        where = self.anyRow("Special")
        return [{"op": "update", "table": "Special", "where": where, "row": table.encodeRow(row)}]

    def limited(self) -> list[dict[str, Any]]:
        """
        A table with at most two rows: the third makes the commit fail.
        """
        if self.random.random() < 0.3:
            return [{"op": "delete", "table": "Few", "where": []}]
        value = self.random.choice(POOLS[AtomicType.REAL])
        return [{"op": "insert", "table": "Few", "row": {"value": encode(value)}}]

    # The parts of transactions

    def name(self) -> str:
        """
        A new name.
        """
        self._names += 1
        return f"row{self._names}"

    def inOrder(self, table: str) -> list[str]:
        """
        The UUIDs of a table's rows, the oldest first.
        """
        return sorted(self.rows[table], key=self._born.__getitem__)

    def uuids(self, table: str) -> list[str]:
        """
        The UUIDs of some rows of a table.
        """
        rows = self.inOrder(table)
        return self.random.sample(rows, self.random.randint(0, min(3, len(rows))))

    def anyRow(self, table: str) -> list[Any]:
        """
        A condition that one row meets. In an empty table, no row meets it.
        """
        rows = self.inOrder(table)
        chosen = self.random.choice(rows) if rows else str(uuid.UUID(int=1))
        return [["_uuid", "==", ["uuid", chosen]]]

    def someValues(
        self, table: TableSchema, count: int, references: bool = True
    ) -> dict[str, Value]:
        """
        Random values for some columns.

        @param count: how many columns, at most.
        @param references: whether columns with references may be among them.
        """
        names = [
            name
            for name, column in sorted(table.columns.items())
            if column.mutable and (references or not _refers(column.type))
        ]
        chosen = self.random.sample(names, min(count, len(names)))
        return {name: self.value(table.columns[name].type) for name in chosen}

    def value(self, type: ColumnType) -> Any:
        """
        A random value of this type.
        """
        pool = [atom for atom in POOLS[type.key.type] if _allows(type.key, atom)]
        if self.random.random() < 0.02:
            # Sometimes a value breaks the constraints. The server then refuses
            # it.
            pool = POOLS[type.key.type]
        most = len(pool) if type.max is None else min(type.max, len(pool))
        keys = self.random.sample(pool, self.random.randint(type.min, most))
        if type.value is not None:
            return {key: self.random.choice(POOLS[type.value.type]) for key in keys}
        return frozenset(keys) if type.isSet else next(iter(keys), None)


def _refers(type: ColumnType) -> bool:
    bases = [type.key] if type.value is None else [type.key, type.value]
    return any(base.refType in (RefType.STRONG, RefType.WEAK) for base in bases)


def _allows(base: BaseType, atom: Any) -> bool:
    """
    Whether an atom meets the constraints of a type.
    """
    if base.enum is not None:
        return atom in base.enum
    size = len(atom) if isinstance(atom, str) else atom
    least = (base.minInteger, base.minReal, base.minLength)
    most = (base.maxInteger, base.maxReal, base.maxLength)
    return all(n is None or size >= n for n in least) and all(n is None or size <= n for n in most)
