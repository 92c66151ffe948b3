# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The tables of one monitor request, and how its messages are read.

Reading and applying are two steps. A message is first read as a whole; if
anything in it is wrong, a L{ProtocolViolation} leaves every replica as it was.
Applying cannot fail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import attrs

from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.rowreader import RowReader
from twisted_ovsdb.wire.tableupdates import inRow, rowUpdates


@attrs.frozen
class MonitoredTable:
    """
    A table in a set.

    @ivar rows: reads its rows, in the dialect of the set.
    @ivar replica: has its rows.
    """

    rows: Any
    replica: Replica[Any]


class TableSet:
    """
    A set of tables that are monitored by one request.

    @ivar dialect: how the server reports their rows.
    @ivar tables: the tables by name.
    """

    def __init__(self, dialect: Dialect, tables: Mapping[str, MonitoredTable]) -> None:
        self.dialect = dialect
        self.tables = tables

    def without(self, lacking: Mapping[str, Collection[str]]) -> TableSet:
        """
        The same tables without some columns.

        @param lacking: by table, the columns that the server does not have.
        """
        tables = dict(self.tables)
        for name, columns in lacking.items():
            table = tables[name]
            tables[name] = attrs.evolve(table, rows=table.rows.without(columns))
        return TableSet(self.dialect, tables)

    def requests(self) -> dict[str, Any]:
        """The C{<monitor-requests>} (RFC 7047, section 4.1.5)."""
        return {
            name: [{"columns": list(table.rows.columns)}] for name, table in self.tables.items()
        }

    def reader(self) -> RowReader:
        """Make a reader of one initial reply."""
        initial = self.dialect.initial
        return RowReader({name: partial(initial, t.rows) for name, t in self.tables.items()})

    def readUpdate(self, tables: Any) -> dict[str, dict[str, Any]]:
        """
        Read the table updates of a notification.

        @return: by table and UUID the values of the rows in it, None for a row
            that is gone.
        @raise ProtocolViolation: if anything in it is wrong, or does not fit
            the rows that are known.
        """
        change = self.dialect.change
        result: dict[str, dict[str, Any]] = {}
        for name, uuid, update in rowUpdates(tables, self.tables):
            table = self.tables[name]
            try:
                now = change(table.rows, uuid, update, table.replica.rows.get(uuid))
            except ProtocolViolation as e:
                raise inRow(name, uuid, e) from e
            result.setdefault(name, {})[uuid] = now
        return result
