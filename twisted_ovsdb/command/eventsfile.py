# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The files to which C{--events} writes: how each kind of file is opened, and whether
the file at a path is still the one that is open.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Final

from twisted_ovsdb.command.linewriter import Position

STANDARD_OUTPUT: Final = "-"

MODE: Final = 0o640
"""Of a new file: it is for its owner and group only, because options may be secrets."""

_INHERITED: Final = ("/dev/fd/", "/proc/self/fd/", "/dev/stdout", "/dev/stderr")
"""Beginnings of paths that lead to descriptors that this process got from its parent."""


def openEvents(path: str) -> int:
    """
    Open a file to append to it.

    The reader of a named pipe may open it later, and may go and come again; lines
    wait for it. But of a pipe that was inherited, as with C{>(command)} of a shell,
    the reader never comes again, and it is noticed when it goes.

    @param path: a path, or C{-} for standard output.
    @return: a descriptor; the caller closes it.
    @raise OSError: if it cannot be opened.
    """
    if path == STANDARD_OUTPUT:
        # At this time, sys.stdout writes to the log.
        assert sys.__stdout__ is not None
        return os.dup(sys.__stdout__.fileno())
    how = os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    if _isPipe(path):
        inherited = path.startswith(_INHERITED)
        return os.open(path, how | (os.O_WRONLY if inherited else os.O_RDWR), MODE)
    try:
        return os.open(path, how | os.O_RDWR, MODE)
    except PermissionError:
        return os.open(path, how | os.O_WRONLY, MODE)


def _isPipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def isTorn(descriptor: int) -> bool:
    """
    Whether a file ends in the middle of a line: a process was killed while it
    wrote. If the file may not be read, nothing is known of it.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return False
    try:
        return os.pread(descriptor, 1, found.st_size - 1) != b"\n"
    except OSError:
        return False


def isAnother(path: str, written: Position | None) -> bool:
    """
    Whether the file at this path is no longer the one that is open, or has lost
    what was written to it.

    @param written: up to where everything is written; None if it is no regular
        file, which is never another.
    """
    if written is None or path == STANDARD_OUTPUT:
        return False
    try:
        found = os.stat(path)
    except OSError:
        return True
    if (found.st_dev, found.st_ino) != (written.device, written.inode):
        return True
    return found.st_size < written.offset


def isDeleted(descriptor: int) -> bool:
    """Whether no path leads to this file: nobody can read what is written to it."""
    return os.fstat(descriptor).st_nlink == 0
