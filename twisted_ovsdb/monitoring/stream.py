# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Events for C{async for}: the observer is busy until its consumer asks for the next
event, so that there is no queue of events between the two.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.monitoring.delivery import DELIVERY_SLICE, Turn


@implementer(IOvsdbEventObserver)
class Handover:
    """Gives each event to one consumer that asks for it."""

    def __init__(self, clock: IReactorTime) -> None:
        self._asked: Deferred[Event | None] | None = None
        self._busy: Deferred[None] | None = None
        self._told = 0
        self._turn = Turn(clock)  # of the next slice
        self._ended = False

    def __repr__(self) -> str:
        # The warning about slow observers shows this.
        return f"<the consumer of events() at {id(self):#x}>"

    def eventReceived(self, event: Event) -> Deferred[None] | None:
        """
        Give the event to the consumer.

        @return: fires when the consumer asks for the next event.
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
        asked = self._asked = Deferred(self._forget)
        if self._busy is not None:
            self._told += 1
            if self._told % DELIVERY_SLICE:
                self._free()
            else:
                # A consumer that never waits would block the reactor.
                self._turn.take(self._free)
        return asked

    def end(self) -> None:
        """End the events. A consumer that waits for one gets None."""
        asked = self._asked
        self.close()
        if asked is not None:
            asked.callback(None)

    def close(self) -> None:
        """Forget the consumer."""
        self._ended = True
        self._asked = None
        self._turn.cancel()

    def _free(self) -> None:
        busy, self._busy = self._busy, None
        assert busy is not None
        busy.callback(None)

    def _forget(self, _: object) -> None:
        self._asked = None
