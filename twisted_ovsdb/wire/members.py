# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Messages with many rows, decoded a member at a time.

The reply for 100,000 interfaces is one object of 30 MB. Decoding it whole
makes millions of containers that live at once, and CPython's collector goes
over them again and again: 2.8 s, against 0.8 s row by row, where each is
garbage as soon as its value has been made; and a reactor can breathe between
two rows, but not in the midst of a call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.jsonstream import DECODER, decodeObject, decodeText, parseObject

LARGE: Final = 64 * 1024
"""
Bytes from which on a reply's result is decoded by members: some 200 rows,
which take 2 ms whole.
"""

ROWS: Final = 2048
"""
Bytes from which on an update is decoded by members: some six rows. Below
that, decoding the whole is as fast.
"""

LEVELS: Final = 2
"""
How deep table updates are decoded one by one: tables, then rows.
"""

Take = Callable[[str, int], int]
"""
Takes members of an object that it knows how to read from a text. It gets the
text and the place of a member's name; it returns the place behind the last
member that it took, and behind its comma if there is one.
"""

# How ovsdb-server begins an update.
_UPDATE: Final = re.compile(
    r'\{"id":null,"method":"(update2?)","params":\["([^"\\\x00-\x1f]*)",(?=\{)'
)

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMA: Final = re.compile(r"[ \t\r\n]*,")

# A member's name without escapes, such as a UUID, and its colon at one go.
_PLAIN_NAME: Final = re.compile(r'[ \t\r\n]*"([^"\\\x00-\x1f]*)"[ \t\r\n]*:[ \t\r\n]*')

_scanValue: Final = DECODER.scan_once  # type: ignore[attr-defined]
_scanString: Final = json.decoder.scanstring  # type: ignore[attr-defined]


