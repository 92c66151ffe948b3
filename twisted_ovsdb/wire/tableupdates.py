# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Messages with table updates, whose rows are parsed one by one.

The C scanner of C{json} parses a row when the row is asked for. The caller
makes its value and drops the parsed form. Parsed as a whole, the initial reply
for 100,000 interfaces would be millions of objects that exist at once, and the
reactor would do nothing else for a second. In a message whose members stand in another order than
ovsdb-server's, the table updates are found first.

What is read, and what is refused, is the same in both cases. A name that stands
twice among the members of a message, its tables or the UUIDs of a table is refused: no
server writes it, and which of the two counted would depend on how the message is cut.
Among the columns of a row the last one counts, as in any JSON parser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Sequence
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

MAX_UNASKED: Final = 1 << 20
"""
Bytes of a message that is no reply and no update. They are small, such as C{echo}: this is
more than a thousand times what is usual. They are parsed as a whole, unasked.
"""

SMALL: Final = 4096
"""
Characters of a message up to which it is parsed first and looked at then, which is faster.
"""

_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _beginning(*tokens: str) -> re.Pattern[str]:
    """
    Make the pattern of a message's beginning, with white space between its tokens.
    It has a limit: a message is matched again whenever more of it has come.
    """
    return re.compile(r"[ \t\r\n]{0,32}".join(tokens))


_LAST_ID: Final = '"(' + _UUID + ')"'
_OBJECT: Final = r"(?=\{)"

REPLY: Final = _beginning(
    *(r"\{", '"id"', ":", "(0|[1-9][0-9]{0,17})", ",", '"result"', ":"),
    *(r"(?:\[", "(true|false)", ",", _LAST_ID, ",", f"|){_OBJECT}"),
)
"""
The beginning of a reply with an object, as ovsdb-server writes it: its id, and
what stands before the object in a reply to C{monitor_cond_since}.
"""

# The beginnings of an update, of a table's first row and of each other row.
_UPDATE: Final = _beginning(
    *(r"\{", '"id"', ":", "null", ",", '"method"', ":", '"(update[23]?)"', ",", '"params"', ":"),
    *(r"\[", r'"([^"\\\x00-\x1f]*)"', ",", f"(?:{_LAST_ID}", ",", f"|){_OBJECT}"),
)
UPDATES: Final = ("update", "update2", "update3")
"""The notifications that have table updates."""

_ROW: Final = '"(' + _UUID + r')":(?=\{)'
_FIRST_ROW: Final = re.compile(r"\{" + _ROW)
_NEXT_ROW: Final = re.compile("," + _ROW)

