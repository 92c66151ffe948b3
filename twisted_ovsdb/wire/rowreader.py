# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Table updates are read row by row.

The initial reply for 100,000 interfaces is one JSON object of 30 MB. Parsed as
a whole it would be millions of objects that exist at once, beside the text,
and a reactor that does nothing else for a second. So each row is parsed alone,
by the C scanner of C{json}, becomes its value, and is forgotten; the caller
may pause between two slices of rows; and rows are read while the rest of the
reply is on its way.

Everything here is for speed and memory alone: what is read, and what is
refused, is the same as for a message that is parsed as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final

from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import isUUID
from twisted_ovsdb.wire.strictjson import (
    Buffer,
    decodeText,
    parseObject,
    readValue,
    scanString,
    scanValue,
)

SLICE: Final = 1000
"""Rows that are read at a time: some 10 ms, in which a reactor does nothing else."""

ARRIVED: Final = 320 * 1024
"""Bytes of a reply from which on its rows are read before its end has come: one slice."""

# The usual beginnings, as ovsdb-server writes them.
_UPDATE: Final = re.compile(
    r'\{"id":null,"method":"(update2?)","params":\["([^"\\\x00-\x1f]*)",(?=\{)'
)
_REPLY: Final = re.compile(r'\{"id":([0-9]{1,18}),"result":(?=\{)')
_REPLY_BYTES: Final = re.compile(_REPLY.pattern.encode())

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMA: Final = re.compile(r"[ \t\r\n]*,")

# A member's name without escapes, such as a UUID, and its colon at one go.
_NAME: Final = re.compile(r'[ \t\r\n]*"([^"\\\x00-\x1f]*)"[ \t\r\n]*:[ \t\r\n]*')

# The same in the form that ovsdb-server writes.
_TABLE: Final = re.compile(r'"(\w+)":\{(?=")')
_BETWEEN: Final = re.compile(r'(\}?),(?="|\Z)')
_UUID: Final = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})":(?=\{)')


