# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that logs, for people: one line for each event, but not for each
interface of a large snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from twisted.logger import Logger, LogLevel
from zope.interface import implementer

from twisted_ovsdb import events
from twisted_ovsdb.datum import Datum, sortedAtoms
from twisted_ovsdb.errors import HIDDEN, describeReason, isSecret, printable
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import EVENT_NAMES, changedColumns, countKinds
from twisted_ovsdb.observers.snapshotlog import Snapshot
from twisted_ovsdb.parameters import checkFlags

_FORGOTTEN: Final = {
    events.ForgetReason.AGE: "not connected for too long (--forget)",
    events.ForgetReason.LIMIT: "another switch needed its place (--max-switches)",
    events.ForgetReason.ENDPOINT: "its endpoint is not given any more",
}


@implementer(IOvsdbEventObserver)
class LoggingObserver:
    """
    Logs each event as one line, at the level info; or, if it tells of an
    interface that ovs-vswitchd could not configure, or of a problem, at the level
    warn.

    If a snapshot has more than L{SNAPSHOT_LINES
    <twisted_ovsdb.observers.snapshotlog.SNAPSHOT_LINES>} events of one sort, such as
    interfaces that are online, the line about Synchronized says how many there are,
    and which of them failed.

    @cvar wantsProblems: True: problems are logged too, where they are looked for.
    """

    wantsProblems = True

    _log = Logger()

    def __init__(self, nameSource: bool = False, logAll: bool = False) -> None:
        """
        @param nameSource: whether each line ends with the switch of the event
            and the name of its host, which tells several switches apart.
        @param logAll: whether every event of a large snapshot has a line too.
        """
        checkFlags(nameSource=nameSource, logAll=logAll)
        self._nameSource = nameSource
        self._logAll = logAll
        self._snapshots: dict[str, Snapshot] = {}  # that are being told, by source

    def eventReceived(self, event: events.Event) -> None:
        """Log the event."""
        source = event.source
        snapshot = self._snapshots.get(source)
        if (
            isinstance(event, events.InterfaceEvent)
            and event.cause is not events.Cause.UPDATE
            and not self._logAll
        ):
            if snapshot is None:
                snapshot = self._snapshots[source] = Snapshot()
            for each in snapshot.take(event):
                self._say(each)
        elif snapshot is None:
            self._say(event)
        else:
            del self._snapshots[source]
            for each in snapshot.end():
                self._say(each)
            self._say(event, snapshot.describe(), snapshot.failed)

    def _say(self, event: Any, unlisted: str = "", failed: bool = False) -> None:
        if isinstance(event, (events.InterfaceOnline, events.InterfaceChanged)):
            failed = failed or event.interface.failed
        failed = failed or isinstance(event, events.ProblemFound)
        origin = f" from {describeSwitch(event)}" if self._nameSource else ""
        self._log.emit(
            LogLevel.warn if failed else LogLevel.info,
            "{text}",
            text=f"{describeEvent(event)}{unlisted}{origin}",
            source=event.source,
            event=event,
        )


def describeSwitch(event: events.SwitchEvent) -> str:
    """Which switch an event is from, for people: its key, and the name of its host."""
    switch = printable(event.switch)
    return switch if event.hostname is None else f"{switch} ({printable(event.hostname)})"


def describeEvent(event: events.Event) -> str:
    """An event in one line for people."""
    if isinstance(event, events.Synchronized):
        counts = ", ".join(f"{n} {kind}" for kind, n in countKinds(event.interfaces).items())
        return f"synchronized: {counts} [{event.cause.value}]"
    if isinstance(event, events.Disconnected):
        return f"disconnected: {describeReason(event.reason)}"
    if isinstance(event, events.SwitchForgotten):
        return f"forgotten: {_FORGOTTEN[event.reason]}"
    if isinstance(event, events.ProblemEvent):
        return _describeProblem(event)
    interface = event.interface
    subject = f"{event.kind.value} {printable(interface.name)} {EVENT_NAMES[type(event)]}"
    if interface.bridge is not None and event.kind is not events.InterfaceKind.BRIDGE:
        subject += f" on {printable(interface.bridge)}"
    if isinstance(event, events.InterfaceChanged):
        details = ", ".join(
            f"{what} {old} -> {new}"
            for column in changedColumns(event.previous, interface)
            for what, old, new in _changes(*column)
        )
    else:
        details = ", ".join(_marks(interface))
    return f"{subject}: {details} [{event.cause.value}]"


def _describeProblem(event: events.ProblemEvent) -> str:
    interface = event.interface
    if interface is None:
        subject = "switch"
    else:
        kind = "port" if event.kind is None else event.kind.value
        subject = f"{kind} {printable(interface.name)}"
        if interface.bridge is not None:
            subject += f" on {printable(interface.bridge)}"
    since = datetime.fromtimestamp(event.since, timezone.utc).isoformat(" ", "seconds")
    if isinstance(event, events.ProblemSolved):
        lasted = timedelta(seconds=round(event.lasted))
        return f"{subject}: no longer {event.problem.value}, after {lasted}"
    return f"{subject}: {event.problem.value} since {since}: {event.detail}"


def _marks(interface: events.OvsInterface) -> Iterator[str]:
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
                before, after = (
                    HIDDEN if isSecret(key) and key in side else _text(side.get(key))
                    for side in (old, new)
                )
                yield f"{column}:{printable(str(key))}", before, after
    else:
        yield column, _text(old), _text(new)


def _text(value: Datum) -> str:
    if value is None:
        return "none"
    if value == "":
        return "''"
    if isinstance(value, frozenset):
        return printable(f"[{', '.join(map(str, sortedAtoms(value)))}]")
    return printable(str(value))
