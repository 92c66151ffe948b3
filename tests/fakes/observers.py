# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Observers that record, and events in a few words.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_ovsdb.events import Disconnected, Event, ProblemEvent, SwitchForgotten, Synchronized
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.observers.base import EVENT_NAMES


def summary(event: Event) -> tuple[str, ...]:
    """
    An event in a few words, so that comparisons are easy to read.
    """
    name = EVENT_NAMES[type(event)]
    if isinstance(event, Synchronized):
        return (name, event.cause.value)
    if isinstance(event, Disconnected):
        return (name, str(event.reason))
    if isinstance(event, SwitchForgotten):
        return (name, event.reason.value)
    if isinstance(event, ProblemEvent):
        interface = event.interface
        return (name, event.problem.value, "" if interface is None else interface.name)
    return (name, event.kind.value, event.interface.name, event.cause.value)


def summaries(events: Iterable[Event]) -> list[tuple[str, ...]]:
    """
    Events in a few words each.
    """
    return [summary(event) for event in events]


@implementer(IOvsdbEventObserver)
class Recorder:
    """
    Records what it is told. For each event, it returns the next one of its
    answers.
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
        Take what was told since the last call, in a few words.
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
        Record the event, and be busy with it.
        """
        assert self.waiting is None, "told while busy"
        self.events.append(event)
        self.waiting = Deferred()
        return self.waiting

    def free(self) -> None:
        """
        Finish the present event.
        """
        waiting, self.waiting = self.waiting, None
        assert waiting is not None
        waiting.callback(None)

    def freeAll(self) -> None:
        """
        Finish each event, until no other one is told.
        """
        while self.waiting is not None:
            self.free()

    def take(self) -> list[tuple[str, ...]]:
        """
        Take what was told since the last call, in a few words.
        """
        events, self.events = self.events, []
        return summaries(events)
