# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that writes JSON Lines: one object for each event, for programs. Which
keys it has is said here; L{twisted_ovsdb.observers.linetext} makes the text.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_ovsdb import events
from twisted_ovsdb.datum import datumToJSON
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import EVENT_NAMES, changedColumns, countKinds
from twisted_ovsdb.observers.linetext import TimeText, interfaceText, membersOf, textOf, valueText
from twisted_ovsdb.parameters import checkCallables


@implementer(IOvsdbEventObserver)
class JSONLinesObserver:
    """
    Writes each event as one line of JSON.

    @cvar wantsProblems: True: problems are written too, where they are looked for.
    """

    wantsProblems = True

    def __init__(
        self,
        write: Callable[[bytes], Deferred[None] | None],
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """
        @param write: takes a line. It may return a Deferred that fires when the
            line is written; until then the observer is busy.
        @param now: the time in UTC.
        @raise TypeError: if one of them is not a function.
        """
        checkCallables(write=write, now=now)
        self._write = write
        self._now = now
        self._lines = EventLines()

    def eventReceived(self, event: events.Event) -> Deferred[None] | None:
        """Write the event."""
        return self._write(self._lines.lineOf(event, self._now()))


def lineOf(value: dict[str, Any]) -> bytes:
    """
    A line of JSON Lines. It is ASCII: some programs take U+2028, for example, as
    the end of a line.
    """
    return textOf(value).encode("ascii") + b"\n"


def rfc3339(time: datetime) -> str:
    """A time in UTC, as in RFC 3339."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def timesOf(now: datetime) -> dict[str, Any]:
    """
    The time at which a line is written, as in RFC 3339 and in seconds since the
    epoch.

    @param now: the time in UTC.
    """
    return {"time": rfc3339(now), "timestamp": now.timestamp()}


def eventToJSON(event: events.Event, now: datetime) -> dict[str, Any]:
    """
    An event as the object that a line of JSON Lines holds.

    @param now: when it is written, in UTC.
    """
    value = {**_what(event), **timesOf(now), **_where(event)}
    if isinstance(event, events.InterfaceEvent):
        value[_INTERFACE] = event.interface.toJSON()
        value.update(_ready(_becameReady(event)))
    if isinstance(event, events.ProblemEvent):
        value[_INTERFACE] = None if event.interface is None else event.interface.toJSON()
    if isinstance(event, events.InterfaceChanged):
        value[_CHANGES] = {
            column: [datumToJSON(old), datumToJSON(new)]
            for column, old, new in changedColumns(event.previous, event.interface)
        }
    return value


# Looked up once: CPython 3.11 is slow to find a member of an enum.
_REPLAY: Final = events.Cause.REPLAY
_INTERFACE: Final = "interface"
_CHANGES: Final = "changes"


def _what(event: events.Event) -> dict[str, Any]:
    value: dict[str, Any] = {"event": EVENT_NAMES[type(event)]}
    if isinstance(event, events.InterfaceEvent):
        value["kind"] = event.kind.value
    if isinstance(event, events.ProblemEvent):
        value.update(_problem(event))
    elif isinstance(event, events.Disconnected):
        value["reason"] = describeReason(event.reason)
    elif isinstance(event, events.SwitchForgotten):
        value["reason"] = event.reason.value
    else:
        value["cause"] = event.cause.value
    if isinstance(event, events.Synchronized):
        value["counts"] = countKinds(event.interfaces)
    return value


def _where(event: events.Event) -> dict[str, Any]:
    value: dict[str, Any] = {"switch": event.switch, "source": event.source}
    if event.identity != events.UNIDENTIFIED:
        value["system_id"] = event.system_id
        value["hostname"] = event.hostname
    if event.address is not None:
        value["address"] = event.address
    return value


def _ready(became: bool | None) -> dict[str, Any]:
    return {} if became is None else {"became_ready": became}


def _problem(event: events.ProblemEvent) -> dict[str, Any]:
    value: dict[str, Any] = {
        "problem": event.problem.value,
        "kind": None if event.kind is None else event.kind.value,
        "since": rfc3339(datetime.fromtimestamp(event.since, timezone.utc)),
    }
    if isinstance(event, events.ProblemSolved):
        value["lasted"] = round(event.lasted, 3)
    return {**value, "detail": event.detail}


def _becameReady(event: events.InterfaceEvent) -> bool | None:
    """True if the event makes its interface ready, False if it ends that, else None."""
    if isinstance(event, events.InterfaceOnline):
        return True if event.cause is not _REPLAY and event.interface.ready else None
    if isinstance(event, events.InterfaceChanged):
        ready = event.interface.ready
        return None if ready is event.previous.ready else ready
    return None


class EventLines:
    """
    Makes the lines of events: the same as json makes of L{eventToJSON}, but faster
    for the usual ones. What is the same in most lines is kept as text.
    """

    def __init__(self) -> None:
        self._times = TimeText(timesOf)
        # By class, kind and cause: not many. The latter two by identity, because the
        # hash of an enum's member is computed in Python; they are kept with the text.
        self._whats: dict[tuple[type, int, int], tuple[str, object, object]] = {}
        self._source: str | None = None
        self._identity: events.SwitchIdentity | None = None
        self._place = ""  # the text of these two

    def lineOf(self, event: events.Event, now: datetime) -> bytes:
        """
        @param event: any event.
        @param now: when it is written, in UTC.
        @return: its line.
        """
        if isinstance(event, events.InterfaceEvent):
            try:
                return self._usual(event, now).encode("ascii")
            except (KeyError, TypeError):  # A value is not of a usual type.
                pass
        return lineOf(eventToJSON(event, now))

    def _usual(self, event: Any, now: datetime) -> str:
        interface, cause = event.interface, event.cause
        kind = interface.kind
        key = type(event), id(kind), id(cause)
        found = self._whats.get(key)
        if found is None:
            found = self._whats[key] = membersOf(_what(event))[1:], kind, cause
        if event.source is not self._source or event.identity is not self._identity:
            self._place = membersOf(_where(event)) + _BEFORE_INTERFACE
            self._source, self._identity = event.source, event.identity
        end = _READY_TEXTS[_becameReady(event)]
        if key[0] is events.InterfaceChanged:
            changes = ",".join(
                [
                    f"{valueText(column)}:[{valueText(old)},{valueText(new)}]"
                    for column, old, new in changedColumns(event.previous, interface)
                ]
            )
            end = f"{end}{_BEFORE_CHANGES}{{{changes}}}"
        place = self._place
        return f"{{{found[0]}{self._times.at(now)}{place}{interfaceText(interface)}{end}}}\n"


_BEFORE_INTERFACE: Final = membersOf({_INTERFACE: 0})[:-1]
_BEFORE_CHANGES: Final = membersOf({_CHANGES: 0})[:-1]
_READY_TEXTS: Final = {became: membersOf(_ready(became)) for became in (None, True, False)}
