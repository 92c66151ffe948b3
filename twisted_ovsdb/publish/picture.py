# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What was told of one switch: what is now, and the events behind its checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.publish.messages import Checkpoint, jsonObject, lineIn, sequenceIn
from twisted_ovsdb.publish.streams import Stored

_OF_INTERFACES: Final = ("online", "changed", "offline")


@attrs.frozen
class Latest:
    """
    The latest event of an interface.

    @ivar sequence: of the message that had it.
    @ivar text: the event's object.
    @ivar online: whether the interface is online.
    @ivar timestamp: when it was written, in seconds since the epoch.
    """

    sequence: int
    text: bytes
    online: bool
    interface: OvsInterface
    timestamp: float

    @classmethod
    def parse(cls, text: bytes, sequence: int) -> Latest | None:
        """Read an object; None if it is of no interface."""
        return _latest(jsonObject(text), text, sequence)


def _latest(value: Any, text: bytes, sequence: int) -> Latest | None:
    name, stamp = value.get("event"), value.get("timestamp")
    if name not in _OF_INTERFACES:
        return None
    try:
        interface = OvsInterface.fromJSON(value.get("interface"))
    except ValueError:  # nobody of ours has written it
        return None
    try:
        at = float(stamp) if isinstance(stamp, (int, float)) else 0.0
    except OverflowError:
        at = 0.0
    return Latest(sequence, text, name != "offline", interface, at)


class Picture:
    """
    Adds up what was told of one switch.

    @ivar rows: the latest event of each interface, by UUID.
    @ivar since: what was told before the message with this number is void.
    @ivar emptied: whether one of the messages that were added has made it void.
    @ivar last: the number of the last event; 0 if there is none.
    @ivar complete: whether nothing is missing between what was added.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Latest] = {}
        self.since = 0
        self.emptied = False
        self.last = 0
        self.complete = True
        self._objects: dict[str, int] = {}

    def begin(self, checkpoint: Checkpoint) -> None:
        """@param checkpoint: says how far the objects are complete that are added next."""
        self.last, self.since = checkpoint.sequence, checkpoint.since

    def addObject(self, stored: Stored) -> Latest | None:
        """
        Add an interface's object, before all events.

        @return: what it says; None if it is of no interface.
        """
        found = Latest.parse(lineIn(stored.payload), sequenceIn(stored.payload))
        if found is not None and found.sequence >= self.since:
            uuid = found.interface.uuid
            self.rows[uuid] = found
            self._objects[uuid] = found.sequence
        return found

    def addMessages(self, messages: Iterable[Stored]) -> None:
        """Add messages of events, in their order."""
        for message in messages:
            if message.previous != self.last:
                self.complete = False
            self.last = message.sequence
            for text in message.payload.split(b"\n"):
                self._addLine(text, message.sequence)

    def _addLine(self, text: bytes, sequence: int) -> None:
        value = jsonObject(text)
        name = value.get("event")
        if name == "forgotten" or (name == "started" and value.get("resumed") is not True):
            self.since = sequence
            self.emptied = self.complete = True
            self.rows = {uuid: row for uuid, row in self.rows.items() if row.sequence > sequence}
            return
        found = _latest(value, text, sequence)
        if found is not None and self._objects.get(found.interface.uuid, 0) < sequence:
            self.rows[found.interface.uuid] = found

    def interfaces(self) -> list[OvsInterface]:
        """The interfaces that are online."""
        return [row.interface for row in self.rows.values() if row.online]
