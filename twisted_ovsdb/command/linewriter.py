# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Writes lines to a file descriptor whose disk may be full, and whose reader may be
slow or gone, without blocking the reactor.

The lines of one turn of the reactor go out in one write. A descriptor that is
shared with other processes is not made non-blocking: that would change it for all
of them, such as the shell whose terminal it is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import termios
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor, IWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from zope.interface import implementer

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.monitoring.turn import Turn
from twisted_ovsdb.state.position import Position

BUFFER: Final = 1 << 20
"""Bytes that may wait to be written before the caller has to wait too."""

ATOMIC: Final = 4096
"""PIPE_BUF of Linux: the bytes that a pipe takes without blocking, if poll finds it writable."""

RETRY: Final = 5.0
"""Seconds between two attempts to write to a full disk."""

_NEWLINE: Final = ord("\n")

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Fate:
    """What a L{LineWriter} tells its owner. Each method does nothing."""

    def full(self, reason: str) -> None:
        """The disk is full. The writer tries again every L{RETRY} seconds."""

    def goesOn(self) -> None:
        """The disk takes lines again."""

    def readerGone(self) -> None:
        """The reader is gone. Nothing more is written."""

    def failed(self, reason: str) -> None:
        """The descriptor can no longer be written to. Nothing more is written."""


