# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The files to which C{--events} writes: how each kind of file is opened, and whether
the file at a path is still the one that is open.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import Final

STANDARD_OUTPUT: Final = "-"

MODE: Final = 0o640
"""Of a new file: it is for its owner and group only, because options may be secrets."""

_HOW: Final = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_NAMED: Final = {STANDARD_OUTPUT: 1, "/dev/stdout": 1, "/dev/stderr": 2}

_NUMBERED: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


def inherited(path: str) -> int | None:
    """
    @return: the number of the descriptor that this path means, which the process
        got from its parent; None for any other path.
    """
    numbered = _NUMBERED.fullmatch(path)
    return int(numbered.group(1)) if numbered else _NAMED.get(path)


def openEvents(path: str, how: int = os.O_WRONLY) -> int:
    """
    Open a file to append to it.

    The reader of a named pipe may open it later, and may go and come again; lines
    wait for it. But of a pipe that was inherited, as with C{>(command)} of a shell,
    the reader never comes again, and it is noticed when it goes.

    @param path: a path, or C{-} for standard output.
    @param how: C{os.O_RDWR} if a regular file is to be read too.
    @return: a descriptor; the caller closes it.
    @raise OSError: if it cannot be opened.
    """
    number = inherited(path)
    if number is not None:
        return _openInherited(number)
    if _isPipe(path):
        # Not to be created: in /tmp, Linux may then refuse the pipe of another user.
        return os.open(path, _HOW | os.O_RDWR)
    return os.open(path, _HOW | how | os.O_APPEND | os.O_CREAT, MODE)


def _openInherited(number: int) -> int:
    if stat.S_ISFIFO(os.fstat(number).st_mode) or os.isatty(number):
        # Opened once more, it does not block here, and still blocks for those who
        # share it. It may be refused, as for the terminal of another user.
        with contextlib.suppress(OSError):
            return os.open(_link(number), _HOW | os.O_WRONLY)
    return os.dup(number)


def _link(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def isRegular(path: str) -> bool:
    """Whether the file at this path is a regular one, or will be when it is made."""
    if inherited(path) is not None:
        return False
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True


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
        reading = os.open(_link(descriptor), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.pread(reading, 1, found.st_size - 1) != b"\n"
    finally:
        os.close(reading)


def isAnother(path: str, descriptor: int) -> bool:
    """
    Whether the file at this path is no longer the one that is open. A regular
    file may be missing, and is then made again; a pipe is made by its reader.
    """
    if inherited(path) is not None:
        return False
    ours = os.fstat(descriptor)
    try:
        return not os.path.samestat(ours, os.stat(path))
    except OSError:
        return stat.S_ISREG(ours.st_mode)


def isDeleted(descriptor: int) -> bool:
    """Whether no path leads to this file: nobody can read what is written to it."""
    return os.fstat(descriptor).st_nlink == 0
