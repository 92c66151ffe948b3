# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Rows that are taken from a reply while the rest of it is on its way.

A reply with 100,000 interfaces has 33 MB. To keep them, and the text that they
are, until the last byte has come takes 66 MB, which the kernel has to give
page by page: 0.05 s of the 1.1 s that all takes. So whole rows are taken as
they come, and are removed. What is left is a shorter reply with the same end,
and goes the usual way, which knows what is right and what is wrong.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted_ovsdb.database.replica import TakeRows


@contextmanager
def collectorAtRest() -> Iterator[None]:
    """
    Keep the collector of cycles from running for one slice.

    Rows make no cycles, but thousands of objects that stay, for which it goes
    over all that there are, again and again: a fourth of the time that 100,000
    rows take. It catches up between two slices.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class EarlyRows:
    """
    Takes the rows of one reply to C{monitor}.

    @ivar rows: those that were taken, by UUID; they count when the reply is
        there and nothing in it is wrong.
    """

    def __init__(self, table: str, take: TakeRows) -> None:
        """
        @param table: the first table of the reply.
        @param take: takes rows from a text.
        """
        self.rows: dict[str, Any] = {}
        self._opening = f'{{"{table}":{{'.encode()
        self._take = take
        self._usual = True

    def takeFrom(self, message: bytearray, start: int) -> int:
        """
        Take what there is, up to a row behind which another one begins.

        @param message: the reply as far as it has come; what is taken is
            removed.
        @param start: where in it the result begins.
        @return: how many bytes were removed.
        """
        # Once there is something else, it and all behind it wait for the end.
        self._usual = self._usual and message.startswith(self._opening, start)
        if not self._usual:
            return 0
        start += len(self._opening)
        # A row's end and comma, and the quote that makes the comma right.
        end = message.rfind(b'}},"', start) + 3
        try:
            with memoryview(message) as view:
                text = str(view[start : max(start, end)], "utf-8")
        except UnicodeDecodeError:
            text = ""
        before = len(self.rows)
        with collectorAtRest():
            position = self._take(text, 0, self.rows, {}, len(text))
        self._usual = 0 < position == len(text)
        if not self._usual:
            # What was taken of this stays in the message, and is read there.
            while len(self.rows) > before:
                self.rows.popitem()
            return 0
        del message[start:end]
        return end - start
