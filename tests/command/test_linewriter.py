# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.linewriter}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from twisted_ovsdb.command.linewriter import READER_GONE, LineWriter

LARGE = 200_000
"""More than a pipe holds (64 KiB)."""


class RecordingReactor:
    """
    Records what is watched.
    """

    def __init__(self) -> None:
        self.readers: list[object] = []
        self.writers: list[object] = []

    def addReader(self, reader: object) -> None:
        """Watch for input."""
        if reader not in self.readers:
            self.readers.append(reader)

    def addWriter(self, writer: object) -> None:
        """Watch for room."""
        if writer not in self.writers:
            self.writers.append(writer)

    def removeReader(self, reader: object) -> None:
        """Watch no longer."""
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer: object) -> None:
        """Watch no longer."""
        if writer in self.writers:
            self.writers.remove(writer)


class PipeTests(SynchronousTestCase):
    """
    Tests for a L{LineWriter} on a pipe. The test makes the calls that a reactor
    would make.
    """

    def setUp(self) -> None:
        self.readEnd, self.writeEnd = os.pipe()
        os.set_blocking(self.readEnd, False)
        self.addCleanup(self.closeReader)
        self.addCleanup(os.close, self.writeEnd)
        self.closed: list[str] = []
        self.reactor = RecordingReactor()
        watching: Any = self.reactor
        self.writer = LineWriter(self.writeEnd, watching, self.closed.append)

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
        while self.writer in self.reactor.writers:
            self.writer.doWrite()
            data += self.read()
        return data

    def fill(self) -> tuple[bytes, Deferred[None]]:
        """
        Write a line that the pipe cannot hold.
        """
        line = b"x" * LARGE + b"\n"
        written = self.writer.write(line)
        assert written is not None
        return line, written

    def wait(self, line: bytes) -> Deferred[None]:
        """
        Write a line while another one waits.
        """
        written = self.writer.write(line)
        assert written is not None
        self.assertNoResult(written)
        return written

    def test_interface(self) -> None:
        """
        A reactor can watch a LineWriter.
        """
        verifyObject(IReadDescriptor, self.writer)
        verifyObject(IWriteDescriptor, self.writer)
        self.assertEqual(self.writer.fileno(), self.writeEnd)
        self.assertEqual(self.writer.logPrefix(), "LineWriter")

    def test_atOnce(self) -> None:
        """
        If the pipe has room for a line, the line is in the pipe when write
        returns.
        """
        self.assertIsNone(self.writer.write(b"one\n"))
        self.assertIsNone(self.writer.write(b"two\n"))
        self.assertEqual(self.read(), b"one\ntwo\n")
        self.assertEqual(self.reactor.writers, [])

    def test_blocking(self) -> None:
        """
        The descriptor stays blocking, because other programs, such as a shell,
        share it.
        """
        self.assertTrue(os.get_blocking(self.writeEnd))
        self.fill()
        self.assertTrue(os.get_blocking(self.writeEnd))
        self.readAll()
        self.writer.close()
        self.assertTrue(os.get_blocking(self.writeEnd))

    def test_fullPipe(self) -> None:
        """
        If the pipe is full, a line waits. It is written completely, however
        large it is, and then its Deferred fires.
        """
        line, written = self.fill()
        self.assertNoResult(written)
        self.assertEqual(self.reactor.writers, [self.writer])
        self.assertEqual(self.readAll(), line)
        self.assertIsNone(self.successResultOf(written))
        self.assertEqual(self.reactor.writers, [])

    def test_order(self) -> None:
        """
        Lines keep their order and nothing is lost, also if short lines follow a
        line that waits.
        """
        line, first = self.fill()
        fired: list[str] = []
        first.addCallback(lambda _: fired.append("first"))
        self.wait(b"two\n").addCallback(lambda _: fired.append("two"))
        self.wait(b"three\n").addCallback(lambda _: fired.append("three"))
        data = self.read()
        self.writer.doWrite()
        data += self.read()
        self.assertEqual(fired, [])
        data += self.readAll()
        self.assertEqual(data, line + b"two\nthree\n")
        self.assertEqual(fired, ["first", "two", "three"])
        self.assertIsNone(self.writer.write(b"four\n"))

    def test_writeFromCallback(self) -> None:
        """
        A line that is written in the callback of an earlier line comes after
        the lines that wait already.
        """
        line, first = self.fill()
        first.addCallback(lambda _: self.writer.write(b"late\n"))
        self.wait(b"two\n")
        self.assertEqual(self.readAll(), line + b"two\nlate\n")
        self.successResultOf(first)

    def test_cancel(self) -> None:
        """
        A caller that cancels its Deferred waits no longer. Its line is still
        written, at its place, because half of it may be written already.
        """
        line, first = self.fill()
        second, third = self.wait(b"two\n"), self.wait(b"three\n")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertNoResult(third)
        self.assertEqual(self.readAll(), line + b"two\nthree\n")
        self.successResultOf(third)

    def test_readerGone(self) -> None:
        """
        When the reader goes away, C{onClosed} is called at once, without a
        write, and only once. Later lines are dropped.
        """
        self.assertEqual(self.reactor.readers, [self.writer])
        self.assertIsNone(self.writer.doRead())
        self.closeReader()
        self.assertIs(self.writer.doRead(), CONNECTION_LOST)
        self.writer.connectionLost()
        self.writer.connectionLost()
        self.assertEqual(self.closed, [READER_GONE])
        self.assertIsNone(self.writer.write(b"dropped\n"))
        self.writer.close()
        self.assertEqual(self.closed, [READER_GONE])
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([], []))

    def test_readerGoneAtWrite(self) -> None:
        """
        If a write finds that the reader has gone away, it does not raise.
        """
        self.closeReader()
        self.assertIsNone(self.writer.write(b"one\n"))
        self.assertIsNone(self.writer.write(b"two\n"))
        self.assertEqual(self.closed, [READER_GONE])
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([], []))

    def test_readerGoneWhileWaiting(self) -> None:
        """
        If the reader goes away while lines wait, their Deferreds fire.
        """
        _, first = self.fill()
        second = self.wait(b"two\n")
        late: list[object] = []
        first.addCallback(lambda _: late.append(self.writer.write(b"dropped\n")))
        self.closeReader()
        self.writer.doWrite()
        self.successResultOf(first)
        self.assertIsNone(self.successResultOf(second))
        self.assertEqual((late, self.closed), ([None], [READER_GONE]))
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([], []))

    def test_close(self) -> None:
        """
        After close nothing is written or watched. The Deferreds of waiting
        lines fire, C{onClosed} is not called, and the descriptor stays open.
        """
        _, first = self.fill()
        second = self.wait(b"two\n")
        second.addCallback(lambda _: self.writer.close())
        self.writer.close()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([], []))
        self.read()
        self.assertIsNone(self.writer.write(b"three\n"))
        self.assertEqual((self.read(), self.closed), (b"", []))
        self.assertEqual(os.write(self.writeEnd, b"open"), 4)


