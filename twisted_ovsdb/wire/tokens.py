# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The tokens of a message that has not come to its end: where it ends, and tokens
that cannot stand where they stand.

Without the second, a message that was broken off would swallow all messages behind
it, because their braces are balanced. What is checked is what can be checked with a
few calls for each chunk that run in C: which bracket, comma, colon or string may
follow which, that brackets fit, and how deep they are. Numbers and names such as
C{null} are not looked at. The rest is left to the strict parser, which gets the
message when it is complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from twisted_ovsdb.errors import ProtocolViolation

MAX_DEPTH: Final = 64
"""
Brackets and braces that are open at once. Nothing in OVSDB has more than 10;
ovsdb-server reads 1,000. Python's parser needs a frame for each of them, of 1,000 that
the whole program has, and to find out how deep a chunk is takes time for each level.
"""

_SKIMMED: Final = 256
"""Bytes from which on a chunk is skimmed first: below, this gains nothing."""

# What is a token here: a mark, a whole string, or the quote of a string that does not
# end in this chunk. To find the end of a message only braces and strings are needed.
_TOKEN: Final = re.compile(rb'[][{},:]|"[^"\\]*(?:\\.[^"\\]*)*"|"', re.DOTALL)
_BRACE: Final = re.compile(rb'[{}]|"[^"\\]*(?:\\.[^"\\]*)*"|"', re.DOTALL)
_REST_OF_STRING: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_ESCAPED: Final = b"\0"
"""Stands for an escaped quote or backslash. JSON has this byte nowhere."""

_NO_MARKS: Final = bytes(set(range(256)) - set(b'{}[],:"' + _ESCAPED))
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b'{}[]"'))

_STRING: Final = b"s"
"""Stands for a string among marks."""

# Of two tokens side by side, the first one in its brackets, those that no JSON has. There
# may be a number or a name between them.
_WRONG_PAIR: Final = re.compile(rb"\{[^s}]|\[[:}]|,:|:[]:]|s[s{[]|[]}][^]},]")

# The same as numbers, each mark a byte with a bit for each of the marks: those that must
# not follow it, and its own. Two operations on large numbers compare all pairs of a chunk,
# where the expression would take 25 times as long.
_MARKS: Final = b"{}[],:s"


def _table(bits: Callable[[bytes], int]) -> bytes:
    table = bytearray(256)
    for mark in _MARKS:
        table[mark] = bits(bytes([mark]))
    return bytes(table)


def _bitOf(mark: bytes) -> int:
    return 1 << _MARKS.index(mark)


def _wrongBehind(first: bytes) -> int:
    seconds = (bytes([mark]) for mark in _MARKS)
    return sum(_bitOf(second) for second in seconds if _WRONG_PAIR.match(first + second))


_WRONG_BEHIND: Final = _table(_wrongBehind)
_BIT: Final = _table(_bitOf)


def _hasWrongPair(marks: bytes) -> bool:
    wrong = int.from_bytes(marks[:-1].translate(_WRONG_BEHIND), "little")
    return wrong & int.from_bytes(marks[1:].translate(_BIT), "little") != 0


_CLOSED_BY: Final = {0x7B: 0x7D, 0x5B: 0x5D}
_CLOSING: Final = frozenset(_CLOSED_BY.values())
_QUOTE: Final = 0x22


