# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Bytes in, JSON values out.

ovsdb-server writes its messages one behind the other with no separator, so a
message ends where its outermost brace closes, and nowhere else. Two promises:

  - linear time: no byte is looked at more than twice, however the chunks are cut;
  - bounded memory: what waits for its end is never more than C{maxLength}
    bytes and the chunk that passed it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.strictjson import decodeObject

DEFAULT_MAX_LENGTH: Final = 256 * 1024 * 1024
"""
Bytes in one message. 100,000 interfaces with all their columns are 110 MB;
no real server needs more than twice that, and a flood must end somewhere.
"""

_NOT_SPACE: Final = re.compile(rb"[^ \t\r\n]")

# Within a message only these matter: a brace, a whole string, or a quote that
# opens a string which does not end in this chunk.
_TOKEN: Final = re.compile(rb'[{}]|"[^"\\]*(?:\\.[^"\\]*)*"|"', re.DOTALL)
_REST_OF_STRING: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_SKIMMED: Final = 256
"""Bytes of a chunk from which on it pays to look whether it can be skimmed."""

_SKIMMED_DEPTH: Final = 8
"""Nesting of braces that is skimmed; a table update has 4 levels."""

_NO_MARKS: Final = bytes(set(range(256)) - set(b'{}"'))

Value = TypeVar("Value")


class JSONStream(Generic[Value]):
    """
    A stream of JSON objects, cut into chunks anywhere.

    After a fault the stream is dead: it raises the same fault again.

    @ivar maxLength: how many bytes one message may have.
    @ivar readArrived: if it is not None, gets each message whose end has not
        come yet, whenever more of it has. It may remove what it has read, and
        returns how many bytes these were.
    """

    def __init__(
        self,
        maxLength: int = DEFAULT_MAX_LENGTH,
        decode: Callable[[bytes | bytearray], Value] = decodeObject,  # type: ignore[assignment]
    ) -> None:
        """
        @param maxLength: how many bytes one message may have.
        @param decode: what makes a value of one framed message; it raises
            L{ProtocolViolation} where it cannot.
        """
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

    def feed(self, data: bytes) -> Iterator[Value]:
        """
        Take a chunk.

        The chunk is kept at once and looked at as the iteration goes on: a
        caller may stop after a value and go on with C{feed(b"")} later.

        @param data: any number of bytes, cut anywhere.
        @return: the values that are complete, each as soon as it is.
        @raise ProtocolViolation: for the first fault, after the values that
            came before it.
        """
        if self._fault is None and data:
            rest = self._input[self._position :]
            self._input = rest + data if rest else data
            self._position = 0
        return self._values()

    def _values(self) -> Iterator[Value]:
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
        Take the next whole message off the input, or what there is of it.
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
        # What arrives as one message, as most do, is not copied.
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
        Where the message ends in this chunk, which it has not been shown yet;
        None if it goes on behind it.

        @param start: where the message begins or goes on.
        """
        # Not behind another message: a chunk of many would be looked over
        # for each of them.
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
        Look over a chunk with a handful of calls that run in C: 0.1 s for 30
        MB, against 1.5 s token by token.

        @return: 0 if the message goes on behind the chunk; the chunk's length
            if it ends with the chunk's last byte and not before; None if this
            cannot tell, and then nothing has been noted.
        """
        # Escapes are rare; what they mean depends on what stands before them.
        if self._escaped or b"\\" in chunk:
            return None
        marks = chunk.translate(None, _NO_MARKS)
        if self._inString:
            marks = b'"' + marks
        # Two quotes side by side change nothing for what stands around them;
        # few are left, of strings in which there are braces.
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
        # So many braces are open, and there were never fewer than one.
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
        Remember whether the string that goes on behind this chunk has a
        backslash at its end that escapes what comes next.
        """
        end = max(start, len(chunk.rstrip(b"\\")))
        self._escaped = (len(chunk) - end) % 2 == 1
