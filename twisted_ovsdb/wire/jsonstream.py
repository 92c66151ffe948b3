# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where one message ends and the next one begins in a stream of bytes.

ovsdb-server writes its messages one after the other with no separator. So a
message ends where its outermost brace closes. Two promises:

  - linear time: no byte is read more than twice, however the chunks are cut;
  - bounded memory: an incomplete message has at most C{maxLength} bytes, and
    the chunk that exceeds this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.strictjson import decodeObject

DEFAULT_MAX_LENGTH: Final = 256 * 1024 * 1024
"""
Bytes in one message: more than twice what 100,000 interfaces with all their
columns need (110 MB).
"""

_NOT_SPACE: Final = re.compile(rb"[^ \t\r\n]")

# What matters within a message: a brace, a whole string, or the quote of a
# string that does not end in this chunk.
_TOKEN: Final = re.compile(rb'[{}]|"[^"\\]*(?:\\.[^"\\]*)*"|"', re.DOTALL)
_REST_OF_STRING: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_SKIMMED: Final = 256
"""Bytes from which on a chunk is skimmed: below, this gains nothing."""

_SKIMMED_DEPTH: Final = 8
"""Levels of braces that are skimmed; table updates have 4."""

_NO_MARKS: Final = bytes(set(range(256)) - set(b'{}"'))

Decode = Callable[["bytes | bytearray"], dict[str, Any]]
"""Makes a value of a message's bytes, or raises L{ProtocolViolation}."""


