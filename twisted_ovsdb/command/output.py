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
from twisted.logger import ILogObserver, Logger, LogPublisher, textFileLogObserver

from twisted_ovsdb._version import __version__
from twisted_ovsdb.command.ending import stopWith
from twisted_ovsdb.command.eventsfile import (
    inherited,
    isAnother,
    isDeleted,
    isTorn,
    openEvents,
)
from twisted_ovsdb.command.linewriter import Fate, LineWriter
from twisted_ovsdb.errors import escaped
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver, lineOf, timesOf

LOOK: Final = 2.0
"""Seconds between two looks whether a file was moved or deleted."""

FAREWELL: Final = 1.0
"""Seconds that a slow reader has at the end to take the last lines."""

RUN: Final = str(uuid.uuid4())
"""Names the life of this process."""


def standardErrorLog() -> ILogObserver:
    """The log observer that C{twistd --logger} names when standard output has the events."""
    if sys.__stderr__ is None:
        # It is closed, as with 2>&-: the log goes nowhere.
        return LogPublisher()
    return textFileLogObserver(sys.__stderr__)


def quietErrorLog() -> ILogObserver:
    """As L{standardErrorLog}, without what is less than a warning: for C{--once}."""
    from twisted_ovsdb.command.jsonlog import warningsOnly

    return warningsOnly(standardErrorLog())


def startedLine(now: datetime, resumed: bool = False) -> bytes:
    """
    The first line of a run and of each new file.

    @param resumed: whether the lines go on from what was told before.
    """
    value: dict[str, Any] = {"event": "started", "version": __version__, "run": RUN}
    return lineOf({**value, "resumed": resumed, **timesOf(now)})


class EventsService(Service, Fate):
    """
    Writes JSON Lines to one file, from start to stop.

    @ivar observer: the observer whose events are written.
    @ivar shown: its path, for people.
    @ivar replay: tells the observer everything again, for the reader of a new file.
    @ivar replayOf: the same of one switch.
    """

    _log = Logger()

    def __init__(self, events: str, fail: Callable[[str], BaseException] = SystemExit) -> None:
        """
        @param events: a path, or C{-} for standard output.
        @param fail: makes the exception for a file that cannot be opened.
        """
        self._events = events
        self.shown = escaped(events)  # in the log
        self._fail = fail
        self._writer: LineWriter | None = None
        self._old: LineWriter | None = None  # of a file that was moved
        self._looking: IDelayedCall | None = None
        self._complaint = ""  # why the file cannot be opened again
        self._trouble = ""  # why nothing can be written
        self.observer: IOvsdbEventObserver = JSONLinesObserver(self._write, self._time)
        self._now = datetime.now(timezone.utc)
        self.replay: Callable[[], object] = lambda: None
        self.replayOf: Callable[[str], object] = lambda switch: None

    def startService(self) -> None:
        """Open the file. Before this, twistd forks and drops its privileges."""
        Service.startService(self)
        try:
            self._writer = self._begin(openEvents(self._events))
        except OSError as e:
            reason = f"--events {self.shown}: cannot be opened: {e.strerror}"
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

    def missing(self) -> str | None:
        """Why no lines can be written now; None if they can."""
        if self._writer is None:
            return f"--events {self.shown}: is not open"
        return f"--events {self.shown}: {self._trouble}" if self._trouble else None

    @property
    def waiting(self) -> int:
        """Bytes of lines that are not written yet."""
        writers = (self._old, self._writer)
        return sum(writer.pending for writer in writers if writer is not None)

    def reopen(self) -> None:
        """Open the file at the path, if it is no longer the one that is open, or was emptied."""
        writer = self._writer
        if writer is None or self._old is not None or inherited(self._events) is not None:
            return
        emptied = writer.emptied
        if not emptied and not isAnother(self._events, writer.fileno()):
            return
        descriptor = self._openAgain()
        if descriptor is None:
            return
        new = self._begin(descriptor)
        self._writer, self._old = new, writer
        writer.letGo()
        self._log.info("--events {events}: opened again", events=self.shown)
        if emptied or isDeleted(writer.fileno()):
            # What waits is not for the new file: the base of that already has it.
            self._closeOld()
        else:
            drained = writer.drained()
            if writer.written is None:  # a pipe, which may have no reader
                drained.addTimeout(FAREWELL, _reactor())
            drained.addBoth(lambda _: self._closeOld())
        self.replay()

    def _openAgain(self, how: int = os.O_WRONLY) -> int | None:
        try:
            descriptor = openEvents(self._events, how)
        except OSError as e:
            self._complain(str(e.strerror))
            return None
        self._complaint = ""
        return descriptor

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            self._complaint = reason
            self._log.error(
                "--events {events}: cannot be opened again: {reason}; the file that is open"
                " gets the lines",
                events=self.shown,
                reason=reason,
            )

    def _begin(self, descriptor: int, resumed: bool = False) -> LineWriter:
        writer = LineWriter(descriptor, _reactor(), self)
        if isTorn(descriptor):
            writer.write(b"\n")
        writer.write(startedLine(datetime.now(timezone.utc), resumed))
        writer.flush()
        return writer

    def _look(self) -> None:
        self._looking = _reactor().callLater(LOOK, self._look)
        self.reopen()

    def _write(self, line: bytes) -> Deferred[None] | None:
        return self._writer.write(line) if self._writer is not None else None

    def _time(self) -> datetime:
        """When a line is written: lines that are written together have one time."""
        writer = self._writer
        if writer is None or not writer.gathering:
            self._now = datetime.now(timezone.utc)
        return self._now

    def _closeOld(self) -> None:
        old, self._old = self._old, None
        if old is not None:
            closeWriter(old)

    def _close(self) -> None:
        for writer in (self._old, self._writer):
            if writer is not None:
                writer.flush()
                if writer.pending:
                    self._log.error(
                        "--events {events}: {count} bytes could not be written",
                        events=self.shown,
                        count=writer.pending,
                    )
        self._closeOld()
        writer, self._writer = self._writer, None
        if writer is not None:
            closeWriter(writer)

    # What a writer tells

    def readerGone(self) -> None:
        """See L{Fate.readerGone}."""
        self._log.info("--events {events}: the reader is gone: stopping", events=self.shown)
        stopWith(_reactor(), 0)

    def failed(self, reason: str) -> None:
        """See L{Fate.failed}."""
        self._log.error("--events {events}: {reason}: stopping", events=self.shown, reason=reason)
        stopWith(_reactor(), 1)

    def full(self, reason: str) -> None:
        """See L{Fate.full}."""
        self._trouble = reason
        self._log.error(
            "--events {events}: {reason}; trying again until there is room",
            events=self.shown,
            reason=reason,
        )

    def goesOn(self) -> None:
        """See L{Fate.goesOn}."""
        self._trouble = ""
        self._log.error("--events {events}: there is room again", events=self.shown)


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


def closeWriter(writer: LineWriter) -> None:
    """Write nothing more, and close the file."""
    writer.close()
    os.close(writer.fileno())


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