@implementer(IReadDescriptor, IWriteDescriptor)
class LineWriter:
    """
    Writes lines in order. A line is written whole, also if its first half was
    written before the disk was full.
    """

    def __init__(
        self,
        descriptor: int,
        reactor: Any,
        fate: Fate,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> None:
        """
        @param descriptor: where to write. The caller opens and closes it.
        @param reactor: schedules calls and watches descriptors.
        @param fate: is told what happens to the descriptor.
        @param write: writes some bytes, as C{os.write}.
        """
        self._descriptor = descriptor
        self._reactor = reactor
        self._fate = fate
        self._write = write
        self._lines: list[bytes] = []
        self._data = memoryview(b"")  # what is being written, before the lines
        self._size = 0  # of both
        self._torn = 0  # bytes of a line that are written before its rest
        self._turn = Turn(reactor)  # writes the lines of this one
        self._full = False
        self._retry: IDelayedCall | None = None  # while the disk is full
        self._room: Waiters[None] = Waiters()
        self._drained: Waiters[None] = Waiters()
        self._open = True
        self._watching = False
        mode = os.fstat(descriptor).st_mode
        how = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        self._isFile = stat.S_ISREG(mode)
        self._least = 0  # bytes that a file has, if nobody empties it
        if self._isFile:
            # With O_APPEND, it is the next write that would go to the end.
            whence = os.SEEK_END if how & os.O_APPEND else os.SEEK_CUR
            self._least = os.lseek(descriptor, 0, whence)
        self._mayBlock = not self._isFile and not how & os.O_NONBLOCK
        # Of a pipe: what it takes at once when it is empty.
        self._capacity = 0
        if self._mayBlock and stat.S_ISFIFO(mode):
            self._capacity = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        if stat.S_ISFIFO(mode) and how & os.O_ACCMODE == os.O_WRONLY:
            # The writing end of a pipe becomes readable when its reader goes.
            reactor.addReader(self)

    @property
    def pending(self) -> int:
        """Bytes that are not written yet."""
        return self._size

    @property
    def gathering(self) -> bool:
        """Whether the lines of this turn of the reactor wait to be written together."""
        return self._turn.awaited

    @property
    def stuck(self) -> bool:
        """Whether the disk is full."""
        return self._full

    @property
    def written(self) -> Position | None:
        """Up to which place everything is written; None if this is no regular file."""
        if not self._isFile:
            return None
        found = os.fstat(self._descriptor)
        offset = os.lseek(self._descriptor, 0, os.SEEK_CUR) - self._torn
        return Position(found.st_dev, found.st_ino, offset)

    @property
    def emptied(self) -> bool:
        """Whether somebody has cut this file, also if lines were written to it since then."""
        if not self._isFile:
            return False
        size = os.fstat(self._descriptor).st_size
        return min(size, os.lseek(self._descriptor, 0, os.SEEK_CUR)) < self._least

    def write(self, line: bytes) -> Deferred[None] | None:
        """
        Write a line, after those that wait. If the reader is gone, the line is
        dropped.

        @return: None if the next line may follow at once; else a Deferred that
            fires when it may. The line is written also if this is cancelled.
        """
        if not self._open:
            return None
        self._lines.append(line)
        self._size += len(line)
        if self._turn.awaited and self._size <= BUFFER:
            return None
        if self._retry is None and not self._watching:
            if self._size <= BUFFER:
                self._turn.take(self.flush)
                return None
            self.flush()
        if self._retry is None and (self._size <= BUFFER or not self._open):
            return None
        return self._room.wait()

    def flush(self) -> None:
        """Write what the descriptor takes now, also if it was a full disk a moment ago."""
        self._turn.cancel()
        if self._open:
            self._cancelRetry()
            self._writeSome()

    def drained(self) -> Deferred[None]:
        """@return: fires when nothing waits, or nothing can be written any more."""
        self.flush()
        return self._drained.wait() if self._size and self._open else succeed(None)

    def letGo(self) -> None:
        """Let those who wait for room go on: they will write elsewhere."""
        self._room.callback(None)

    def close(self) -> None:
        """Write nothing more. The descriptor stays open."""
        if self._open:
            self._open = False
            self._turn.cancel()
            self._watch(False)
            self._reactor.removeReader(self)
            self._cancelRetry()
        self._room.callback(None)
        self._drained.callback(None)

    def _cancelRetry(self) -> None:
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()

    def _tryAgain(self) -> None:
        self._retry = None
        self._writeSome()

    def _writeSome(self) -> None:
        try:
            while self._size:
                if self._mayBlock and not self._poll.poll(0):
                    break
                if not self._data:
                    self._data = memoryview(b"".join(self._lines))
                    self._lines.clear()
                data = self._data[: self._takes()] if self._mayBlock else self._data
                self._wrote(data, self._write(self._descriptor, data))
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._end(self._fate.readerGone)
            return
        except OSError as e:
            reason = str(e.strerror)
            if e.errno not in _FULL or not self._isFile:
                self._end(lambda: self._fate.failed(reason))
                return
            self._retry = self._reactor.callLater(RETRY, self._tryAgain)
            if not self._full:
                self._full = True
                self._fate.full(reason)
            return
        if self._full:
            self._full = False
            self._fate.goesOn()
        self._watch(self._size > 0)
        if self._size <= BUFFER:
            self._room.callback(None)
        if not self._size:
            self._drained.callback(None)

    def _takes(self) -> int:
        """How many bytes the descriptor takes without blocking, now that it is writable."""
        if self._capacity:
            unread = fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4))
            if not any(unread):
                return self._capacity
        return ATOMIC

    def _wrote(self, data: memoryview, count: int) -> None:
        if count and data[count - 1] == _NEWLINE:
            self._torn = 0
        else:
            end = bytes(data[:count]).rfind(b"\n") + 1
            self._torn = count - end if end else self._torn + count
        self._data = self._data[count:]
        self._size -= count
        self._least += count

    def _watch(self, wanted: bool) -> None:
        if wanted is not self._watching:
            self._watching = wanted
            (self._reactor.addWriter if wanted else self._reactor.removeWriter)(self)

    def _end(self, tell: Callable[[], object]) -> None:
        if self._open:
            self._lines.clear()
            self._data = memoryview(b"")
            self._size = 0
            self.close()
            tell()

    # What the reactor calls

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For the log."""
        return type(self).__name__

    def doWrite(self) -> None:
        """The descriptor takes more."""
        self._writeSome()

    def doRead(self) -> Any:
        """The reader is gone: nothing else makes a writing end readable."""
        gone = any(events & select.POLLERR for _, events in self._poll.poll(0))
        return CONNECTION_LOST if gone else None

    def connectionLost(self, reason: object = None) -> None:
        """The reader is gone."""
        self._end(self._fate.readerGone)