class OtherDescriptorTests(SynchronousTestCase):
    """
    Tests for a L{LineWriter} on files and named pipes.
    """

    def writing(self, path: str, flags: int) -> tuple[LineWriter, Any]:
        """
        A writer to a path, and its reactor.
        """
        descriptor = os.open(path, os.O_WRONLY | flags)
        self.addCleanup(os.close, descriptor)
        reactor: Any = RecordingReactor()
        return LineWriter(descriptor, reactor, self.fail), reactor

    def test_regularFile(self) -> None:
        """
        A line is written to a file at once, however large it is. A file is
        never watched, because epoll refuses files.
        """
        path = self.mktemp()
        writer, reactor = self.writing(path, os.O_CREAT | os.O_APPEND)
        line = b"x" * LARGE + b"\n"
        self.assertIsNone(writer.write(line))
        self.assertIsNone(writer.write(b"two\n"))
        with open(path, "rb") as written:
            self.assertEqual(written.read(), line + b"two\n")
        self.assertEqual((reactor.readers, reactor.writers), ([], []))
        writer.close()

    def test_fullDisk(self) -> None:
        """
        If the disk is full, C{onClosed} is called with that reason, and later
        lines are dropped, so that no line is missing between others.
        """
        closed: list[str] = []
        descriptor = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        reactor: Any = RecordingReactor()
        writer = LineWriter(descriptor, reactor, closed.append)
        self.assertIsNone(writer.write(b"one\n"))
        self.assertIsNone(writer.write(b"two\n"))
        self.assertEqual(closed, ["No space left on device"])

    def test_namedPipe(self) -> None:
        """
        A named pipe that was opened without blocking works like a pipe.
        """
        path = self.mktemp()
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        writer, reactor = self.writing(path, os.O_NONBLOCK)
        self.assertEqual(reactor.readers, [writer])
        lines = [b"%06d\n" % n for n in range(20_000)]
        results = [writer.write(line) for line in lines]
        waited = [result for result in results if result is not None]
        self.assertTrue(0 < len(waited) < len(lines))
        data = os.read(reader, 1 << 20)
        while reactor.writers:
            writer.doWrite()
            data += os.read(reader, 1 << 20)
        self.assertEqual(data, b"".join(lines))
        self.successResultOf(gatherResults(waited))


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
        self.writer = LineWriter(self.writeEnd, self.reactor, lambda _: self.gone.callback(None))
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

            results = [self.writer.write(line) for line in lines]
            reading = deferToThread(read)
            waited = [result for result in results if result is not None]
            self.assertNotEqual(waited, [])
            await gatherResults(waited)
            self.assertEqual(await reading, b"".join(lines))
            os.close(self.readEnd)
            await self.gone

        return Deferred.fromCoroutine(run())

    def test_readerGone(self) -> Deferred[None]:
        """
        If the reader goes away while nothing is written, C{onClosed} is called
        once.
        """
        os.close(self.readEnd)
        return self.gone.addCallback(lambda _: self.assertIsNone(self.writer.write(b"one\n")))

    def test_readerGoneWhileWaiting(self) -> Deferred[None]:
        """
        If the reader goes away while lines wait, C{onClosed} is called once,
        and the Deferreds of the lines fire.
        """
        written = self.writer.write(b"x" * LARGE)
        assert written is not None
        os.close(self.readEnd)
        return gatherResults([written, self.gone]).addCallback(lambda _: None)
