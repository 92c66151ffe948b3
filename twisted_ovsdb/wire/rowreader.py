# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What exists only for speed: the rows of a large reply are read while the rest of
it is on its way.

So neither the text of a reply for 100,000 interfaces, which has 30 MB, nor
what a JSON parser makes of it is ever held as a whole; and the caller may
pause between two slices of rows, in which the reactor turns. The result is the
same as without.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.strictjson import decodeText, scanValue
from twisted_ovsdb.wire.tableupdates import rowUpdates

SLICE: Final = 1000
"""Rows that are read at a time: some 10 ms, in which a reactor does nothing else."""

ARRIVED: Final = 320 * 1024
"""Bytes of a reply from which on its rows are read before its end has come: one slice."""

# What is read here, in the form that ovsdb-server writes: the beginning of a
# reply, of a table and of a row, and what stands between two rows or tables.
_REPLY: Final = re.compile(rb'\{"id":([0-9]{1,18}),"result":(?=\{)')
_TABLE: Final = re.compile(r'"(\w+)":\{(?=")')
_ROW: Final = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})":(?=\{)')
_NEXT_ROW: Final = re.compile("," + _ROW.pattern)
_BETWEEN: Final = re.compile(r'(\}?),(?="|\Z)')


def arrivingReply(message: bytearray) -> tuple[int, int] | None:
    """
    Which reply it is that a message begins, if it may be one with rows.

    @return: its id, and the place of the result's brace.
    """
    match = _REPLY.match(message)
    return None if match is None else (int(match.group(1)), match.end())


ReadRow = Callable[[str, dict[str, Any]], Any]
"""
Makes a row's value of its UUID and its row update; raises
L{ProtocolViolation} that says what is wrong.
"""


class RowReader:
    """
    Reads the rows of one initial reply: those that have arrived while it is on
    its way, and the others when it is there.

    @ivar rows: the rows that were read, by table and UUID. They count when
        the whole reply has been read and nothing in it is wrong.
    """

    def __init__(self, tables: Mapping[str, ReadRow]) -> None:
        """
        @param tables: what reads the rows of each table.
        """
        self.rows: dict[str, dict[str, Any]] = {table: {} for table in tables}
        self._tables = tables
        self._early = False  # whether rows were read before the reply's end had come
        self._due = ARRIVED

    def readArrived(self, message: bytearray, start: int) -> int:
        """
        Read the rows that have arrived whole, and remove their text. What is
        left is a shorter reply, in which the others are.

        @param message: the reply as far as it has come.
        @param start: the place of the result's brace in it.
        @return: how many bytes shorter the message is.
        @raise ProtocolViolation: if one of these rows is wrong.
        """
        size = len(message)
        if size < self._due:
            return 0
        start += 1
        # Up to the quote behind the last comma between two rows or two tables.
        end = message.rfind(b'}},"', start) + 3
        with memoryview(message) as view:
            text = decodeText(view[start : max(start, end)])
        with _collectorAtRest():
            position, opening = self._readRows(text)
        if position == len(text) and position:
            message[start:end] = opening.encode()
        elif position:
            message[start : start + len(text[:position].encode())] = opening.encode()
        # The last comma may stand in a string, or the form be another one.
        # Then half as many attempts are made: the time stays linear.
        self._due = ARRIVED if position else 2 * size
        self._early = self._early or position > 0
        return size - len(message)

    def _readRows(self, text: str) -> tuple[int, str]:
        """
        Read rows as long as they are whole and in the usual form.

        @param text: what stands in the result: tables with rows.
        @return: the place up to which the text has been read, and the opening
            of the table that goes on there.
        """
        position, opening = 0, ""
        while (table := _TABLE.match(text, position)) is not None:
            name, place = table.group(1), table.end()
            rows, read = self.rows.get(name), self._tables.get(name)
            row = _ROW.match(text, place)
            while row is not None and rows is not None and read is not None:
                try:
                    update, place = scanValue(text, row.end())
                except (StopIteration, ValueError, RecursionError):
                    return position, opening
                uuid = row.group(1)
                try:
                    rows[uuid] = read(uuid, update)
                except ProtocolViolation as e:
                    raise _inRow(name, uuid, e) from e
                row = _NEXT_ROW.match(text, place)
                if row is not None:
                    # It counts only now: behind the last row of a result the
                    # reader at the end has to find something.
                    position, opening = place + 1, table.group()
            ends = _BETWEEN.match(text, place)
            if ends is None or place == table.end():
                break
            position, opening = ends.end(), "" if ends.group(1) else table.group()
        return position, opening

    def readRest(self, tables: object) -> Iterator[None]:
        """
        Read the rows that are in the reply when it is there, a slice of them
        at each step.

        @param tables: the reply's result.
        @raise ProtocolViolation: if anything in it is wrong.
        """
        updates = rowUpdates(tables, self._tables)
        while self._readSlice(updates) == SLICE:
            yield

    def _readSlice(self, updates: Iterator[tuple[str, str, dict[str, Any]]]) -> int:
        """
        @return: how many rows were read.
        """
        count = 0
        try:
            with _collectorAtRest():
                for table, uuid, update in islice(updates, SLICE):
                    try:
                        self.rows[table][uuid] = self._tables[table](uuid, update)
                    except ProtocolViolation as e:
                        raise _inRow(table, uuid, e) from e
                    count += 1
        except ProtocolViolation as e:
            if not self._early:
                raise
            # The place that it names does not count what was removed before.
            early = sum(map(len, self.rows.values()))
            raise ProtocolViolation(f"behind {early} rows: {e}") from e
        return count

    def readAll(self, tables: object) -> dict[str, dict[str, Any]]:
        """
        As L{readRest}, all at once.

        @return: the rows.
        """
        for _ in self.readRest(tables):
            pass
        return self.rows


@contextmanager
def _collectorAtRest() -> Iterator[None]:
    """
    Keep the collector of cycles from running while a slice of rows is read.

    Rows make no cycles, but thousands of objects that stay, because of which
    it would go over everything in the process again and again. It is off for
    some milliseconds, in which no code of the application runs in this thread.
    benchmarks/README.md has what that buys.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _inRow(table: str, uuid: str, fault: ProtocolViolation) -> ProtocolViolation:
    """
    A fault, with the name of the row that it is in.
    """
    return ProtocolViolation(f"table {table}, row {uuid}: {fault}")
