# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Speaks for one switch: takes over when this monitor holds the switch's lock, gathers
lines into messages, one of them on its way at a time, and gives the lock up if the
broker does not take them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import OvsdbError, printable
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.monitoring.turn import Turn
from twisted_ovsdb.publish.ipublisher import IEventPublisher
from twisted_ovsdb.publish.messages import MOST_BYTES, MOST_LINES, Line
from twisted_ovsdb.publish.streams import Fenced

PATIENCE: Final = 10.0
"""Seconds without an acknowledgement, after which another monitor may do better."""

ATTEMPTS: Final = 20
"""
Takeovers that may be refused, one after another: the instance before may still publish
what it has on its way.
"""


class LockedMonitor(Protocol):
    """What is needed of the monitor of a switch."""

    @property
    def speaking(self) -> bool:
        """Whether it holds the switch's lock, and has confirmed that."""

    def confirmLock(self) -> Deferred[None]:
        """Ask the switch whether it holds the lock; fails if it does not."""

    def giveUp(self) -> object:
        """Unlock, and ask for the lock again after a random wait."""

    def stealLock(self) -> object:
        """Take the lock from another monitor."""


class GaveUp(OvsdbError):
    """This monitor has given the lock up, because it could not publish."""


class Speaker:
    """
    Speaks for one switch.

    @ivar switch: its key.
    @ivar speaking: whether events are published.
    @ivar owedSince: since when lines wait that were given up; None: there are none.
    """

    _log = Logger()

    def __init__(
        self,
        switch: str,
        publisher: IEventPublisher,
        monitorOf: Callable[[str], LockedMonitor | None],
        started: Callable[[bool], Line],
        clock: IReactorTime,
        now: Callable[[], float],
        count: Callable[[str, int], object] = lambda result, lines: None,
        onForgotten: Callable[[], object] = lambda: None,
    ) -> None:
        """
        @param monitorOf: the monitor of a switch; None if there is none any more.
        @param started: makes the first line of a takeover.
        @param now: the time in seconds that never jump.
        @param count: is told what became of lines.
        @param onForgotten: is called when the broker knows that the switch is forgotten.
        """
        self.switch = switch
        self._publisher = publisher
        self._monitorOf = monitorOf
        self._started = started
        self._clock = clock
        self._now = now
        self._count = count
        self._onForgotten = onForgotten
        self.speaking = False
        self.owedSince: float | None = None
        self._taking: Deferred[Any] | None = None
        self._lines: list[Line] = []
        self._since = 0.0  # when the first of them came
        self._sending: Deferred[None] | None = None
        self._sentSince: float | None = None
        self._turn = Turn(clock)
        self._patience: IDelayedCall | None = None
        self._room: Waiters[None] = Waiters()

    @property
    def lag(self) -> float:
        """Seconds since the oldest line that the broker does not have; 0 if it has all."""
        since = self.owedSince
        if since is None:
            since = self._sentSince
        if since is None and self._lines:
            since = self._since
        return 0.0 if since is None else self._now() - since

    # Taking over

    def takeOver(self) -> Deferred[list[OvsInterface] | None]:
        """
        Take over: this monitor was granted the lock.

        @return: what was told; None if nothing was, or if it is not known.
        """
        self.standBy()
        taking: Deferred[Any] = Deferred.fromCoroutine(self._take())
        self._taking = taking
        self._beginPatience()

        def ended(result: object) -> object:
            if self._taking is taking:
                self._taking = None
                if self._sending is None:
                    self._endPatience()
            return result

        return taking.addBoth(ended)

    async def _take(self) -> list[OvsInterface] | None:
        for _ in range(ATTEMPTS):
            told = await self._publisher.read(self.switch)
            monitor = self._monitorOf(self.switch)
            if monitor is None:
                raise GaveUp("there is no monitor of this switch any more")
            # This monitor may have been frozen since it was granted the lock. If the lock
            # is still its own, whoever takes over later reads what is published next.
            await monitor.confirmLock()
            try:
                started = [self._started(told.resumed)]
                await self._publisher.takeOver(told, started, self._lost)
            except Fenced:
                self._count("fenced", 1)
                continue
            self._count("acknowledged", 1)
            self.speaking = True
            self.owedSince = None
            return told.interfaces
        self._taking = None  # This is it: it fails by itself, and is not cancelled.
        self._giveUp("another instance publishes")
        raise GaveUp("another instance publishes")

    # Speaking

    def tell(self, line: Line) -> Deferred[None] | None:
        """
        Publish a line.

        @return: fires when the next one may be told; None if that is now.
        """
        if not self.speaking:
            return None
        if not self._lines:
            self._since = self._now()
        self._lines.append(line)
        if self._sending is None:
            if len(self._lines) >= MOST_LINES:
                self._send()
            else:
                # What is told in this turn goes out together.
                self._turn.take(self._send)
        return self._room.wait() if len(self._lines) >= MOST_LINES else None

    def _send(self) -> None:
        self._turn.cancel()
        if self._sending is not None or not self._lines or not self.speaking:
            return
        count, size = 0, 0
        for line in self._lines[:MOST_LINES]:
            size += len(line.text) + 1
            if count and size > MOST_BYTES:
                break
            count += 1
        lines, self._lines = self._lines[:count], self._lines[count:]
        self._sentSince, self._since = self._since, self._now()
        sending = self._sending = self._publisher.publish(self.switch, lines)
        if self._patience is None:
            self._beginPatience()
        sending.addCallbacks(
            lambda _: self._sent(sending, lines),
            lambda failure: self._failed(sending, failure, len(lines)),
        )
        if len(self._lines) < MOST_LINES:
            self._room.callback(None)

    def _sent(self, sending: Deferred[None], lines: list[Line]) -> None:
        self._count("acknowledged", len(lines))
        if self._sending is not sending:
            return
        self._sending = self._sentSince = None
        self._endPatience()
        if lines[-1].forgets and not self._lines:
            self._onForgotten()
        self._send()

    def _failed(self, sending: Deferred[None], failure: Failure, count: int) -> None:
        if failure.check(CancelledError):
            self._count("unacknowledged", count)
            return
        if failure.check(Fenced):
            self._count("fenced", count)
            reason = "another instance has taken over"
        else:
            self._count("refused", count)
            reason = printable(str(failure.value))
            if not failure.check(OvsdbError):
                self._log.failure("publishing for {switch}", failure=failure, switch=self.switch)
        if self._sending is sending:
            self._giveUp(reason)

    # Standing by

    def _lost(self) -> None:
        self._giveUp("another instance has taken over, or the broker has lost messages")

    def _giveUp(self, reason: str) -> None:
        self._log.info(
            "switch {switch}: this monitor gives its lock up: {reason}",
            switch=printable(self.switch),
            reason=reason,
        )
        taking = self._taking
        self.standBy()
        monitor = self._monitorOf(self.switch)
        if monitor is not None:
            monitor.giveUp()
        if taking is not None:
            taking.cancel()

    def standBy(self) -> None:
        """Publish nothing more; drop what was not published, whoever speaks next finds it."""
        if self.lag:
            self.owedSince = self._now() - self.lag
        self.speaking = False
        self._publisher.leave(self.switch)
        self._turn.cancel()
        self._endPatience()
        self._lines.clear()
        self._sentSince = self._taking = None
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
        self._room.callback(None)

    def _beginPatience(self) -> None:
        self._endPatience()
        self._patience = self._clock.callLater(PATIENCE, self._impatient)

    def _endPatience(self) -> None:
        patience, self._patience = self._patience, None
        if patience is not None:
            patience.cancel()

    def _impatient(self) -> None:
        self._patience = None
        self._giveUp(f"the broker has acknowledged nothing for {PATIENCE:g} s")
