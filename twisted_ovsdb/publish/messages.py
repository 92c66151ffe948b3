# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What messages hold. A message of events has up to L{MOST_LINES} lines of JSON Lines of
one switch; what is now is one such object for each interface, and a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from twisted_ovsdb._version import __version__
from twisted_ovsdb.events import Cause, Event, InterfaceEvent, InterfaceOffline, SwitchForgotten
from twisted_ovsdb.observers.jsonlines import EventLines, lineOf, timesOf

MOST_LINES: Final = 100
"""Lines of a message: one more costs little, and what waits goes out in few messages."""

MOST_BYTES: Final = 256 * 1024
"""
Bytes of a message with more than one line: a quarter of what a broker takes by
default, and short enough for a slow link.
"""


@attrs.frozen
class Line:
    """
    An event as it is published.

    @ivar text: the object, in ASCII, without the end of the line.
    @ivar uuid: of the interface whose latest object this is; None if it is none.
    @ivar online: whether the interface is online after it.
    @ivar forgets: whether the switch is forgotten.
    """

    text: bytes
    uuid: str | None = None
    online: bool = True
    forgets: bool = False


class Lines:
    """Makes the lines of events, for one instance."""

    def __init__(self, instance: str, run: str) -> None:
        """
        @param instance: names this monitor among those that share switches.
        @param run: names this process.
        """
        self._end = b',"instance":' + json.dumps(instance).encode("ascii") + b"}"
        self._run = run
        self._lines = EventLines()

    def of(self, event: Event, now: datetime) -> Line:
        """@param now: the time in UTC."""
        text = self._ended(self._lines.lineOf(event, now))
        # What is replayed is so already.
        if isinstance(event, InterfaceEvent) and event.cause is not Cause.REPLAY:
            online = not isinstance(event, InterfaceOffline)
            return Line(text, event.interface.uuid, online)
        return Line(text, forgets=isinstance(event, SwitchForgotten))

    def started(self, switch: str, resumed: bool, now: datetime) -> Line:
        """
        The first line of a takeover.

        @param resumed: whether events go on from what was told before. If not, all
            that was told of this switch is void.
        """
        value: dict[str, Any] = {"event": "started", "version": __version__, "run": self._run}
        value |= {"resumed": resumed, "switch": switch, **timesOf(now)}
        return Line(self._ended(lineOf(value)))

    def _ended(self, line: bytes) -> bytes:
        return line[:-2] + self._end


def payloadOf(lines: Sequence[Line]) -> bytes:
    """The payload of a message of events."""
    return b"\n".join(line.text for line in lines)


def objectOf(line: bytes, sequence: int) -> bytes:
    """
    The payload of an interface's latest object.

    @param sequence: of the message with its event.
    """
    return b'%s,"sequence":%d}' % (line[:-1], sequence)


def lineIn(payload: bytes) -> bytes:
    """The event's object in what L{objectOf} made."""
    line, mark, _ = payload.rpartition(b',"sequence":')
    return line + b"}" if mark else payload


LARGEST: Final = 2**64
"""Numbers of messages are smaller."""


@attrs.frozen
class Checkpoint:
    """
    Up to which event what is now of a switch is complete, and who speaks.

    @ivar sequence: of the message of events.
    @ivar id: the id of this message. If the broker has another one at this place,
        what is now belongs to a stream that no longer exists.
    @ivar switch: the key of the switch.
    @ivar instance: the instance that speaks.
    @ivar since: objects of events before this one are void.
    @ivar forgotten: whether the switch is forgotten.
    """

    sequence: int
    id: str
    switch: str
    instance: str
    since: int = 0
    forgotten: bool = False

    @property
    def token(self) -> str:
        """Names the takeover."""
        return tokenOf(self.id)

    def payload(self) -> bytes:
        """As it is published."""
        return json.dumps(attrs.asdict(self), separators=(",", ":")).encode("ascii")

    @classmethod
    def parse(cls, payload: bytes) -> Checkpoint | None:
        """Read a payload; None if it is no checkpoint."""
        value = jsonObject(payload)
        found: list[Any] = [value.get(name) for name in _CHECKPOINT]
        if not all(
            type(each) is kind for each, kind in zip(found, _CHECKPOINT.values(), strict=True)
        ):
            return None
        sequence, id, switch, instance, since = found
        if not (0 <= sequence < LARGEST and 0 <= since < LARGEST):
            return None
        return cls(sequence, id, switch, instance, since, value.get("forgotten") is True)


_CHECKPOINT: Final = {"sequence": int, "id": str, "switch": str, "instance": str, "since": int}


def messageId(token: str, counter: int) -> str:
    """The id of a message: the token of the takeover, and how many were before it."""
    return f"{token}-{counter}"


def tokenOf(id: str) -> str:
    """The token of a message's id."""
    return id.rpartition("-")[0]


def jsonObject(payload: bytes) -> Mapping[str, Any]:
    """An object of JSON; an empty one if it is something else, which nobody of ours wrote."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def sequenceIn(payload: bytes) -> int:
    """The sequence in an interface's object or in a checkpoint; 0 if it has none."""
    found = jsonObject(payload).get("sequence")
    return found if type(found) is int and 0 <= found < LARGEST else 0
