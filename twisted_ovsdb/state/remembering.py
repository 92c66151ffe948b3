# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer that remembers what it was told: it stands before the observer, notes
each event when that has been told, and says at the beginning what was told before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from twisted_ovsdb.events import (
    Cause,
    Event,
    InterfaceEvent,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchIdentity,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult, wantsProblems
from twisted_ovsdb.openvswitch.views import View
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.journal import Journal
from twisted_ovsdb.state.roll import Roll
from twisted_ovsdb.state.sink import Sink

Recall = Callable[[str], Deferred["list[OvsInterface] | None"]]
"""What was told of a switch, by its key; None if nothing was."""


class Meanwhile:
    """
    Collects what an observer is told between the close of a store and the next open,
    in place of a L{Sink}. It has no more interfaces than the store has and the observer
    was told of: what came and went meanwhile is left out.

    @ivar batch: the first commit after the next open.
    @ivar over: whether a L{Sink} has this batch now.
    """

    def __init__(self) -> None:
        self.batch = Batch()
        self.over = False
        self._new: set[tuple[str, str]] = set()  # what the store does not have

    def note(self, event: Event) -> None:
        """An event was told."""
        if not isinstance(event, InterfaceEvent):
            self.batch.note(event)
            return
        changes = self.batch.switches.get(event.switch)
        key = (event.switch, event.interface.uuid)
        if isinstance(event, InterfaceOnline) and event.cause is not Cause.REPLAY:
            if changes is None or event.interface.uuid not in changes.rows:
                self._new.add(key)
        self.batch.note(event)
        if isinstance(event, InterfaceOffline) and key in self._new:
            self._new.remove(key)
            del self.batch.switches[event.switch].rows[event.interface.uuid]


@implementer(IOvsdbEventObserver)
class Recorder:
    """
    Tells an observer, and notes what it was told. An event counts as told when
    C{eventReceived} has returned and its Deferred has fired.

    @ivar sink: notes the events; None while the store is not open.
    @ivar meanwhile: notes them while the store is closed, and may be opened again;
        None while it is open, and if nothing is kept.
    @ivar journal: is told each event too, before and after; None if the observer's own
        lines say the same.
    @ivar roll: the switches that are told of.
    """

    _log = Logger()

    def __init__(self, observer: IOvsdbEventObserver, recall: Recall) -> None:
        """
        @param recall: tells what was told of a switch that another one has replaced.
        """
        self._observer = observer
        self._recall = recall
        self.sink: Sink | None = None
        self.journal: Journal | None = None
        self.meanwhile: Meanwhile | None = None
        self.roll = Roll({})

    def __repr__(self) -> str:
        return f"<{self._observer!r}, remembered>"

    @property
    def wantsProblems(self) -> bool:
        """Whether the observer asks for problems."""
        return wantsProblems(self._observer)

    def eventReceived(self, event: Event) -> ObserverResult:
        """Tell the event, and note it."""
        sink = self.sink or self.meanwhile
        if sink is None:
            return self._observer.eventReceived(event)
        replaced = self.roll.note(event)
        if replaced:
            return Deferred.fromCoroutine(self._replace(sink, replaced, event))
        return self._tell(sink, event)

    async def tellAgain(self, events: Iterable[Event]) -> None:
        """Tell what was being told when an earlier process ended."""
        for event in events:
            if self.sink is not None:
                await self._tellApart(self.sink, event)

    def _tell(self, sink: Sink | Meanwhile, event: Event) -> ObserverResult:
        if self.journal is not None:
            self.journal.begin(event)
        try:
            result: Any = self._observer.eventReceived(event)
        except Exception:
            # It counts as delivered.
            self._note(sink, event)
            raise
        if result is None:
            return self._note(sink, event)
        if not isinstance(result, Awaitable):
            self._note(sink, event)
            return result  # type: ignore[no-any-return]
        return Deferred.fromCoroutine(self._ended(sink, event, result))

    def _note(self, sink: Sink | Meanwhile, event: Event) -> Deferred[None] | None:
        if self.journal is not None:
            self.journal.note(event)
        # The store may have been closed, or opened, while the observer was told.
        now = (self.sink or self.meanwhile or sink) if sink.over else sink
        return now.note(event)

    async def _ended(self, sink: Sink | Meanwhile, event: Event, result: Awaitable[object]) -> None:
        try:
            await result
        except CancelledError:
            # The observer was removed before it had ended.
            if self.journal is not None:
                self.journal.cancel(event)
            raise
        except Exception:
            self._note(sink, event)
            raise
        full = self._note(sink, event)
        if full is not None:
            await full

    async def _replace(self, sink: Sink | Meanwhile, replaced: list[str], event: Event) -> None:
        """
        Another switch has taken the place of these, as after a changed system-id:
        no interface of theirs survives.
        """
        for switch in replaced:
            # In this life, everything was told offline when the other one came.
            rows = None if self.roll.wasMet(switch) else await self._recall(switch)
            for row in rows or ():
                identity = SwitchIdentity(None if switch == event.source else switch)
                gone = InterfaceOffline(row, Cause.RESYNC, event.source, identity=identity)
                await self._tellApart(sink, gone)
            self.roll.forget(switch)
            sink.batch.forget(switch)
        await _wait(self._tell(sink, event))

    async def _tellApart(self, sink: Sink | Meanwhile, event: Event) -> None:
        """Tell an event that no monitor tells, so that this waits, and logs a failure."""
        try:
            await _wait(self._tell(sink, event))
        except Exception:
            self._log.failure("observer {observer} failed on {event}", observer=self, event=event)


async def _wait(result: ObserverResult) -> None:
    if result is not None:
        await result


@attrs.frozen(eq=False)
class Remembered(View):
    """An observer that an L{ObserverState <twisted_ovsdb.ObserverState>} remembers."""

    _told: Callable[[str], Deferred[Any]] = attrs.field(repr=False)

    @property
    def told(self) -> Any:
        """A function of the key of the switch."""
        return self._told