class _Cursor:
    """
    A place in a text, and how to read on from there. A fault is the same
    L{ProtocolViolation} that parsing the whole text would give.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def expect(self, character: str) -> None:
        """
        Read a character, and white space before it.
        """
        if self._space() != character:
            raise ProtocolViolation(f"not JSON: no {character!r} at character {self.position}")
        self.position += 1

    def value(self) -> Any:
        """
        Read a value of any kind.
        """
        value, self.position = readValue(self.text, self.position)
        return value

    def names(self) -> Iterator[str]:
        """
        Read an object: its members' names. The caller reads each value before
        it asks for the next name.
        """
        self.expect("{")
        if self._space() == "}":
            self.position += 1
            return
        yield self._name()
        yield from self.further()

    def further(self) -> Iterator[str]:
        """
        As L{names}, from behind a value on.
        """
        while (comma := _COMMA.match(self.text, self.position)) is not None:
            self.position = comma.end()
            yield self._name()
        self.expect("}")

    def members(self) -> Iterator[tuple[str, Any]]:
        """
        Read an object: its names and values. This is where rows are read, so
        the usual form is read without a call for each part.
        """
        self.expect("{")
        text, position = self.text, self.position
        more = self._space() != "}"
        while more:
            plain = _NAME.match(text, position)
            if plain is not None:
                name, position = plain.group(1), plain.end()
            else:
                self.position = position
                name, position = self._name(), self.position
            try:
                value, position = scanValue(text, position)
            except (StopIteration, ValueError, RecursionError):
                value, position = readValue(text, position)  # raises, and says what is wrong
            yield name, value
            if text.startswith(",", position):
                position += 1
            else:
                comma = _COMMA.match(text, position)
                more = comma is not None
                position = comma.end() if comma is not None else position
            self.position = position
        self.expect("}")

    def _space(self) -> str:
        """
        Skip white space; the character behind it.
        """
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return self.text[self.position : self.position + 1]

    def _name(self) -> str:
        """
        Read a member's name and the colon.
        """
        plain = _NAME.match(self.text, self.position)
        if plain is not None:
            self.position = plain.end()
            return plain.group(1)
        self.expect('"')
        try:
            string, self.position = scanString(self.text, self.position, True)
        except ValueError as e:
            raise ProtocolViolation(f"not JSON: {e}") from e
        self.expect(":")
        self._space()
        name: str = string
        return name


class TableUpdates:
    """
    The C{<table-updates>} of a message, still as text: to be read once, by
    L{tables} or by L{whole}, before anything else is read from the connection.
    The end of the message is checked behind them.
    """

    def __init__(self, cursor: _Cursor, closing: str) -> None:
        """
        @param cursor: stands at the table updates' brace.
        @param closing: what stands between them and the next member of the
            message: the end of its params, or nothing.
        """
        self._cursor = cursor
        self._closing = closing

    def tables(self) -> Iterator[tuple[str, Any]]:
        """
        Each table's name, and an iterator over the UUIDs and row updates in
        it, which has to be used up before the next table is asked for; or the
        value, where that is no object.

        @raise ProtocolViolation: where the text is not JSON.
        """
        cursor = self._cursor
        for table in cursor.names():
            if cursor.text.startswith("{", cursor.position):
                yield table, cursor.members()
            else:
                yield table, cursor.value()
        self._finish()

    def whole(self) -> dict[str, Any]:
        """
        All of it, as a plain object of JSON.

        @raise ProtocolViolation: if the text is not JSON.
        """
        value: dict[str, Any] = self._cursor.value()
        self._finish()
        return value

    def _finish(self) -> None:
        for character in self._closing:
            self._cursor.expect(character)
        for name in self._cursor.further():
            value = self._cursor.value()
            if name == "error" and value is not None:
                raise ProtocolViolation("a message has both table updates and an error")
            if name in ("id", "method", "params", "result"):
                raise ProtocolViolation(f"a message with table updates has {name} behind them")
        self._cursor.text = ""


def decodeMessage(message: Buffer) -> dict[str, Any]:
    """
    Decode a framed message. Table updates in the form that ovsdb-server writes
    are L{TableUpdates}; a message in any other form is parsed as a whole.

    @param message: the message. A C{bytearray}, which is a message that came
        in many chunks, is emptied: its text is not kept twice.
    @raise ProtocolViolation: if it is not JSON.
    """
    text = decodeText(message)
    if isinstance(message, bytearray):
        message.clear()
    cursor = _Cursor(text)
    update = _UPDATE.match(text)
    if update is not None:
        cursor.position = update.end()
        method, monitorId = update.groups()
        params = [monitorId, TableUpdates(cursor, "]")]
        return {"id": None, "method": method, "params": params}
    reply = _REPLY.match(text)
    if reply is not None:
        cursor.position = reply.end()
        return {"id": int(reply.group(1)), "result": TableUpdates(cursor, "")}
    return parseObject(text)


def rowUpdates(tables: object, monitored: Container[str]) -> Iterator[tuple[str, str, Any]]:
    """
    The row updates in table updates: table, UUID and row update of each.

    @param tables: L{TableUpdates}, or what a whole message had in their place.
    @param monitored: the tables that may be in them.
    @raise ProtocolViolation: for anything but an object of objects whose
        names are UUIDs and whose values are objects.
    """
    if type(tables) is dict:
        found: Iterator[tuple[str, Any]] = iter(tables.items())
    elif isinstance(tables, TableUpdates):
        found = tables.tables()
    else:
        raise ProtocolViolation(f"table updates are no object: {describe(tables)}")
    for table, updates in found:
        if table not in monitored:
            raise ProtocolViolation(f"table {describe(table)} is not monitored")
        if type(updates) is dict:
            updates = updates.items()
        elif not isinstance(updates, Iterator):
            raise ProtocolViolation(f"table {table}: no object: {describe(updates)}")
        for uuid, update in updates:
            if not isUUID(uuid):
                raise ProtocolViolation(f"table {table}: not a UUID: {describe(uuid)}")
            if type(update) is not dict:
                what = f"the update is no object: {describe(update)}"
                raise ProtocolViolation(f"table {table}, row {uuid}: {what}")
            yield table, uuid, update


def arrivingReply(message: bytearray) -> tuple[int, int] | None:
    """
    Which reply it is that a message begins, if it may be one with rows.

    @return: its id, and the place of the result's brace.
    """
    match = _REPLY_BYTES.match(message)
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
        self._early = 0  # rows that were read before the reply's end had come
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
        position, opening = self._readRows(text)
        if position == len(text) and position:
            message[start:end] = opening.encode()
        elif position:
            message[start : start + len(text[:position].encode())] = opening.encode()
        # The last comma may stand in a string, or the form be another one.
        # Then half as many attempts are made: the time stays linear.
        self._due = ARRIVED if position else 2 * size
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
            if rows is None or read is None:
                break
            while (row := _UUID.match(text, place)) is not None:
                try:
                    update, place = scanValue(text, row.end())
                except (StopIteration, ValueError, RecursionError):
                    return position, opening
                # Another row or another table follows: a quote, which stands
                # behind the text too.
                ends = _BETWEEN.match(text, place)
                if ends is None:
                    return position, opening
                uuid = row.group(1)
                try:
                    rows[uuid] = read(uuid, update)
                except ProtocolViolation as e:
                    raise _inRow(name, uuid, e) from e
                self._early += 1
                position = place = ends.end()
                if ends.group(1):
                    opening = ""
                    break
                opening = table.group()
            else:
                break
        return position, opening

    def readRest(self, tables: object) -> Iterator[None]:
        """
        Read the rows that are in the reply when it is there, a slice of them
        at each step.

        @param tables: the reply's result.
        @raise ProtocolViolation: if anything in it is wrong.
        """
        count = 0
        try:
            for table, uuid, update in rowUpdates(tables, self._tables):
                try:
                    self.rows[table][uuid] = self._tables[table](uuid, update)
                except ProtocolViolation as e:
                    raise _inRow(table, uuid, e) from e
                count += 1
                if count % SLICE == 0:
                    yield
        except ProtocolViolation as e:
            if not self._early:
                raise
            # The place that it names does not count what was removed before.
            raise ProtocolViolation(f"behind {self._early} rows: {e}") from e

    def readAll(self, tables: object) -> dict[str, dict[str, Any]]:
        """
        As L{readRest}, all at once.

        @return: the rows.
        """
        for _ in self.readRest(tables):
            pass
        return self.rows


def _inRow(table: str, uuid: str, fault: ProtocolViolation) -> ProtocolViolation:
    """
    A fault, with the name of the row that it is in.
    """
    return ProtocolViolation(f"table {table}, row {uuid}: {fault}")
