# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the tests share: rows, a recording observer, and the fold that says what
a list of events claims.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.rows import InterfaceRows

_ROWS = InterfaceRows(ClassificationRules())


def uuid(number: int) -> str:
    """
    A UUID for each number.
    """
    return f"{number:08x}-0000-4000-8000-000000000000"


def jsonRow(
    name: str,
    type: str = "",
    ofport: int | None = None,
    error: str | None = None,
    external_ids: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    A row of the Interface table as ovsdb-server writes it.
    """
    return {
        "name": name,
        "type": type,
        "ofport": ["set", []] if ofport is None else ofport,
        "error": ["set", []] if error is None else error,
        "external_ids": ["map", [list(item) for item in (external_ids or {}).items()]],
        "options": ["map", [list(item) for item in (options or {}).items()]],
    }


def vmRow(name: str, ifaceId: str = "port", ofport: int | None = None) -> dict[str, Any]:
    """
    The row of a VM's interface.
    """
    return jsonRow(name, ofport=ofport, external_ids={"iface-id": ifaceId})


def interface(number: int, row: Mapping[str, Any]) -> OvsInterface:
    """
    A row as observers are told of it.
    """
    return _ROWS.whole(uuid(number), row)


def vm(number: int, ifaceId: str = "port", ofport: int | None = None) -> OvsInterface:
    """
    A VM's interface.
    """
    return interface(number, vmRow(f"tap{number}", ifaceId, ofport))


def plain(number: int) -> OvsInterface:
    """
    An interface without a class.
    """
    return interface(number, jsonRow(f"tap{number}"))


def reply(messageId: int, rows: Mapping[int, Mapping[str, Any]]) -> bytes:
    """
    The reply to C{monitor}: rows by the number of their UUID.
    """
    tables = {"Interface": {uuid(n): {"new": row} for n, row in rows.items()}} if rows else {}
    return json.dumps({"id": messageId, "result": tables, "error": None}).encode()


def update(rows: Mapping[int, Mapping[str, Any]], monitorId: str = "twisted_ovsdb") -> bytes:
    """
    An update notification: C{new} and C{old} by the number of their UUID.
    """
    tables = {"Interface": {uuid(n): row for n, row in rows.items()}}
    return json.dumps({"id": None, "method": "update", "params": [monitorId, tables]}).encode()


def summary(event: Event) -> tuple[str, ...]:
    """
    An event in a few words, for comparisons that one can read.
    """
    if isinstance(event, Synchronized):
        return ("synchronized", event.cause.value)
    if isinstance(event, Disconnected):
        return ("disconnected", str(event.reason))
    happened = {
        InterfaceOnline: "online",
        InterfaceOffline: "offline",
        InterfaceChanged: "changed",
    }[type(event)]
    return (happened, event.kind.value, event.interface.name, event.cause.value)


def summaries(events: Iterable[Event]) -> list[tuple[str, ...]]:
    """
    Events in a few words each.
    """
    return [summary(event) for event in events]


@implementer(IOvsdbEventObserver)
class Recorder:
    """
    Records what it is told, and answers with what it is given to answer.
    """

    def __init__(self, answers: Iterable[ObserverResult] = ()) -> None:
        self.events: list[Event] = []
        self._answers = list(answers)

    def eventReceived(self, event: Event) -> ObserverResult:
        """
        Record the event.
        """
        self.events.append(event)
        return self._answers.pop(0) if self._answers else None

    def take(self) -> list[tuple[str, ...]]:
        """
        What was told since the last time, in a few words.
        """
        events, self.events = self.events, []
        return summaries(events)


@implementer(IOvsdbEventObserver)
class Busy:
    """
    Is busy with each event until L{free} is called.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.waiting: Deferred[object] | None = None

    def eventReceived(self, event: Event) -> Deferred[object]:
        """
        Record the event and take time over it.
        """
        assert self.waiting is None, "told while busy"
        self.events.append(event)
        self.waiting = Deferred()
        return self.waiting

    def free(self) -> None:
        """
        Be done with the present event.
        """
        waiting, self.waiting = self.waiting, None
        assert waiting is not None
        waiting.callback(None)

    def freeAll(self) -> None:
        """
        Be done with everything that comes.
        """
        while self.waiting is not None:
            self.free()

    def take(self) -> list[tuple[str, ...]]:
        """
        What was told since the last time, in a few words.
        """
        events, self.events = self.events, []
        return summaries(events)


class Fold:
    """
    What the events that one observer was told add up to. It raises
    AssertionError for a list of events that contradicts itself.

    @ivar interfaces: what is online, by UUID.
    @ivar inSync: whether the last bracket is closed.
    """

    def __init__(self, replay: bool = True, told: Iterable[OvsInterface] | None = None) -> None:
        """
        @param told: what the observer was told in an earlier life, None if
            there was none.
        """
        self.interfaces = {row.uuid: row for row in told or () if row.kind is not None}
        self.inSync = False
        self._replay = replay
        self._synchronizedOnce = told is not None

    def receive(self, event: Event) -> None:
        """
        Add an event.
        """
        if isinstance(event, Synchronized):
            assert not self.inSync, "synchronized twice"
            expected = Cause.RESYNC if self._synchronizedOnce else Cause.INITIAL
            assert event.cause is expected, event
            self.inSync = self._synchronizedOnce = True
            told = {interface.uuid: interface for interface in event.interfaces}
            assert told == self.interfaces, "Synchronized differs from what was told"
        elif isinstance(event, Disconnected):
            assert self.inSync, "disconnected twice"
            self.inSync = False
        else:
            self._receiveInterface(event)

    def _receiveInterface(
        self, event: InterfaceOnline | InterfaceOffline | InterfaceChanged
    ) -> None:
        interface, cause = event.interface, event.cause
        assert interface.kind is not None, "an event of an interface without a class"
        known = self.interfaces.get(interface.uuid)
        assert (cause is Cause.UPDATE) == self.inSync, f"{cause} while in sync: {self.inSync}"
        if isinstance(event, InterfaceOffline):
            assert known == interface, f"offline of {interface}, known as {known}"
            del self.interfaces[interface.uuid]
        elif isinstance(event, InterfaceChanged):
            assert known == event.previous, f"changed from {event.previous}, known as {known}"
            assert known != interface, "changed to the same"
            assert known.kind is interface.kind and known.iface_id == interface.iface_id
            self.interfaces[interface.uuid] = interface
        elif cause is Cause.REPLAY:
            assert self._replay, "a replay that was not asked for"
            assert known == interface, f"replay of {interface}, known as {known}"
        else:
            assert known is None, f"online twice: {interface}"
            self.interfaces[interface.uuid] = interface
