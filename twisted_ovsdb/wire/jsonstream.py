# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where one message ends and the next one begins in a stream of bytes.

ovsdb-server writes its messages one after the other with no separator. So a
message ends where its outermost brace closes. Three promises:

  - linear time: no byte is read more than a few times, however the chunks are cut;
  - bounded memory: an incomplete message has at most C{maxLength} bytes, and
    the chunk that exceeds this. What a message becomes when it is parsed has a
    limit too;
  - no message swallows those behind it: a token that cannot stand where it stands
    is a fault when it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.strictjson import decodeObject
from twisted_ovsdb.wire.tokens import Tokens

DEFAULT_MAX_LENGTH: Final = 256 * 1024 * 1024
"""
Bytes in one message: more than twice what 100,000 interfaces with all their
columns need (110 MB).
"""

BYTES_A_VALUE: Final = 64
"""
A message may have one value for so many bytes of C{maxLength}, which are 4 million
by default. Parsed, a value of two bytes takes about 100, so that these take less than
0.5 GB, where a message could take 8 GB. A reply for 100,000 interfaces has 2 million,
and of such a reply only a slice is there at a time.
"""

FEW_VALUES: Final = 10_000
"""Values that a message may have in any case, whatever its C{maxLength} is."""

_NOT_SPACE: Final = re.compile(rb"[^ \t\r\n]")

Decode = Callable[["bytes | bytearray"], dict[str, Any]]
"""Makes a value of a message's bytes, or raises L{ProtocolViolation}."""


class JSONStream:
    """
    A stream of JSON objects, cut into chunks anywhere. After a fault, it only
    raises the same fault again.

    @ivar maxLength: how many bytes one message may have.
    @ivar maxValues: how many values one message may have, of what C{readArrived}
        has not removed. Commas and brackets are counted, also those in strings.
    @ivar readArrived: if it is not None, it gets each incomplete message,
        whenever more of it has arrived. It may remove what it has read, and
        returns how many bytes these were.
    """

    def __init__(self, maxLength: int = DEFAULT_MAX_LENGTH, decode: Decode = decodeObject) -> None:
        self.maxLength = maxLength
        self.maxValues = max(maxLength // BYTES_A_VALUE, FEW_VALUES)
        self.readArrived: Callable[[bytearray], int] | None = None
        self._decode = decode
        self._fault: ProtocolViolation | None = None
        self._input = b""  # received, and looked at up to the position
        self._position = 0
        self._message = bytearray()  # looked at: the message so far
        self._removed = 0  # bytes of it that readArrived has removed
        self._tokens = Tokens()
        self._values = 0  # in it; 0 while they are certainly few

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
        return self._read()

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

    def _read(self) -> Iterator[dict[str, Any]]:
        while self._fault is None and (message := self._nextMessage()) is not None:
            try:
                value = self._decoded(message)
            except ProtocolViolation as e:
                self._fail(e)
                break
            del message
            self._removed = 0
            yield value
        if self._fault is not None:
            raise self._fault

    def _decoded(self, message: bytes | bytearray) -> dict[str, Any]:
        try:
            return self._decode(message)
        except ProtocolViolation:
            # Of a message that came in one chunk, what would have been a fault in
            # several is the same fault.
            if isinstance(message, bytes):
                self._tokens.check(message)
            raise

    def _fail(self, fault: ProtocolViolation) -> None:
        if self._removed:
            fault = ProtocolViolation(f"behind {self._removed} bytes: {fault}")
        self._fault = fault
        self._message, self._input = bytearray(), b""

    def _nextMessage(self) -> bytes | bytearray | None:
        """
        Remove the next message from the input, or what there is of it.

        @return: None if it is not complete, or there is a fault.
        """
        chunk, start = self._input, self._position
        if not chunk:
            return None
        if not self._tokens.begun:
            first = _NOT_SPACE.search(chunk, start)
            if first is None:
                self._input, self._position = b"", 0
                return None
            start = first.start()
            if first.group() != b"{":
                self._fail(
                    ProtocolViolation(f"a message begins with {first.group()!r}, not with a brace")
                )
                return None
        begun = self._tokens.begun
        try:
            try:
                end = self._tokens.read(chunk, start)
            except ProtocolViolation:
                self._refuseLong(chunk[start:], check=True)
                raise
            self._position = len(chunk) if end is None else end
            # A chunk that is one message, as most are, is not copied.
            piece = chunk if start == 0 and end == len(chunk) else chunk[start : self._position]
            if self._position == len(chunk):
                self._input, self._position = b"", 0
            self._refuseLong(piece, check=end is not None and not begun)
            return self._added(piece, end is not None)
        except ProtocolViolation as e:
            self._fail(e)
            return None

    def _refuseLong(self, piece: bytes, check: bool) -> None:
        """
        @param check: whether the tokens of this part were not all checked: what is wrong
            before the limit comes first.
        @raise ProtocolViolation: if the message is too long with this part.
        """
        room = self.maxLength - self._removed - len(self._message)
        if len(piece) > room:
            if check:
                self._tokens.check(piece[:room])
            raise ProtocolViolation(f"a message is longer than {self.maxLength} bytes")

    def _added(self, piece: bytes, ends: bool) -> bytes | bytearray | None:
        """
        Add a part of a message.

        @return: the message, if it ends.
        """
        if ends and not self._message:
            self._weigh(piece, piece)
            self._values = 0
            return piece
        self._message += piece
        self._weigh(self._message, piece)
        if not ends:
            if self.readArrived is not None and (removed := self.readArrived(self._message)):
                self._removed += removed
                self._values = 0
            return None
        message, self._message = self._message, bytearray()
        self._values = 0
        return message

    def _weigh(self, message: bytes | bytearray, piece: bytes) -> None:
        """Refuse a message that has too many values with this part, which is its last."""
        # Each value has a byte at least.
        if len(message) > self.maxValues:
            part = piece if self._values else message
            self._values += part.count(b",") + part.count(b"[") + part.count(b"{")
            if self._values > self.maxValues:
                raise ProtocolViolation(f"a message has more than {self.maxValues} values")
