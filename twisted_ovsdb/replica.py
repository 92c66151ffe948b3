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
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.members import members
from twisted_ovsdb.notation import JSONRow, describe, isUUID

Row = TypeVar("Row")

SNAPSHOT_SLICE: Final = 1000
"""Rows read at a time: some 10 ms, in which a reactor does nothing else."""


class Replica(Generic[Row]):
    """
    One table's rows by UUID, fed with the C{monitor} replies and C{update}
    notifications of RFC 7047, sections 4.1.5 and 4.1.6.

    @ivar table: the table's name.
    @ivar rows: every row that exists, read-only and alive.
    @ivar decode: makes a row's value of its UUID and its columns as JSON;
        raises L{ProtocolViolation} that names the column.
    """

    def __init__(self, table: str, decode: Callable[[str, JSONRow], Row]) -> None:
        self.table = table
        self.decode = decode
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)

    def readSnapshot(self, tables: Any) -> Generator[None, None, dict[str, Row]]:
        """
        Read the reply to C{monitor}, a slice of it at each step.

        @return: the rows, for L{replace}.
        @raise ProtocolViolation: if anything in it is wrong.
        """
        rows: dict[str, Row] = {}
        left = SNAPSHOT_SLICE
        for uuid, update in self._rowUpdates(tables):
            if "old" in update or "new" not in update:
                raise self._violation(uuid, "a first reply has only new rows")
            rows[uuid] = self._read(uuid, update["new"])
            left -= 1
            if not left:
                left = SNAPSHOT_SLICE
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
        for uuid, update in self._rowUpdates(tables):
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
            is not the same; applied as it is iterated over.
        """
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
        for uuid, now in changes.items():
            before = self._rows.get(uuid)
            if now is None:
                del self._rows[uuid]
            elif before is not None and before == now:
                continue
            else:
                self._rows[uuid] = now
            yield uuid, before, now

    def _rowUpdates(self, tables: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """
        Each row update in the table updates. A table is absent where nothing
        in it is told.
        """
        tableUpdates = members(tables)
        if tableUpdates is None:
            raise ProtocolViolation(f"table updates are no object: {describe(tables)}")
        for table, updates in tableUpdates:
            if table != self.table:
                raise ProtocolViolation(f"table {describe(table)} is not monitored")
            rowUpdates = members(updates)
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
