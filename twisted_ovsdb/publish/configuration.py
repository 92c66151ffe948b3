# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How the two streams have to be configured, and which servers are new enough. Another
configuration would break what is promised, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from twisted_ovsdb.publish.messages import MOST_BYTES
from twisted_ovsdb.publish.streams import Stream
from twisted_ovsdb.publish.subjects import EVENTS_PREFIX, NOW_PREFIX

EVENTS_KEPT: Final = 10_000
"""Messages of events of each switch, if we make the stream: hours of a busy switch."""

LEAST_KEPT: Final = 100
"""Fewer are refused: a speaker is busy when half of them are not in what is now."""

OLDEST: Final = (2, 9, 0)

OLDEST_REPLICATED: Final = (2, 9, 21)
"""Before this, a cluster may accept two messages with one fence."""

SUBJECTS: Final[Mapping[Stream, list[str]]] = {
    Stream.EVENTS: [f"{EVENTS_PREFIX}.>"],
    Stream.NOW: [f"{NOW_PREFIX}.>"],
}

# What each stream must have, with the value that a server leaves out.
_COMMON: Final[Mapping[str, tuple[Any, Any]]] = {
    "retention": ("limits", "limits"),
    "discard": ("new", "old"),
    "discard_new_per_subject": (False, False),
    "max_age": (0, 0),
    "no_ack": (False, False),
    "sealed": (False, False),
    "deny_purge": (False, False),
    "mirror": (None, None),
    "sources": (None, None),
}


def configurationOf(stream: Stream) -> dict[str, Any]:
    """What is asked of the server to make a stream."""
    return {
        "name": stream.value,
        "subjects": SUBJECTS[stream],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "num_replicas": 1,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_consumers": -1,
        "max_msgs_per_subject": EVENTS_KEPT if stream is Stream.EVENTS else 1,
        "duplicate_window": 120 * 10**9,
    }


def problemOf(stream: Stream, found: Mapping[str, Any]) -> str | None:
    """
    What is wrong with a stream that exists; None if nothing is. Its limits of bytes and
    messages, its storage and its replicas are left to whoever made it.

    @param found: its configuration.
    """
    if found.get("subjects") != SUBJECTS[stream]:
        return _wrong(stream, "subjects", found.get("subjects"), SUBJECTS[stream])
    for name, (wanted, absent) in _COMMON.items():
        value = found.get(name, absent) or absent
        if value != wanted:
            return _wrong(stream, name, value, wanted)
    largest = found.get("max_msg_size", -1)
    if 0 <= largest < MOST_BYTES * 2:
        return _wrong(stream, "max_msg_size", largest, f"none, or {MOST_BYTES * 2}")
    kept = found.get("max_msgs_per_subject", -1)
    if stream is Stream.NOW and kept != 1:
        return _wrong(stream, "max_msgs_per_subject", kept, 1)
    if stream is Stream.EVENTS and kept < LEAST_KEPT:
        return _wrong(stream, "max_msgs_per_subject", kept, f"{LEAST_KEPT} or more")
    return None


def _wrong(stream: Stream, name: str, value: object, wanted: object) -> str:
    return f"stream {stream.value} has {name} {value}, and needs {wanted}"


def versionProblem(version: str, replicas: int = 1) -> str | None:
    """
    What is wrong with the version of a server; None if nothing is.

    @param replicas: the most that a stream has.
    """
    found = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if found < OLDEST:
        return f"nats-server {version} is too old: 2.9 or newer is needed"
    if replicas > 1 and found < OLDEST_REPLICATED:
        return f"nats-server {version} is too old for streams with replicas: 2.9.21 is needed"
    return None
