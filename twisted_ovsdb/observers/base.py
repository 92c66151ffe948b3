# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Observers that ship with the package: a base class for one's own, one that
logs and one that writes JSON Lines.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Datum,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.openvswitch.rows import COLUMNS

HAPPENED: Final[Mapping[type[Any], str]] = {
    InterfaceOnline: "online",
    InterfaceOffline: "offline",
    InterfaceChanged: "changed",
    Synchronized: "synchronized",
    Disconnected: "disconnected",
}
"""What each event is called, in the log and in JSON Lines."""


@implementer(IOvsdbEventObserver)
class OvsdbEventObserver:
    """
    Routes each event to a method named after it. Override what you need; what
    a method returns is what L{IOvsdbEventObserver.eventReceived} may return.
    """

    def eventReceived(self, event: Event) -> ObserverResult:
        """
        Call the method of this event.
        """
        happened = HAPPENED.get(type(event))
        if happened is None:
            return None
        if isinstance(event, InterfaceEvent):
            happened = event.kind.value + happened.capitalize()
        result: ObserverResult = getattr(self, happened)(event)
        return result

    def bridgeOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A bridge exists."""

    def bridgeOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A bridge is gone."""

    def bridgeChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A bridge's interface has another content."""

    def vmOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A VM's interface exists; C{event.interface.ready} tells its port."""

    def vmOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A VM's interface is gone."""

    def vmChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A VM's interface has another content, such as its OpenFlow port."""

    def tunnelOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A tunnel port exists."""

    def tunnelOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A tunnel port is gone."""

    def tunnelChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A tunnel port has another content."""

    def patchOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A patch port exists."""

    def patchOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A patch port is gone."""

    def patchChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A patch port has another content."""

    def synchronized(self, event: Synchronized) -> ObserverResult:
        """A snapshot has been told in full."""

    def disconnected(self, event: Disconnected) -> ObserverResult:
        """The session is over; what is known may grow stale."""


def countKinds(interfaces: tuple[OvsInterface, ...]) -> dict[str, int]:
    """
    How many interfaces there are of each kind, for every kind.
    """
    counts = Counter(interface.kind for interface in interfaces)
    return {kind.value: counts[kind] for kind in InterfaceKind}


def changedColumns(previous: OvsInterface, now: OvsInterface) -> Iterator[tuple[str, Datum, Datum]]:
    """
    The columns in which two states of one interface differ: name, old, new.
    """
    for column in COLUMNS:
        old, new = getattr(previous, column), getattr(now, column)
        if old != new:
            yield column, old, new
    for column in dict.fromkeys([*previous.extra, *now.extra]):
        old, new = previous.extra.get(column), now.extra.get(column)
        if old != new:
            yield column, old, new


@implementer(IOvsdbEventObserver)
class LoggingObserver:
    """
    Logs each event as one line, at the level info.
    """

    _log = Logger()

    def __init__(self, nameSource: bool = False) -> None:
        """
        @param nameSource: whether each line ends with the event's source,
            for those who monitor several servers.
        """
        self._nameSource = nameSource

    def eventReceived(self, event: Event) -> None:
        """
        Log the event.
        """
        self._log.info(
            "{text}{source}",
            text=describeEvent(event),
            source=f" from {event.source}" if self._nameSource else "",
            event=event,
        )


def describeEvent(event: Event) -> str:
    """
    An event in one line for people.
    """
    if isinstance(event, Synchronized):
        counts = ", ".join(f"{n} {kind}" for kind, n in countKinds(event.interfaces).items())
        return f"synchronized: {counts} [{event.cause.value}]"
    if isinstance(event, Disconnected):
        return f"disconnected: {describeReason(event.reason)}"
    interface = event.interface
    subject = f"{event.kind.value} {printable(interface.name)} {HAPPENED[type(event)]}"
    if isinstance(event, InterfaceChanged):
        details = ", ".join(
            f"{what} {old} -> {new}"
            for column in changedColumns(event.previous, interface)
            for what, old, new in _changes(*column)
        )
    else:
        details = ", ".join(_marks(interface))
    return f"{subject}: {details} [{event.cause.value}]"


def printable(text: str) -> str:
    """
    A value of the database, which may hold anything, for a line of a log.
    """
    return text if text.isprintable() else repr(text)[1:-1]


def _marks(interface: OvsInterface) -> Iterator[str]:
    ofport = interface.ofport
    yield f"ofport {'none yet' if ofport is None else ofport}"
    for name, value in (
        ("iface-id", interface.iface_id),
        ("remote-ip", interface.remote_ip),
        ("peer", interface.peer),
        ("error", interface.error),
    ):
        if value is not None:
            yield f"{name} {printable(value)}"


def _changes(column: str, old: Datum, new: Datum) -> Iterator[tuple[str, str, str]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                yield f"{column}:{printable(str(key))}", _text(old.get(key)), _text(new.get(key))
    else:
        yield column, _text(old), _text(new)


def _text(value: Datum) -> str:
    return "none" if value is None else repr(value) if value == "" else printable(str(value))


@implementer(IOvsdbEventObserver)
class JSONLinesObserver:
    """
    Writes each event as one line of JSON.
    """

    def __init__(
        self,
        write: Callable[[bytes], Deferred[None] | None],
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """
        @param write: takes a line; the Deferred that it may return fires when
            the line is out, and the observer is busy until then.
        @param now: the time in UTC.
        """
        self._write = write
        self._now = now

    def eventReceived(self, event: Event) -> Deferred[None] | None:
        """
        Write the event.
        """
        time = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = json.dumps(
            eventToJSON(event, time), ensure_ascii=False, separators=(",", ":"), default=dict
        )
        return self._write(line.encode() + b"\n")


def eventToJSON(event: Event, time: str) -> dict[str, Any]:
    """
    An event as the object that a line of JSON Lines holds.

    @param time: when it is written, as in RFC 3339.
    """
    value: dict[str, Any] = {"event": HAPPENED[type(event)]}
    if isinstance(event, InterfaceEvent):
        value["kind"] = event.kind.value
    if not isinstance(event, Disconnected):
        value["cause"] = event.cause.value
    if isinstance(event, Disconnected):
        value["reason"] = describeReason(event.reason)
    elif isinstance(event, Synchronized):
        value["counts"] = countKinds(event.interfaces)
    value["time"] = time
    value["source"] = event.source
    if event.identity != UNIDENTIFIED:
        value["system_id"] = event.system_id
        value["hostname"] = event.hostname
    if isinstance(event, InterfaceEvent):
        value["interface"] = interfaceToJSON(event.interface)
    if isinstance(event, InterfaceChanged):
        value["changes"] = {
            column: [old, new]
            for column, old, new in changedColumns(event.previous, event.interface)
        }
    return value


def interfaceToJSON(interface: OvsInterface) -> dict[str, Any]:
    """
    An interface as JSON Lines show it.
    """
    return {
        "uuid": interface.uuid,
        "name": interface.name,
        "type": interface.type,
        "ofport": interface.ofport,
        "ready": interface.ready,
        "error": interface.error,
        "iface_id": interface.iface_id,
        "attached_mac": interface.attached_mac,
        "remote_ip": interface.remote_ip,
        "peer": interface.peer,
        "external_ids": interface.external_ids,
        "options": interface.options,
        "extra": interface.extra,
    }