# What is needed to find the end of a value that is not read yet.
_BRACKET: Final = re.compile(r'[][{}]|"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

# A result that may have table updates: see REPLY.
_RESULT: Final = re.compile(r"\{|\[[ \t\r\n]*(?:true|false)")

_PLAIN_NAME: Final = re.compile(r'"([^"\\\x00-\x1f]*)":(?=[\[{"])')
_SPACE: Final = re.compile(r"[ \t\r\n]*")

RowUpdates = Iterator[tuple[str, str, dict[str, Any]]]
"""A table, a UUID and a row update at each step."""


class _Cursor:
    """
    A place in a text. A fault is the same L{ProtocolViolation} that parsing the
    whole text would give.
    """

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.name = position  # where the latest name of a member begins

    def next(self) -> str:
        """
        Skip white space.

        @return: the character behind it; an empty string at the end.
        """
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return self.text[self.position : self.position + 1]

    def expect(self, character: str) -> None:
        """Read a character, and white space before it."""
        if not self.text.startswith(character, self.position) and self.next() != character:
            raise ProtocolViolation(f"not JSON: no {character!r} at character {self.position}")
        self.position += 1

    def value(self) -> Any:
        """Read a value of any kind."""
        value, self.position = readValue(self.text, self.position)
        return value

    def skip(self) -> None:
        """
        Skip a value without reading it, if it is an object or an array. Its brackets have
        been checked: see L{Tokens <twisted_ovsdb.wire.tokens.Tokens>}.
        """
        if not self.text.startswith(("{", "["), self.position):
            self.value()
            return
        depth = 0
        for token in _BRACKET.finditer(self.text, self.position):
            character = self.text[token.start()]
            if character in "[{":
                depth += 1
            elif character in "]}":
                depth -= 1
                if depth == 0:
                    self.position = token.end()
                    return
        raise ProtocolViolation(f"not JSON: no end of the value at character {self.position}")

    def names(self) -> Iterator[str]:
        """
        Read an object: its members' names. The caller reads each value before
        it asks for the next name.
        """
        self.expect("{")
        if self.text.startswith('"', self.position) or self.next() != "}":
            yield self._name()
            yield from self.further()
        else:
            self.position += 1

    def further(self) -> Iterator[str]:
        """As L{names}, from behind a value on."""
        while self.text.startswith(",", self.position) or self.next() == ",":
            self.position += 1
            yield self._name()
        self.expect("}")

    def _name(self) -> str:
        """Read a member's name and the colon."""
        self.name = self.position
        plain = _PLAIN_NAME.match(self.text, self.position)
        if plain is not None:
            self.position = plain.end()
            return plain.group(1)
        self.expect('"')
        try:
            string, self.position = scanString(self.text, self.position, True)
        except ValueError as e:
            raise ProtocolViolation(f"not JSON: {e}") from e
        self.expect(":")
        self.next()
        name: str = string
        return name


class TableUpdates:
    """
    The C{<table-updates>} of a message, still as text: to be read once, by
    L{rows} or by L{whole}, before anything else is read from the connection.
    Both also check the end of the message.

    @ivar behind: what stands behind them in the same array, when they are read.
    @ivar finished: the tables that have been read to their end. When a message is read
        in parts, each part gets those of the parts before it.
    """

    def __init__(
        self,
        text: str,
        position: int = 0,
        closing: str | None = None,
        notification: str | None = None,
    ) -> None:
        """
        @param text: the message.
        @param position: the place of the table updates' brace in it.
        @param closing: what stands between them and the next member of the
            message. None: the text ends somewhere, and the rows before its
            end are read.
        @param notification: its method, if the message is no reply.
        """
        self.behind: Sequence[Any] = ()
        self.finished: set[str] = set()
        self._cursor = _Cursor(text, position)
        self._closing = closing
        self._notification = notification
        self._table: str | None = None  # the latest
        self._begun = 0  # where its latest row begins, or an earlier one
        self._read = -1  # where the latest row begins that was read

    def rows(self, monitored: Container[str]) -> RowUpdates:
        """
        See L{rowUpdates}.

        @raise ProtocolViolation: also if the text is not JSON.
        """
        cursor = self._cursor
        try:
            for table in cursor.names():
                _checkTable(table, monitored)
                if table in self.finished:
                    raise ProtocolViolation(f"table {table} stands there twice")
                if not cursor.text.startswith("{", cursor.position):
                    raise _noObject(table, cursor.value())
                self._table, self._begun = table, cursor.position + 1
                yield from self._rowsOf(table)
                self.finished.add(table)
            self._finish()
            if self.behind:
                raise ProtocolViolation(f"more behind table updates: {describe(self.behind)}")
        except ProtocolViolation:
            # Of a part of a message, what is wrong is found at the end of it.
            if self._closing is not None:
                raise

    def _rowsOf(self, table: str) -> RowUpdates:
        cursor = self._cursor
        text = cursor.text
        start = position = cursor.position
        # In the usual form, a row is read without a call for each part.
        row = _FIRST_ROW.match(text, start)
        while row is not None:
            self._begun = row.start(1) - 1
            try:
                update, position = scanValue(text, row.end())
            except (StopIteration, ValueError, RecursionError):
                break  # It is read again below, which raises what is wrong.
            self._read = self._begun
            yield table, row.group(1), update
            row = _NEXT_ROW.match(text, position)
        cursor.position = position
        for uuid in cursor.names() if position == start else cursor.further():
            self._begun = cursor.name
            update = cursor.value()
            _checkRow(table, uuid, update)
            self._read = self._begun
            yield table, uuid, update

    def whole(self) -> dict[str, Any]:
        """
        All of it, as a plain object of JSON.

        @raise ProtocolViolation: if the text is not JSON.
        """
        value: dict[str, Any] = self._cursor.value()
        self._finish()
        return value

    @property
    def again(self) -> bool:
        """Whether L{unread} begins with a row that was read."""
        return self._read == self._begun

    def unread(self) -> str:
        """The text from the latest row on, with the opening of its table."""
        if self._table is None:
            return self._cursor.text
        self.finished.discard(self._table)
        table = json.dumps(self._table, ensure_ascii=False)
        return f"{{{table}:{{{self._cursor.text[self._begun :]}"

    def _elements(self) -> Iterator[Any]:
        """The further elements of the array."""
        cursor = self._cursor
        while cursor.next() == ",":
            cursor.position += 1
            cursor.next()
            yield cursor.value()

    def _finish(self) -> None:
        """Read the message to its end."""
        fault = ""
        cursor, notification = self._cursor, self._notification
        if self._closing:
            if not cursor.text.startswith(self._closing, cursor.position):
                self.behind = list(self._elements())
                if notification is not None and self.behind:
                    fault = wrongCount(notification, self.behind)
            cursor.expect(self._closing)
        seen = {"id", "result"} if notification is None else {"id", "method", "params"}
        for name in cursor.further():
            value = cursor.value()
            if name in seen:
                fault = fault or _memberTwice(name)
            elif name == "error" and value is not None:
                first = "a result" if notification is None else "a method"
                fault = fault or f"a message has both {first} and an error"
            elif name in ("method", "params") or (name == "result" and value is not None):
                fault = fault or f"a message with table updates has {name} behind them"
            seen.add(name)
        cursor.text = ""
        if fault:
            raise ProtocolViolation(fault)


def decodeMessage(message: Buffer) -> dict[str, Any]:
    """
    Decode a framed message. Table updates in the order that ovsdb-server writes
    are L{TableUpdates}; any other message is parsed as a whole.

    @param message: the message. A C{bytearray}, which is a message that came
        in many chunks, is emptied: its text is not kept twice.
    @raise ProtocolViolation: if it is not JSON.
    """
    text = decodeText(message)
    if isinstance(message, bytearray):
        message.clear()
    update = _UPDATE.match(text)
    if update is not None:
        method, *names = update.groups()
        params: list[Any] = [name for name in names if name is not None]
        params.append(TableUpdates(text, update.end(), "]", method))
        return {"id": None, "method": method, "params": params}
    reply = REPLY.match(text)
    if reply is not None:
        messageId, found, lastId = reply.groups()
        closing = "" if found is None else "]"
        updates = TableUpdates(text, reply.end(), closing)
        result = updates if found is None else [found == "true", lastId, updates]
        return {"id": int(messageId), "result": result}
    if len(text) <= SMALL and "\\" not in text:
        value = parseObject(text)
        if not _mayBeMore(value) and all(text.count(f'"{name}"') == 1 for name in value):
            return value
    return _inAnyOrder(text)


def _mayBeMore(message: dict[str, Any]) -> bool:
    """Whether there are table updates in a message."""
    result = message.get("result")
    since = type(result) is list and len(result) > 2
    return since or type(result) is dict or message.get("method") in UPDATES


def _inAnyOrder(text: str) -> dict[str, Any]:
    """
    Decode a message whose members stand in another order than ovsdb-server's, or that has
    no table updates.
    """
    cursor = _Cursor(text, 0)
    values: dict[str, Any] = {}
    places: dict[str, tuple[int, int]] = {}
    for name in cursor.names():
        if name in values:
            raise ProtocolViolation(_memberTwice(name))
        start = cursor.position
        if _mayHaveUpdates(text, start, name) or len(text) > MAX_UNASKED:
            cursor.skip()
            places[name] = start, cursor.position
            values[name] = None
        else:
            values[name] = cursor.value()
    if cursor.position != len(text):
        raise ProtocolViolation(f"not JSON: more at character {cursor.position}")
    if "method" in places:
        values["method"] = readValue(text, places.pop("method")[0])[0]
    isUpdate = "method" in values and values["method"] in UPDATES
    if len(text) > MAX_UNASKED and "method" in values and not isUpdate:
        raise ProtocolViolation(f"no reply and no update has {len(text)} characters")
    for name, (start, end) in places.items():
        if _mayHaveUpdates(text, start, name) and (isUpdate or name == "result"):
            notification = values["method"] if name == "params" else None
            values[name] = _content(text, start, end, notification)
        else:
            values[name] = readValue(text, start)[0]
    return values


def _mayHaveUpdates(text: str, start: int, name: str) -> bool:
    """Whether a member's value may have table updates in it."""
    if name == "result":
        return _RESULT.match(text, start) is not None
    return name == "params" and text.startswith("[", start)


def _content(text: str, start: int, end: int, notification: str | None) -> Any:
    """
    The content of an update or a reply, with L{TableUpdates} where they belong.
    """
    cursor = _Cursor(text, start)
    before: list[Any] = []
    isArray = text.startswith("[", start)
    if isArray:
        cursor.position += 1
        while len(before) < 2 and cursor.next() not in ("{", "]"):
            before.append(cursor.value())
            if cursor.next() != ",":
                break
            cursor.position += 1
    expected = (1, 2) if notification is not None else (2 * isArray,)
    if len(before) not in expected or cursor.next() != "{":
        return readValue(text, start)[0]
    rest = text[cursor.position : end] + "}"
    updates = TableUpdates(rest, 0, "]" if isArray else "", notification)
    return [*before, updates] if isArray else updates


def _memberTwice(name: str) -> str:
    return f"a message has the member {describe(name)} twice"


def parsed(content: Any) -> Any:
    """
    The content of a message whose table updates nobody reads row by row: as
    plain JSON.

    @raise ProtocolViolation: if the text is not JSON.
    """
    if isinstance(content, TableUpdates):
        return content.whole()
    if type(content) is list and content and isinstance(content[-1], TableUpdates):
        tables = content[-1]
        return [*content[:-1], tables.whole(), *tables.behind]
    return content


def wrongCount(notification: str, params: object) -> str:
    """What to say of an update notification that has too few params, or too many."""
    count = "three" if notification == "update3" else "two"
    return f"{notification}: not {count} params: {describe(params)}"


def rowUpdates(tables: object, monitored: Container[str]) -> RowUpdates:
    """
    The row updates in table updates.

    @param tables: L{TableUpdates}, or what a whole message had in their place.
    @param monitored: the tables that may be in them.
    @raise ProtocolViolation: for anything but an object of objects whose
        names are UUIDs and whose values are objects.
    """
    if isinstance(tables, TableUpdates):
        return tables.rows(monitored)
    if type(tables) is dict:
        return _parsedRows(tables, monitored)
    raise ProtocolViolation(f"table updates are no object: {describe(tables)}")


def _parsedRows(tables: dict[str, Any], monitored: Container[str]) -> RowUpdates:
    for table, updates in tables.items():
        _checkTable(table, monitored)
        if type(updates) is not dict:
            raise _noObject(table, updates)
        for uuid, update in updates.items():
            _checkRow(table, uuid, update)
            yield table, uuid, update


def _checkTable(table: str, monitored: Container[str]) -> None:
    if table not in monitored:
        raise ProtocolViolation(f"table {describe(table)} is not monitored")


def _noObject(table: str, updates: object) -> ProtocolViolation:
    return ProtocolViolation(f"table {table}: no object: {describe(updates)}")


def _checkRow(table: str, uuid: str, update: object) -> None:
    if not isUUID(uuid):
        raise ProtocolViolation(f"table {table}: not a UUID: {describe(uuid)}")
    if type(update) is not dict:
        raise inRow(table, uuid, f"the update is no object: {describe(update)}")


def inRow(table: str, uuid: str, fault: object) -> ProtocolViolation:
    """A fault, with the name of the row that it is in."""
    return ProtocolViolation(f"table {table}, row {uuid}: {fault}")
