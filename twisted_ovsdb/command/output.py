# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where the command's lines go: events to files, named pipes or standard output, and
the log to standard error while standard output has the events.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from types import FrameType
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import ILogObserver, Logger, textFileLogObserver

from twisted_ovsdb._version import __version__
from twisted_ovsdb.command.ending import stopWith
from twisted_ovsdb.command.eventsfile import isAnother, isDeleted, isTorn, openEvents
from twisted_ovsdb.command.linewriter import READER_GONE, Fate, LineWriter
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver, lineOf, timesOf

LOOK: Final = 2.0
"""Seconds between two looks whether a file was moved or deleted."""

FAREWELL: Final = 1.0
"""Seconds that a slow reader has at the end to take the last lines."""

RUN: Final = str(uuid.uuid4())
"""Names the life of this process."""


def standardErrorLog() -> ILogObserver:
    """The log observer that C{twistd --logger} names when standard output has the events."""
    assert sys.__stderr__ is not None
    return textFileLogObserver(sys.__stderr__)


def startedLine(now: datetime) -> bytes:
    """The first line of a run and of each new file."""
    value: dict[str, Any] = {"event": "started", "version": __version__, "run": RUN}
    return lineOf({**value, "resumed": False, **timesOf(now)})


class EventsService(Service):
    """
    Writes JSON Lines to one file, from start to stop.

    @ivar observer: the observer whose events are written.
    @ivar replay: tells the observer everything again, for the reader of a new file.
    """

    _log = Logger()

    def __init__(self, events: str, fail: Callable[[str], BaseException] = SystemExit) -> None:
        """
        @param events: a path, or C{-} for standard output.
        @param fail: makes the exception for a file that cannot be opened.
        """
        self._events = events
        self._fail = fail
        self._writer: LineWriter | None = None
        self._old: LineWriter | None = None  # of a file that was moved
        self._looking: IDelayedCall | None = None
        self._complaint = ""  # why the file cannot be opened again
        self.observer = JSONLinesObserver(self._write)
        self.replay: Callable[[], object] = lambda: None

    def startService(self) -> None:
        """Open the file. Before this, twistd forks and drops its privileges."""
        Service.startService(self)
        try:
            self._writer = self._openWriter()
        except OSError as e:
            reason = f"--events {self._events}: cannot be opened: {e.strerror}"
            raise self._fail(reason) from e
        self._look()

    def stopService(self) -> Deferred[None] | None:
        """Write what waits, and close the file."""
        Service.stopService(self)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        writer = self._writer
        if writer is None:
            return None
        drained = writer.drained()
        if not writer.pending or writer.stuck:
            self._close()
            return None
        return drained.addTimeout(FAREWELL, _reactor()).addBoth(lambda _: self._close())

    def reopen(self) -> None:
        """Open the file at the path, if it is no longer the one that is open."""
        writer = self._writer
        if writer is None or self._old is not None or not isAnother(self._events, writer.written):
            return
        try:
            new = self._openWriter()
        except OSError as e:
            if str(e) != self._complaint:
                self._complaint = str(e)
                self._log.error(
                    "--events {events}: cannot be opened again: {reason}; the file that is open"
                    " gets the lines",
                    events=self._events,
                    reason=str(e.strerror),
                )
            return
        self._complaint = ""
        self._writer, self._old = new, writer
        writer.letGo()
        self._log.info("--events {events}: opened again", events=self._events)
        if isDeleted(writer.fileno()):
            self._closeOld(None)
        else:
            writer.drained().addCallback(self._closeOld)
        self.replay()

    def _openWriter(self) -> LineWriter:
        descriptor = openEvents(self._events)
        writer = LineWriter(descriptor, _reactor(), _Told(self))
        if isTorn(descriptor):
            writer.write(b"\n")
        writer.write(startedLine(datetime.now(timezone.utc)))
        writer.flush()
        return writer

    def _look(self) -> None:
        self._looking = _reactor().callLater(LOOK, self._look)
        self.reopen()

    def _write(self, line: bytes) -> Deferred[None] | None:
        return self._writer.write(line) if self._writer is not None else None

    def _closeOld(self, _: object) -> None:
        old, self._old = self._old, None
        if old is not None:
            _closeWriter(old)

    def _close(self) -> None:
        self._closeOld(None)
        writer, self._writer = self._writer, None
        if writer is not None:
            if writer.pending and self.running == 0:
                self._log.error(
                    "--events {events}: {count} bytes could not be written",
                    events=self._events,
                    count=writer.pending,
                )
            _closeWriter(writer)

    # What the writer tells

    def ended(self, reason: str, status: int) -> None:
        """Nothing can be written any more: stop everything."""
        log = self._log.error if status else self._log.info
        log("--events {events}: {reason}: stopping", events=self._events, reason=reason)
        stopWith(_reactor(), status)

    def full(self, reason: str) -> None:
        """The disk is full."""
        self._log.error(
            "--events {events}: {reason}; trying again until there is room",
            events=self._events,
            reason=reason,
        )

    def goesOn(self) -> None:
        """The disk takes lines again."""
        self._log.error("--events {events}: there is room again", events=self._events)


class _Told(Fate):
    """Passes on to a service what happens to its writer."""

    def __init__(self, service: EventsService) -> None:
        self.full = service.full  # type: ignore[method-assign]
        self.goesOn = service.goesOn  # type: ignore[method-assign]
        self._ended = service.ended

    def readerGone(self) -> None:
        """See L{Fate.readerGone}."""
        self._ended(READER_GONE, 0)

    def failed(self, reason: str) -> None:
        """See L{Fate.failed}."""
        self._ended(reason, 1)


class HangUpService(Service):
    """Opens files again at SIGHUP, as after logrotate has moved them."""

    def __init__(self, files: list[EventsService]) -> None:
        self._files = files
        self._before: Any = None

    def startService(self) -> None:
        """Handle the signal from now on."""
        Service.startService(self)
        self._before = signal.signal(signal.SIGHUP, self._hungUp)

    def stopService(self) -> None:
        """Handle it as before."""
        Service.stopService(self)
        if self._before is not None:
            signal.signal(signal.SIGHUP, self._before)

    def _hungUp(self, number: int, frame: FrameType | None) -> None:
        _reactor().callFromThread(self._reopen)

    def _reopen(self) -> None:
        for each in self._files:
            each.reopen()


def _closeWriter(writer: LineWriter) -> None:
    writer.close()
    os.close(writer.fileno())


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