class _Cursor:
    """
    A place in a text, and how to read on from there. A fault is the same
    L{ProtocolViolation} that decoding the whole would give.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def space(self) -> str:
        """
        Skip white space; the character behind it.
        """
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return self.text[self.position : self.position + 1]

    def expect(self, character: str) -> None:
        """
        Read a character, and white space before it.
        """
        if not self.text.startswith(character, self.position) and self.space() != character:
            raise ProtocolViolation(f"not JSON: no {character!r} at character {self.position}")
        self.position += 1

    def name(self) -> str:
        """
        Read a member's name and the colon.
        """
        plain = _PLAIN_NAME.match(self.text, self.position)
        if plain is not None:
            self.position = plain.end()
            return plain.group(1)
        self.expect('"')
        try:
            string, self.position = _scanString(self.text, self.position, True)
        except ValueError as e:
            raise ProtocolViolation(f"not JSON: {e}") from e
        self.expect(":")
        self.space()
        name: str = string
        return name

    def value(self) -> Any:
        """
        Read a value of any kind.
        """
        try:
            value, self.position = _scanValue(self.text, self.position)
        except StopIteration as e:
            raise ProtocolViolation(f"not JSON: no value at character {e.value}") from e
        except (ValueError, RecursionError) as e:
            raise ProtocolViolation(f"not JSON: {e}") from e
        return value

    def opened(self) -> bool:
        """
        Read an object's brace.

        @return: whether there are members.
        """
        if self.text.startswith('{"', self.position):
            self.position += 1
            return True
        self.expect("{")
        return self.space() != "}"

    def names(self) -> Iterator[str]:
        """
        Read an object: its names, between which the caller reads the values.
        Behind the outermost one there is nothing: it was framed by its brace.
        """
        if self.opened():
            yield self.name()
            yield from self.further()
        else:
            self.position += 1

    def further(self) -> Iterator[str]:
        """
        Read on in an object behind a value: as L{names}.
        """
        while (comma := _COMMA.match(self.text, self.position)) is not None:
            self.position = comma.end()
            yield self.name()
        self.expect("}")

    def pairs(self, take: Take | None) -> Iterator[tuple[str, Any]]:
        """
        Read an object: its names and values. The rows of a snapshot are read
        here, so the usual is taken in one go: 3 us for each, against 6.

        @param take: may take members before each that is yielded.
        """
        more = self.opened()
        text, position = self.text, self.position
        while more:
            if take is not None:
                position = take(text, position)
                if text[position - 1] == "}":
                    break  # that was the last one
            plain = _PLAIN_NAME.match(text, position)
            if plain is not None:
                name, position = plain.group(1), plain.end()
            else:
                self.position = position
                name, position = self.name(), self.position
            try:
                value, position = _scanValue(text, position)
            except (StopIteration, ValueError, RecursionError):
                self.position = position
                value = self.value()  # tells what is wrong
            yield name, value
            if text[position : position + 1] == ",":
                position += 1
            else:
                comma = _COMMA.match(text, position)
                more = comma is not None
                position = comma.end() if comma is not None else position
        self.position = position
        self.expect("}")


class JSONMembers:
    """
    An object in a large text: its members are decoded as they are iterated
    over, once and in order.
    """

    def __init__(self, cursor: _Cursor, levels: int) -> None:
        self._cursor = cursor
        self._levels = levels

    def items(self, take: Take | None = None) -> Iterator[tuple[str, Any]]:
        """
        Names and values. A value that is an object is a L{JSONMembers} too as
        long as there are levels left, and has to be iterated over before the
        next item is asked for.

        @param take: on the last level, takes what it can; only the rest is
            yielded.
        @raise ProtocolViolation: where the text is not JSON.
        """
        cursor = self._cursor
        if self._levels == 1:
            yield from cursor.pairs(take)
            return
        for name in cursor.names():
            if cursor.text.startswith("{", cursor.position):
                yield name, JSONMembers(cursor, self._levels - 1)
            else:
                yield name, cursor.value()

    def whole(self) -> dict[str, Any]:
        """
        The object as a dict, in place of L{items}.
        """
        value: dict[str, Any] = self._cursor.value()
        return value


class TableUpdates(JSONMembers):
    """
    The outermost object of table updates: a reply's result, or what an update
    tells. What is behind it in the message is checked when it has been read.
    """

    def __init__(self, cursor: _Cursor, closing: str, names: Iterator[str]) -> None:
        """
        @param closing: what stands behind the object before the message's
            next member: the end of its params, or nothing.
        @param names: the names of the message's members behind that.
        """
        super().__init__(cursor, LEVELS)
        self._closing = closing
        self._names = names

    def items(self, take: Take | None = None) -> Iterator[tuple[str, Any]]:
        """
        As L{JSONMembers.items}; the text is let go at the end.
        """
        yield from super().items(take)
        self._finish()

    def whole(self) -> dict[str, Any]:
        """
        As L{JSONMembers.whole}.
        """
        value = super().whole()
        self._finish()
        return value

    def _finish(self) -> None:
        for character in self._closing:
            self._cursor.expect(character)
        for name in self._names:
            value = self._cursor.value()
            if name == "error" and value is not None:
                raise ProtocolViolation("a message has both table updates and an error")
            if name in ("id", "method", "params", "result"):
                raise ProtocolViolation(f"a message with table updates has {name} behind them")
        self._cursor.text = ""


def members(value: object, take: Take | None = None) -> Iterator[tuple[str, Any]] | None:
    """
    The members of what was an object in JSON, None for anything else.

    @param take: takes what it can, where they are read from a text.
    """
    if type(value) is dict:
        return iter(value.items())
    return value.items(take) if isinstance(value, JSONMembers) else None


def decodeMessage(message: bytes | bytearray) -> dict[str, Any]:
    """
    Decode a framed message. The table updates of a large reply or of an
    update of several rows are L{TableUpdates}.

    @param message: the message. A large one, which came in many chunks, is
        emptied: its text is not kept twice.
    @raise ProtocolViolation: if it is not JSON.
    """
    size = len(message)
    if size < ROWS:
        return decodeObject(message)
    text = decodeText(message)
    if isinstance(message, bytearray):
        message.clear()
    cursor = _Cursor(text)
    update = _UPDATE.match(text)
    if update is not None:
        cursor.position = update.end()
        tables = TableUpdates(cursor, "]", cursor.further())
        return {"id": None, "method": update.group(1), "params": [update.group(2), tables]}
    if size < LARGE:
        return parseObject(text)
    head: dict[str, Any] = {}
    names = cursor.names()
    for key in names:
        # ovsdb-server writes the id before the result. Where it comes
        # later, the message is decoded whole: slower, and as right.
        if key == "result" and "id" in head and text.startswith("{", cursor.position):
            head[key] = TableUpdates(cursor, "", names)
            return head
        head[key] = cursor.value()
    return head
