# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What exists only for speed: the rows of a large reply are read while the rest of
it is on its way.

The text of a reply for 100,000 interfaces has 30 MB. Neither this text nor its
parsed form is ever held as a whole. The caller may pause between two slices of
rows, and the reactor turns. The result is the same as without.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.strictjson import decodeText
from twisted_ovsdb.wire.tableupdates import REPLY, RowUpdates, TableUpdates, inRow, rowUpdates

SLICE: Final = 1000
"""Rows that are read at a time: some 10 ms, in which a reactor does nothing else."""

ARRIVED: Final = 320 * 1024
"""Bytes of a reply from which on its rows are read before its end has come: one slice."""

_REPLY: Final = re.compile(REPLY.pattern.encode())


def arrivingReply(message: bytearray) -> tuple[int, int] | None:
    """
    @return: the id of a reply that may have rows, and the place of the brace of
        its result; None if the message is no such reply.
    """
    match = _REPLY.match(message)
    return None if match is None else (int(match.group(1)), match.end())


ReadRow = Callable[[str, dict[str, Any]], Any]
"""Makes a row's value of a UUID and a row update, or raises L{ProtocolViolation}."""


class RowReader:
    """
    Reads the rows of one initial reply: those that have arrived while it is on
    its way, and the others when it is complete.

    @ivar rows: the rows that were read, by table and UUID. They count when
        the whole reply has been read and nothing in it is wrong.
    """

    def __init__(self, tables: Mapping[str, ReadRow]) -> None:
        self.rows: dict[str, dict[str, Any]] = {table: {} for table in tables}
        self._tables = tables
        self._due = ARRIVED
        self._finished: set[str] = set()  # tables that have been read
        self._again = False  # whether the next row was read already

    def readArrived(self, message: bytearray, start: int) -> int:
        """
        Read the rows that have arrived whole, and remove their text. What is
        left is a shorter reply with the other rows.

        @param message: the reply as far as it has come.
        @param start: the place of the result's brace in it.
        @return: how many bytes shorter the message is.
        @raise ProtocolViolation: if one of these rows is wrong.
        """
        size = len(message)
        if size < self._due:
            return 0
        # A comma is never inside a character.
        end = max(start, message.rfind(b",") + 1)
        with memoryview(message) as view:
            updates = TableUpdates(decodeText(view[start:end]))
        updates.finished = self._finished
        self._read(rowUpdates(updates, self._tables))
        self._again = updates.again
        message[start:end] = updates.unread().encode()
        removed = size - len(message)
        # When nothing was complete, the next attempt waits until there is
        # twice as much: the time stays linear.
        self._due = ARRIVED if removed else 2 * size
        return removed

    def readRest(self, tables: object) -> Iterator[None]:
        """
        Read the rows that are in the reply when it is complete, a slice of
        them at each step.

        @param tables: the reply's result.
        @raise ProtocolViolation: if anything in it is wrong.
        """
        early = countOf(self.rows)
        if isinstance(tables, TableUpdates):
            tables.finished = self._finished
        updates = rowUpdates(tables, self._tables)
        try:
            while self._read(islice(updates, SLICE)) == SLICE:
                yield
        except ProtocolViolation as e:
            if not early:
                raise
            # The place in the text that it names does not count these rows.
            raise ProtocolViolation(f"behind {early} rows: {e}") from e

    def readAll(self, tables: object) -> dict[str, dict[str, Any]]:
        """
        As L{readRest}, all at once.

        @return: the rows.
        """
        for _ in self.readRest(tables):
            pass
        return self.rows

    def _read(self, updates: RowUpdates) -> int:
        """
        @return: how many rows were read.
        """
        count = 0
        known = countOf(self.rows) - self._again
        self._again = False
        rows, readRow = self.rows, self._tables
        with _collectorAtRest():
            for table, uuid, update in updates:
                try:
                    rows[table][uuid] = readRow[table](uuid, update)
                except ProtocolViolation as e:
                    raise inRow(table, uuid, e) from e
                count += 1
        if countOf(rows) != known + count:
            raise rowTwice()
        return count


def countOf(rows: Mapping[str, Mapping[str, Any]]) -> int:
    """How many rows there are, by table and UUID."""
    return sum(map(len, rows.values()))


def rowTwice() -> ProtocolViolation:
    """The fault of a message that has one UUID of a table twice."""
    return ProtocolViolation("a row stands there twice")


@contextmanager
def _collectorAtRest() -> Iterator[None]:
    """
    Turn the collector of cycles off while a slice of rows is read. Rows have no
    cycles, but because of their number it would visit every object of the process
    several times. No code of the application runs in this thread meanwhile.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
