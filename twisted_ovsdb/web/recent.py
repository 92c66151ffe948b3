# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What happened lately, as the messages of an event stream: each has an id, and is
encoded once for all browsers. A browser that is too far behind does not get what it
missed; it is told to ask again. So what is kept has a bound, however many browsers
there are and however slowly they read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from datetime import datetime
from typing import Any, Final

import attrs

from twisted_ovsdb.events import Event, InterfaceEvent, ProblemEvent, Synchronized
from twisted_ovsdb.web.encoding import encoded, shownEvent, sizeOf

WAITING: Final = 1000
"""
Events that wait to be encoded. Ten thousand events a second are more than a browser
can show; to ask again costs less than to read them.
"""

WAITING_BYTES: Final = 4 << 20
"""About how many bytes of events wait to be encoded."""

SLICE: Final = 250
"""Events that are encoded in one turn of the reactor, in about 5 ms."""

KEPT_BYTES: Final = 4 << 20
"""Bytes of messages that are kept: some seconds of 1,000 events a second."""


@attrs.frozen(eq=False)
class Block:
    """
    Messages that were encoded together.

    @ivar first: the number of the first message.
    @ivar data: the messages as they are sent.
    @ivar ends: where each message ends in C{data}.
    """

    first: int
    data: bytes
    ends: tuple[int, ...]

    @property
    def last(self) -> int:
        """The number of the last message."""
        return self.first + len(self.ends) - 1

    def after(self, number: int) -> bytes:
        """The messages after this one."""
        if number < self.first:
            return self.data
        return self.data[self.ends[number - self.first] :]


class Recent:
    """
    The recent events, by number.

    @ivar run: names the life of this process in ids.
    @ivar last: the number of the last event.
    """

    def __init__(self, run: str) -> None:
        """@param run: letters and digits."""
        self.run = run
        self.last = 0
        self._waiting: deque[tuple[Any, datetime, int]] = deque()
        self._waitingBytes = 0
        self._blocks: deque[Block] = deque()
        self._keptBytes = 0

    @property
    def id(self) -> str:
        """The id of the last event: answers say with it what they hold."""
        return self.idOf(self.last)

    def idOf(self, number: int) -> str:
        """The id of an event."""
        return f"{self.run}:{number}"

    def numberOf(self, id: str) -> int | None:
        """The number of an event; None if it is no id of this process."""
        run, _, number = id.partition(":")
        if run != self.run or not number.isascii() or not number.isdigit() or len(number) > 15:
            return None
        return int(number) if int(number) <= self.last else None

    def add(self, event: Event, now: datetime) -> None:
        """Note an event, which is encoded later, if anybody wants it."""
        self.last += 1
        noted: Any = event
        size = 400
        if isinstance(event, (InterfaceEvent, ProblemEvent)):
            size += 0 if event.interface is None else sizeOf(event.interface)
        elif isinstance(event, Synchronized):
            # It would keep all its interfaces.
            noted = encoded(shownEvent(event, now))
        self._waiting.append((noted, now, size))
        self._waitingBytes += size
        while len(self._waiting) > WAITING or self._waitingBytes > WAITING_BYTES:
            self._waitingBytes -= self._waiting.popleft()[2]
            # What comes now does not follow what was encoded.
            self._blocks.clear()
            self._keptBytes = 0

    @property
    def waiting(self) -> bool:
        """Whether events wait to be encoded."""
        return bool(self._waiting)

    @property
    def many(self) -> bool:
        """Whether so many events wait that they do not fit into one slice."""
        return len(self._waiting) >= SLICE

    def encode(self) -> None:
        """Encode a slice of the events that wait."""
        first = self.last - len(self._waiting) + 1
        data, ends = bytearray(), []
        for number in range(first, first + min(SLICE, len(self._waiting))):
            event, now, size = self._waiting.popleft()
            self._waitingBytes -= size
            line = event if isinstance(event, bytes) else encoded(shownEvent(event, now))
            data += b"id: %s:%d\ndata: %s\n\n" % (self.run.encode(), number, line)
            ends.append(len(data))
        if not ends:
            return
        block = Block(first, bytes(data), tuple(ends))
        self._blocks.append(block)
        self._keptBytes += len(block.data)
        while self._keptBytes > KEPT_BYTES and len(self._blocks) > 1:
            self._keptBytes -= len(self._blocks.popleft().data)

    @property
    def encodedUpTo(self) -> int:
        """The number of the last event that is encoded, or that never will be."""
        return self.last - len(self._waiting)

    def has(self, number: int) -> bool:
        """Whether all events after this one are still here."""
        first = self._blocks[0].first if self._blocks else self.encodedUpTo + 1
        return first - 1 <= number <= self.last

    def earlier(self, count: int) -> int:
        """The number of the event after which there are this many, or as many as are here."""
        first = self._blocks[0].first if self._blocks else self.encodedUpTo + 1
        return max(self.last - count, first - 1)

    def following(self, number: int) -> tuple[bytes, int]:
        """
        Some of the encoded messages after this one.

        @param number: one that L{has} is true for.
        @return: the messages, and the number of the last of them.
        """
        index = bisect_right(self._blocks, number, key=lambda block: block.last)
        if index == len(self._blocks):
            return b"", number
        block = self._blocks[index]
        return block.after(number), block.last
