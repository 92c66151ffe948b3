# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A database in memory: C{transact} of RFC 7047, section 5.2, as ovsdb-server
does it, for L{twisted_ovsdb.testing}. It knows nothing of connections.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from twisted_ovsdb.database.datatypes import RefType, Value
from twisted_ovsdb.database.schema import DatabaseSchema, TableSchema
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.testing.operations import (
    MUTATORS,
    OperationFailed,
    checkConstraints,
    columnOf,
    condition,
    elementsOf,
    mutated,
    resolved,
)

Row = dict[str, Value]


@attrs.frozen
class RowDifference:
    """
    One row that a transaction has changed: before and after it, None where
    it was not there.
    """

    table: str
    uuid: str
    old: Mapping[str, Value] | None
    new: Mapping[str, Value] | None


class MemoryDatabase:
    """
    The rows of all tables.

    @ivar schema: what they are like.
    @ivar tables: the rows by table and UUID. They are not changed but
        replaced.
    """

    def __init__(self, schema: DatabaseSchema) -> None:
        self.schema = schema
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in schema.tables}
        self._lastUUID = 0

    def transact(self, operations: list[Any]) -> tuple[list[Any], list[RowDifference]]:
        """
        Do all operations, or none.

        @return: the results (RFC 7047, section 4.1.3), and the rows that are
            not as they were.
        """
        before = {name: dict(rows) for name, rows in self.tables.items()}
        results: list[Any] = []
        try:
            names = self._namedUUIDs(operations)
            for operation in operations:
                results.append(self._operate(resolved(operation, names), names))
            self._collectGarbage()
            self._checkIndexes()
        except OperationFailed as e:
            self.tables = before
            error, details = e.args
            results.append({"error": error, "details": details})
            results += [None] * (len(operations) - len(results))
            return results, []
        return results, list(self._differences(before))

    def forgetEphemeral(self) -> None:
        """
        Blank the ephemeral columns, as a restart of ovsdb-server does.
        """
        for name, table in self.schema.tables.items():
            blank = {c.name: c.type.default for c in table.columns.values() if c.ephemeral}
            rows = self.tables[name]
            self.tables[name] = {key: {**row, **blank} for key, row in rows.items()}

    def encode(self, table: str, row: Mapping[str, Value], column: str) -> Any:
        """
        A column as ovsdb-server writes it: sets and maps in order, a set of
        one element as the element alone.
        """
        value = row[column]
        encoded = self.schema.tables[table].column(column).type.encode(value)
        if isinstance(value, (frozenset, Mapping)):
            encoded[1].sort()
            if isinstance(value, frozenset) and len(value) == 1:
                return encoded[1][0]
        return encoded

    def _differences(self, before: dict[str, dict[str, Row]]) -> Iterator[RowDifference]:
        for table, rows in self.tables.items():
            old = before[table]
            for key in [*old, *(key for key in rows if key not in old)]:
                if old.get(key) != rows.get(key):
                    yield RowDifference(table, key, old.get(key), rows.get(key))

    def _namedUUIDs(self, operations: list[Any]) -> dict[str, str]:
        names: dict[str, str] = {}
        for operation in operations:
            if type(operation) is dict and operation.get("op") == "insert":
                name = operation.get("uuid-name")
                if name is not None:
                    names.setdefault(name, self._newUUID())
        return names

    def _newUUID(self) -> str:
        # The same ones in every run of a test.
        self._lastUUID += 1
        return str(uuid.UUID(int=self._lastUUID << 64, version=4))

    # Operations (RFC 7047, section 5.2)

    def _operate(self, operation: Any, names: Mapping[str, str]) -> Any:
        if type(operation) is not dict or type(operation.get("op")) is not str:
            raise OperationFailed("syntax error", "an operation is an object with a member op")
        name = operation["op"]
        if name in ("comment", "commit"):
            return {}
        if name == "abort":
            raise OperationFailed("aborted", "aborted by request")
        operate = {
            "insert": self._insert,
            "select": self._select,
            "update": self._update,
            "mutate": self._mutate,
            "delete": self._delete,
        }.get(name)
        if operate is None:
            raise OperationFailed("syntax error", f'No operation "{name}"')
        table = self.schema.tables.get(operation.get("table", ""))
        if table is None:
            raise OperationFailed("syntax error", f"No table named {operation.get('table')}.")
        if name == "insert":
            if operation.get("uuid-name") is not None:
                operation = {**operation, "uuid": names[operation["uuid-name"]]}
        elif type(operation.get("where")) is not list:
            raise OperationFailed("syntax error", "Required 'where' member is missing.")
        return operate(table, operation)

    def _insert(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        row = {column.name: column.type.default for column in table.columns.values()}
        row.update(self._values(table, operation.get("row")))
        key = operation.get("uuid") or self._newUUID()
        if key in self.tables[table.name]:
            raise OperationFailed("duplicate uuid-name", "an earlier operation has this uuid-name")
        self.tables[table.name][key] = row
        return {"uuid": ["uuid", key]}

    def _select(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        columns = operation.get("columns", ["_uuid", "_version", *table.columns])
        rows = []
        for key in self._where(table, operation):
            implicit = {"_uuid": ["uuid", key], "_version": ["uuid", key]}
            row = self.tables[table.name][key]
            rows.append({c: implicit.get(c) or self.encode(table.name, row, c) for c in columns})
        return {"rows": rows}

    def _update(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        values = self._values(table, operation.get("row"))
        self._checkMutable(table, values)
        keys = self._where(table, operation)
        for key in keys:
            self.tables[table.name][key] = {**self.tables[table.name][key], **values}
        return {"count": len(keys)}

    def _mutate(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        keys = self._where(table, operation)
        for mutation in operation.get("mutations", ()):
            try:
                name, mutator, argument = mutation
                column = columnOf(table, name)
                if mutator not in MUTATORS:
                    raise OperationFailed("unknown mutator", f"No mutator named {mutator}.")
                self._checkMutable(table, [name])
                for key in keys:
                    row = self.tables[table.name][key]
                    value = mutated(column, row[name], mutator, argument)
                    checkConstraints(column, value)
                    self.tables[table.name][key] = {**row, name: value}
            except (ValueError, TypeError, ProtocolViolation) as e:
                raise OperationFailed("syntax error", f"mutation {mutation}: {e}") from e
        return {"count": len(keys)}

    def _delete(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        keys = self._where(table, operation)
        for key in keys:
            del self.tables[table.name][key]
        return {"count": len(keys)}

    def _values(self, table: TableSchema, row: Any) -> Row:
        if type(row) is not dict:
            raise OperationFailed("syntax error", "a row is an object")
        values: Row = {}
        for name, value in row.items():
            column = columnOf(table, name)
            try:
                values[name] = column.decode(value)
            except ProtocolViolation as e:
                raise OperationFailed("syntax error", f"column {name}: {e}") from e
            checkConstraints(column, values[name])
        return values

    def _checkMutable(self, table: TableSchema, columns: Any) -> None:
        for name in columns:
            if not table.column(name).mutable:
                raise OperationFailed(
                    "constraint violation",
                    f"Cannot update immutable column {name} in table {table.name}.",
                )

    def _where(self, table: TableSchema, operation: dict[str, Any]) -> list[str]:
        """
        The rows for which all conditions hold (RFC 7047, section 5.1).
        """
        rows = self.tables[table.name]
        keys = list(rows)
        try:
            for name, function, argument in operation["where"]:
                column = columnOf(table, name)
                holds = condition(column, function, argument)
                keys = [k for k in keys if holds(k if name == "_uuid" else rows[k][name])]
        except (ValueError, TypeError, ProtocolViolation) as e:
            raise OperationFailed("syntax error", f"where: {e}") from e
        return keys

    # The commit

    def _collectGarbage(self) -> None:
        """
        Remove the rows to which no strong reference leads, in tables that
        are not roots, and refuse references to what is not there.
        """
        while True:
            wanted: set[tuple[str, str]] = set()
            for name, rows in self.tables.items():
                for table, key in self._references(name, rows):
                    if key not in self.tables[table]:
                        raise OperationFailed(
                            "referential integrity violation",
                            f"Table {name} has a row that refers to row {key} of table {table},"
                            " which is not there.",
                        )
                    wanted.add((table, key))
            gone = [
                (name, key)
                for name, rows in self.tables.items()
                if not self.schema.tables[name].isRoot
                for key in rows
                if (name, key) not in wanted
            ]
            for name, key in gone:
                del self.tables[name][key]
            if not gone:
                return

    def _references(self, name: str, rows: Mapping[str, Row]) -> Iterator[tuple[str, str]]:
        for column in self.schema.tables[name].columns.values():
            key = column.type.key
            if key.refTable is not None and key.refType is not RefType.WEAK:
                for row in rows.values():
                    for element in elementsOf(row[column.name]):
                        yield key.refTable, element

    def _checkIndexes(self) -> None:
        for name, table in self.schema.tables.items():
            count = len(self.tables[name])
            if table.maxRows is not None and count > table.maxRows:
                raise OperationFailed(
                    "constraint violation",
                    f'transaction causes "{name}" table to contain {count} rows, greater than the'
                    f" schema-defined limit of {table.maxRows} row(s)",
                )
            for index in table.indexes:
                seen: set[tuple[Value, ...]] = set()
                for row in self.tables[name].values():
                    values = tuple(row[column] for column in index)
                    if values in seen:
                        raise OperationFailed(
                            "constraint violation",
                            f"two rows of table {name} have the same {', '.join(index)}: {values}",
                        )
                    seen.add(values)
