# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observers of one monitor, also those for C{async for}: when each of them begins
and ends. Each has a delivery, which tells it the events.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Callable, Iterable

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_ovsdb.events import Event, ForgetReason, OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver, Observer, wantsProblems
from twisted_ovsdb.monitoring.delivery import Delivery
from twisted_ovsdb.monitoring.earlier import Told
from twisted_ovsdb.monitoring.telling import DELIVERY_SLICE
from twisted_ovsdb.monitoring.turn import Turn
from twisted_ovsdb.openvswitch.conditions import Key
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.openvswitch.problems import Problems
from twisted_ovsdb.openvswitch.report import Report
from twisted_ovsdb.openvswitch.tracker import Tracker
from twisted_ovsdb.openvswitch.views import notAdded, through
from twisted_ovsdb.parameters import checkClock, checkFlags

Note = Callable[[str, "OvsInterface | None", "OvsInterface | None"], None]
"""Called with a UUID, the row before a change, and the row now."""


@implementer(IOvsdbEventObserver)
class Handover:
    """
    Gives each event to one consumer, that of an C{async for}. It is busy until the
    consumer asks for the next event, so that there is no queue between the two.
    """

    def __init__(self, clock: IReactorTime, wantsProblems: bool = False) -> None:
        self.wantsProblems = wantsProblems
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
        """Ask for an event; None is the end."""
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


class Audience:
    """
    All observers of a monitor.

    @ivar deliveries: one for each observer, in the order they were added.
    """

    def __init__(
        self,
        present: Present,
        replay: bool,
        clock: IReactorTime,
        onRemembered: Callable[[Iterable[OvsInterface]], object],
        problems: Problems | None = None,
        onUntold: Callable[[], object] = lambda: None,
        confirm: Callable[[], Deferred[None]] = lambda: succeed(None),
    ) -> None:
        """
        @param onRemembered: gets the interfaces that an observer was told in an
            earlier process, when they are known.
        @param problems: the problems of the switch, for observers that ask for
            them; None: they are not looked for.
        @param onUntold: see L{Delivery}.
        @param confirm: see L{Delivery}.
        """
        checkFlags(replay=replay)
        checkClock(clock)
        self._onRemembered = onRemembered
        self._onUntold = onUntold
        self._confirm = confirm
        self.deliveries: list[Delivery] = []
        self._problems = problems
        self._present = present
        self._replay = replay
        self._clock = clock
        self._beginning = Turn(clock)  # of observers that were added while in sync
        # In their order, a set. A consumer may drop its generator.
        self._streams: weakref.WeakKeyDictionary[Handover, None] = weakref.WeakKeyDictionary()

    def add(self, observer: Observer, told: Told | None = None) -> None:
        """See L{InterfaceMonitor.addObserver}."""
        if self._of(observer) is not None:
            raise ValueError(f"{observer!r} is an observer already")
        seen = through(observer)
        if told is None:
            told = seen.told
        elif seen.told is not None:
            raise ValueError(f"{observer!r} remembers what it was told; told= is given too")
        behind = seen.observer
        tracker = Tracker(self._present, self._replay and seen.replays, seen.wants)
        report = None
        if self._problems is not None and wantsProblems(behind):
            report = Report(self._problems, tracker, seen.wants)
        self.deliveries.append(
            Delivery(
                behind,
                tracker,
                self._clock,
                told,
                self._onRemembered,
                observer,
                report,
                self._onUntold,
                self._confirm,
            )
        )
        if self._present.inSync:
            self._beginning.take(self.start)

    def remove(self, observer: Observer) -> None:
        """See L{InterfaceMonitor.removeObserver}."""
        delivery = self._found(observer)
        self.deliveries.remove(delivery)
        delivery.close()

    def replayTo(self, observer: Observer) -> None:
        """See L{InterfaceMonitor.replayTo}."""
        delivery = self._found(observer)
        delivery.tracker.repeat()
        if delivery.report is not None:
            delivery.report.repeat()
        if self._present.inSync:
            self._beginning.take(self.start)

    def leave(self) -> None:
        """See L{Tracker.leave}."""
        for delivery in self.deliveries:
            if delivery.report is not None:
                delivery.report.leave()
            delivery.tracker.leave()

    def noteProblems(self, keys: Iterable[Key]) -> None:
        """Note that these problems were found, have ended or look different."""
        reports = [each.report for each in self.deliveries if each.report is not None]
        for key in keys:
            for report in reports:
                report.note(key)

    def forget(self, reason: ForgetReason) -> Deferred[None]:
        """@return: as L{Delivery.forget}, for all observers."""
        self._beginning.cancel()
        parted = [delivery.forget(reason) for delivery in tuple(self.deliveries)]
        return gatherResults(parted).addCallback(lambda _: None)

    @property
    def parted(self) -> bool:
        """As L{Delivery.parted}, for all observers."""
        return all(delivery.parted for delivery in self.deliveries)

    def close(self) -> None:
        """Remove all observers."""
        deliveries, self.deliveries = self.deliveries, []
        for delivery in deliveries:
            delivery.close()

    def _of(self, observer: Observer) -> Delivery | None:
        return next((d for d in self.deliveries if d.isOf(observer)), None)

    def _found(self, observer: Observer) -> Delivery:
        delivery = self._of(observer)
        if delivery is None:
            raise notAdded(observer, [delivery.added for delivery in self.deliveries])
        return delivery

    def events(self, problems: bool = False) -> AsyncGenerator[Event, None]:
        """See L{InterfaceMonitor.events}."""
        checkFlags(problems=problems)
        handover = Handover(self._clock, problems)
        self._streams[handover] = None
        return self._stream(handover)

    async def _stream(self, handover: Handover) -> AsyncGenerator[Event, None]:
        """
        The handover is an observer from the first event that is asked for
        until this generator is closed or dropped.
        """
        self.add(handover)
        try:
            while (event := await handover.next()) is not None:
                yield event
        finally:
            handover.close()
            self.remove(handover)

    def notes(self) -> list[Note]:
        """The functions to call for each row that changes."""
        trackers = [delivery.tracker for delivery in self.deliveries]
        return [tracker.note for tracker in trackers if tracker.begun]

    def start(self) -> Deferred[None] | None:
        """As L{deliver}, and begin with the observers that have not begun."""
        for delivery in tuple(self.deliveries):
            delivery.start()
        return self.deliver()

    def silence(self) -> None:
        """See L{Delivery.silence}."""
        for delivery in tuple(self.deliveries):
            delivery.silence()

    def stop(self) -> None:
        """Tell nothing more until L{start}, and end the loops over L{events}."""
        self._beginning.cancel()
        for delivery in tuple(self.deliveries):
            delivery.stop()
        for handover in tuple(self._streams):
            handover.end()

    def deliver(self) -> Deferred[None] | None:
        """
        Tell all observers what waits for them, until they are busy.

        @return: as L{Delivery.deliver}, for all of them.
        """
        slices = [delivery.deliver() for delivery in tuple(self.deliveries)]
        waiting = [told for told in slices if told is not None]
        if not waiting:
            return None
        return gatherResults(waiting).addCallback(lambda _: None)
