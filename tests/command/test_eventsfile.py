# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.eventsfile}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.command.eventsfile import isAnother, isDeleted, isTorn, openEvents
from twisted_ovsdb.command.linewriter import Position


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

    def position(self) -> Position:
        """
        The end of the file.
        """
        found = os.fstat(self.descriptor)
        return Position(found.st_dev, found.st_ino, found.st_size)

    def test_torn(self) -> None:
        """
        A file that does not end with a newline is torn; an empty one is not, nor
        is one that may not be read, nor a pipe.
        """
        self.assertFalse(isTorn(self.descriptor))
        os.write(self.descriptor, b"one\ntwo")
        self.assertTrue(isTorn(self.descriptor))
        unreadable = os.open(self.path, os.O_WRONLY)
        self.addCleanup(os.close, unreadable)
        self.assertFalse(isTorn(unreadable))
        os.write(self.descriptor, b"\n")
        self.assertFalse(isTorn(self.descriptor))
        for end in os.pipe():
            self.addCleanup(os.close, end)
            self.assertFalse(isTorn(end))

    def test_another(self) -> None:
        """
        A file that was moved, deleted or emptied is noticed; anything else
        stays.
        """
        os.write(self.descriptor, b"one\n")
        here = self.position()
        self.assertFalse(isAnother(self.path, here))
        self.assertFalse(isAnother(self.path, None))
        self.assertFalse(isAnother("-", here))
        os.truncate(self.path, 0)
        self.assertTrue(isAnother(self.path, here))
        os.write(self.descriptor, b"one\n")
        os.rename(self.path, self.path + ".1")
        self.assertTrue(isAnother(self.path, here))
        with open(self.path, "w") as file:
            file.write("one\ntwo\n")
        self.assertTrue(isAnother(self.path, here))

    def test_deleted(self) -> None:
        """
        A file that was moved can still be read; one that was deleted cannot.
        """
        os.rename(self.path, self.path + ".1")
        self.assertFalse(isDeleted(self.descriptor))
        os.unlink(self.path + ".1")
        self.assertTrue(isDeleted(self.descriptor))
