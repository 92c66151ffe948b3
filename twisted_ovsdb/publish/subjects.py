# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The subjects of messages, and how the key of a switch is written in one. A part of a
subject cannot have dots, spaces and wildcards, and must not be empty.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

EVENTS_PREFIX: Final = "ovsdb.event"

NOW_PREFIX: Final = "ovsdb.now"

ALIVE_PREFIX: Final = "ovsdb.alive"

LONGEST: Final = 500
"""
Characters of a part. A broker's line has 4096, and a switch chooses its own key: of a
longer one the end is a checksum.
"""

_SAFE: Final = re.compile(r"[A-Za-z0-9_:-]+")

_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_:-]")


def part(text: str) -> str:
    """
    A text as one part of a subject: letters, digits and C{_:-} stay, each other byte
    of its UTF-8 is C{%} with two hexadecimal digits, as in a URL. An empty text is a
    single C{%}.
    """
    if len(text) <= LONGEST and _SAFE.fullmatch(text):
        return text  # Almost always.
    raw = text.encode("utf-8", "surrogatepass")
    escaped = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], raw).decode("ascii") or "%"
    if len(escaped) <= LONGEST:
        return escaped
    return f"{escaped[: LONGEST - 66]}%%{sha256(raw).hexdigest()}"


def eventSubject(switch: str) -> str:
    """The subject of a switch's events."""
    return f"{EVENTS_PREFIX}.{part(switch)}"


def checkpointSubject(switch: str) -> str:
    """The subject that says up to which event what is now of a switch is complete."""
    return f"{NOW_PREFIX}.{part(switch)}"


def objectSubject(switch: str, uuid: str) -> str:
    """The subject of an interface's latest object."""
    return f"{NOW_PREFIX}.{part(switch)}.{part(uuid)}"


def objectsPattern(switch: str) -> str:
    """Matches the subjects of all interfaces of a switch, and not its checkpoint."""
    return f"{NOW_PREFIX}.{part(switch)}.*"


def switchIn(subject: str) -> str:
    """The switch in a subject or a pattern, as it is written there; empty if there is none."""
    return subject.split(".")[2] if subject else ""
