# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows of any tables as the server has them, read by the schema, and fed by
C{monitor} or by C{monitor_cond}.

C{monitor} tells each row whole, and is the more robust. C{monitor_cond} tells
what differs, which is less where rows are large, and takes conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from twisted_ovsdb.database.datatypes import Value
from twisted_ovsdb.database.replica import SNAPSHOT_SLICE, Replica
from twisted_ovsdb.database.schema import ColumnSchema, DatabaseSchema, Row, TableSchema
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.members import members
from twisted_ovsdb.wire.notation import JSONRow


@attrs.frozen
class RowChange:
    """
    What became of a row.

    @ivar table: the table's name.
    @ivar uuid: the row's UUID.
    @ivar before: the row as it was; None if it is new.
    @ivar now: the row as it is; None if it is gone.
    """

    table: str
    uuid: str
    before: Row | None
    now: Row | None


class DatabaseReplica:
    """
    Tables of a database, or some of their columns.

    L{OvsdbProtocol.follow <twisted_ovsdb.OvsdbProtocol.follow>} feeds it from
    a connection, and may do so again from the next one: the first snapshot
    then tells what has changed in between.

    @ivar schema: the schema by which rows are read.
    @ivar conditional: whether it is fed by C{monitor_cond}.
    @ivar tables: for each table its rows by UUID, read-only and alive. A row
        is a read-only mapping of columns to values
        (L{Value <twisted_ovsdb.database.datatypes.Value>}).
    """

    def __init__(
        self,
        schema: DatabaseSchema,
        tables: Iterable[str] | Mapping[str, Iterable[str]] | None = None,
        conditional: bool = False,
    ) -> None:
        """
        @param tables: the tables' names, or the columns of each table, among
            which C{_uuid} and C{_version} may be; by default all.
        @param conditional: C{monitor_cond} (ovsdb-server(7), section 4.1.12,
            Open vSwitch 2.6 and newer) in place of C{monitor}.
        @raise KeyError: if the schema has no such table or column.
        """
        self.schema = schema
        self.conditional = conditional
        self._columns: dict[str, _Columns] = {}
        self._replicas: dict[str, Replica[Row]] = {}
        for name in schema.tables if tables is None else tables:
            if name not in schema.tables:
                raise KeyError(f"database {schema.name} has no table {name}")
            table = schema.tables[name]
            chosen = tables[name] if isinstance(tables, Mapping) else table.columns
            columns = self._columns[name] = _Columns(table, chosen)
            self._replicas[name] = (
                _DifferenceReplica(name, columns) if conditional else Replica(name, columns.whole)
            )
        self.tables: Mapping[str, Mapping[str, Row]] = MappingProxyType(
            {name: replica.rows for name, replica in self._replicas.items()}
        )

    def requests(self) -> dict[str, Any]:
        """
        The requests of C{monitor} or C{monitor_cond} for these columns. Who
        adds a C{where} to those of C{monitor_cond} has the rows it matches.
        """
        return {name: [{"columns": list(columns)}] for name, columns in self._columns.items()}

    def snapshot(self, tables: Any) -> list[RowChange]:
        """
        Put the first reply in the place of all that is known.

        @return: what has changed by that, in any order.
        @raise ProtocolViolation: if anything in it is wrong, naming table,
            row and column; then nothing has changed.
        """
        rows = self._read(tables, lambda replica, updates: replica.readWholeSnapshot(updates))
        return [
            RowChange(name, *change)
            for name, replica in self._replicas.items()
            for change in replica.replace(rows.get(name, {}))
        ]

    def update(self, tables: Any) -> list[RowChange]:
        """
        Apply the table updates of a notification, which are those of one
        transaction, or of several if the server had to wait for us.

        @return: what has changed, in the order in which it stands there.
        @raise ProtocolViolation: as L{snapshot}; also if it does not fit what
            is known.
        """
        changes = self._read(tables, lambda replica, updates: replica.readUpdate(updates))
        return [
            RowChange(name, *change)
            for name, rows in changes.items()
            for change in self._replicas[name].apply(rows)
        ]

    def _read(
        self, tables: Any, read: Callable[[Replica[Row], Any], dict[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        tableUpdates = members(tables)
        if tableUpdates is None:
            raise ProtocolViolation(f"table updates are no object: {describe(tables)}")
        result = {}
        for name, updates in tableUpdates:
            replica = self._replicas.get(name)
            if replica is None:
                raise ProtocolViolation(f"table {describe(name)} is not monitored")
            result[name] = read(replica, {name: updates})
        return result


class _Columns:
    """
    The columns of a table that are monitored: how its rows are read.
    """

    def __init__(self, table: TableSchema, names: Iterable[str]) -> None:
        self._columns: dict[str, ColumnSchema] = {name: table.column(name) for name in names}
        self._defaults = {name: column.type.default for name, column in self._columns.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def whole(self, uuid: str, row: JSONRow) -> Row:
        """
        A row with all its columns.
        """
        values = self._values(row)
        for name in self._columns:
            if name not in values:
                raise ProtocolViolation(f"column {name}: missing")
        return MappingProxyType(values)

    def withDefaults(self, uuid: str, row: JSONRow) -> Row:
        """
        A row in which columns with the default value are left out.
        """
        return MappingProxyType({**self._defaults, **self._values(row)})

    def modified(self, before: Row, row: JSONRow) -> Row:
        """
        A row by what it was and the differences.
        """
        values = dict(before)
        for name, difference in row.items():
            values[name] = self._column(name).applyDifference(before[name], difference)
        return MappingProxyType(values)

    def _values(self, row: JSONRow) -> dict[str, Value]:
        return {name: self._column(name).decode(value) for name, value in row.items()}

    def _column(self, name: str) -> ColumnSchema:
        column = self._columns.get(name)
        if column is None:
            raise ProtocolViolation(f"column {describe(name)}: is not monitored")
        return column


class _DifferenceReplica(Replica[Row]):
    """
    One table's rows, fed with the replies to C{monitor_cond} and C{update2}
    (ovsdb-server(7), sections 4.1.12 and 4.1.14).
    """

    def __init__(self, table: str, columns: _Columns) -> None:
        super().__init__(table, columns.withDefaults)
        self._columns = columns

    def readSnapshot(self, tables: Any) -> Generator[None, None, dict[str, Row]]:
        """
        Read the reply to C{monitor_cond}, a slice of it at each step.
        """
        rows: dict[str, Row] = {}
        for uuid, update in self._rowUpdates(tables):
            kind, content = self._only(uuid, update)
            if kind != "initial":
                raise self._violation(uuid, f"{describe(kind)} in a first reply")
            rows[uuid] = self._read(uuid, content)
            if len(rows) % SNAPSHOT_SLICE == 0:
                yield
        return rows

    def readUpdate(self, tables: Any) -> dict[str, Row | None]:
        """
        Read the table updates of C{update2}.
        """
        changes: dict[str, Row | None] = {}
        for uuid, update in self._rowUpdates(tables):
            kind, content = self._only(uuid, update)
            before = self.rows.get(uuid)
            if kind == "insert":
                if before is not None:
                    raise self._violation(uuid, "is inserted, and exists already")
                changes[uuid] = self._read(uuid, content)
            elif kind not in ("modify", "delete"):
                raise self._violation(uuid, f"{describe(kind)} in an update")
            elif before is None:
                raise self._violation(uuid, f"{kind}: it was never inserted")
            else:
                changes[uuid] = None if kind == "delete" else self._modify(uuid, before, content)
        return changes

    def _modify(self, uuid: str, before: Row, content: Any) -> Row:
        if type(content) is not dict:
            raise self._violation(uuid, f"modify is no object: {describe(content)}")
        try:
            return self._columns.modified(before, content)
        except ProtocolViolation as e:
            raise self._violation(uuid, str(e)) from e

    def _only(self, uuid: str, update: Mapping[str, Any]) -> tuple[str, Any]:
        if len(update) != 1:
            raise self._violation(uuid, f"not one of its members: {describe(list(update))}")
        return next(iter(update.items()))
