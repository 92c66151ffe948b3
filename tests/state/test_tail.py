# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.state.tail} and L{twisted_ovsdb.state.position}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid, vm
from tests.state.test_batch import line, started
from twisted_ovsdb.events import Cause, InterfaceOnline
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.tail import Where, readTail


def online(number: int) -> bytes:
    """
    The line of an interface that comes online.
    """
    return line(InterfaceOnline(vm(number), Cause.UPDATE, "tcp:a"))


class TailTests(SynchronousTestCase):
    """
    Tests for L{readTail}. One line is committed, another one is not.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_bytes(online(1))
        self.last = self.position()
        self.write(online(2))

    def write(self, content: bytes) -> None:
        """
        Append to the file.
        """
        with self.path.open("ab") as file:
            file.write(content)

    def position(self) -> Position:
        """
        The end of the file.
        """
        with self.path.open("rb") as file:
            found = os.fstat(file.fileno())
            place = Position(found.st_dev, found.st_ino, found.st_size)
            return place.marked(file.fileno())

    def read(self) -> tuple[Where, list[str]]:
        """
        Where the file is, and the interfaces of the lines that were found.
        """
        batch = Batch()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT)
        try:
            where = readTail(str(self.path), descriptor, self.last, batch)
        finally:
            os.close(descriptor)
        return where, [u for s in batch.switches.values() for u in s.rows]

    def test_here(self) -> None:
        """
        The lines behind the last commit are read, also the last one without its
        newline if it is whole.
        """
        self.write(online(3)[:-1])
        self.assertEqual(self.read(), (Where.HERE, [uuid(2), uuid(3)]))
        self.write(b'\n{"event":"onl')
        self.assertEqual(self.read(), (Where.HERE, [uuid(2), uuid(3)]))

    def test_moved(self) -> None:
        """
        If the file was rotated, its last lines are found, and those that another
        run has written to the new file.
        """
        for name in (".1", "-20261122"):
            moved = self.path.with_name(self.path.name + name)
            self.path.rename(moved)
            self.assertEqual(self.read(), (Where.MOVED, [uuid(2)]))
            self.write(started(True) + online(4))
            self.assertEqual(self.read(), (Where.MOVED, [uuid(2), uuid(4)]))
            self.path.unlink()
            moved.rename(self.path)

    def test_movedBehindLink(self) -> None:
        """
        If the path is a link, the file that it leads to is rotated.
        """
        link = Path(self.mktemp())
        link.symlink_to(self.path.absolute())
        self.path.rename(f"{self.path}.1")
        self.path = link
        self.assertEqual(self.read(), (Where.MOVED, [uuid(2)]))

    def test_F95_cut(self) -> None:
        """
        Of a file that was cut, what it has now is new.
        """
        os.truncate(self.path, 0)
        self.assertEqual(self.read(), (Where.CUT, []))
        self.write(b"\n")
        self.assertEqual(self.read(), (Where.CUT, []))

    def test_F95_replaced(self) -> None:
        """
        Another file in its place says nothing, also if it got the same inode and is
        as long. A file that is gone is lost.
        """
        content = self.path.read_bytes()
        self.path.write_bytes(content.replace(b"tap1", b"tap7"))  # the same inode
        self.assertEqual(self.read(), (Where.LOST, []))
        other = self.path.with_name("other")
        other.write_bytes(b"x" * 5000)
        other.replace(self.path)
        self.assertEqual(self.read(), (Where.LOST, []))

    def test_copied(self) -> None:
        """
        A copy, as from a backup, is known by its content.
        """
        content = self.path.read_bytes()
        other = self.path.with_name("other")
        other.write_bytes(content)
        other.replace(self.path)
        self.assertEqual(self.read(), (Where.HERE, [uuid(2)]))

    def test_siblings(self) -> None:
        """
        What is no file beside it does no harm, and neither do brackets in its name.
        """
        os.mkfifo(f"{self.path}.pipe")
        os.mkdir(f"{self.path}.folder")
        os.symlink("nowhere", f"{self.path}.link")
        bracketed = self.path.with_name("[a]" + self.path.name)
        self.path.rename(bracketed)
        self.path = bracketed
        moved = Path(f"{bracketed}.1")
        bracketed.rename(moved)
        self.assertEqual(self.read(), (Where.MOVED, [uuid(2)]))

    def test_empty(self) -> None:
        """
        A file whose first line was never written is at its beginning.
        """
        os.truncate(self.path, 0)
        self.last = self.position()
        self.write(online(5))
        self.assertEqual(self.read(), (Where.HERE, [uuid(5)]))