class Tokens:
    """
    The tokens of one message, in chunks that are cut anywhere.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """The next message begins."""
        self._open = b""  # the brackets that are not closed
        self._last = b""  # the last mark
        self._inString = False
        self._escaped = False  # a backslash in a string ended the last chunk

    @property
    def begun(self) -> bool:
        """Whether there is a part of a message."""
        return self._open != b""

    def read(self, chunk: bytes, start: int) -> int | None:
        """
        Read on.

        @param start: where the message begins or goes on in this chunk.
        @return: where it ends; None if it goes on in the next chunk.
        @raise ProtocolViolation: if a token cannot stand where it stands. Of a message
            that begins and ends in this chunk, only the depth is checked.
        """
        # Only from the chunk's beginning: a chunk of many messages would be skimmed for
        # each of them.
        if start == 0 and len(chunk) >= _SKIMMED:
            if not self.begun and _isMessage(chunk):
                return len(chunk)
            goesOn = self._skim(chunk)
            if goesOn is not None:
                return None if goesOn else len(chunk)
        end = self._findEnd(chunk, start)
        piece = chunk[start:end]
        if end is None or self.begun or piece.count(b"[") + piece.count(b"{") > MAX_DEPTH:
            if self._skim(piece) is None:
                self.check(piece)
            if end is not None:
                self.clear()
        return end

    def _findEnd(self, chunk: bytes, start: int) -> int | None:
        depth = self._open.count(b"{")
        if self._inString:
            rest = _REST_OF_STRING.match(chunk, start + self._escaped)
            if rest is None:
                return None
            start = rest.end()
        for token in _BRACE.finditer(chunk, start):
            first = chunk[token.start()]
            if first == 0x7B:
                depth += 1
            elif first == 0x7D:
                depth -= 1
                if depth == 0:
                    return token.end()
            elif token.end() - token.start() == 1:
                break  # a string that goes on
        return None

    def _skim(self, chunk: bytes) -> bool | None:
        """
        Read a chunk with a few calls that run in C, which is much faster than token
        by token.

        @return: True if the message goes on behind the chunk, False if it ends with
            the chunk's last byte. None if neither is certain: nothing has changed then,
            and the chunk is to be read token by token.
        """
        text = chunk[self._escaped :]
        escaped = False
        if b"\\" in text:
            # What a backslash means depends on those before it.
            text = text.replace(b"\\\\", _ESCAPED)
            escaped = text.endswith(b"\\")
            text = text.replace(b'\\"', _ESCAPED)
        begun, mayEnd = self.begun, chunk.endswith(b"}")
        marks = text.translate(None, _NO_MARKS)
        if self._inString:
            marks = b'"' + marks
        # Two quotes side by side are a string without marks. The others are few; every
        # second part between them is inside a string.
        parts = marks.replace(b'""', _STRING).split(b'"')
        inString = len(parts) % 2 == 0
        outside = _STRING.join(parts[::2]) + _STRING * inString
        if _ESCAPED in outside or (escaped and not inString):
            return None
        brackets = outside.translate(None, b",:s")
        # The message's own brace stays out, so that no other one takes its place.
        nested = self._open[1:] + brackets if begun else brackets[1:]
        mayEnd = mayEnd and not inString
        if mayEnd:
            nested = nested[:-1]
        nested, levels = _withoutClosed(nested)
        if b"}" in nested or b"]" in nested or len(nested) + levels >= MAX_DEPTH:
            return None
        goesOn = not mayEnd or nested != b""
        if mayEnd and goesOn:
            if not nested.endswith(b"{"):
                return None
            nested = nested[:-1]
        before = b"" if self._inString else self._last
        # Between two strings side by side, the quotes are taken for another string.
        if _hasWrongPair(before + outside) or _STRING in b"".join(parts[1::2]):
            return None
        if goesOn:
            self._open = b"{" + nested
            self._last = outside[-1:] or self._last
            self._inString, self._escaped = inString, escaped
        else:
            self.clear()
        return goesOn

    def check(self, piece: bytes, start: int = 0) -> None:
        """
        Read a part of a message token by token.

        @raise ProtocolViolation: the first token that cannot stand where it stands.
        """
        opened, last = bytearray(self._open), (self._last or b"\0")[0]
        if self._inString:
            rest = _REST_OF_STRING.match(piece, self._escaped)
            if rest is None:
                self._noteOpenString(piece, self._escaped)
                return
            start = rest.end()
        inString = False
        for token in _TOKEN.finditer(piece, start):
            place = token.start()
            mark = piece[place]
            if mark == _QUOTE:
                mark = _STRING[0]
                inString = token.end() - place == 1
            if _WRONG_BEHIND[last] & _BIT[mark]:
                raise ProtocolViolation(f"not JSON: {_shown(mark)} behind {_shown(last)}")
            last = mark
            if mark in _CLOSED_BY:
                opened.append(mark)
                if len(opened) > MAX_DEPTH:
                    raise ProtocolViolation(f"not JSON: nested more than {MAX_DEPTH} deep")
            elif mark in _CLOSING:
                if not opened or _CLOSED_BY[opened.pop()] != mark:
                    raise ProtocolViolation(f"not JSON: {_shown(mark)} closes no such bracket")
            elif inString:
                break
        self._open, self._last = bytes(opened), bytes([last])
        self._inString, self._escaped = False, False
        if inString:
            self._noteOpenString(piece, token.end())

    def _noteOpenString(self, piece: bytes, start: int) -> None:
        """
        Note whether a backslash at the end of this part, which ends within a string,
        escapes the first character of the next one.
        """
        end = max(start, len(piece.rstrip(b"\\")))
        self._inString, self._escaped = True, (len(piece) - end) % 2 == 1


def _isMessage(chunk: bytes) -> bool:
    """
    Whether a chunk that begins with a brace is a whole message, as most are. Only its
    brackets are looked at.

    @return: False also if this is not certain.
    """
    if not chunk.endswith(b"}") or b"\\" in chunk:
        return False
    marks = chunk.translate(None, _NO_BRACKETS)
    # If each quote has its partner beside it, no string has a bracket.
    if marks.count(b'""') * 2 != marks.count(b'"'):
        return False
    nested, levels = _withoutClosed(marks.translate(None, b'"')[1:-1])
    return nested == b"" and levels < MAX_DEPTH


def _withoutClosed(brackets: bytes) -> tuple[bytes, int]:
    """
    Take away all brackets that are closed again.

    @return: what is left, and how many levels were taken away, or more.
    """
    levels = 1
    while levels <= MAX_DEPTH:
        arrays = brackets.replace(b"[]", b"")
        objects = arrays.replace(b"{}", b"")
        if len(objects) == len(brackets):
            break
        levels += (arrays != brackets) + (objects != arrays)
        brackets = objects
    return brackets, levels


def _shown(mark: int) -> str:
    return "a string" if mark == _STRING[0] else repr(chr(mark))
