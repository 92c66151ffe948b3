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
    Notes what is watched.
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
    Tests for a L{LineWriter} on a pipe, with the reactor's part played by
    hand.
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
        The reader goes away.
        """
        if self.readEnd >= 0:
            os.close(self.readEnd)
            self.readEnd = -1

    def read(self) -> bytes:
        """
        Read out the pipe once.
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
        Write a line behind one that waits.
        """
        written = self.writer.write(line)
        assert written is not None
        self.assertNoResult(written)
        return written

    def test_interface(self) -> None:
        """
        The reactor can watch it.
        """
        verifyObject(IReadDescriptor, self.writer)
        verifyObject(IWriteDescriptor, self.writer)
        self.assertEqual(self.writer.fileno(), self.writeEnd)
        self.assertEqual(self.writer.logPrefix(), "LineWriter")

    def test_atOnce(self) -> None:
        """
        A line that the pipe takes is out when write returns.
        """
        self.assertIsNone(self.writer.write(b"one\n"))
        self.assertIsNone(self.writer.write(b"two\n"))
        self.assertEqual(self.read(), b"one\ntwo\n")
        self.assertEqual(self.reactor.writers, [])

    def test_blocking(self) -> None:
        """
        The descriptor stays blocking: others, such as a shell, share it.
        """
        self.assertTrue(os.get_blocking(self.writeEnd))
        self.fill()
        self.assertTrue(os.get_blocking(self.writeEnd))
        self.readAll()
        self.writer.close()
        self.assertTrue(os.get_blocking(self.writeEnd))

    def test_fullPipe(self) -> None:
        """
        A line that a full pipe does not take waits, and its Deferred fires
        when it has been read; it is whole, however large.
        """
        line, written = self.fill()
        self.assertNoResult(written)
        self.assertEqual(self.reactor.writers, [self.writer])
        self.assertEqual(self.readAll(), line)
        self.assertIsNone(self.successResultOf(written))
        self.assertEqual(self.reactor.writers, [])

    def test_order(self) -> None:
        """
        Lines keep their order and nothing is lost, also when small ones
        follow one that waits.
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
        Who writes when told that its line is out comes behind the others.
        """
        line, first = self.fill()
        first.addCallback(lambda _: self.writer.write(b"late\n"))
        self.wait(b"two\n")
        self.assertEqual(self.readAll(), line + b"two\nlate\n")
        self.successResultOf(first)

    def test_cancel(self) -> None:
        """
        Who cancels waits no longer; its line goes out at its place all the
        same, for half of it may be out already.
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
        A reader that goes away is told of at once, without a write, and once;
        later lines are dropped.
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
        A write may be the first to notice; it does not raise.
        """
        self.closeReader()
        self.assertIsNone(self.writer.write(b"one\n"))
        self.assertIsNone(self.writer.write(b"two\n"))
        self.assertEqual(self.closed, [READER_GONE])
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([], []))

    def test_readerGoneWhileWaiting(self) -> None:
        """
        Nobody waits for ever for a reader that is gone: what waits fires.
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
        After close nothing is written or watched, what waits fires, onClosed
        is not called, and the descriptor is still open.
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
    Tests for a L{LineWriter} on other descriptors than pipes of a shell.
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
        A file takes each line at once, however large, and is never watched:
        epoll refuses files.
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
        A full disk ends the writing with its own reason: a file in which
        lines are missing would be worse than none.
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
        A reader in a thread that reads in its own time gets every byte.
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
        A reader that goes away while nothing is written is noticed, once.
        """
        os.close(self.readEnd)
        return self.gone.addCallback(lambda _: self.assertIsNone(self.writer.write(b"one\n")))

    def test_readerGoneWhileWaiting(self) -> Deferred[None]:
        """
        A reader that goes away while lines wait is noticed, once, and what
        waits fires.
        """
        written = self.writer.write(b"x" * LARGE)
        assert written is not None
        os.close(self.readEnd)
        return gatherResults([written, self.gone]).addCallback(lambda _: None)
