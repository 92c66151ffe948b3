# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What one commit holds: the changes of what one observer was told since the commit
before. They come from its events, or, after the end of a process, from the lines
that it wrote after its last commit. Only the last state of each interface is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.events import (
    Cause,
    Event,
    InterfaceEvent,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchForgotten,
    SwitchIdentity,
    Synchronized,
)

Rows = dict[str, "OvsInterface | None"]
"""By UUID, an interface as it was told; None if it is offline."""


@attrs.define
class SwitchChanges:
    """
    What was told of one switch.

    @ivar emptied: whether everything that was told of it before is void.
    @ivar forgotten: whether the switch itself is void; C{rows} is empty then.
    @ivar rows: the changes, on top of what was told before.
    @ivar source: its endpoint, as it was written; None if it connects to us.
    @ivar known: whether C{source} is known.
    @ivar absent: seconds that it has been away, if they have changed.
    @ivar begun: by UUID, what was about to be told when the process ended.
    """

    emptied: bool = False
    forgotten: bool = False
    rows: Rows = attrs.Factory(dict)
    source: str | None = None
    known: bool = False
    absent: float | None = None
    begun: dict[str, InterfaceOnline] = attrs.Factory(dict)


@attrs.define
class Batch:
    """
    The changes of one observer.

    @ivar emptied: whether everything that was told before is void.
    @ivar switches: the changes, by the key of the switch.
    @ivar events: how many events were noted: there are no more interfaces than this.
    """

    emptied: bool = False
    switches: dict[str, SwitchChanges] = attrs.Factory(dict)
    events: int = 0

    def __bool__(self) -> bool:
        return self.emptied or bool(self.switches)

    def clear(self) -> None:
        """Everything that was told is void."""
        self.emptied = True
        self.switches.clear()

    def forget(self, switch: str) -> None:
        """A switch is void, with all that was told of it."""
        self.switches[switch] = SwitchChanges(emptied=True, forgotten=True)

    def add(self, later: Batch) -> None:
        """Add what was told after this."""
        if later.emptied:
            self.clear()
        for switch, new in later.switches.items():
            changes = self.switches.get(switch)
            if changes is None or new.emptied:
                self.switches[switch] = new
                continue
            changes.forgotten = False
            changes.rows.update(new.rows)
            if new.known:
                changes.known, changes.source = True, new.source
            if new.absent is not None:
                changes.absent = new.absent
        self.events += later.events

    def of(self, switch: str, source: str, connectsToUs: bool) -> SwitchChanges:
        """The changes of a switch, which is told of now."""
        changes = self.switches.get(switch)
        if changes is None:
            changes = self.switches[switch] = SwitchChanges()
        if not changes.known:
            changes.known, changes.forgotten = True, False
            changes.source = None if connectsToUs else source
        return changes

    # Events

    def note(self, event: Event) -> None:
        """An event was told. Events of other classes change nothing."""
        self.events += 1
        if isinstance(event, SwitchForgotten):
            self.forget(event.switch)
            return
        changes = self.of(event.switch, event.source, event.address is not None)
        if isinstance(event, InterfaceOffline):
            changes.rows[event.interface.uuid] = None
        elif isinstance(event, InterfaceEvent):
            # What is replayed was told already.
            if event.cause is not Cause.REPLAY:
                changes.rows[event.interface.uuid] = event.interface
        elif isinstance(event, Synchronized):
            changes.absent = 0

    # Lines

    def noteLines(self, lines: Iterable[bytes]) -> None:
        """
        Lines were read, as programs that add up the lines read them. A line that is
        no event, such as the unfinished one of a process that was killed, changes
        nothing, as does an event that is not known.
        """
        for line in lines:
            try:
                value = json.loads(line)
                if isinstance(value, Mapping):
                    self._noteLine(value)
            # RecursionError: a line that nobody of ours has written.
            except (ValueError, KeyError, TypeError, RecursionError):
                continue

    def _noteLine(self, value: Mapping[str, Any]) -> None:
        name = value["event"]
        if name == "started":
            if value["resumed"] is not True:
                self.clear()
        elif name == "forgotten":
            self.forget(_text(value["switch"]))
        elif name in _OF_INTERFACES:
            interface = OvsInterface.fromJSON(value["interface"])
            changes = self._ofLine(value)
            if name == BEGUN:
                changes.begun[interface.uuid] = _online(interface, value)
            else:
                changes.begun.pop(interface.uuid, None)
                changes.rows[interface.uuid] = None if name == "offline" else interface
        elif name == "synchronized":
            self._ofLine(value).absent = 0

    def _ofLine(self, value: Mapping[str, Any]) -> SwitchChanges:
        switch, source = _text(value["switch"]), _text(value["source"])
        return self.of(switch, source, value.get("address") is not None)


BEGUN: Final = "begun"
"""Of an interface that is about to be told online."""

_OF_INTERFACES: Final = ("online", "changed", "offline", BEGUN)


def _online(interface: OvsInterface, value: Mapping[str, Any]) -> InterfaceOnline:
    identity = SwitchIdentity(*map(value.get, ("system_id", "hostname", "address")))
    if identity.key is None and value["switch"] != value["source"]:
        identity = attrs.evolve(identity, row=value["switch"])
    return InterfaceOnline(interface, Cause.RESYNC, value["source"], identity=identity)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
