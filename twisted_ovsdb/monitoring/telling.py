# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Telling something one step after another, and nothing while it is busy. What a
step is, and what the steps are, is left to others: events for observers, changes
of rows for the callback of a replica.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.monitoring.turn import Turn

Step = TypeVar("Step")

DELIVERY_SLICE: Final = 500
"""
Steps, such as events, that are told in one turn of the reactor, so that other
connections and timers do not wait for thousands of them.
"""

PATIENCE: Final = 30.0
"""
Seconds that an observer may be busy before a warning says so: longer than any
healthy reaction to an event, and soon enough to find an observer that hangs.
"""

# What is logged of a step: when it takes long, and when it fails.
_STEP: Final = (
    "observer {observer} is busy with {event} for {seconds:g} s; what happens meanwhile"
    " reaches it as one difference",
    "observer {observer} failed on {event}",
)


async def _ended(result: Awaitable[object]) -> object:
    return await result


class Telling(Generic[Step]):
    """
    Tells one observer or callback what waits for it, step by step.

    @ivar observer: what is told, for the log.
    """

    _log = Logger()

    def __init__(
        self,
        observer: object,
        tell: Callable[[Step], object],
        nextStep: Callable[[], Step | None],
        clock: IReactorTime,
        called: str,
    ) -> None:
        """
        @param tell: tells a step. If it returns a Deferred or a coroutine,
            nothing more is told until that ends.
        @param nextStep: takes the next step; None if nothing waits.
        @param called: the name of what is called, in an error about what it
            returns.
        """
        self.observer = observer
        self._tell = tell
        self._nextStep = nextStep
        self._clock = clock
        self._called = called
        self._running = False
        self._closed = False
        # What the observer is busy with; nothing is told until it fires.
        self._busy: Deferred[Any] | None = None
        self._patience: IDelayedCall | None = None
        self._turn = Turn(clock)  # of the next slice
        self._slices: Waiters[None] = Waiters()
        self._delivering = False

    def start(self) -> None:
        """Allow L{deliver} to tell steps."""
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
            # A canceller that raises is a failure of the observer too.
            with self._log.failuresHandled(
                "observer {observer} failed when it was cancelled", observer=self.observer
            ):
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
        nextStep, tell = self._nextStep, self._tell
        for _ in range(DELIVERY_SLICE):
            if not self._running or self._busy is not None:
                return
            step = nextStep()
            if step is None:
                return
            # As Logger.failuresHandled, which would be slower than all the rest. With
            # SystemExit too: it would not end the reactor, but what is still to be done.
            try:
                result = tell(step)
                if result is not None:
                    self._await(self._asDeferred(result), _STEP, step)
            except BaseException:
                self._logFailure(_STEP[1], Failure(), step)
        if self._running and self._busy is None:
            self._turn.take(self._deliver)

    def _asDeferred(self, result: object) -> Deferred[object]:
        """@raise TypeError: if this is not an awaitable."""
        if isinstance(result, Deferred):
            return result
        if not isinstance(result, Awaitable):
            raise TypeError(
                f"{self._called} returned neither None nor an awaitable: {result!r:.200}"
            )
        return Deferred.fromCoroutine(_ended(result))

    def _await(
        self, result: Deferred[Any], texts: tuple[str, str], step: Step | None = None
    ) -> None:
        """Tell nothing until this has fired."""
        slow, failed = texts
        self._busy = result

        def fail(failure: Failure) -> None:
            if self._busy is result or not failure.check(CancelledError):
                self._logFailure(failed, failure, step)

        def free(_: object) -> None:
            if self._busy is result:
                self._busy = None
                self._endPatience()
                self._deliver()

        result.addErrback(fail).addBoth(free)
        if self._busy is result and self._running:
            self._patience = self._clock.callLater(PATIENCE, self._warn, slow, step)

    def _logFailure(self, text: str, failure: Failure, step: Step | None) -> None:
        self._log.failure(text, failure=failure, observer=self.observer, event=step)

    def _warn(self, warning: str, step: Step | None) -> None:
        self._patience = None
        self._log.warn(warning, observer=self.observer, event=step, seconds=PATIENCE)

    def _endPatience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
