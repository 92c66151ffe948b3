# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A database in memory: C{transact} of RFC 7047, section 5.2, as ovsdb-server
does it, for L{twisted_ovsdb.testing}. It knows nothing of connections.
"""

from __future__ import annotations

import operator
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.datatypes import AtomicType, ColumnType, RefType, Value
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation
from twisted_ovsdb.schema import DatabaseSchema, TableSchema

Row = dict[str, Value]

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
}


class _Refused(OvsdbError):
    """
    An operation failed: C{error} and C{details} of its result.
    """


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


def _elements(value: Value) -> set[Any]:
    """
    A value as the set of what it holds; of a map, its pairs.
    """
    if value is None:
        return set()
    if isinstance(value, Mapping):
        return set(value.items())
    return set(value) if isinstance(value, frozenset) else {value}


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
                results.append(self._operate(_resolved(operation, names), names))
            self._collectGarbage()
            self._checkIndexes()
        except _Refused as e:
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
                if name in names:
                    raise _Refused("duplicate uuid-name", f"uuid-name {name} is used twice")
                if name is not None:
                    names[name] = self._newUUID()
        return names

    def _newUUID(self) -> str:
        # The same ones in every run of a test.
        self._lastUUID += 1
        return str(uuid.UUID(int=self._lastUUID << 64, version=4))

    # Operations (RFC 7047, section 5.2)

    def _operate(self, operation: Any, names: Mapping[str, str]) -> Any:
        if type(operation) is not dict or type(operation.get("op")) is not str:
            raise _Refused("syntax error", "an operation is an object with a member op")
        name = operation["op"]
        if name in ("comment", "commit"):
            return {}
        if name == "abort":
            raise _Refused("aborted", "aborted by request")
        operate = {
            "insert": self._insert,
            "select": self._select,
            "update": self._update,
            "mutate": self._mutate,
            "delete": self._delete,
        }.get(name)
        if operate is None:
            raise _Refused("unknown operation", f"No operation {name}.")
        table = self.schema.tables.get(operation.get("table", ""))
        if table is None:
            raise _Refused("syntax error", f"No table named {operation.get('table')}.")
        if name == "insert" and operation.get("uuid-name") is not None:
            operation = {**operation, "uuid": names[operation["uuid-name"]]}
        return operate(table, operation)

    def _insert(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        row = {column.name: column.type.default for column in table.columns.values()}
        row.update(self._values(table, operation.get("row")))
        for name, column in table.columns.items():
            if column.type.min and column.type.key.type is AtomicType.UUID and not row[name]:
                raise _Refused("constraint violation", f"column {name} may not be empty")
        key = operation.get("uuid") or self._newUUID()
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
                column = table.column(name).type
                self._checkMutable(table, [name])
                for key in keys:
                    row = self.tables[table.name][key]
                    value = _mutated(column, row[name], mutator, argument)
                    self.tables[table.name][key] = {**row, name: value}
            except (ValueError, KeyError, TypeError, ProtocolViolation) as e:
                raise _Refused("syntax error", f"mutation {mutation}: {e}") from e
        return {"count": len(keys)}

    def _delete(self, table: TableSchema, operation: dict[str, Any]) -> Any:
        keys = self._where(table, operation)
        for key in keys:
            del self.tables[table.name][key]
        return {"count": len(keys)}

    def _values(self, table: TableSchema, row: Any) -> Row:
        try:
            return dict(table.decodeRow(row))
        except (ProtocolViolation, AttributeError) as e:
            raise _Refused("syntax error", str(e)) from e

    def _checkMutable(self, table: TableSchema, columns: Any) -> None:
        for name in columns:
            if not table.column(name).mutable:
                raise _Refused(
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
            for name, function, argument in operation.get("where", ()):
                wanted = table.column(name).type.decode(argument)
                holds = _condition(function, wanted)
                keys = [k for k in keys if holds(k if name == "_uuid" else rows[k][name])]
        except (ValueError, KeyError, TypeError, ProtocolViolation) as e:
            raise _Refused("syntax error", f"where: {e}") from e
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
                        raise _Refused(
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
                    for element in _elements(row[column.name]):
                        yield key.refTable, element

    def _checkIndexes(self) -> None:
        for name, table in self.schema.tables.items():
            for index in table.indexes:
                seen: set[tuple[Value, ...]] = set()
                for row in self.tables[name].values():
                    values = tuple(row[column] for column in index)
                    if values in seen:
                        raise _Refused(
                            "constraint violation",
                            f"two rows of table {name} have the same {', '.join(index)}: {values}",
                        )
                    seen.add(values)


def _resolved(value: Any, names: Mapping[str, str]) -> Any:
    """
    JSON with C{<named-uuid>}s replaced by the UUIDs that they stand for.
    """
    if type(value) is dict:
        return {key: _resolved(item, names) for key, item in value.items()}
    if type(value) is not list:
        return value
    if len(value) == 2 and value[0] == "named-uuid" and value[1] in names:
        return ["uuid", names[value[1]]]
    return [_resolved(item, names) for item in value]


def _condition(function: str, wanted: Value) -> Callable[[Value], bool]:
    if function == "includes":
        return lambda value: _elements(wanted) <= _elements(value)
    if function == "excludes":
        return lambda value: not _elements(wanted) & _elements(value)
    compare = _COMPARISONS[function]
    return lambda value: compare(value, wanted)


def _mutated(column: ColumnType, value: Any, mutator: str, argument: Any) -> Value:
    if mutator in _ARITHMETIC:
        return column.decode(_ARITHMETIC[mutator](value, argument))
    if mutator not in ("insert", "delete"):
        raise ValueError(f"no mutator {mutator}")
    if column.value is None:
        given = frozenset(_elements(attrs.evolve(column, min=0, max=None).decode(argument)))
        return frozenset(value | given if mutator == "insert" else value - given)
    if mutator == "insert":
        # What a key has already stays.
        return {**column.decode(argument), **value}  # type: ignore[dict-item]
    if type(argument) is list and argument[:1] == ["map"]:
        pairs = _elements(column.decode(argument))
        return {key: item for key, item in value.items() if (key, item) not in pairs}
    keys = _elements(ColumnType(column.key, min=0, max=None).decode(argument))
    return {key: item for key, item in value.items() if key not in keys}
