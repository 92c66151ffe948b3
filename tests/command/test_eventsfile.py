# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.eventsfile}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.command.eventsfile import (
    inherited,
    isAnother,
    isDeleted,
    isTorn,
    openEvents,
)


class InheritedTests(SynchronousTestCase):
    """
    Tests for L{inherited}.
    """

    def test_inherited(self) -> None:
        """
        However standard output is written, it is the same descriptor. Other paths
        are no descriptors.
        """
        for path in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            self.assertEqual(inherited(path), 1, path)
        self.assertEqual(inherited("/dev/fd/63"), 63)
        self.assertEqual(inherited("/dev/stderr"), 2)
        for path in ("", "1", "/dev/fd/", "/dev/fd/1/x", "/dev/fd/x", "/dev/null", "/tmp/-"):
            self.assertIsNone(inherited(path), path)


class OpenTests(SynchronousTestCase):
    """
    Tests for L{openEvents}.
    """

    def open(self, path: str) -> int:
        """
        Open a path until the end of the test.
        """
        descriptor = openEvents(path)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def test_mode(self) -> None:
        """
        A new file cannot be read by others: options of interfaces may be
        secrets. A file that is there keeps its mode.
        """
        path = self.mktemp()
        self.open(path)
        self.assertEqual(os.stat(path).st_mode & 0o007, 0)
        os.chmod(path, 0o644)
        self.open(path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)

    def test_append(self) -> None:
        """
        What is in the file stays.
        """
        path = self.mktemp()
        for line in (b"one\n", b"two\n"):
            os.write(self.open(path), line)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"one\ntwo\n")

    def test_namedPipeWithoutReader(self) -> None:
        """
        A named pipe can be opened before its reader. The reader then gets the
        lines that were written before.
        """
        pipe = self.mktemp()
        os.mkfifo(pipe)
        writing = self.open(pipe)
        os.write(writing, b"line\n")
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        self.assertEqual(os.read(reading, 100), b"line\n")

    def test_inheritedPipe(self) -> None:
        """
        A pipe that was inherited is not kept open for reading: its reader is
        noticed when it goes. The descriptor that others share stays blocking.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        descriptor = self.open(f"/dev/fd/{writing}")
        self.assertTrue(os.get_blocking(writing))
        self.assertFalse(os.get_blocking(descriptor))
        os.close(reading)
        self.assertRaises(BrokenPipeError, os.write, descriptor, b"line\n")

    def test_inheritedReaderGone(self) -> None:
        """
        A reader that has gone before its pipe is opened, as that of C{>(true)}, is
        noticed at the first line, and is no fault of the path.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.close(reading)
        descriptor = self.open(f"/dev/fd/{writing}")
        self.assertRaises(BrokenPipeError, os.write, descriptor, b"line\n")

    def test_terminal(self) -> None:
        """
        A terminal does not block, also when it shows nothing more, as after
        Ctrl-S; and it still blocks for the shell that shares it.
        """
        screen, terminal = os.openpty()
        self.addCleanup(os.close, screen)
        self.addCleanup(os.close, terminal)
        descriptor = self.open(f"/dev/fd/{terminal}")
        self.assertTrue(os.get_blocking(terminal))
        with self.assertRaises(BlockingIOError):
            for _ in range(1000):
                os.write(descriptor, b"x" * 999 + b"\n")

    def test_terminalOfAnother(self) -> None:
        """
        A terminal that may not be opened once more, as after C{su}, is written to
        all the same.
        """
        screen, terminal = os.openpty()
        self.addCleanup(os.close, screen)
        self.addCleanup(os.close, terminal)

        def refuse(path: str, how: int) -> int:
            raise PermissionError

        self.patch(os, "open", refuse)
        os.write(self.open(f"/dev/fd/{terminal}"), b"line")
        self.assertEqual(os.read(screen, 100), b"line")

    def test_inheritedFile(self) -> None:
        """
        A file that was inherited is written to where the shell has opened it.
        """
        path = self.mktemp()
        with open(path, "wb", buffering=0) as file:
            file.write(b"of the shell\n")
            os.write(self.open(f"/dev/fd/{file.fileno()}"), b"ours\n")
            file.write(b"again\n")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"of the shell\nours\nagain\n")

    def test_pipeOfAnotherUser(self) -> None:
        """
        A named pipe is not opened as if it had to be made: in a folder as /tmp,
        Linux then refuses the pipe of another user.
        """
        pipe = self.mktemp()
        os.mkfifo(pipe)
        opened: list[int] = []
        really = os.open

        def recorded(path: str, how: int, *mode: Any) -> int:
            opened.append(how)
            return really(path, how, *mode)

        self.patch(os, "open", recorded)
        self.open(pipe)
        self.assertEqual([how & os.O_CREAT for how in opened], [0])

    def test_noFile(self) -> None:
        """
        What cannot be opened is an OSError.
        """
        self.assertRaises(OSError, openEvents, "/nonexistent/file")


