# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The tables that one monitor request is for, and how its messages are read.

Reading and applying are two steps: a reply or an update is read as a whole,
and anything wrong in it is a L{ProtocolViolation} that leaves every replica as
it was; what was read is then applied, and that cannot fail.
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
from twisted_ovsdb.wire.tableupdates import rowUpdates


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

    @ivar dialect: how the server tells of their rows.
    @ivar tables: the tables by name.
    """

    def __init__(self, dialect: Dialect, tables: Mapping[str, MonitoredTable]) -> None:
        self.dialect = dialect
        self.tables = tables

    def without(self, lacking: Mapping[str, Collection[str]]) -> TableSet:
        """
        The same tables, as a server has them that lacks some columns.

        @param lacking: the columns, by table.
        """
        tables = dict(self.tables)
        for name, columns in lacking.items():
            table = tables[name]
            tables[name] = attrs.evolve(table, rows=table.rows.without(columns))
        return TableSet(self.dialect, tables)

    def requests(self) -> dict[str, Any]:
        """
        The C{<monitor-requests>} (RFC 7047, section 4.1.5).
        """
        return {
            name: [{"columns": list(table.rows.columns)}] for name, table in self.tables.items()
        }

    def reader(self) -> RowReader:
        """
        What reads one initial reply.
        """
        initial = self.dialect.initial
        return RowReader({name: partial(initial, t.rows) for name, t in self.tables.items()})

    def readUpdate(self, tables: Any) -> dict[str, dict[str, Any]]:
        """
        Read the table updates of a notification.

        @return: by table and UUID the values of the rows that it tells of,
            None for a row that is gone.
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
                raise ProtocolViolation(f"table {name}, row {uuid}: {e}") from e
            result.setdefault(name, {})[uuid] = now
        return result
