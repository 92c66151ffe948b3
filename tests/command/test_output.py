# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.output}: where JSON Lines go.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.command.test_linewriter import WatchingClock
from twisted_ovsdb.command import output
from twisted_ovsdb.command.linewriter import RETRY
from twisted_ovsdb.command.output import FAREWELL, LOOK, RUN, EventsService
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import Cause, Disconnected, Synchronized


class EventsServiceTests(SynchronousTestCase):
    """
    Tests for L{EventsService}. The reactor is a clock.
    """

    def setUp(self) -> None:
        self.clock: Any = WatchingClock()
        self.patch(output, "_reactor", lambda: self.clock)
        self.path = Path(self.mktemp())
        self.service = EventsService(str(self.path))
        self.service.replay = lambda: self.tell("replay")
        self.addCleanup(self.stop)

    def start(self) -> None:
        """
        Start the service.
        """
        self.service.startService()

    def stop(self) -> None:
        """
        Stop the service, if it runs. Nothing is left behind.
        """
        if self.service.running:
            self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def tell(self, source: str) -> Any:
        """
        An event is told.
        """
        return self.service.observer.eventReceived(Synchronized(Cause.INITIAL, (), source))

    def lines(self, path: Path | None = None) -> list[str]:
        """
        What is in a file: the source of each event, or the name of what has
        none.
        """
        values = map(json.loads, (path or self.path).read_bytes().splitlines())
        return [value.get("source") or value["event"] for value in values]

    def look(self) -> None:
        """
        The service looks whether the file is still there.
        """
        self.clock.advance(LOOK)

    def logged(self, logs: Any) -> list[tuple[str, str]]:
        """
        The levels and texts of the log.
        """
        return [(log["log_level"].name, log["log_format"].format(**log)) for log in logs]

    def test_life(self) -> None:
        """
        The file is open from start to stop, and lines are appended to it. The
        service can be started again. Events while it is stopped are not
        written.
        """
        descriptors = len(os.listdir("/proc/self/fd"))
        self.tell("early")
        for source in ("first", "second"):
            self.start()
            self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors + 1)
            self.tell(source)
            self.service.observer.eventReceived(Disconnected(MonitorStopped(), source))
            self.stop()
            self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
            self.tell("late")
        expected = ["started", "first", "first", "started", "second", "second"]
        self.assertEqual(self.lines(), expected)

    def test_pathOfBytes(self) -> None:
        """
        The events of a server whose unix socket has a path that is not UTF-8 are
        written, with this path.
        """
        source = os.fsdecode(b"unix:/run/\xfe.sock")
        self.start()
        self.tell(source)
        self.stop()
        self.assertEqual(self.lines(), ["started", source])

    def test_started(self) -> None:
        """
        The first line of a run names the version and the run.
        """
        self.start()
        value = json.loads(self.path.read_bytes())
        self.assertEqual(list(value), ["event", "version", "run", "resumed", "time", "timestamp"])
        self.assertEqual((value["event"], value["run"], value["resumed"]), ("started", RUN, False))

    def test_oneTimeForATurn(self) -> None:
        """
        Lines that are written together have one time, which is when the first of
        them came. Lines of a later turn have a later one.
        """
        self.start()
        for source in ("a", "b"):
            self.tell(source)
        self.clock.advance(0)
        self.tell("c")
        self.stop()
        values = list(map(json.loads, self.path.read_bytes().splitlines()))
        started, a, b, c = (value["timestamp"] for value in values)
        self.assertEqual(a, b)
        self.assertLess(started, a)
        self.assertLess(b, c)

    def test_notBefore(self) -> None:
        """
        The file is not touched before the start: twistd may drop its privileges
        first.
        """
        self.assertFalse(self.path.exists())

    def test_cannotOpen(self) -> None:
        """
        A file that cannot be opened is an exception that names it.
        """
        failing = EventsService("/nonexistent/file", ValueError)
        fault = self.assertRaises(ValueError, failing.startService)
        self.assertEqual(
            str(fault), "--events /nonexistent/file: cannot be opened: No such file or directory"
        )
        failing.stopService()

    def test_torn(self) -> None:
        """
        A line that an earlier life has left unfinished is ended, and never cut.
        """
        self.path.write_bytes(b'{"event":"whole"}\n{"event":"to')
        self.start()
        first, second, third = self.path.read_bytes().splitlines()
        self.assertEqual((first, second), (b'{"event":"whole"}', b'{"event":"to'))
        self.assertEqual(json.loads(third)["event"], "started")

    def test_moved(self) -> None:
        """
        A file that was moved is noticed. What was told before is in the old
        file; the new one begins with a base: started, and everything once more.
        """
        self.start()
        self.tell("before")
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        self.tell("still there")
        self.look()
        self.tell("after")
        self.stop()
        self.assertEqual(self.lines(old), ["started", "before", "still there"])
        self.assertEqual(self.lines(), ["started", "replay", "after"])

    def test_deletedAndEmptied(self) -> None:
        """
        A file that was deleted is made again; one that was emptied gets a base.
        """
        self.start()
        self.path.unlink()
        self.look()
        self.clock.advance(0)
        self.assertEqual(self.lines(), ["started", "replay"])
        os.truncate(self.path, 0)
        self.look()
        self.clock.advance(0)
        self.assertEqual(self.lines(), ["started", "replay"])
        self.look()
        self.assertEqual(self.lines(), ["started", "replay"])

    def test_emptiedAndWritten(self) -> None:
        """
        A file that was emptied gets a base also if a line was written to it before
        that was noticed, as after the copytruncate of logrotate.
        """
        self.start()
        os.truncate(self.path, 0)
        self.tell("at once")
        self.look()
        self.assertEqual(self.lines(), ["at once", "started", "replay"])

    def test_emptiedWhileFull(self) -> None:
        """
        An operator empties the file because the disk is full. The lines that
        waited are not written after the base, which is newer.
        """
        self.start()
        writer: Any = self.service._writer
        room = [200]

        def write(descriptor: int, data: memoryview) -> int:
            if not room[0]:
                raise OSError(28, "No space left on device")
            count = os.write(descriptor, data[: room[0]])
            room[0] -= count
            return count

        writer._write = write
        self.tell("half")
        self.tell("old")
        self.clock.advance(0)
        os.truncate(self.path, 0)
        room[0] = 10**6
        self.look()
        self.tell("new")
        self.clock.advance(RETRY)
        self.assertEqual(self.lines(), ["started", "replay", "new"])

    def test_roomAtTheEnd(self) -> None:
        """
        If the disk has room again when the service is stopped, what waits is
        written, also if the next attempt was later.
        """
        self.start()
        writer: Any = self.service._writer
        writer._write = self.fullDisk
        self.tell("one")
        self.clock.advance(0)
        writer._write = os.write
        self.stop()
        self.assertEqual(self.lines(), ["started", "one"])

    def test_fullAtTheEnd(self) -> None:
        """
        What cannot be written at the end, to a file that was moved and to the new
        one, is one error for each.
        """
        self.start()
        writer: Any = self.service._writer
        writer._write = self.fullDisk
        self.tell("one")
        self.clock.advance(0)
        self.path.rename(self.path.with_suffix(".1"))
        self.look()
        writer = self.service._writer
        writer._write = self.fullDisk
        self.tell("two")
        with capturedLogs() as logs:
            self.stop()
        lost = [text for level, text in self.logged(logs) if "could not be written" in text]
        self.assertEqual(len(lost), 2)

    def test_anotherPipe(self) -> None:
        """
        A named pipe that was made anew gets everything. What waits for the old one
        is dropped after a second, because it may have no reader.
        """
        os.mkfifo(self.path)
        self.start()
        self.tell("old")
        self.clock.advance(0)
        self.path.rename(self.path.with_suffix(".1"))
        self.look()
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        for _ in range(2000):
            self.tell("x" * 100)
        self.look()
        self.tell("new")
        self.clock.advance(FAREWELL)
        values = map(json.loads, os.read(reader, 1 << 16).splitlines())
        self.assertEqual(
            [value.get("source") or value["event"] for value in values],
            ["started", "replay", "new"],
        )
        self.assertIsNone(self.service._old)

    def fullDisk(self, descriptor: int, data: memoryview) -> int:
        """
        Write to a full disk.
        """
        raise OSError(28, "No space left on device")

    def test_ends(self) -> None:
        """
        When the reader is gone, one line at info says so. Another fault is one
        error. In both cases nothing more is said of lines that waited.
        """
        statuses: list[int] = []
        self.patch(output, "stopWith", lambda reactor, status: statuses.append(status))
        for code, status, level in ((errno.EPIPE, 0, "info"), (errno.EIO, 1, "error")):

            def write(descriptor: int, data: memoryview, code: int = code) -> int:
                raise OSError(code, os.strerror(code))

            self.start()
            writer: Any = self.service._writer
            writer._write = write
            with capturedLogs() as logs:
                self.tell("one")
                self.clock.advance(0)
                self.stop()
            ((said, text),) = self.logged(logs)
            self.assertEqual((said, statuses.pop()), (level, status))
            self.assertTrue(text.endswith(": stopping"), text)

    def test_hostilePath(self) -> None:
        """
        A path that would clear a terminal is escaped in the log.
        """
        path = self.path.with_suffix(".\x1b[2J")
        self.service = EventsService(str(path))
        self.start()
        path.unlink()
        with capturedLogs() as logs:
            self.look()
            self.clock.advance(0)
        ((_, text),) = self.logged(logs)
        self.assertIn(r"\x1b[2J: opened again", text)

    def test_cannotReopen(self) -> None:
        """
        If the file cannot be opened again, the one that is open gets the lines.
        The log says it once, and the service goes on trying.
        """
        folder = self.path.with_suffix(".folder")
        folder.mkdir()
        self.service = EventsService(str(folder / "events"))
        self.start()
        moved = self.path.with_suffix(".moved")
        folder.rename(moved)
        with capturedLogs() as logs:
            self.look()
            self.look()
        ((level, text),) = self.logged(logs)
        self.assertEqual(level, "error")
        self.assertIn("cannot be opened again: No such file or directory", text)
        self.tell("here")
        moved.rename(folder)
        self.look()
        self.stop()
        self.assertEqual(self.lines(folder / "events"), ["started", "here"])

    def test_fullDisk(self) -> None:
        """
        On a full disk the observer is busy, one error says so, and one that it
        goes on. Nothing is lost, and no line is half.
        """
        room = [10]

        def write(descriptor: int, data: memoryview) -> int:
            if not room[0]:
                raise OSError(28, "No space left on device")
            count = os.write(descriptor, data[: room[0]])
            room[0] -= count
            return count

        self.start()
        writer: Any = self.service._writer
        writer._write = write
        with capturedLogs() as logs:
            self.tell("one")
            self.clock.advance(0)
            busy = self.tell("two")
            self.assertNoResult(busy)
            self.clock.advance(RETRY)
            room[0] = 10**6
            self.clock.advance(RETRY)
        self.successResultOf(busy)
        self.assertEqual(self.lines(), ["started", "one", "two"])
        self.assertEqual([level for level, _ in self.logged(logs)], ["error", "error"])
        self.assertIn("No space left on device; trying again", self.logged(logs)[0][1])
        self.assertIn("there is room again", self.logged(logs)[1][1])

    def test_movedWhileFull(self) -> None:
        """
        A file that was moved while the disk was full is still completed, and the
        observer is busy no longer.
        """
        self.start()
        writer: Any = self.service._writer
        writer._write = self.fullDisk
        self.tell("one")
        self.clock.advance(0)
        busy = self.tell("two")
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        self.look()
        self.successResultOf(busy)
        writer._write = os.write
        self.clock.advance(RETRY)
        self.assertEqual(self.lines(old), ["started", "one", "two"])
        self.assertEqual(self.lines(), ["started", "replay"])

    def test_slowReaderAtTheEnd(self) -> None:
        """
        At the end a slow reader has a second to take the last lines.
        """
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.start()
        for _ in range(2000):
            self.tell("x" * 100)
        stopped = self.service.stopService()
        assert stopped is not None
        self.assertNoResult(stopped)
        with capturedLogs() as logs:
            self.clock.advance(FAREWELL)
        self.successResultOf(stopped)
        self.assertEqual([log["log_level"] for log in logs], [LogLevel.error])
        self.assertIsInstance(self.clock, Clock)
