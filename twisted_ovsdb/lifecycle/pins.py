# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which certificate each switch has. Any switch with a certificate of our authority
can claim any system-id; with pins, only one that was free.
"""

from __future__ import annotations

from typing import Final

from twisted_ovsdb.endpoints.subject import peerSubject
from twisted_ovsdb.errors import SwitchRefused
from twisted_ovsdb.lifecycle.link import Link

PINS_PER_PLACE: Final = 10
"""
Pins that are kept for each switch that may be known. A pin outlives what is known
of the switch, so that nobody takes a name over by waiting until it is forgotten.
"""

_SHOWN: Final = 60
"""Characters of a subject in an error: it begins with what is most specific."""


class Pins:
    """
    The subject of the certificate that first brought each switch. They are kept
    until the process ends.

    If there are too many, the oldest pin goes of the subject that has most: whoever
    makes up names loses their own.
    """

    def __init__(self, maximum: int) -> None:
        """@param maximum: how many pins are kept."""
        self._maximum = maximum
        self._subjects: dict[str, str] = {}  # by switch
        self._switches: dict[str, dict[str, None]] = {}  # by subject, the oldest first

    def __len__(self) -> int:
        return len(self._subjects)

    def check(self, link: Link) -> None:
        """@raise SwitchRefused: if this switch is pinned to another subject."""
        subject, switch = peerSubject(link.protocol.transport), link.switch
        if subject is None:
            raise SwitchRefused(
                f"switch {switch} has no certificate with a subject (--pin)", switch
            )
        pinned = self._subjects.get(switch, subject)
        if pinned != subject:
            raise SwitchRefused(
                f"switch {switch} is pinned to {_short(pinned)}; this is {_short(subject)} (--pin)",
                switch,
            )

    def bind(self, link: Link) -> None:
        """Pin the switch of a connection that was checked, unless it is pinned."""
        subject, switch = peerSubject(link.protocol.transport), link.switch
        if subject is None or switch in self._subjects:
            return
        if len(self._subjects) >= self._maximum:
            most = max(self._switches.values(), key=len)
            self._remove(next(iter(most)))
        self._subjects[switch] = subject
        self._switches.setdefault(subject, {})[switch] = None

    def _remove(self, switch: str) -> None:
        subject = self._subjects.pop(switch)
        switches = self._switches[subject]
        del switches[switch]
        if not switches:
            del self._switches[subject]


def _short(subject: str) -> str:
    return subject if len(subject) <= _SHOWN else f"{subject[: _SHOWN - 3]}..."
