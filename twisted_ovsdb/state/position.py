# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A place in the file to which events are written: how far it has come with the rows
of one commit.
"""

from __future__ import annotations

import os
import zlib
from typing import Final

import attrs

MARKED: Final = 256
"""Bytes before a place by which it is known again: the end of a line, with its time."""


@attrs.frozen
class Position:
    """
    A place in a regular file, at the end of a line.

    @ivar device: st_dev of the file.
    @ivar inode: st_ino of the file. A new file may get the inode of one that was
        removed.
    @ivar offset: the bytes before this place.
    @ivar mark: a checksum of the last bytes before this place, 0 if it was not
        computed.
    """

    device: int
    inode: int
    offset: int
    mark: int = 0

    def marked(self, descriptor: int) -> Position:
        """
        The same with its mark.

        @param descriptor: of this file, to read from it.
        """
        return attrs.evolve(self, mark=markOf(descriptor, self.offset))

    def isIn(self, descriptor: int) -> bool:
        """Whether this place is in the file that is open, whatever its inode is."""
        size = os.fstat(descriptor).st_size
        return self.offset <= size and self.mark == markOf(descriptor, self.offset)

    def names(self, descriptor: int) -> bool:
        """Whether the file that is open has this inode."""
        found = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (self.device, self.inode)


def markOf(descriptor: int, offset: int) -> int:
    """A checksum of the bytes before this offset."""
    start = max(0, offset - MARKED)
    return zlib.crc32(os.pread(descriptor, offset - start, start))
