# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.linewriter}.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from twisted_ovsdb.command.linewriter import ATOMIC, BUFFER, RETRY, Fate, LineWriter
from twisted_ovsdb.state.position import Position

LARGE = 200_000
"""More than a pipe holds (64 KiB)."""


class WatchingClock(Clock):
    """
    A clock that also records what is watched.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[object] = []
        self.writers: list[object] = []

    def addReader(self, reader: object) -> None:
        """Watch for input."""
        self.readers.append(reader)

    def addWriter(self, writer: object) -> None:
        """Watch for room."""
        self.writers.append(writer)

    def removeReader(self, reader: object) -> None:
        """Watch no longer."""
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer: object) -> None:
        """Watch no longer."""
        self.writers.remove(writer)


class Told(Fate):
    """
    Records what a writer tells.
    """

    def __init__(self) -> None:
        self.said: list[str] = []

    def full(self, reason: str) -> None:
        self.said.append(f"full: {reason}")

    def goesOn(self) -> None:
        self.said.append("goes on")

    def readerGone(self) -> None:
        self.said.append("reader gone")

    def failed(self, reason: str) -> None:
        self.said.append(f"failed: {reason}")


class WriterTestCase(SynchronousTestCase):
    """
    A writer whose reactor is the test.
    """

    writer: LineWriter

    def setUp(self) -> None:
        self.clock = WatchingClock()
        self.fate = Told()

    def tearDown(self) -> None:
        self.writer.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.clock.readers, self.clock.writers), ([], []))

    def turn(self) -> None:
        """
        The reactor makes a turn.
        """
        self.clock.advance(0)
        for writer in tuple(self.clock.writers):
            assert isinstance(writer, LineWriter)
            writer.doWrite()


class FullDisk:
    """
    A disk with room for some bytes.
    """

    def __init__(self, room: int, code: int = errno.ENOSPC) -> None:
        self.room = room
        self.code = code
        self.writes: list[int] = []

    def write(self, descriptor: int, data: memoryview) -> int:
        """
        Write what there is room for, as C{os.write} does.
        """
        if not self.room:
            raise OSError(self.code, os.strerror(self.code))
        count = os.write(descriptor, data[: self.room])
        self.room -= count
        self.writes.append(count)
        return count


class LargeLineTests(WriterTestCase):
    """
    Tests for a line that is much larger than what the descriptor takes at once.
    """

    def test_F85_notCopied(self) -> None:
        """
        What is left of a large line is not copied for each write: the time is linear, and
        the reactor is not blocked for seconds.
        """
        line = b"x" * (64 * ATOMIC) + b"\n"
        sources: list[object] = []
        written = bytearray()

        def write(descriptor: int, data: memoryview) -> int:
            sources.append(data.obj)
            written.extend(data[:ATOMIC])
            return min(len(data), ATOMIC)

        path = self.mktemp()
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        self.writer = LineWriter(descriptor, self.clock, self.fate, write)
        self.writer.write(line)
        self.turn()
        self.assertEqual(bytes(written), line)
        self.assertEqual(len(sources), 65)
        self.assertEqual({id(source) for source in sources}, {id(sources[0])})


class FileTests(WriterTestCase):
    """
    Tests for a writer to a file.
    """

    def open(self, room: int = 10**9, code: int = errno.ENOSPC) -> None:
        """
        Open a file on a disk with so much room.
        """
        self.path = self.mktemp()
        self.descriptor = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.addCleanup(os.close, self.descriptor)
        self.disk = FullDisk(room, code)
        self.writer = LineWriter(self.descriptor, self.clock, self.fate, self.disk.write)

    def content(self) -> bytes:
        """
        What is in the file.
        """
        with open(self.path, "rb") as file:
            return file.read()

    def test_oneWrite(self) -> None:
        """
        The lines of one turn of the reactor go out in one write.
        """
        self.open()
        for line in (b"one\n", b"two\n", b"three\n"):
            self.assertIsNone(self.writer.write(line))
        self.assertEqual(self.content(), b"")
        self.assertEqual(self.writer.pending, 14)
        self.turn()
        self.assertEqual(self.content(), b"one\ntwo\nthree\n")
        self.assertEqual(self.disk.writes, [14])
        self.writer.write(b"four\n")
        self.writer.flush()
        self.assertEqual(self.disk.writes, [14, 5])
        self.assertEqual(self.fate.said, [])

    def test_bounded(self) -> None:
        """
        When a megabyte waits, it is written at once: a turn may have any number
        of lines.
        """
        self.open()
        line = b"x" * 1023 + b"\n"
        for _ in range(BUFFER // 1024):
            self.assertIsNone(self.writer.write(line))
        self.assertEqual(self.content(), b"")
        self.assertIsNone(self.writer.write(line))
        self.assertEqual(len(self.content()), BUFFER + 1024)

    def test_position(self) -> None:
        """
        The writer says up to which place of which file all is written.
        """
        self.open(room=9)
        found = os.fstat(self.descriptor)
        self.assertEqual(self.writer.written, Position(found.st_dev, found.st_ino, 0))
        self.writer.write(b"one\ntwo\n")
        self.writer.write(b"three\n")
        self.turn()
        self.assertEqual(self.content(), b"one\ntwo\nt")
        self.assertEqual(self.writer.written, Position(found.st_dev, found.st_ino, 8))

    def test_fullDisk(self) -> None:
        """
        On a full disk the caller has to wait. The writer tries again every few
        seconds; it says once that the disk is full, and once that it goes on. The
        line that was half written is written whole.
        """
        self.open(room=6)
        self.assertIsNone(self.writer.write(b"one\n"))
        self.assertIsNone(self.writer.write(b"two\n"))
        self.turn()
        self.assertTrue(self.writer.stuck)
        busy = self.writer.write(b"three\n")
        assert busy is not None
        for _ in range(3):
            self.clock.advance(RETRY)
        self.assertNoResult(busy)
        self.assertEqual(self.content(), b"one\ntw")
        self.assertEqual(self.fate.said, ["full: No space left on device"])
        self.disk.room = 1
        self.clock.advance(RETRY)
        self.assertNoResult(busy)
        self.disk.room = 100
        self.clock.advance(RETRY)
        self.successResultOf(busy)
        self.assertEqual(self.content(), b"one\ntwo\nthree\n")
        self.assertEqual(self.fate.said, ["full: No space left on device", "goes on"])
        self.assertIsNone(self.writer.write(b"four\n"))

    def test_roomMeanwhile(self) -> None:
        """
        Who cannot wait for the next attempt, as at the end, may try at once.
        """
        self.open(room=6)
        self.writer.write(b"one\ntwo\n")
        self.turn()
        busy = self.writer.write(b"three\n")
        assert busy is not None
        self.writer.flush()
        self.assertNoResult(busy)
        self.disk.room = 100
        self.successResultOf(self.writer.drained())
        self.successResultOf(busy)
        self.assertEqual(self.content(), b"one\ntwo\nthree\n")
        self.assertEqual(self.fate.said, ["full: No space left on device", "goes on"])

    def test_positionAtOnce(self) -> None:
        """
        What is in the file already counts, also while nothing can be added to it.
        """
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"of before\n")
        self.descriptor = os.open(path, os.O_APPEND | os.O_WRONLY)
        self.addCleanup(os.close, self.descriptor)
        self.writer = LineWriter(self.descriptor, self.clock, self.fate, FullDisk(0).write)
        self.writer.write(b"one\n")
        self.turn()
        assert self.writer.written is not None
        self.assertEqual(self.writer.written.offset, 10)
        self.assertFalse(self.writer.emptied)

    def test_emptied(self) -> None:
        """
        A file that was emptied is noticed, also if a line was written to it since
        then. Lines of another program in it are no sign of that.
        """
        self.open()
        self.writer.write(b"one, which is long\n")
        self.turn()
        with open(self.path, "ab") as file:
            file.write(b"of another program\n")
        self.assertFalse(self.writer.emptied)
        os.truncate(self.path, 0)
        self.assertTrue(self.writer.emptied)
        self.writer.write(b"two\n")
        self.turn()
        self.assertTrue(self.writer.emptied)

    def test_quota(self) -> None:
        """
        A quota is a full disk too.
        """
        self.open(0, errno.EDQUOT)
        self.writer.write(b"one\n")
        self.turn()
        self.assertEqual(self.fate.said, ["full: Disk quota exceeded"])

    def test_fails(self) -> None:
        """
        What cannot be written for another reason ends the writer. Callers do not
        wait for ever.
        """
        self.open(0, errno.EIO)
        busy = self.writer.write(b"x" * (BUFFER + 1))
        self.assertIsNone(busy)
        self.assertEqual(self.fate.said, ["failed: Input/output error"])
        self.assertEqual(self.writer.pending, 0)
        self.assertIsNone(self.writer.write(b"two\n"))
        self.assertEqual(self.content(), b"")

    def test_letGo(self) -> None:
        """
        Callers that wait are let go when they will write elsewhere; what they
        wrote here is still written.
        """
        self.open(0)
        self.writer.write(b"one\n")
        self.turn()
        busy = self.writer.write(b"two\n")
        assert busy is not None
        drained = self.writer.drained()
        self.writer.letGo()
        self.successResultOf(busy)
        self.assertNoResult(drained)
        self.disk.room = 100
        self.clock.advance(RETRY)
        self.successResultOf(drained)
        self.assertEqual(self.content(), b"one\ntwo\n")
        self.successResultOf(self.writer.drained())

    def test_close(self) -> None:
        """
        After close nothing is written, also on a full disk, and nobody waits.
        """
        self.open(0)
        self.writer.write(b"one\n")
        self.turn()
        busy, drained = self.writer.write(b"two\n"), self.writer.drained()
        assert busy is not None
        self.writer.close()
        self.successResultOf(busy)
        self.successResultOf(drained)
        self.assertIsNone(self.writer.write(b"three\n"))
        self.writer.flush()
        self.assertEqual(self.content(), b"")


class PipeTests(WriterTestCase):
    """
    Tests for a writer to a pipe.
    """

    def setUp(self) -> None:
        super().setUp()
        self.readEnd, self.writeEnd = os.pipe()
        os.set_blocking(self.readEnd, False)
        self.addCleanup(self.closeReader)
        self.addCleanup(os.close, self.writeEnd)
        self.writer = LineWriter(self.writeEnd, self.clock, self.fate)

    def closeReader(self) -> None:
        """
        Close the reader's end.
        """
        if self.readEnd >= 0:
            os.close(self.readEnd)
            self.readEnd = -1

    def read(self) -> bytes:
        """
        Read all that is in the pipe now.
        """
        data = b""
        while True:
            try:
                more = os.read(self.readEnd, 1 << 16)
            except BlockingIOError:
                return data
            data += more

    def readAll(self) -> bytes:
        """
        Read, and let the writer go on, until it has nothing left.
        """
        data = self.read()
        while self.clock.writers:
            self.turn()
            data += self.read()
        return data

    def fill(self) -> bytes:
        """
        Write a line that the pipe cannot hold.
        """
        line = b"x" * LARGE + b"\n"
        self.assertIsNone(self.writer.write(line))
        self.turn()
        self.assertEqual(self.clock.writers, [self.writer])
        return line

    def test_interface(self) -> None:
        """
        A reactor can watch a LineWriter. A pipe has no position.
        """
        verifyObject(IReadDescriptor, self.writer)
        verifyObject(IWriteDescriptor, self.writer)
        self.assertEqual(self.writer.fileno(), self.writeEnd)
        self.assertEqual(self.writer.logPrefix(), "LineWriter")
        self.assertIsNone(self.writer.written)
        self.assertFalse(self.writer.emptied)

    def test_blocking(self) -> None:
        """
        The descriptor stays blocking, because other programs, such as a shell,
        share it.
        """
        self.fill()
        self.assertTrue(os.get_blocking(self.writeEnd))
        self.readAll()
        self.assertTrue(os.get_blocking(self.writeEnd))

    def test_fewWrites(self) -> None:
        """
        An empty pipe gets all that it holds in one write; one whose reader is behind
        gets no more at a time than it takes without blocking.
        """
        sizes: list[int] = []

        def write(descriptor: int, data: memoryview) -> int:
            sizes.append(len(data))
            return os.write(descriptor, data)

        self.writer.close()
        self.writer = LineWriter(self.writeEnd, self.clock, self.fate, write)
        line = b"x" * 19_999 + b"\n"
        for _ in range(2):
            self.writer.write(line)
        self.turn()
        self.assertEqual(sizes, [40_000])
        self.writer.write(line)
        self.turn()
        self.assertEqual(sizes[1:], [ATOMIC] * 4 + [20_000 - 4 * ATOMIC])
        self.assertEqual(self.readAll(), 3 * line)
        self.fill()
        self.assertEqual(sizes[6], fcntl.fcntl(self.writeEnd, fcntl.F_GETPIPE_SZ))
        self.readAll()

    def test_fullPipe(self) -> None:
        """
        If the pipe is full, the caller waits only when a megabyte does. Everything
        is written, in order, and then the caller may go on.
        """
        line = self.fill()
        more = b"y" * (BUFFER - self.writer.pending - 1) + b"\n"
        self.assertIsNone(self.writer.write(more))
        second, third = self.writer.write(b"two\n"), self.writer.write(b"three\n")
        assert second is not None
        assert third is not None
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertNoResult(third)
        self.assertEqual(self.readAll(), line + more + b"two\nthree\n")
        self.successResultOf(third)
        self.assertIsNone(self.writer.write(b"four\n"))

    def test_readerGone(self) -> None:
        """
        When the reader goes away, this is told at once, without a write, and
        only once. Later lines are dropped.
        """
        self.assertEqual(self.clock.readers, [self.writer])
        self.assertIsNone(self.writer.doRead())
        self.closeReader()
        self.assertIs(self.writer.doRead(), CONNECTION_LOST)
        self.writer.connectionLost()
        self.writer.connectionLost()
        self.assertIsNone(self.writer.write(b"dropped\n"))
        self.assertEqual(self.fate.said, ["reader gone"])

    def test_readerGoneAtWrite(self) -> None:
        """
        If a write finds that the reader has gone away, it does not raise, and
        callers that wait are let go.
        """
        self.fill()
        waiting = self.writer.write(b"y" * BUFFER + b"\n")
        drained = self.writer.drained()
        assert waiting is not None
        self.closeReader()
        self.turn()
        self.successResultOf(waiting)
        self.successResultOf(drained)
        self.assertEqual(self.fate.said, ["reader gone"])

    def test_namedPipe(self) -> None:
        """
        A named pipe that was opened without blocking takes the lines of a turn
        in one write, as much as it has room for.
        """
        path = self.mktemp()
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, descriptor)
        self.writer.close()
        self.writer = LineWriter(descriptor, self.clock, self.fate)
        lines = [b"%06d\n" % n for n in range(20_000)]
        for line in lines:
            self.assertIsNone(self.writer.write(line))
        data = b""
        while self.writer.pending:
            self.turn()
            data += os.read(reader, 1 << 20)
        self.assertEqual(data, b"".join(lines))


class RealReactorTests(TestCase):
    """
    Tests for a L{LineWriter} that the real reactor watches.
    """

    timeout = 30

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.readEnd, self.writeEnd = os.pipe()
        self.addCleanup(os.close, self.writeEnd)
        self.gone: Deferred[None] = Deferred()
        fate = Fate()
        fate.readerGone = lambda: self.gone.callback(None)  # type: ignore[method-assign]
        self.writer = LineWriter(self.writeEnd, self.reactor, fate)
        self.addCleanup(self.writer.close)

    def test_slowReader(self) -> Deferred[None]:
        """
        A slow reader gets every byte.
        """
        lines = [b"%06d\n" % n * 1000 for n in range(100)]
        size = sum(map(len, lines))

        def read() -> bytes:
            data = b""
            while len(data) < size:
                data += os.read(self.readEnd, 5000)
            return data

        async def run() -> None:
            from twisted.internet.threads import deferToThread

            for line in lines:
                self.writer.write(line)
            reading = deferToThread(read)
            await self.writer.drained()
            self.assertEqual(await reading, b"".join(lines))
            os.close(self.readEnd)
            await self.gone

        return Deferred.fromCoroutine(run())

    def test_readerGone(self) -> Deferred[None]:
        """
        If the reader goes away while nothing is written, this is told once.
        """
        os.close(self.readEnd)
        return self.gone.addCallback(lambda _: self.assertIsNone(self.writer.write(b"one\n")))

    def test_readerGoneWhileWaiting(self) -> Deferred[None]:
        """
        If the reader goes away while lines wait, this is told once, and those
        who wait are let go.
        """
        self.writer.write(b"x" * LARGE)
        written = self.writer.drained()
        os.close(self.readEnd)
        return gatherResults([written, self.gone]).addCallback(lambda _: None)
