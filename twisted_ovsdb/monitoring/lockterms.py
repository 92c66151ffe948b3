# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The name of a lock, which of several monitors this one is, and what follows from both:
when it asks for the lock of each switch.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from twisted.logger import Logger, LogLevel

from twisted_ovsdb.connection.sparing import Sparing
from twisted_ovsdb.errors import printable
from twisted_ovsdb.parameters import checkTexts

SPREAD: Final = 2.0
"""
Seconds within which the monitors of a switch ask for its lock. Each has another moment
at each switch, so that they share many switches evenly. It is much longer than a snapshot
takes, and short for a switch for which nobody speaks meanwhile.
"""

LINES: Final = 60
"""Lines about locks in each minute: a thousand switches may change hands at once."""

NAME_LENGTH: Final = 100
"""Characters of the name of an instance, which is in each message of a broker."""

_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def checkLock(lock: str | None, instance: str | None) -> None:
    """
    @raise ValueError: if the name of the lock is no C{<id>} (RFC 7047, section 3.1), or
        that of the instance is empty, long or not printable, or is given without a lock.
    @raise TypeError: if one of them is no text.
    """
    if lock is not None:
        checkTexts(lock=lock)
        if not _ID.fullmatch(lock):
            raise ValueError(
                "lock must have letters, digits and underscores only, not with a digit first,"
                f" not {lock!r:.200}"
            )
    if instance is not None:
        checkTexts(instance=instance)
        if not (0 < len(instance) <= NAME_LENGTH and instance.isprintable()):
            raise ValueError(
                f"instance must have 1 to {NAME_LENGTH} printable characters, not {instance!r:.200}"
            )
        if lock is None:
            raise ValueError("instance needs lock: it names this monitor among those that share it")


def instanceName() -> str:
    """The default name of a monitor: the host's name and the number of this process."""
    return f"{socket.gethostname()[: NAME_LENGTH - 10]}-{os.getpid()}"


class LockTerms:
    """
    What the monitors of one factory or listener know of their lock.

    @ivar name: of the lock.
    @ivar ready: says whether this monitor could speak for a switch. While it could not, it does
        not ask for the switch's lock, and gives it back if it is granted.
    @ivar relieved: whether other monitors steal the lock from one that hangs.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        instance: str | None = None,
        now: Callable[[], float] = time.monotonic,
        ready: Callable[[str], bool] = lambda switch: True,
        relieved: bool = False,
    ) -> None:
        """
        @param instance: the name of this monitor among those that share the lock; None:
            the host's name and the number of the process.
        @param now: the time in seconds that never jump.
        @raise ValueError: as L{checkLock}.
        """
        checkLock(name, instance)
        self.name = name
        self.ready = ready
        self.relieved = relieved
        self._instance = instance
        self._lines = Sparing("... and {count} more such lines about locks", LINES, now=now)
        self._warned = False

    @property
    def instance(self) -> str:
        """The name of this monitor among those that share the lock."""
        # Not before: a daemon gets another number when it goes into the background.
        if self._instance is None:
            self._instance = instanceName()
        return self._instance

    def delay(self, switch: str) -> float:
        """Seconds from the snapshot of a switch until its lock is asked for."""
        text = "\0".join((self.name, switch, self.instance))
        digest = sha256(text.encode("utf-8", "surrogatepass")).digest()
        return SPREAD * int.from_bytes(digest[:6], "big") / 2**48

    # What the log says

    def say(self, text: str, switch: str, **values: object) -> None:
        """Say a line about the lock of a switch."""
        self._lines.say(
            self._log, LogLevel.info, text, switch=printable(switch), lock=self.name, **values
        )

    def warn(self, text: str, switch: str, **values: object) -> None:
        """The same as a warning."""
        self._lines.say(
            self._log, LogLevel.warn, text, switch=printable(switch), lock=self.name, **values
        )

    def warnOfUnix(self, source: str) -> None:
        """Say once what a lock cannot do on a unix socket, if nothing else does it."""
        if not self._warned and not self.relieved:
            self._warned = True
            self._log.warn(
                "{source}: is a unix socket, on which ovsdb-server asks nobody for a sign of"
                " life: a monitor that hangs keeps lock {lock}, and nobody takes over",
                source=printable(source),
                lock=self.name,
            )
