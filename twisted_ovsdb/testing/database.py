# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A database in memory: C{transact} of RFC 7047, section 5.2, as ovsdb-server
does it, for L{twisted_ovsdb.testing}. It knows nothing of connections.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from twisted_ovsdb.database.datatypes import ColumnType, Value
from twisted_ovsdb.database.schema import DatabaseSchema, TableSchema
from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.errors import ProtocolViolation, RpcError
from twisted_ovsdb.testing.operations import (
    checkConstraints,
    columnType,
    condition,
    elementsOf,
    isId,
    mutation,
    parsed,
)
from twisted_ovsdb.wire.notation import NamedUUID

Row = dict[str, Value]

_ROWS: Final[Mapping[str, type]] = {"table": str, "where": list}
_REQUIRED: Final[Mapping[str, Mapping[str, type]]] = {
    "insert": {"table": str, "row": dict},
    "select": _ROWS,
    "update": {**_ROWS, "row": dict},
    "mutate": {**_ROWS, "mutations": list},
    "delete": _ROWS,
    "comment": {"comment": str},
    "commit": {"durable": bool},
    "abort": {},
    "assert": {"lock": str},
}
"""Of each operation, the members beside C{op} (RFC 7047, section 5.2)."""

_OPTIONAL: Final[Mapping[str, Mapping[str, type]]] = {
    "insert": {"uuid-name": str},
    "select": {"columns": list},
}