class JSONStream:
    """
    A stream of JSON objects, cut into chunks anywhere. After a fault, it only
    raises the same fault again.

    @ivar maxLength: how many bytes one message may have.
    @ivar readArrived: if it is not None, it gets each incomplete message,
        whenever more of it has arrived. It may remove what it has read, and
        returns how many bytes these were.
    """

    def __init__(self, maxLength: int = DEFAULT_MAX_LENGTH, decode: Decode = decodeObject) -> None:
        self.maxLength = maxLength
        self.readArrived: Callable[[bytearray], int] | None = None
        self._decode = decode
        self._fault: ProtocolViolation | None = None
        self._input = b""  # received, and looked at up to the position
        self._position = 0
        self._message = bytearray()  # looked at: the message so far
        self._removed = 0  # bytes of it that readArrived has removed
        self._depth = 0
        self._inString = False
        self._escaped = False  # a backslash in a string ended the last chunk

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """
        Add a chunk. It is read only as the iteration goes on: a caller may
        stop after a value, and go on with C{feed(b"")} later.

        @param data: any number of bytes, cut anywhere.
        @return: the values that are complete.
        @raise ProtocolViolation: the first fault, after the values before it.
        """
        if self._fault is None and data:
            rest = self._input[self._position :]
            self._input = rest + data if rest else data
            self._position = 0
        return self._values()

    @property
    def arrived(self) -> bytearray:
        """
        What there is of a message that is not complete, from its beginning, without what
        L{readArrived} has removed. To look at, not to keep.
        """
        return self._message

    def close(self) -> None:
        """Let go all that was received. Nothing is read after this."""
        self._input, self._position, self._message = b"", 0, bytearray()
        self.readArrived = None

    def _values(self) -> Iterator[dict[str, Any]]:
        while self._fault is None and (message := self._nextMessage()) is not None:
            try:
                value = self._decode(message)
            except ProtocolViolation as e:
                self._fault = e
                if self._removed:
                    self._fault = ProtocolViolation(f"behind {self._removed} bytes: {e}")
                break
            del message
            self._removed = 0
            yield value
        if self._fault is not None:
            raise self._fault

    def _nextMessage(self) -> bytes | bytearray | None:
        """
        Remove the next message from the input, or what there is of it.

        @return: None if it is not complete.
        """
        chunk, start = self._input, self._position
        if self._depth == 0:
            first = _NOT_SPACE.search(chunk, start)
            if first is None:
                self._input, self._position = b"", 0
                return None
            start = first.start()
            if first.group() != b"{":
                self._fault = ProtocolViolation(
                    f"a message begins with {first.group()!r}, not with a brace"
                )
                return None
        end = self._findEnd(chunk, start)
        self._position = len(chunk) if end is None else end
        # A chunk that is one message, as most are, is not copied.
        piece = chunk if start == 0 and end == len(chunk) else chunk[start : self._position]
        if self._position == len(chunk):
            self._input, self._position = b"", 0
        if self._removed + len(self._message) + len(piece) > self.maxLength:
            self._fault = ProtocolViolation(f"a message is longer than {self.maxLength} bytes")
            self._message, self._input = bytearray(), b""
            return None
        if end is not None and not self._message:
            return piece
        self._message += piece
        if end is None:
            self._showArrived()
            return None
        message, self._message = self._message, bytearray()
        return message

    def _showArrived(self) -> None:
        if self.readArrived is not None:
            try:
                self._removed += self.readArrived(self._message)
            except ProtocolViolation as e:
                self._fault = e
                self._message = bytearray()

    def _findEnd(self, chunk: bytes, start: int) -> int | None:
        """
        @param start: where the message begins or goes on in this chunk.
        @return: where it ends; None if it goes on in the next chunk.
        """
        # Only from the chunk's beginning: a chunk of many messages would be
        # skimmed for each of them.
        if start == 0 and len(chunk) >= _SKIMMED:
            end = self._skim(chunk)
            if end is not None:
                return end or None
        depth = self._depth
        if self._inString:
            start += self._escaped
            rest = _REST_OF_STRING.match(chunk, start)
            if rest is None:
                self._noteOpenString(chunk, start)
                return None
            self._inString = self._escaped = False
            start = rest.end()
        for token in _TOKEN.finditer(chunk, start):
            first = chunk[token.start()]
            if first == 0x7B:
                depth += 1
            elif first == 0x7D:
                depth -= 1
                if depth == 0:
                    self._depth = 0
                    return token.end()
            elif token.end() - token.start() == 1:
                self._inString = True
                self._noteOpenString(chunk, token.end())
                break
        self._depth = depth
        return None

    def _skim(self, chunk: bytes) -> int | None:
        """
        Count a chunk's braces with a few calls that run in C, which is much
        faster than token by token.

        @return: 0 if the message goes on in the next chunk; the chunk's length
            if it ends with the chunk's last byte; None if this cannot tell,
            and then nothing has changed.
        """
        # What a backslash means depends on what is before it; they are rare.
        if self._escaped or b"\\" in chunk:
            return None
        marks = chunk.translate(None, _NO_MARKS)
        if self._inString:
            marks = b'"' + marks
        # Two quotes side by side are a string without braces. The others are
        # few; every second part between them is inside a string.
        parts = marks.replace(b'""', b"").split(b'"')
        braces = b"".join(parts[::2])
        inString = len(parts) % 2 == 0
        depth = self._depth
        if depth == 0:
            # The message begins here, with its brace.
            depth, braces = 1, braces[1:]
        mayEnd = chunk[-1] == 0x7D and not inString
        if mayEnd:
            braces = braces[:-1]
        for _ in range(_SKIMMED_DEPTH):
            if b"{}" not in braces:
                break
            braces = braces.replace(b"{}", b"")
        closing = braces.rfind(b"}") + 1
        if closing >= depth or b"{" in braces[:closing]:
            return None
        # The depth behind the chunk; within it, it was never less than 1.
        depth += len(braces) - 2 * closing
        if mayEnd and depth == 1:
            self._depth = 0
            self._inString = False
            return len(chunk)
        self._depth = depth - mayEnd
        self._inString = inString
        return 0

    def _noteOpenString(self, chunk: bytes, start: int) -> None:
        """
        Note whether a backslash at the end of this chunk, which ends within a
        string, escapes the first character of the next one.
        """
        end = max(start, len(chunk.rstrip(b"\\")))
        self._escaped = (len(chunk) - end) % 2 == 1
