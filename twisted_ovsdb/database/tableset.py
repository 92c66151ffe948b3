# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The tables of one monitor request: their rows as the server has them, and how its
messages are read.

Reading and applying are two steps. A message is first read as a whole; if
anything in it is wrong, a L{ProtocolViolation} leaves every replica as it was.
Applying cannot fail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import attrs

from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire import rowreader
from twisted_ovsdb.wire.rowreader import RowReader
from twisted_ovsdb.wire.tableupdates import inRow, rowUpdates

Row = TypeVar("Row")

COMPARED: Final = 5000
"""Rows that are compared at a time, in some milliseconds."""

ROW: Final = 64
"""What a row weighs beside its texts, in bytes: as many as a message has for each value."""


class Replica(Generic[Row]):
    """
    One table's rows. A replica outlives the connections from which it is fed.

    @ivar rows: every row that exists, by UUID; a read-only view.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)
        self._version = 0  # grows at every change
        self._prepared: tuple[Mapping[str, Row], int, dict[str, Row | None]] | None = None

    def prepare(self, rows: dict[str, Row]) -> Iterator[None]:
        """
        Compare the rows of a snapshot with those that are known, a slice of them at
        each step, so that L{replace} only has to apply what differs. Of two that are
        equal, the known one takes the place of the other in C{rows}.
        """
        known, version = self._rows, self._version
        if not known:
            return
        changes: dict[str, Row | None] = {}
        for number, uuid in enumerate(tuple(known), 1):
            if uuid not in rows:
                changes[uuid] = None
            if number % COMPARED == 0:
                yield
        for number, (uuid, now) in enumerate(rows.items(), 1):
            before = known.get(uuid)
            if before is not None and before == now:
                rows[uuid] = before
            else:
                changes[uuid] = now
            if number % COMPARED == 0:
                yield
        self._prepared = rows, version, changes

    def replace(self, rows: Mapping[str, Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Replace all rows by those of a snapshot.

        @return: of each row that is not the same, the UUID, the row before and
            the row now. Everything is applied only at the end of the iteration.
        """
        prepared, self._prepared = self._prepared, None
        # A row may have changed since then.
        if prepared is not None and prepared[0] is rows and prepared[1] == self._version:
            return self.apply(prepared[2])
        if not self._rows:
            self._rows.update(rows)
            return zip(rows, repeat(None), rows.values())
        gone: dict[str, Row | None] = {uuid: None for uuid in self._rows if uuid not in rows}
        return self.apply({**gone, **rows})

    def apply(
        self, changes: Mapping[str, Row | None]
    ) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Apply an update: the rows now, None for a row that is gone.

        @return: as L{replace}.
        """
        rows = self._rows
        self._version += 1
        for uuid, now in changes.items():
            before = rows.get(uuid)
            if now is None:
                del rows[uuid]
            elif before is not None and before == now:
                continue
            else:
                rows[uuid] = now
            yield uuid, before, now


@attrs.frozen
class MonitoredTable:
    """
    A table in a set.

    @ivar rows: reads its rows, in the dialect of the set.
    @ivar replica: has its rows.
    @ivar where: the conditions of its rows, in a dialect that has conditions;
        None: all rows.
    """

    rows: Any
    replica: Replica[Any]
    where: list[Any] | None = None


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
        The same without these columns of each table, which the server does not
        have. A table of which no column is left is left out.
        """
        tables = dict(self.tables)
        for name, columns in lacking.items():
            table = tables[name]
            if set(table.rows.columns) <= set(columns):
                del tables[name]
            else:
                tables[name] = attrs.evolve(table, rows=table.rows.without(columns))
        return TableSet(self.dialect, tables)

    def inDialect(self, dialect: Dialect) -> TableSet:
        """The same tables in another dialect."""
        return TableSet(dialect, self.tables)

    @property
    def untyped(self) -> bool:
        """Whether L{typed} has to be called before differences can be read."""
        return any(table.rows.untyped for table in self.tables.values())

    def typed(self, schema: DatabaseSchema) -> TableSet:
        """The same with the types of the columns."""
        tables = dict(self.tables)
        for name, table in self.tables.items():
            if table.rows.untyped and name in schema.tables:
                tables[name] = attrs.evolve(table, rows=table.rows.typed(schema.tables[name]))
        return TableSet(self.dialect, tables)

    def requests(self) -> dict[str, Any]:
        """The C{<monitor-requests>} (RFC 7047, section 4.1.5)."""
        requests: dict[str, Any] = {}
        for name, table in self.tables.items():
            request: dict[str, Any] = {"columns": list(table.rows.columns)}
            if table.where is not None:
                request["where"] = table.where
            requests[name] = [request]
        return requests

    def weigh(self, limit: int) -> Iterator[None]:
        """
        Add up the texts of all rows that are known, a slice of the rows at each step.

        @param limit: how many characters they may have.
        @raise ProtocolViolation: if they have more. No server could send them as one
            initial reply.
        """
        rows = [row for table in self.tables.values() for row in table.replica.rows.values()]
        weight = 0
        for number, row in enumerate(rows, 1):
            weight += ROW + weightOf(row)
            if weight > limit:
                raise ProtocolViolation(f"the tables have more than {limit} bytes")
            if number % rowreader.SLICE == 0:
                yield

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
        rows: dict[str, dict[str, Any]] = {}
        for _ in self.readSlices(tables, rows):
            pass
        return rows

    def readSlices(self, tables: Any, rows: dict[str, dict[str, Any]]) -> Iterator[None]:
        """
        As L{readUpdate}, a slice of the rows at each step.

        @param rows: gets the rows. They count at the end of the iteration.
        """
        change = self.dialect.change
        count, due = 0, rowreader.SLICE
        last = None
        for name, uuid, update in rowUpdates(tables, self.tables):
            if count == due:
                due += rowreader.SLICE
                yield
            count += 1
            if name != last:
                # Looked up once a table: this runs for each row of a burst.
                last, table, read = name, self.tables[name], rows.setdefault(name, {})
                known = table.replica.rows
            try:
                read[uuid] = change(table.rows, uuid, update, known.get(uuid))
            except ProtocolViolation as e:
                raise inRow(name, uuid, e) from e
        if rowreader.countOf(rows) != count:
            raise rowreader.rowTwice()


def weightOf(value: Any) -> int:
    """About how many characters a row, or a value in it, has."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(weightOf(key) + weightOf(each) for key, each in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(map(weightOf, value))
    if attrs.has(type(value)):
        return sum(map(weightOf, attrs.astuple(value, recurse=False)))
    return 0
