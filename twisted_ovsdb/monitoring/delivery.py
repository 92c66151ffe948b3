# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One observer: it is told one event after another, and nothing while it is busy.
Its failures affect no other observer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import Event, OvsInterface
from twisted_ovsdb.interfaces import Observer, asObserver
from twisted_ovsdb.monitoring.earlier import AskTold, Told, askTold
from twisted_ovsdb.monitoring.turn import Turn
from twisted_ovsdb.openvswitch.tracker import Tracker

DELIVERY_SLICE: Final = 500
"""
Events that one observer is told in one turn of the reactor, so that other
connections and timers do not wait for thousands of them.
"""

PATIENCE: Final = 30.0
"""
Seconds that an observer may be busy before a warning says so: longer than any
healthy reaction to an event, and soon enough to find an observer that hangs.
"""

# What is logged of an event, and of what was told before: when it takes long, and
# when it fails.
_EVENT: Final = (
    "observer {observer} is busy with {event} for {seconds:g} s; what happens meanwhile"
    " reaches it as one difference",
    "observer {observer} failed on {event}",
)
_RECALL: Final = (
    "observer {observer} is told nothing: what it was told before (told=) has not been"
    " found for {seconds:g} s",
    "what observer {observer} was told before (told=) is not known; it is told everything"
    " as INITIAL",
)


async def _ended(result: Awaitable[object]) -> object:
    return await result


def _asDeferred(result: Awaitable[object]) -> Deferred[object]:
    """@raise TypeError: if this is not an awaitable."""
    if isinstance(result, Deferred):
        return result
    if not isinstance(result, Awaitable):
        raise TypeError(f"eventReceived returned neither None nor an awaitable: {result!r:.200}")
    return Deferred.fromCoroutine(_ended(result))


class Delivery:
    """
    Tells one observer the events of its tracker.

    @ivar observer: the observer, or its adapter.
    @ivar tracker: what the observer was told, and what waits for it.
    """

    _log = Logger()

    def __init__(
        self,
        observer: Observer,
        tracker: Tracker,
        clock: IReactorTime,
        told: Told | None = None,
        onRemembered: Callable[[Iterable[OvsInterface]], object] = lambda told: None,
        added: Observer | None = None,
    ) -> None:
        """
        @param told: what the observer was told in an earlier process. The first
            event waits for it.
        @param onRemembered: gets that, when it is known.
        @param added: what was added, if there are views in front of the observer.
        @raise TypeError: as L{asObserver}, and as L{askTold}.
        """
        self.observer = asObserver(observer)
        self._added = (observer, self.observer) if added is None else (added,)
        self.tracker = tracker
        self._clock = clock
        self._askTold = None if told is None else askTold(told)
        self._onRemembered = onRemembered
        self._running = False
        self._closed = False
        # What the observer is busy with; nothing is told until it fires.
        self._busy: Deferred[Any] | None = None
        self._patience: IDelayedCall | None = None
        self._turn = Turn(clock)  # of the next slice
        self._slices: Waiters[None] = Waiters()
        self._delivering = False

    def isOf(self, observer: Observer) -> bool:
        """Whether this observer was added, or its adapter is told."""
        # By identity: two observers may be equal.
        return any(observer is added for added in self._added)

    def start(self) -> None:
        """Allow L{deliver} to tell events."""
        self._running = True

    def stop(self) -> None:
        """Tell nothing more until L{start}. The observer may stay busy meanwhile."""
        self._running = False
        self._endPatience()
        if self._turn.cancel():
            self._slices.callback(None)

    def close(self) -> None:
        """
        Tell nothing more, and cancel the Deferred that the observer is busy
        with. This cannot be undone.
        """
        self.stop()
        self._closed = True
        busy, self._busy = self._busy, None
        if busy is not None:
            busy.cancel()

    def deliver(self) -> Deferred[None] | None:
        """
        Tell everything that waits, until the observer is busy: a slice of the
        events now, the others in the next turns of the reactor.

        The observer may call this too, while it is told an event. The new
        events then follow that one.

        @return: fires when no event is left for a next turn, or the observer
            is busy or stopped; None if that is so now.
        """
        self._deliver()
        return self._slices.wait() if self._turn.awaited else None

    def _deliver(self) -> None:
        if self._delivering or self._turn.awaited:
            return
        self._delivering = True
        try:
            self._deliverSlice()
        finally:
            self._delivering = False
        if not self._turn.awaited:
            self._slices.callback(None)

    def _deliverSlice(self) -> None:
        if self._running and self._askTold is not None:
            self._recall(self._askTold)
        nextEvent, observer = self.tracker.nextEvent, self.observer
        for _ in range(DELIVERY_SLICE):
            if not self._running or self._busy is not None:
                return
            event = nextEvent()
            if event is None:
                return
            # Logger.failuresHandled would be slower than all the rest.
            try:
                result = observer.eventReceived(event)
                if result is not None:
                    self._await(_asDeferred(result), _EVENT, event)
            except Exception:
                self._logFailure(_EVENT[1], Failure(), event)
        if self._running and self._busy is None:
            self._turn.take(self._deliver)

    def _recall(self, askTold: AskTold) -> None:
        self._askTold = None
        switch = self.tracker.present.switch

        def recalled(interfaces: tuple[OvsInterface, ...] | None) -> None:
            if interfaces is not None:
                self.tracker.recall(switch, interfaces)
                self._onRemembered(interfaces)

        self._await(askTold(switch).addCallback(recalled), _RECALL)
        if self._closed:  # The function has removed the observer.
            self.close()

    def _await(
        self, result: Deferred[Any], texts: tuple[str, str], event: Event | None = None
    ) -> None:
        """Tell nothing until this has fired."""
        slow, failed = texts
        self._busy = result

        def fail(failure: Failure) -> None:
            if self._busy is result or not failure.check(CancelledError):
                self._logFailure(failed, failure, event)

        def free(_: object) -> None:
            if self._busy is result:
                self._busy = None
                self._endPatience()
                self._deliver()

        result.addErrback(fail).addBoth(free)
        if self._busy is result and self._running:
            self._patience = self._clock.callLater(PATIENCE, self._warn, slow, event)

    def _logFailure(self, text: str, failure: Failure, event: Event | None) -> None:
        self._log.failure(text, failure=failure, observer=self.observer, event=event)

    def _warn(self, warning: str, event: Event | None) -> None:
        self._patience = None
        self._log.warn(warning, observer=self.observer, event=event, seconds=PATIENCE)

    def _endPatience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
