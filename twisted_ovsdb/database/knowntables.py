# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows that are wanted of a database, as they are known. They outlive the
connections from which they are fed, each of which may have another schema and
another dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from twisted_ovsdb.database.conditions import requested
from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcondsince import NO_TRANSACTION
from twisted_ovsdb.database.schema import ColumnSchema, DatabaseSchema, Row
from twisted_ovsdb.database.tables import RowChange, TableRows
from twisted_ovsdb.database.tableset import MonitoredTable, Replica, TableSet
from twisted_ovsdb.database.wanted import Rows, conditions
from twisted_ovsdb.errors import OvsdbError, describe
from twisted_ovsdb.wire.notation import within


class KnownTables:
    """
    What is known of the wanted rows, and up to which transaction.

    @ivar wanted: what is wanted of each table: what the present session has, or
        the next one asks for.
    @ivar rows: the rows by table and UUID; a read-only view.
    """

    def __init__(self, wanted: Mapping[str, Rows]) -> None:
        self.wanted = dict(wanted)
        self._replicas = {name: Replica[Row]() for name in wanted}
        self.rows: Mapping[str, Mapping[str, Row]] = MappingProxyType(
            {name: replica.rows for name, replica in self._replicas.items()}
        )
        self._columns: dict[str, tuple[ColumnSchema, ...]] = {}  # of the present monitor
        self._lastId = NO_TRANSACTION
        self._lastAsked: object = None  # columns and conditions for which this id holds

    def tableSet(self, schema: DatabaseSchema, dialect: Dialect) -> TableSet:
        """
        The wanted tables, to be read by this schema in this dialect.

        @raise OvsdbError: if the schema lacks a table or a column, if there are
            conditions and the dialect has none, or if a condition does not fit.
        """
        tables: dict[str, MonitoredTable] = {}
        asked: dict[str, tuple[ColumnSchema, ...]] = {}
        for name, rows in self.wanted.items():
            table = schema.tables.get(name)
            if table is None:
                raise OvsdbError(f"database {schema.name} has no table {name}")
            columns = rows.columnsOf(table)
            if rows.where is not None and dialect is MONITOR:
                raise OvsdbError(
                    f"table {name}: this server does not know monitor_cond, which conditions need"
                )
            reader = TableRows(table, [column.name for column in columns])
            where = requested(table, rows.where)
            tables[name] = MonitoredTable(reader, self._replicas[name], where)
            asked[name] = columns
        self._columns = asked
        return TableSet(dialect, tables)

    @property
    def _asked(self) -> object:
        return self._columns, {name: rows.where for name, rows in self.wanted.items()}

    @property
    def lastId(self) -> str:
        """
        The last transaction that is known, for a monitor of what L{tableSet} was
        called for. Where other columns or conditions were monitored before, or
        there is any other doubt, this asks for everything.
        """
        return self._lastId if self._lastAsked == self._asked else NO_TRANSACTION

    def forgetTransaction(self) -> None:
        """Ask for everything next time."""
        self._lastId = NO_TRANSACTION

    def withConditions(self, wheres: Mapping[str, Iterable[Any] | None]) -> dict[str, Rows]:
        """
        @return: what is wanted of these tables, with other conditions.
        @raise KeyError: if one of the tables is not wanted.
        @raise TypeError: if these are no conditions by table.
        @raise ValueError: as L{conditions}.
        """
        if not isinstance(wheres, Mapping):
            raise TypeError(f"conditions must be by table, not {describe(wheres)}")
        changed: dict[str, Rows] = {}
        for name, where in wheres.items():
            if name not in self.wanted:
                raise KeyError(f"no table {name} in this replica")
            checked = within(f"table {name}", conditions, where)
            changed[name] = attrs.evolve(self.wanted[name], where=checked)
        return changed

    def replace(self, rows: Mapping[str, dict[str, Row]], lastId: str) -> list[RowChange]:
        """
        Replace all rows.

        @param lastId: the transaction up to which this is known.
        @return: what has changed, in any order.
        """
        changes = [
            RowChange(name, *change)
            for name, replica in self._replicas.items()
            for change in replica.replace(rows[name])
        ]
        self._known(lastId)
        return changes

    def apply(self, rows: Mapping[str, Mapping[str, Row | None]], lastId: str) -> list[RowChange]:
        """As L{replace}, with the rows of an update."""
        changes = [
            RowChange(name, *change)
            for name, updated in rows.items()
            for change in self._replicas[name].apply(updated)
        ]
        self._known(lastId)
        return changes

    def _known(self, lastId: str) -> None:
        self._lastId = lastId
        self._lastAsked = self._asked
