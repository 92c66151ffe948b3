# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Events for C{async for}: an observer that is busy until its consumer asks for
the next event, so that nothing piles up between the two.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.monitoring.delivery import DELIVERY_SLICE


class Observed(Protocol):
    """
    What observers can be added to.
    """

    def addObserver(self, observer: IOvsdbEventObserver) -> None:
        """Tell this observer too."""

    def removeObserver(self, observer: IOvsdbEventObserver) -> None:
        """Tell this observer nothing more."""


@implementer(IOvsdbEventObserver)
class Handover:
    """
    Hands each event to one consumer, who asks for it.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._asked: Deferred[Event | None] | None = None
        self._busy: Deferred[None] | None = None
        self._told = 0
        self._turn: IDelayedCall | None = None  # of the next slice
        self._ended = False

    def __repr__(self) -> str:
        # Delivery's warning of slow observers names it.
        return f"<the consumer of events() at {id(self):#x}>"

    def eventReceived(self, event: Event) -> Deferred[None] | None:
        """
        Hand it over.

        @return: fires when the consumer asks for the next one.
        """
        asked, self._asked = self._asked, None
        assert asked is not None, "told while busy"
        asked.callback(event)
        if self._asked is not None:
            return None
        self._busy = Deferred()
        return self._busy

    def next(self) -> Deferred[Event | None]:
        """
        Ask for an event.

        @return: None at the end.
        """
        if self._ended:
            return succeed(None)
        asked: Deferred[Event | None] = Deferred(self._forget)
        self._asked = asked
        if self._busy is not None:
            self._told += 1
            if self._told % DELIVERY_SLICE:
                self._free()
            else:
                # A consumer that never waits would leave nobody else a turn.
                self._turn = self._clock.callLater(0, self._free)
        return asked

    def end(self) -> None:
        """
        There are no more events: tell the consumer, if it waits.
        """
        asked = self._asked
        self.close()
        if asked is not None:
            asked.callback(None)

    def close(self) -> None:
        """
        There is no consumer any more.
        """
        self._ended = True
        self._asked = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _free(self) -> None:
        self._turn = None
        busy, self._busy = self._busy, None
        assert busy is not None
        busy.callback(None)

    def _forget(self, _: object) -> None:
        self._asked = None


async def stream(observed: Observed, handover: Handover) -> AsyncGenerator[Event, None]:
    """
    Events until the handover ends. It is an observer from the first event
    that is asked for until the generator is closed, or dropped.
    """
    observed.addObserver(handover)
    try:
        while (event := await handover.next()) is not None:
            yield event
    finally:
        handover.close()
        observed.removeObserver(handover)