class LookTests(SynchronousTestCase):
    """
    Tests for what is found of a file that is open.
    """

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.descriptor = openEvents(self.path)
        self.addCleanup(os.close, self.descriptor)

    def test_torn(self) -> None:
        """
        A file that does not end with a newline is torn; an empty one is not, nor
        is a pipe.
        """
        self.assertFalse(isTorn(self.descriptor))
        os.write(self.descriptor, b"one\ntwo")
        self.assertTrue(isTorn(self.descriptor))
        os.write(self.descriptor, b"\n")
        self.assertFalse(isTorn(self.descriptor))
        for end in os.pipe():
            self.addCleanup(os.close, end)
            self.assertFalse(isTorn(end))

    def test_tornOfShell(self) -> None:
        """
        The same for a file that the shell has opened with C{>>}, and which cannot
        be read through its descriptor.
        """
        os.write(self.descriptor, b"one\ntwo")
        shell = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.addCleanup(os.close, shell)
        self.assertTrue(isTorn(self.open(shell)))

    def open(self, shell: int) -> int:
        """
        Open a descriptor of the shell until the end of the test.
        """
        descriptor = openEvents(f"/dev/fd/{shell}")
        self.addCleanup(os.close, descriptor)
        return descriptor

    def test_unreadable(self) -> None:
        """
        Of a file that may not be read, nothing is known.
        """
        os.write(self.descriptor, b"one\ntwo")

        def refuse(path: str, how: int) -> int:
            raise PermissionError

        self.patch(os, "open", refuse)
        self.assertFalse(isTorn(self.descriptor))

    def test_another(self) -> None:
        """
        A file that was moved or deleted is noticed, and that there is another one
        at its path.
        """
        self.assertFalse(isAnother(self.path, self.descriptor))
        os.rename(self.path, self.path + ".1")
        self.assertTrue(isAnother(self.path, self.descriptor))
        with open(self.path, "wb"):
            self.assertTrue(isAnother(self.path, self.descriptor))
        os.rename(self.path + ".1", self.path)
        self.assertFalse(isAnother(self.path, self.descriptor))

    def test_anotherPipe(self) -> None:
        """
        A pipe that was made anew is noticed. One that is missing is not made
        again, as a file would be.
        """
        pipe = self.mktemp()
        os.mkfifo(pipe)
        descriptor = openEvents(pipe)
        self.addCleanup(os.close, descriptor)
        self.assertFalse(isAnother(pipe, descriptor))
        os.rename(pipe, pipe + ".1")
        self.assertFalse(isAnother(pipe, descriptor))
        os.mkfifo(pipe)
        self.assertTrue(isAnother(pipe, descriptor))

    def test_inherited(self) -> None:
        """
        What was inherited has no path at which there could be another.
        """
        for path in ("-", "/dev/fd/1"):
            self.assertFalse(isAnother(path, self.descriptor))

    def test_deleted(self) -> None:
        """
        A file that was moved can still be read; one that was deleted cannot.
        """
        os.rename(self.path, self.path + ".1")
        self.assertFalse(isDeleted(self.descriptor))
        os.unlink(self.path + ".1")
        self.assertTrue(isDeleted(self.descriptor))
