# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One observer: it is told one event after another, waits while it is busy, and
its failures are its own.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.openvswitch.tracker import Tracker

DELIVERY_SLICE: Final = 500
"""
Events told to one observer in one turn of the reactor: 2 ms of ours, and
what the observer makes of them.
"""

PATIENCE: Final = 30.0
"""
Seconds that an observer may be busy before a warning says so: longer than any
healthy reaction to an event, and soon enough to find the one that hangs.
"""


def _asDeferred(result: ObserverResult) -> Deferred[object]:
    """
    @raise TypeError: if this is nothing that an observer may return.
    """
    if isinstance(result, Deferred):
        return result
    # Raises a TypeError of its own for what is no coroutine.
    return Deferred.fromCoroutine(result)  # type: ignore[arg-type]


class Delivery:
    """
    Tells one observer what its tracker has for it.

    @ivar observer: the observer.
    @ivar tracker: what it was told and what waits for it.
    """

    _log = Logger()

    def __init__(
        self, observer: IOvsdbEventObserver, tracker: Tracker, clock: IReactorTime
    ) -> None:
        self.observer = observer
        self.tracker = tracker
        self._running = False
        self._clock = clock
        self._busy: Deferred[object] | None = None
        self._patience: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None  # of the next slice
        self._delivering = False

    @property
    def slicing(self) -> bool:
        """Whether there is more to tell than one turn of the reactor takes."""
        return self._turn is not None

    def start(self) -> None:
        """
        From now on, deliver.
        """
        self._running = True

    def stop(self) -> None:
        """
        Deliver nothing more until L{start}; a result that is awaited stays
        so.
        """
        self._running = False
        self._endPatience()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def close(self) -> None:
        """
        Deliver nothing ever again, and cancel the result that is awaited.
        """
        self.stop()
        busy, self._busy = self._busy, None
        if busy is not None:
            busy.cancel()

    def deliver(self) -> None:
        """
        Tell all that there is to tell, until the observer is busy.

        May be called at any time, also from inside the observer: the outer
        call then goes on with what is so by then.
        """
        if self._delivering or self._turn is not None:
            return
        self._delivering = True
        try:
            self._deliverSlice()
        finally:
            self._delivering = False

    def _deliverSlice(self) -> None:
        nextEvent, observer = self.tracker.nextEvent, self.observer
        for _ in range(DELIVERY_SLICE):
            if not self._running or self._busy is not None:
                return
            event = nextEvent()
            if event is None:
                return
            # Not failuresHandled, which costs as much as all the rest: 3 of 6 us.
            try:
                result = observer.eventReceived(event)
                if result is not None:
                    self._await(_asDeferred(result), event)
            except Exception:
                self._failed(event, Failure())
        if self._running and self._busy is None:
            self._turn = self._clock.callLater(0, self._nextSlice)

    def _nextSlice(self) -> None:
        self._turn = None
        self.deliver()

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

        def free(_: object) -> None:
            if self._busy is result:
                self._busy = None
                self._endPatience()
                self.deliver()

        result.addErrback(failed).addBoth(free)
        if self._busy is result and self._running:
            self._patience = self._clock.callLater(PATIENCE, self._warnOfSlowness, event)

    def _warnOfSlowness(self, event: Event) -> None:
        self._patience = None
        self._log.warn(
            "observer {observer} is busy with {event} for {seconds:g} s; what happens meanwhile"
            " reaches it as one difference",
            observer=self.observer,
            event=event,
            seconds=PATIENCE,
        )

    def _endPatience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
