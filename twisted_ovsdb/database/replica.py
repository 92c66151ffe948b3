# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows of one table as the server has them.

Reading and applying are two steps: a reply or an update is read whole, and
anything wrong in it is a L{ProtocolViolation} that leaves the replica as it
was; what was read is then applied, and that cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.members import Take, members
from twisted_ovsdb.wire.notation import JSONRow, isUUID

Row = TypeVar("Row")

SNAPSHOT_SLICE: Final = 1000
"""Rows read at a time: some 10 ms, in which a reactor does nothing else."""

TakeRows = Callable[[str, int, dict[str, Any], Mapping[str, object], int], int]
"""
Takes rows from a text, as L{RowText.take <twisted_ovsdb.openvswitch.rowtext.RowText.take>}
does.
"""


class Replica(Generic[Row]):
    """
    One table's rows by UUID, fed with the C{monitor} replies and C{update}
    notifications of RFC 7047, sections 4.1.5 and 4.1.6.

    @ivar table: the table's name.
    @ivar rows: every row that exists, read-only and alive.
    @ivar decode: makes a row's value of its UUID and its columns as JSON;
        raises L{ProtocolViolation} that names the column.
    @ivar take: takes what rows it can from a text, which is faster; None if
        every row goes through C{decode}.
    """

    def __init__(self, table: str, decode: Callable[[str, JSONRow], Row]) -> None:
        self.table = table
        self.decode = decode
        self.take: TakeRows | None = None
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)

    def readSnapshot(self, tables: Any) -> Generator[None, None, dict[str, Row]]:
        """
        Read the reply to C{monitor}, a slice of it at each step.

        @return: the rows, for L{replace}.
        @raise ProtocolViolation: if anything in it is wrong.
        """
        rows: dict[str, Row] = {}
        sliceEnd = SNAPSHOT_SLICE
        for uuid, update in self._rowUpdates(tables, self._taking(rows, {})):
            if "old" in update or "new" not in update:
                raise self._violation(uuid, "a first reply has only new rows")
            rows[uuid] = self._read(uuid, update["new"])
            if len(rows) >= sliceEnd:
                sliceEnd = len(rows) + SNAPSHOT_SLICE
                yield
        return rows

    def readWholeSnapshot(self, tables: Any) -> dict[str, Row]:
        """
        As L{readSnapshot}, at one go.
        """
        reading = self.readSnapshot(tables)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                rows: dict[str, Row] = end.value
                return rows

    def readUpdate(self, tables: Any) -> dict[str, Row | None]:
        """
        Read an C{update} notification's table updates.

        A row is inserted, modified or deleted as its C{new} and C{old} are
        present; an C{old} that is empty is present too.

        @return: what becomes of each row, None where it goes, for L{apply}.
        @raise ProtocolViolation: if anything in it is wrong, or does not fit
            the rows that are known.
        """
        changes: dict[str, Row | None] = {}
        for uuid, update in self._rowUpdates(tables, self._taking(changes, self._rows)):
            known = uuid in self._rows
            if "old" in update:
                if type(update["old"]) is not dict:
                    raise self._violation(uuid, f"old is no object: {describe(update['old'])}")
                if not known:
                    raise self._violation(uuid, "is modified or deleted, and was never inserted")
            elif known and "new" in update:
                raise self._violation(uuid, "is inserted, and exists already")
            if "new" in update:
                changes[uuid] = self._read(uuid, update["new"])
            elif "old" in update:
                changes[uuid] = None
            else:
                raise self._violation(uuid, "the update has neither old nor new")
        return changes

    def replace(self, rows: dict[str, Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Put a snapshot in the place of all that is known.

        @return: the UUID, the row before and the row now, of each row that
            is not the same; applied when it has been iterated over.
        """
        if not self._rows:
            # The first one: 0.05 us for each row, where apply, which looks for
            # what cannot be there, takes 0.4.
            self._rows.update(rows)
            return zip(rows, repeat(None), rows.values())
        return self._exchange(rows)

    def _exchange(self, rows: dict[str, Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
        for uuid in [uuid for uuid in self._rows if uuid not in rows]:
            yield uuid, self._rows.pop(uuid), None
        yield from self.apply(rows)

    def apply(
        self, changes: Mapping[str, Row | None]
    ) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Apply what L{readUpdate} has read.

        @return: as L{replace}.
        """
        rows = self._rows
        for uuid, now in changes.items():
            before = rows.get(uuid)
            if now is None:
                del rows[uuid]
            elif before is not None and before == now:
                continue
            else:
                rows[uuid] = now
            yield uuid, before, now

    def _taking(self, rows: dict[str, Any], known: Mapping[str, object]) -> Take | None:
        takeRows = self.take
        if takeRows is None:
            return None
        return lambda text, position: takeRows(text, position, rows, known, SNAPSHOT_SLICE)

    def _rowUpdates(
        self, tables: Any, take: Take | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """
        Each row update in the table updates, but for those that C{take}
        takes. A table is absent where nothing in it is told.
        """
        tableUpdates = members(tables)
        if tableUpdates is None:
            raise ProtocolViolation(f"table updates are no object: {describe(tables)}")
        for table, updates in tableUpdates:
            if table != self.table:
                raise ProtocolViolation(f"table {describe(table)} is not monitored")
            rowUpdates = members(updates, take)
            if rowUpdates is None:
                raise ProtocolViolation(f"table {table}: no object: {describe(updates)}")
            for uuid, update in rowUpdates:
                if not isUUID(uuid):
                    raise ProtocolViolation(f"table {table}: not a UUID: {describe(uuid)}")
                if type(update) is not dict:
                    raise self._violation(uuid, f"the update is no object: {describe(update)}")
                yield uuid, update

    def _read(self, uuid: str, row: Any) -> Row:
        if type(row) is not dict:
            raise self._violation(uuid, f"new is no object: {describe(row)}")
        try:
            return self.decode(uuid, row)
        except ProtocolViolation as e:
            raise self._violation(uuid, str(e)) from e

    def _violation(self, uuid: str, what: str) -> ProtocolViolation:
        return ProtocolViolation(f"table {self.table}, row {uuid}: {what}")