class MemoryDatabase:
    """
    The rows of all tables.

    @ivar schema: the tables and their columns.
    @ivar tables: the rows by table and UUID, with C{_uuid} and C{_version}. A
        row that changes is replaced by another one.
    """

    def __init__(self, schema: DatabaseSchema) -> None:
        self.schema = schema
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in schema.tables}
        self._lastUUID = self._lastVersion = 0

    def transact(
        self, operations: list[Any], holds: Callable[[str], bool] = lambda lock: False
    ) -> tuple[list[Any], list[RowChange]]:
        """
        Do all operations, or none.

        @param holds: whether the client has the lock of this name.
        @return: the results (RFC 7047, section 4.1.3), and the rows that have
            changed.
        """
        before = {name: dict(rows) for name, rows in self.tables.items()}
        results: list[Any] = []
        try:
            names = self._namedUUIDs(operations)
            for number, operation in enumerate(operations, 1):
                place = f"ovsdb operation {number} of {len(operations)}"
                results.append(self._operate(place, operation, names, holds))
            self._collectGarbage()
            self._checkLimits()
        except RpcError as e:
            self.tables = before
            results.append({"error": e.error, "details": e.details})
            results += [None] * (len(operations) - len(results))
            return results, []
        return results, self._changes(before)

    def _changes(self, before: Mapping[str, Mapping[str, Row]]) -> list[RowChange]:
        """The rows that have changed. Those that were modified get another version."""
        changes = []
        for table, rows in self.tables.items():
            for key in {**before[table], **rows}:
                old, new = before[table].get(key), rows.get(key)
                if old == new:
                    continue
                if old is not None and new is not None:
                    new = rows[key] = {**new, "_version": self._newVersion()}
                changes.append(RowChange(table, key, old, new))
        return changes

    def forgetEphemeral(self) -> None:
        """
        Blank the ephemeral columns, as a restart of ovsdb-server does. All rows
        get other versions.
        """
        for name, table in self.schema.tables.items():
            blank = {c.name: c.type.default for c in table.columns.values() if c.ephemeral}
            rows = self.tables[name]
            self.tables[name] = {
                key: {**row, **blank, "_version": self._newVersion()} for key, row in rows.items()
            }

    def encode(
        self, table: str, row: Mapping[str, Value], columns: Iterable[str]
    ) -> dict[str, Any]:
        """Columns of a row as ovsdb-server writes them."""
        schema = self.schema.tables[table]
        return {name: inOrder(schema.column(name).type, row[name]) for name in columns}

    def _namedUUIDs(self, operations: list[Any]) -> dict[str, str]:
        inserts = [o for o in operations if type(o) is dict and o.get("op") == "insert"]
        names = [insert.get("uuid-name") for insert in inserts]
        return {name: self._newUUID() for name in names if type(name) is str}

    def _newUUID(self) -> str:
        # The same ones in every run of a test.
        self._lastUUID += 1
        return str(uuid.UUID(int=self._lastUUID << 64, version=4))

    def _newVersion(self) -> str:
        self._lastVersion += 1
        return str(uuid.UUID(int=self._lastVersion, version=4))

    # Operations (RFC 7047, section 5.2)

    def _operate(
        self,
        place: str,
        operation: Any,
        names: Mapping[str, str],
        holds: Callable[[str], bool],
    ) -> Any:
        name = operation.get("op") if type(operation) is dict else None
        if type(name) is str and name not in _REQUIRED:
            raise RpcError("syntax error", f'Parsing {place} failed: No operation "{name}"')
        known = str(name)
        required = {"op": str, **_REQUIRED.get(known, {})}
        operation = parsed(place, operation, _OPTIONAL.get(known, {}), required)
        if name in ("comment", "commit"):
            return {}
        if name == "assert":
            _checkLock(place, operation["lock"], holds)
            return {}
        if name == "abort":
            raise RpcError("aborted", "aborted by request")
        table = self.schema.tables.get(operation["table"])
        if table is None:
            details = f"Parsing {place} failed: No table named {operation['table']}."
            raise RpcError("syntax error", details)
        operate = {
            "insert": self._insert,
            "select": self._select,
            "update": self._update,
            "mutate": self._mutate,
            "delete": self._delete,
        }[known]
        try:
            operation = _resolved(operation, names)
            if name == "insert":
                keys = [self._keyOf(operation, names)]
            else:
                keys = self._where(table, operation["where"])
            return operate(table, operation, keys)
        except (ValueError, ProtocolViolation, RecursionError) as e:
            raise RpcError("syntax error", f"{name}: {e}") from e

    def _keyOf(self, insert: dict[str, Any], names: Mapping[str, str]) -> str:
        """The UUID of a new row."""
        if "uuid-name" not in insert:
            return self._newUUID()
        return names[NamedUUID(insert["uuid-name"]).name]

    def _where(self, table: TableSchema, conditions: list[Any]) -> list[str]:
        """The rows for which all conditions hold (RFC 7047, section 5.1)."""
        wanted = [condition(table, given) for given in conditions]
        rows = self.tables[table.name]
        return [key for key, row in rows.items() if all(want.holds(row) for want in wanted)]

    def _values(self, table: TableSchema, operation: dict[str, Any], changed: bool) -> Row:
        values: Row = {}
        for name, value in operation["row"].items():
            column = columnType(table, name, changed)
            try:
                values[name] = column.decode(value)
            except ProtocolViolation as e:
                raise ValueError(f"column {name}: {e}") from e
            checkConstraints(column, values[name])
        return values

    def _insert(self, table: TableSchema, operation: dict[str, Any], keys: list[str]) -> Any:
        (key,) = keys
        row = {column.name: column.type.default for column in table.columns.values()}
        row.update(self._values(table, operation, changed=False))
        row.update(_uuid=key, _version=self._newVersion())
        if key in self.tables[table.name]:
            raise RpcError("duplicate uuid-name", "an earlier operation has this uuid-name")
        self.tables[table.name][key] = row
        return {"uuid": ["uuid", key]}

    def _select(self, table: TableSchema, operation: dict[str, Any], keys: list[str]) -> Any:
        columns = operation.get("columns", ["_uuid", "_version", *table.columns])
        if not all(type(column) is str for column in columns) or len({*columns}) < len(columns):
            raise ValueError("array of distinct column names expected")
        for column in columns:
            if column not in ("_uuid", "_version", *table.columns):
                raise ValueError(f"{column} is not a valid column name")
        rows = self.tables[table.name]
        return {"rows": [self.encode(table.name, rows[key], columns) for key in keys]}

    def _update(self, table: TableSchema, operation: dict[str, Any], keys: list[str]) -> Any:
        values = self._values(table, operation, changed=True)
        for key in keys:
            self.tables[table.name][key] = {**self.tables[table.name][key], **values}
        return {"count": len(keys)}

    def _mutate(self, table: TableSchema, operation: dict[str, Any], keys: list[str]) -> Any:
        for given in operation["mutations"]:
            name, mutated = mutation(table, given)
            for key in keys:
                row = self.tables[table.name][key]
                value = mutated(row[name])
                checkConstraints(table.column(name).type, value)
                self.tables[table.name][key] = {**row, name: value}
        return {"count": len(keys)}

    def _delete(self, table: TableSchema, operation: dict[str, Any], keys: list[str]) -> Any:
        for key in keys:
            del self.tables[table.name][key]
        return {"count": len(keys)}

    # The commit

    def _collectGarbage(self) -> None:
        """
        Remove the rows to which no reference leads, in tables that are not
        roots. A reference to a row that does not exist is an error.
        """
        while True:
            wanted = set(self._references())
            for table, key in wanted:
                if key not in self.tables[table]:
                    details = f"a row refers to row {key} of table {table}, which does not exist"
                    raise RpcError("referential integrity violation", details)
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

    def _references(self) -> Iterator[tuple[str, str]]:
        """
        The table and the UUID of each row that another row refers to. All
        references of the schema are strong.
        """
        for name, rows in self.tables.items():
            for column in self.schema.tables[name].columns.values():
                table = column.type.key.refTable
                if table is not None:
                    for row in rows.values():
                        for key in elementsOf(row[column.name]):
                            yield table, key

    def _checkLimits(self) -> None:
        for name, table in self.schema.tables.items():
            rows = self.tables[name].values()
            if table.maxRows is not None and len(rows) > table.maxRows:
                details = f"table {name} may not have more than {table.maxRows} row(s)"
                raise RpcError("constraint violation", details)
            for index in table.indexes:
                counts = Counter(tuple(row[column] for column in index) for row in rows)
                for values, count in counts.items():
                    if count > 1:
                        columns = ", ".join(index)
                        details = f"two rows of table {name} have the same {columns}: {values}"
                        raise RpcError("constraint violation", details)


def _checkLock(place: str, lock: str, holds: Callable[[str], bool]) -> None:
    """C{assert}."""
    if not isId(lock):
        details = f"Parsing {place} failed: Type mismatch for member 'lock'."
        raise RpcError("syntax error", details)
    if not holds(lock):
        raise RpcError("not owner", f"Asserted lock {lock} not held.")


def _resolved(value: Any, names: Mapping[str, str]) -> Any:
    """JSON with C{<named-uuid>}s replaced by the UUIDs that they stand for."""
    if type(value) is dict:
        return {key: _resolved(item, names) for key, item in value.items()}
    if type(value) is not list:
        return value
    if len(value) == 2 and value[0] == "named-uuid" and type(value[1]) is str:
        return ["uuid", names[value[1]]] if value[1] in names else value
    return [_resolved(item, names) for item in value]


def inOrder(column: ColumnType, value: Value) -> Any:
    """
    A value as ovsdb-server writes it: sets and maps in order, a set of one
    element as the element alone.
    """
    written = column.encode(value)
    if isinstance(value, (frozenset, Mapping)):
        written[1].sort()
        if isinstance(value, frozenset) and len(value) == 1:
            (written,) = written[1]
    return written
