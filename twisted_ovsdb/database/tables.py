# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows of any tables as the server has them, read by the schema, and fed by
C{monitor} or by C{monitor_cond}.

C{monitor} tells each row whole, and is the more robust. C{monitor_cond} tells
what differs, which is less where rows are large, and takes conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from twisted_ovsdb.database.datatypes import Value
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.database.schema import ColumnSchema, DatabaseSchema, Row, TableSchema
from twisted_ovsdb.database.tableset import MonitoredTable, TableSet
from twisted_ovsdb.errors import ProtocolViolation, describe
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
        monitored: dict[str, MonitoredTable] = {}
        for name in schema.tables if tables is None else tables:
            if name not in schema.tables:
                raise KeyError(f"database {schema.name} has no table {name}")
            table = schema.tables[name]
            chosen = tables[name] if isinstance(tables, Mapping) else table.columns
            monitored[name] = MonitoredTable(_Columns(table, chosen), Replica[Row]())
        self.tableSet = TableSet(MONITOR_COND if conditional else MONITOR, monitored)
        self.tables: Mapping[str, Mapping[str, Row]] = MappingProxyType(
            {name: table.replica.rows for name, table in monitored.items()}
        )

    def requests(self) -> dict[str, Any]:
        """
        The requests of C{monitor} or C{monitor_cond} for these columns.
        Callers that add a C{where} to those of C{monitor_cond} get the rows
        that it matches.
        """
        return self.tableSet.requests()

    def snapshot(self, tables: Any) -> list[RowChange]:
        """
        Put the initial reply in the place of all that is known.

        @return: what has changed by that, in any order.
        @raise ProtocolViolation: if anything in it is wrong, naming table,
            row and column; then nothing has changed.
        """
        return self.replace(self.tableSet.reader().readAll(tables))

    def replace(self, rows: Mapping[str, dict[str, Row]]) -> list[RowChange]:
        """
        Put rows that have been read in the place of all that is known.

        @param rows: the rows by table and UUID.
        @return: as L{snapshot}.
        """
        return [
            RowChange(name, *change)
            for name, table in self.tableSet.tables.items()
            for change in table.replica.replace(rows.get(name, {}))
        ]

    def update(self, tables: Any) -> list[RowChange]:
        """
        Apply the table updates of a notification, which are those of one
        transaction, or of several if the server had to wait for us.

        @return: what has changed, in the order in which it stands there.
        @raise ProtocolViolation: as L{snapshot}; also if it does not fit what
            is known.
        """
        return [
            RowChange(name, *change)
            for name, rows in self.tableSet.readUpdate(tables).items()
            for change in self.tableSet.tables[name].replica.apply(rows)
        ]


class _Columns:
    """
    The columns of a table that are monitored: how its rows are read, in
    either dialect.

    @ivar columns: their names.
    """

    def __init__(self, table: TableSchema, names: Iterable[str]) -> None:
        self._columns: dict[str, ColumnSchema] = {name: table.column(name) for name in names}
        self._defaults = {name: column.type.default for name, column in self._columns.items()}
        self.columns = tuple(self._columns)

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

    def modified(self, uuid: str, before: Row, differences: JSONRow) -> Row:
        """
        A row by what it was and the differences.
        """
        values = dict(before)
        for name, difference in differences.items():
            values[name] = self._column(name).applyDifference(before[name], difference)
        return MappingProxyType(values)

    def _values(self, row: JSONRow) -> dict[str, Value]:
        return {name: self._column(name).decode(value) for name, value in row.items()}

    def _column(self, name: str) -> ColumnSchema:
        column = self._columns.get(name)
        if column is None:
            raise ProtocolViolation(f"column {describe(name)}: is not monitored")
        return column
