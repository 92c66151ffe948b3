# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One observer: it is told one event after another, it is told nothing while it
is busy, and its failures affect nobody else.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import Event, OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.monitoring.earlier import AskTold, ask
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

_BUSY: Final = (
    "observer {observer} is busy with {event} for {seconds:g} s; what happens meanwhile"
    " reaches it as one difference"
)
_RECALLING: Final = (
    "observer {observer} is told nothing: what it was told before (told=) has not been"
    " found for {seconds:g} s"
)


def _asDeferred(result: ObserverResult) -> Deferred[object]:
    """
    @raise TypeError: if an observer may not return this.
    """
    if isinstance(result, Deferred):
        return result
    # Raises TypeError for anything that is not a coroutine.
    return Deferred.fromCoroutine(result)  # type: ignore[arg-type]


class Delivery:
    """
    Tells one observer the events of its tracker.

    @ivar observer: the observer.
    @ivar tracker: what the observer was told, and what waits for it.
    """

    _log = Logger()

    def __init__(
        self,
        observer: IOvsdbEventObserver,
        tracker: Tracker,
        clock: IReactorTime,
        told: AskTold | None = None,
    ) -> None:
        """
        @param told: returns what the observer was told in an earlier life. It
            is called before the first event, which waits for its result.
        """
        self.observer = observer
        self.tracker = tracker
        self._clock = clock
        self._told = told
        self._running = False
        self._closed = False
        # What the observer is busy with; nothing is told until it fires.
        self._busy: Deferred[Any] | None = None
        self._patience: IDelayedCall | None = None
        self._turn = Turn(clock)  # of the next slice
        self._slices: Waiters[None] = Waiters()
        self._delivering = False

    def start(self) -> None:
        """
        Allow L{deliver} to tell events.
        """
        self._running = True

    def stop(self) -> None:
        """
        Tell nothing more until L{start}. A Deferred that the observer is busy
        with is still awaited.
        """
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
        Tell everything that waits, until the observer is busy: so many events
        at once, the rest in the next turns of the reactor.

        This may be called at any time, also by the observer while it is told
        an event: the new events then follow that one.

        @return: fires when the events of the next turns are told, or the
            observer is busy or stopped; None if there are none to wait for.
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
        if self._running and self._told is not None:
            self._recall(self._told)
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
                    self._await(_asDeferred(result), event)
            except Exception:
                self._failed(event, Failure())
        if self._running and self._busy is None:
            self._turn.take(self._deliver)

    def _failed(self, event: Event, failure: Failure) -> None:
        self._log.failure(
            "observer {observer} failed on {event}",
            failure=failure,
            observer=self.observer,
            event=event,
        )

    def _await(self, result: Deferred[object], event: Event) -> None:
        self._busy = result

        def failed(failure: Failure) -> None:
            if self._busy is result or not failure.check(CancelledError):
                self._failed(event, failure)

        result.addErrback(failed)
        self._holdUntil(result, _BUSY, event)

    def _recall(self, told: AskTold) -> None:
        """
        Ask what the observer was told in an earlier life.
        """
        self._told = None
        switch = self.tracker.present.switch
        self._busy = recalling = ask(told, switch)

        def recalled(interfaces: tuple[OvsInterface, ...] | None) -> None:
            if interfaces is not None:
                self.tracker.recall(switch, interfaces)

        def failed(failure: Failure) -> None:
            if self._busy is recalling or not failure.check(CancelledError):
                self._log.failure(
                    "what observer {observer} was told before (told=) is not known;"
                    " it is told everything as INITIAL",
                    failure=failure,
                    observer=self.observer,
                )

        recalling.addCallbacks(recalled, failed)
        self._holdUntil(recalling, _RECALLING)
        if self._closed:  # The function has removed the observer.
            self.close()

    def _holdUntil(self, result: Deferred[Any], warning: str, event: Event | None = None) -> None:
        """
        Tell nothing until this has fired.

        @param warning: what to log when that takes long.
        """

        def free(_: object) -> None:
            if self._busy is result:
                self._busy = None
                self._endPatience()
                self._deliver()

        result.addBoth(free)
        if self._busy is result and self._running:
            self._patience = self._clock.callLater(PATIENCE, self._warn, warning, event)

    def _warn(self, warning: str, event: Event | None) -> None:
        self._patience = None
        self._log.warn(warning, observer=self.observer, event=event, seconds=PATIENCE)

    def _endPatience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
