# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where the command's lines go: events to a file, a named pipe or standard output,
and the log to standard error while standard output has the events.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger, textFileLogObserver

from twisted_ovsdb.command.linewriter import LineWriter
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver

STANDARD_OUTPUT: Final = "-"


def standardErrorLog() -> ILogObserver:
    """The log observer that C{twistd --logger} names when standard output has the events."""
    assert sys.__stderr__ is not None
    return textFileLogObserver(sys.__stderr__)


def openAppend(path: str) -> int:
    """
    Open a file to append to it. The reader of a named pipe may open it later,
    and may go and come again; lines wait for it. A new file is for its owner
    and group only: options of interfaces may be secrets.

    @raise OSError: if it cannot be opened.
    """
    how = os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    isPipe = os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)
    return os.open(path, how | (os.O_RDWR if isPipe else os.O_WRONLY), 0o640)


class EventsService(Service):
    """
    Writes JSON Lines from start to stop.

    @ivar observer: the observer whose events are written.
    """

    _log = Logger()

    def __init__(self, events: str) -> None:
        """@param events: a path, or C{-} for standard output."""
        self._events = events
        self._writer: LineWriter | None = None
        self.observer = JSONLinesObserver(self._write)

    def startService(self) -> None:
        """Open the file. Before this, twistd forks."""
        Service.startService(self)
        from twisted.internet import reactor

        if self._events == STANDARD_OUTPUT:
            # At this time, sys.stdout writes to the log.
            assert sys.__stdout__ is not None
            descriptor = sys.__stdout__.fileno()
        else:
            descriptor = openAppend(self._events)
        self._writer = LineWriter(descriptor, reactor, self._closed)

    def stopService(self) -> None:
        """Close the file."""
        Service.stopService(self)
        if self._writer is not None:
            self._writer.close()
            if self._events != STANDARD_OUTPUT:
                os.close(self._writer.fileno())
            self._writer = None

    def _write(self, line: bytes) -> Deferred[None] | None:
        return self._writer.write(line) if self._writer is not None else None

    def _closed(self, reason: str) -> None:
        from twisted.internet import reactor

        self._log.info("--events {events}: {reason}: stopping", events=self._events, reason=reason)
        reactor.callLater(0, reactor.stop)
