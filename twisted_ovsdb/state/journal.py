# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What one observer of an application was told and what is not committed yet, as lines
in a file. They are given to the kernel at once, so that they are there after the end
of the process, however it ends; not after a loss of power. The command needs none:
its events file has the same lines.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Final

from twisted_ovsdb.events import Cause, Event, InterfaceEvent, InterfaceOnline, SwitchForgotten
from twisted_ovsdb.observers.jsonlines import EventLines
from twisted_ovsdb.state.batch import BEGUN, Batch
from twisted_ovsdb.state.database import MODE
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.tail import Where, readTail

LIMIT: Final = 4 * 2**20
"""Bytes from which on the next commit begins a new file."""

BEGUN_TEXT: Final = f'"{BEGUN}"'.encode()

NOWHERE: Final = Position(0, 0, 0)
"""Is stored where there is no file."""


class Journal:
    """
    One file of lines, from open to close.

    @ivar isNew: whether the last commit does not lead to the lines that are written
        now: they count from the next commit on.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        """
        @param path: belongs to this observer alone, also with anything behind it.
        """
        self._path = path
        self._limit = limit
        self._lines = EventLines()
        self._descriptor = -1
        self._size = 0
        self._begun: dict[tuple[str, str], bytes] = {}  # the lines of what is being told
        self._torn = False  # whether the last line has no end
        self.isNew = True

    def open(self, last: Position | None) -> Batch:
        """
        Open the file, and make it if there is none.

        @param last: how far the last commit had come; None if that is not known.
        @return: what was told after the last commit, by an earlier process.
        @raise OSError: if it cannot be opened or read. What is told after a commit is
            lost with the process then.
        """
        self._descriptor = self._open()
        try:
            batch = self._read(last)
            self._size = os.fstat(self._descriptor).st_size
        except BaseException:
            self.close()
            raise
        self._torn = self._size > 0  # perhaps, by the end of a process
        return batch

    def close(self) -> None:
        """Close the file. What is written after this is lost."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def begin(self, event: Event) -> None:
        """
        An event is about to be told. If the process ends before L{note}, nobody knows
        whether it was: an interface that may be online for the observer is told
        online once more, so that it can be told offline.
        """
        if isinstance(event, InterfaceOnline) and event.cause is not Cause.REPLAY:
            line = self._lineOf(event).replace(b'"online"', BEGUN_TEXT, 1)
            self._begun[_keyOf(event)] = line
            self._write(line)

    def cancel(self, event: Event) -> None:
        """The observer was removed before it had heard the event: this does not count."""
        if isinstance(event, InterfaceOnline):
            self._begun.pop(_keyOf(event), None)

    def note(self, event: Event) -> None:
        """An event was told. Only what changes what is stored is written."""
        self.cancel(event)
        if isinstance(event, SwitchForgotten) or (
            isinstance(event, InterfaceEvent) and event.cause is not Cause.REPLAY
        ):
            self._write(self._lineOf(event))

    def cut(self) -> Callable[[], Position]:
        """
        A commit is due, of everything that was noted.

        @return: tells what to store with it.
        """
        if self._descriptor < 0:
            return lambda: NOWHERE
        if self._size >= self._limit:
            self._beginAnew()
        found = os.fstat(self._descriptor)
        position = Position(found.st_dev, found.st_ino, self._size)
        # The next process reads from there on.
        for line in self._begun.values():
            self._write(line)
        return partial(position.marked, self._descriptor)

    def _read(self, last: Position | None) -> Batch:
        batch = Batch()
        where = None if last is None else readTail(str(self._path), self._descriptor, last, batch)
        self.isNew = where not in (Where.HERE, Where.MOVED)
        # After a loss of power, the file may have lost lines that were committed, and what
        # it has is older than what is stored.
        return Batch() if self.isNew else batch

    def _lineOf(self, event: Event) -> bytes:
        return self._lines.lineOf(event, datetime.now(timezone.utc))

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self._path, flags, MODE)

    def _beginAnew(self) -> None:
        """The old file is there until the next time: the commit may fail."""
        with contextlib.suppress(OSError):
            os.replace(self._path, f"{self._path}.old")
            new = self._open()
            os.dup2(new, self._descriptor, inheritable=False)
            os.close(new)
            self._size = 0

    def _write(self, line: bytes) -> None:
        if self._descriptor < 0:
            return
        if self._torn:
            line = b"\n" + line
        # On a full disk, the commit will fail too, and tell it.
        with contextlib.suppress(OSError):
            written = os.write(self._descriptor, line)
            self._size += written
            self._torn = written < len(line)


def _keyOf(event: InterfaceEvent) -> tuple[str, str]:
    return event.switch, event.interface.uuid
