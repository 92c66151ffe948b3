# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Messages with table updates, whose rows are parsed one by one.

A row is parsed by the C scanner of C{json} when it is asked for, becomes its
value, and is forgotten. Parsed as a whole, the initial reply for 100,000
interfaces would be millions of objects that exist at once, and a reactor that
does nothing else for a second. What is read, and what is refused, is the same
as for a message that is parsed as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
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

# The usual beginnings, as ovsdb-server writes them.
_UPDATE: Final = re.compile(
    r'\{"id":null,"method":"(update2?)","params":\["([^"\\\x00-\x1f]*)",(?=\{)'
)
_REPLY: Final = re.compile(r'\{"id":([0-9]{1,18}),"result":(?=\{)')
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMA: Final = re.compile(r"[ \t\r\n]*,")

# A member's name without escapes, such as a UUID, and its colon at one go.
_NAME: Final = re.compile(r'[ \t\r\n]*"([^"\\\x00-\x1f]*)"[ \t\r\n]*:[ \t\r\n]*')


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
        if not self.text.startswith(character, self.position) and self._space() != character:
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
        if self._opened():
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
        more = self._opened()
        text, position = self.text, self.position
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
            elif (comma := _COMMA.match(text, position)) is not None:
                position = comma.end()
            else:
                more = False
                self.position = position
                self.expect("}")

    def _opened(self) -> bool:
        """
        Read an object's brace; if it has no members, the closing one too.

        @return: whether there are members.
        """
        if self.text.startswith('{"', self.position):
            self.position += 1
            return True
        self.expect("{")
        if self._space() != "}":
            return True
        self.position += 1
        return False

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
        """
        Read the message to its end.
        """
        fault = ""
        for character in self._closing:
            self._cursor.expect(character)
        for name in self._cursor.further():
            value = self._cursor.value()
            if name == "error" and value is not None:
                first = "a method" if self._closing else "a result"
                fault = f"a message has both {first} and an error"
            elif name in ("id", "method", "params", "result"):
                fault = f"a message with table updates has {name} behind them"
        self._cursor.text = ""
        if fault:
            raise ProtocolViolation(fault)


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
