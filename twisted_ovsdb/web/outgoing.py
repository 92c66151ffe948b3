# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One answer on its way. It is made in slices, all answers together in a few
milliseconds of each turn of the reactor, and no faster than the client reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.task import CooperativeTask, Cooperator
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

UNREAD: Final = 30.0
"""Seconds in which a client has to read something of what it was sent."""

TURN: Final = 0.004
"""Seconds of a turn of the reactor that are spent on answers."""

PIECE: Final = 16384
"""Bytes that are collected before they are sent."""


def turns(clock: IReactorTime, now: Callable[[], float]) -> Cooperator:
    """
    Make what divides the time between answers.

    @param now: the time in seconds that never jump.
    """

    def untilOver() -> Callable[[], bool]:
        end = now() + TURN
        return lambda: now() >= end

    return Cooperator(untilOver, lambda call: clock.callLater(0, call))


@implementer(IPushProducer)
class Outgoing:
    """
    The flow of an answer: whether the client reads.

    @ivar paused: whether too much waits for the client.
    @ivar ended: whether the connection is gone.
    """

    def __init__(self, request: Request, clock: IReactorTime) -> None:
        self.request = request
        self.paused = False
        self.ended = False
        self._clock = clock
        self._patience: IDelayedCall | None = None
        request.notifyFinish().addBoth(self._finished)
        request.registerProducer(self, True)

    def pauseProducing(self) -> None:
        """The client does not read what it has."""
        self.paused = True
        if self._patience is None and not self.ended:
            self._patience = self._clock.callLater(UNREAD, self._cutOff)

    def resumeProducing(self) -> None:
        """The client has read."""
        self.paused = False
        self._endPatience()
        self.resumed()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._finished(None)

    def resumed(self) -> None:
        """More may be sent. For subclasses."""

    def closed(self) -> None:
        """Nothing more can be sent. For subclasses."""

    def _endPatience(self) -> None:
        patience, self._patience = self._patience, None
        if patience is not None:
            patience.cancel()

    def _finished(self, _: object) -> None:
        if not self.ended:
            self.ended = True
            self._endPatience()
            self.closed()

    def _cutOff(self) -> None:
        self._patience = None
        transport: Any = self.request.transport
        transport.abortConnection()


class Answer(Outgoing):
    """Sends the pieces of an answer."""

    _log = Logger()

    def __init__(self, request: Request, clock: IReactorTime) -> None:
        super().__init__(request, clock)
        self._task: CooperativeTask[Any] | None = None
        self._resumed: Deferred[None] | None = None

    def send(self, pieces: Iterator[bytes], cooperator: Cooperator) -> None:
        """Send these pieces, one after another, and end the answer."""
        self._task = cooperator.cooperate(self._sending(pieces))
        self._task.whenDone().addCallbacks(self._done, self._failed)

    def resumed(self) -> None:
        """See L{Outgoing.resumed}."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def closed(self) -> None:
        """See L{Outgoing.closed}."""
        if self._task is not None:
            self._task.stop()

    def _sending(self, pieces: Iterator[bytes]) -> Iterator[Deferred[None] | None]:
        waiting = bytearray()
        for piece in pieces:
            waiting += piece
            if len(waiting) >= PIECE:
                self.request.write(bytes(waiting))
                waiting.clear()
            if self.paused:
                self._resumed = Deferred()
                yield self._resumed
            else:
                yield None
        self.request.write(bytes(waiting))

    def _done(self, _: object) -> None:
        if not self.ended:
            self._task = None
            self.request.unregisterProducer()
            self.request.finish()

    def _failed(self, failure: Failure) -> None:
        if not self.ended:
            self._task = None
            self._log.failure("a bug in an answer to HTTP", failure)
            self._cutOff()
