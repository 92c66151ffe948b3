# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that writes JSON Lines: one object for each event, for programs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_ovsdb import events
from twisted_ovsdb.datum import datumToJSON
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import EVENT_NAMES, changedColumns, countKinds
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

    def eventReceived(self, event: events.Event) -> Deferred[None] | None:
        """Write the event."""
        return self._write(lineOf(eventToJSON(event, self._now())))


def lineOf(value: dict[str, Any]) -> bytes:
    """
    A line of JSON Lines. It is ASCII: some programs take U+2028, for example, as
    the end of a line.
    """
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


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
    value.update(timesOf(now))
    value["switch"] = event.switch
    value["source"] = event.source
    if event.identity != events.UNIDENTIFIED:
        value["system_id"] = event.system_id
        value["hostname"] = event.hostname
    if event.address is not None:
        value["address"] = event.address
    if isinstance(event, events.InterfaceEvent):
        value["interface"] = event.interface.toJSON()
        became = _becameReady(event)
        if became is not None:
            value["became_ready"] = became
    if isinstance(event, events.ProblemEvent):
        value["interface"] = None if event.interface is None else event.interface.toJSON()
    if isinstance(event, events.InterfaceChanged):
        value["changes"] = {
            column: [datumToJSON(old), datumToJSON(new)]
            for column, old, new in changedColumns(event.previous, event.interface)
        }
    return value


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
    ready = event.interface.ready
    if isinstance(event, events.InterfaceOnline):
        return True if ready and event.cause is not events.Cause.REPLAY else None
    if isinstance(event, events.InterfaceChanged) and ready is not event.previous.ready:
        return ready
    return None
