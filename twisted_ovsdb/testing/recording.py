# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that records events, for L{twisted_ovsdb.testing}.
"""

from __future__ import annotations

from collections.abc import Iterable

from zope.interface import implementer

from twisted_ovsdb.events import Event, InterfaceEvent, ProblemEvent, Synchronized
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import EVENT_NAMES


@implementer(IOvsdbEventObserver)
class RecordingObserver:
    """
    Keeps the events that it is told.

    @cvar wantsProblems: True: it is told problems, where they are looked for.
    @ivar events: the events since the last L{take} or L{expect}.
    """

    wantsProblems = True

    def __init__(self) -> None:
        self.events: list[Event] = []

    def eventReceived(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    def take(self) -> list[Event]:
        """@return: the events since the last call."""
        events, self.events = self.events, []
        return events

    def expect(self, *expected: str) -> list[Event]:
        """
        Take the events since the last call, and check that they are these.

        @param expected: one text for each event: C{"online KIND NAME"},
            C{"changed KIND NAME"}, C{"offline KIND NAME"}, C{"synchronized"},
            C{"disconnected"}, C{"problem PROBLEM NAME"} or C{"solved PROBLEM NAME"}
            (without a name for a problem of the switch). The cause may follow, as
            in C{"synchronized initial"}.
        @return: the events.
        @raise AssertionError: if other events were told; the text shows both.
        """
        events = self.take()
        told = [_words(event) for event in events]
        wanted = [text.split() for text in expected]
        alike = [words[: len(want)] == want for words, want in zip(told, wanted, strict=False)]
        if len(told) != len(wanted) or not all(alike):
            both = (("expected", expected), ("told", map(" ".join, told)))
            raise AssertionError("\n".join(_listed(title, texts) for title, texts in both))
        return events


def _listed(title: str, texts: Iterable[str]) -> str:
    return "\n  ".join([f"{title}:", *(list(texts) or ["nothing"])])


def _words(event: Event) -> list[str]:
    words = [EVENT_NAMES[type(event)]]
    if isinstance(event, InterfaceEvent):
        words += [event.kind.value, event.interface.name]
    if isinstance(event, (InterfaceEvent, Synchronized)):
        words.append(event.cause.value)
    if isinstance(event, ProblemEvent):
        words.append(event.problem.value)
        words += [] if event.interface is None else [event.interface.name]
    return words
