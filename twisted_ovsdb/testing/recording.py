# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that records, for L{twisted_ovsdb.testing}.
"""

from __future__ import annotations

from zope.interface import implementer

from twisted_ovsdb.events import Event, InterfaceEvent, Synchronized
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.summary import EVENT_NAMES


@implementer(IOvsdbEventObserver)
class RecordingObserver:
    """
    Keeps what it is told.

    @ivar events: the events that were not taken yet.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def eventReceived(self, event: Event) -> None:
        """
        Keep it.
        """
        self.events.append(event)

    def take(self) -> list[Event]:
        """
        @return: what was told since the last time.
        """
        events, self.events = self.events, []
        return events

    def expect(self, *expected: str) -> list[Event]:
        """
        Take what was told since the last time, which has to be this.

        @param expected: an event each: C{"online KIND NAME"}, C{changed} and
            C{offline} likewise, C{"synchronized"} or C{"disconnected"}; the
            cause may stand behind.
        @return: the events.
        @raise AssertionError: if something else was told; the text shows both.
        """
        events = self.take()
        told = [_words(event) for event in events]
        wanted = [text.split() for text in expected]
        # The cause need not be expected.
        alike = [words[: len(want)] == want for words, want in zip(told, wanted, strict=False)]
        if len(told) != len(wanted) or not all(alike):
            lines = ["expected:", *expected, "told:", *(" ".join(words) for words in told)]
            raise AssertionError("\n  ".join(lines))
        return events


def _words(event: Event) -> list[str]:
    words = [EVENT_NAMES[type(event)]]
    if isinstance(event, InterfaceEvent):
        words += [event.kind.value, event.interface.name]
    if isinstance(event, (InterfaceEvent, Synchronized)):
        words.append(event.cause.value)
    return words
