# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Writes lines to a file descriptor whose reader may be slow or gone, without
blocking the reactor.

The descriptor is not made non-blocking. That would change it for every process
that shares it, such as the shell whose terminal it is.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor, IWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from zope.interface import implementer

ATOMIC: Final = 4096
"""PIPE_BUF of Linux: the bytes that a pipe takes without blocking, if poll finds it writable."""

READER_GONE: Final = "the reader is gone"


@implementer(IReadDescriptor, IWriteDescriptor)
class LineWriter:
    """
    Writes each line at once if the descriptor takes it. Otherwise lines wait,
    in order, until it does.
    """

    def __init__(
        self, descriptor: int, reactor: IReactorFDSet, onClosed: Callable[[str], object]
    ) -> None:
        """
        @param descriptor: where to write. The caller opens and closes it.
        @param reactor: the reactor.
        @param onClosed: called once with the reason, when the reader is gone
            or the descriptor can no longer be written to.
        """
        self._descriptor = descriptor
        self._reactor = reactor
        self._onClosed = onClosed
        self._waiting: deque[tuple[bytes, Deferred[None]]] = deque()
        self._open = True
        mode = os.fstat(descriptor).st_mode
        self._mayBlock = not stat.S_ISREG(mode)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        if stat.S_ISFIFO(mode) and access == os.O_WRONLY:
            # The writing end of a pipe becomes readable when its reader goes.
            reactor.addReader(self)

    def write(self, line: bytes) -> Deferred[None] | None:
        """
        Write a line, after those that wait.

        @return: None if the line is written, else a Deferred that fires when
            it is. If the reader is gone, the line is dropped.
        """
        if not self._open:
            return None
        if not self._waiting:
            line = self._writeSome(line)
            if not line or not self._open:
                return None
            self._reactor.addWriter(self)
        # If the caller cancels this, the line is written all the same: half of it
        # may be written already.
        written: Deferred[None] = Deferred()
        self._waiting.append((line, written))
        return written

    def close(self) -> None:
        """Write nothing more. The descriptor stays open."""
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
        while self._waiting:
            self._waiting.popleft()[1].callback(None)

    def _writeSome(self, line: bytes) -> bytes:
        """@return: the rest that is still to be written."""
        try:
            while line:
                if self._mayBlock and not self._poll.poll(0):
                    break
                line = line[os.write(self._descriptor, line[:ATOMIC]) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._end(READER_GONE)
        except OSError as e:
            self._end(str(e.strerror))
        return line

    def _end(self, reason: str) -> None:
        if self._open:
            self.close()
            self._onClosed(reason)

    # What the reactor calls

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For the log."""
        return type(self).__name__

    def doWrite(self) -> None:
        """The descriptor takes more."""
        while self._waiting:
            line, written = self._waiting[0]
            left = self._writeSome(line)
            if not self._open:
                return
            if left:
                self._waiting[0] = (left, written)
                return
            self._waiting.popleft()
            written.callback(None)
        self._reactor.removeWriter(self)

    def doRead(self) -> Any:
        """The reader is gone: nothing else makes a writing end readable."""
        gone = any(events & select.POLLERR for _, events in self._poll.poll(0))
        return CONNECTION_LOST if gone else None

    def connectionLost(self, reason: object = None) -> None:
        """The reader is gone."""
        self._end(READER_GONE)
