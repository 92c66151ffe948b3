# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A base class for an application's own observers, and what the log and JSON Lines
tell alike of an event: its name, how many interfaces there are of each kind, and
which columns have changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, Final

from zope.interface import implementer

from twisted_ovsdb.datum import Datum
from twisted_ovsdb.events import (
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    ProblemEvent,
    ProblemFound,
    ProblemSolved,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.openvswitch.rows import COLUMNS

EVENT_NAMES: Final[Mapping[type[Any], str]] = {
    InterfaceOnline: "online",
    InterfaceOffline: "offline",
    InterfaceChanged: "changed",
    Synchronized: "synchronized",
    Disconnected: "disconnected",
    SwitchForgotten: "forgotten",
    ProblemFound: "problem",
    ProblemSolved: "solved",
}
"""The name of each event, in the log and in JSON Lines."""


_PROBLEM_METHODS: Final = {"problem": "problemFound", "solved": "problemSolved"}


def countKinds(interfaces: tuple[OvsInterface, ...]) -> dict[str, int]:
    """How many interfaces there are of each kind, for every kind."""
    counts = Counter(interface.kind for interface in interfaces)
    return {kind.value: counts[kind] for kind in InterfaceKind}


_columnsOf: Final = attrgetter(*COLUMNS)


def changedColumns(previous: OvsInterface, now: OvsInterface) -> Iterator[tuple[str, Datum, Datum]]:
    """
    The columns in which two states of one interface differ, and its bridge: name,
    old, new. If none does, they differ in what is remembered, which is
    C{local_port}.
    """
    if previous.bridge != now.bridge:
        yield "bridge", previous.bridge, now.bridge
    for column, old, new in zip(COLUMNS, _columnsOf(previous), _columnsOf(now), strict=True):
        if old is not new and old != new:
            yield column, old, new
    if previous.local_port is not now.local_port and previous.ofport == now.ofport:
        yield "local_port", previous.local_port, now.local_port
    if previous.extra is now.extra or previous.extra == now.extra:
        return
    for column in dict.fromkeys([*previous.extra, *now.extra]):
        old, new = previous.extra.get(column), now.extra.get(column)
        if old != new:
            yield column, old, new


@implementer(IOvsdbEventObserver)
class OvsdbEventObserver:
    """
    Calls for each event the method that is named after it. Override those that
    you need; they may return what L{IOvsdbEventObserver.eventReceived} may
    return.

    A subclass with a method whose name is almost that of one of these is a
    C{TypeError}: it would never be called.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if callable(value) and not name.startswith("_") and name not in _METHODS:
                meant = _meant(name)
                if meant is not None:
                    raise TypeError(
                        f"{cls.__name__}.{name} would never be called: the method is named"
                        f" {meant} (a name of your own may begin with an underscore)"
                    )

    @property
    def wantsProblems(self) -> bool:
        """Whether one of the methods for problems is overridden."""
        base, own = OvsdbEventObserver, type(self)
        return (
            own.problemFound is not base.problemFound or own.problemSolved is not base.problemSolved
        )

    def eventReceived(self, event: Event) -> ObserverResult:
        """Call the method of this event."""
        name = EVENT_NAMES.get(type(event))
        if name is None:
            return None
        if isinstance(event, InterfaceEvent):
            name = event.kind.value + name.capitalize()
        elif isinstance(event, ProblemEvent):
            name = _PROBLEM_METHODS[name]
        result: ObserverResult = getattr(self, name)(event)
        return result

    def bridgeOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A bridge exists."""

    def bridgeOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A bridge is gone."""

    def bridgeChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A bridge's interface has changed."""

    def vmOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A VM's interface exists; C{event.interface.ready} says whether it has its port."""

    def vmOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A VM's interface is gone."""

    def vmChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A VM's interface has changed, such as its OpenFlow port."""

    def tunnelOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A tunnel port exists."""

    def tunnelOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A tunnel port is gone."""

    def tunnelChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A tunnel port has changed."""

    def patchOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A patch port exists."""

    def patchOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A patch port is gone."""

    def patchChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A patch port has changed."""

    def synchronized(self, event: Synchronized) -> ObserverResult:
        """A snapshot has been told in full."""

    def disconnected(self, event: Disconnected) -> ObserverResult:
        """The session has ended; what is known may be out of date."""

    def forgotten(self, event: SwitchForgotten) -> ObserverResult:
        """Nothing is known of a switch any more."""

    def problemFound(self, event: ProblemFound) -> ObserverResult:
        """Something is wrong with an interface, or with the switch."""

    def problemSolved(self, event: ProblemSolved) -> ObserverResult:
        """A problem that was told is over."""


_METHODS: Final = tuple(name for name in vars(OvsdbEventObserver) if not name.startswith("_"))


_VERBS: Final = ("synchronize", "synchronise", "disconnect")
"""What an observer may do, though it looks like what it is told."""


def _meant(name: str) -> str | None:
    """The method whose name somebody has misspelt; None if it is another name."""
    plain = name.replace("_", "").lower()
    plain = plain.removeprefix("on").removeprefix("handle")
    if plain in _VERBS:
        return None
    # Almost no subclass has other methods.
    from difflib import get_close_matches

    byPlain = {method.lower(): method for method in _METHODS}
    close = get_close_matches(plain, byPlain, 1, 0.9)
    return byPlain[close[0]] if close else None
