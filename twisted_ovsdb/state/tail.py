# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lines of an events file behind the last commit: they were told too, by a process
that was killed before its next commit. While no process ran, the file may have been
rotated, cut or replaced.
"""

from __future__ import annotations

import contextlib
import enum
import glob
import os
from collections.abc import Iterator

from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.position import Position


class Where(enum.Enum):
    """
    What has become of the file that was written to last.

    @cvar HERE: it is still at its path.
    @cvar MOVED: it was moved, and its path has a new file.
    @cvar CUT: it is at its path, and has less in it than it had.
    @cvar LOST: it is not found.
    """

    HERE = enum.auto()
    MOVED = enum.auto()
    CUT = enum.auto()
    LOST = enum.auto()


def readTail(path: str, descriptor: int, last: Position, batch: Batch) -> Where:
    """
    Find the lines behind the last commit, and add them up.

    @param path: the path of the events file.
    @param descriptor: of the file that is at this path now.
    @param last: how far the last commit had come.
    @param batch: gets what the lines say.
    """
    if last.names(descriptor):
        if last.isIn(descriptor):
            _add(batch, descriptor, last.offset)
            return Where.HERE
        if os.fstat(descriptor).st_size < last.offset:
            # What it has now was written after that.
            _add(batch, descriptor, 0)
            return Where.CUT
    for sibling in _siblings(path, descriptor):
        if last.names(sibling) and last.isIn(sibling):
            _add(batch, sibling, last.offset)
            _add(batch, descriptor, 0)
            return Where.MOVED
    # A copy, as from a backup, has another inode.
    if last.offset and last.isIn(descriptor):
        _add(batch, descriptor, last.offset)
        return Where.HERE
    return Where.LOST


def _siblings(path: str, descriptor: int) -> Iterator[int]:
    """
    Open the files whose names begin with this path, one after another. If it is a
    link, the file that it leads to is the one that is moved.
    """
    ours = os.fstat(descriptor)
    begins = dict.fromkeys((path, os.path.realpath(path)))
    for name in (n for each in begins for n in sorted(glob.glob(f"{glob.escape(each)}*"))):
        with contextlib.suppress(OSError):
            found = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not os.path.samestat(ours, os.fstat(found)):
                    yield found
            finally:
                os.close(found)


def _add(batch: Batch, descriptor: int, offset: int) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        batch.noteLines(file)
