# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows of any tables as the server has them, read by the schema and fed by
C{monitor} or C{monitor_cond}.

With C{monitor}, the server sends the whole row each time, which is more robust.
With C{monitor_cond}, it sends only what differs, which is less where rows are
large, and it accepts conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from twisted_ovsdb.database.datatypes import Value
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.database.schema import ColumnSchema, DatabaseSchema, Row, TableSchema
from twisted_ovsdb.database.tableset import MonitoredTable, Replica, TableSet
from twisted_ovsdb.errors import ProtocolViolation, describe, printable
from twisted_ovsdb.wire.notation import JSONRow


@attrs.frozen
class RowChange:
    """
    A change of a row.

    @ivar table: the table's name.
    @ivar uuid: the row's UUID.
    @ivar before: the row before; None if it is new.
    @ivar now: the row now; None if it is gone.
    """

    table: str
    uuid: str
    before: Row | None
    now: Row | None


class DatabaseReplica:
    """
    Tables of a database, or some of their columns.

    L{OvsdbProtocol.follow <twisted_ovsdb.OvsdbProtocol.follow>} feeds it from
    a connection, and later from the next one: the snapshot then shows what has
    changed in between.

    @ivar schema: the schema by which rows are read.
    @ivar conditional: whether it is fed by C{monitor_cond}.
    @ivar tables: by table and UUID the rows; a read-only view. A row is a
        read-only mapping of columns to values
        (L{Value <twisted_ovsdb.database.datatypes.Value>}).
    """

    def __init__(
        self,
        schema: DatabaseSchema,
        tables: Iterable[str] | Mapping[str, Iterable[str]] | None = None,
        conditional: bool = False,
    ) -> None:
        """
        @param tables: the tables' names, or the columns of each table, which
            may include C{_uuid} and C{_version}; by default all tables.
        @param conditional: C{monitor_cond} (ovsdb-server(7), section 4.1.12,
            Open vSwitch 2.6 and newer) in place of C{monitor}.
        @raise KeyError: if the schema has no such table or column.
        @raise TypeError: if a text stands in the place of a list of names.
        """
        self.schema = schema
        self.conditional = conditional
        monitored: dict[str, MonitoredTable] = {}
        _refuseText(tables)
        for name in schema.tables if tables is None else tables:
            if name not in schema.tables:
                raise KeyError(f"database {printable(schema.name)} has no table {name}")
            table = schema.tables[name]
            chosen = tables[name] if isinstance(tables, Mapping) else table.columns
            _refuseText(chosen)
            monitored[name] = MonitoredTable(TableRows(table, chosen), Replica[Row]())
        self._tableSet = TableSet(MONITOR_COND if conditional else MONITOR, monitored)
        self.tables: Mapping[str, Mapping[str, Row]] = MappingProxyType(
            {name: table.replica.rows for name, table in monitored.items()}
        )

    def requests(self) -> dict[str, Any]:
        """
        The requests of C{monitor} or C{monitor_cond} for these columns.
        If a caller adds a C{where} to those of C{monitor_cond}, only the rows
        that it matches are monitored.
        """
        return self._tableSet.requests()

    def snapshot(self, tables: Any) -> list[RowChange]:
        """
        Replace all rows by those of the initial reply.

        @return: what has changed, in any order.
        @raise ProtocolViolation: if anything in the reply is wrong; the text
            names table, row and column, and nothing has changed.
        """
        return self._replace(self._tableSet.reader().readAll(tables))

    def _replace(self, rows: Mapping[str, dict[str, Row]]) -> list[RowChange]:
        return [
            RowChange(name, *change)
            for name, table in self._tableSet.tables.items()
            for change in table.replica.replace(rows[name])
        ]

    def update(self, tables: Any) -> list[RowChange]:
        """
        Apply the table updates of a notification. They come from one
        transaction, or from several if this client was slow.

        @return: what has changed, in the order of the message.
        @raise ProtocolViolation: as L{snapshot}; also if an update does not
            fit the rows that are known.
        """
        return [
            RowChange(name, *change)
            for name, rows in self._tableSet.readUpdate(tables).items()
            for change in self._tableSet.tables[name].replica.apply(rows)
        ]


def _refuseText(names: object) -> None:
    """Its characters would be taken for names."""
    if isinstance(names, (str, bytes)):
        raise TypeError(f"a list of names is needed, not {describe(names)}")


class TableRows:
    """
    The monitored columns of a table: how its rows are read, in either dialect.

    @ivar columns: their names.
    @ivar required: those that a server must have.
    @cvar untyped: False: the types of all columns are known.
    """

    untyped: Final = False

    def __init__(self, table: TableSchema, names: Iterable[str], required: bool = True) -> None:
        self._table = table
        self._columns: dict[str, ColumnSchema] = {name: table.column(name) for name in names}
        self._defaults = {name: column.type.default for name, column in self._columns.items()}
        self.columns = tuple(self._columns)
        self.required = frozenset(self._columns if required else ())

    def without(self, lacking: Collection[str]) -> TableRows:
        """The same for a server that does not have these columns: its rows have none of them."""
        names = [name for name in self.columns if name not in lacking]
        return TableRows(self._table, names, bool(self.required))

    def whole(self, uuid: str, row: JSONRow) -> Row:
        """See L{WholeRows <twisted_ovsdb.database.monitor.WholeRows>}."""
        values = self._values(row)
        for name in self._columns:
            if name not in values:
                raise ProtocolViolation(f"column {name}: missing")
        return MappingProxyType(values)

    def withDefaults(self, uuid: str, row: JSONRow) -> Row:
        """See L{DifferingRows <twisted_ovsdb.database.monitorcond.DifferingRows>}."""
        return MappingProxyType({**self._defaults, **self._values(row)})

    def modified(self, uuid: str, before: Row, differences: JSONRow) -> Row:
        """See L{DifferingRows <twisted_ovsdb.database.monitorcond.DifferingRows>}."""
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
