# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where coroutines of asyncio run: in the reactor itself, if it is asyncio's, else in a
thread with a loop of its own.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from twisted_ovsdb.publish.handover import Handover

T = TypeVar("T")


class Loop(Protocol):
    """Runs coroutines of asyncio."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """@return: fires in the reactor with what the coroutine returns."""

    def callInLoop(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the loop, from the reactor."""

    def callInReactor(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the reactor, from the loop."""

    def stop(self) -> None:
        """Run nothing more."""


class ThreadLoop:
    """A loop in a thread."""

    def __init__(self, reactor: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._inReactor = Handover(
            reactor.callFromThread, lambda call: reactor.callLater(0, call), time.monotonic
        )
        # In the next turn: what is sent in this one goes together.
        self._inLoop = Handover(
            lambda call: reactor.callLater(0, self._wake, call),
            self._loop.call_soon,
            time.monotonic,
        )
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="twisted_ovsdb.publish", daemon=True
        )
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """See L{Loop}."""
        # To cancel does not end the coroutine: what was sent is sent.
        result: Deferred[T] = Deferred(lambda _: None)

        async def work() -> None:
            """Run it, and tell the reactor what becomes of it."""
            try:
                value = await coroutine
            except BaseException as e:
                self.callInReactor(fire, result, e, True)
            else:
                self.callInReactor(fire, result, value)

        asyncio.run_coroutine_threadsafe(work(), self._loop)
        return result

    def callInLoop(self, function: Callable[..., object], *arguments: object) -> None:
        """See L{Loop}."""
        self._inLoop.call(function, *arguments)

    def callInReactor(self, function: Callable[..., object], *arguments: object) -> None:
        """See L{Loop}."""
        self._inReactor.call(function, *arguments)

    def _wake(self, call: Callable[[], object]) -> None:
        if not self._loop.is_closed():  # It was stopped in this turn.
            self._loop.call_soon_threadsafe(call)

    def stop(self) -> None:
        """See L{Loop}."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        # What is cancelled may begin something to clean up.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._loop.call_soon(self._loop.stop)


class ReactorLoop:
    """The loop of asyncio's reactor."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """See L{Loop}."""
        result: Deferred[T] = Deferred(lambda _: None)

        def ended(task: asyncio.Task[T]) -> None:
            """Fire with what has become of it."""
            if task.cancelled():
                fire(result, asyncio.CancelledError(), True)
            elif (fault := task.exception()) is not None:
                fire(result, fault, True)
            else:
                fire(result, task.result())

        asyncio.ensure_future(coroutine).add_done_callback(ended)
        return result

    def callInLoop(self, function: Callable[..., object], *arguments: object) -> None:
        """See L{Loop}."""
        function(*arguments)

    def callInReactor(self, function: Callable[..., object], *arguments: object) -> None:
        """See L{Loop}."""
        function(*arguments)

    def stop(self) -> None:
        """See L{Loop}."""


def loopOf(reactor: Any) -> Loop:
    """The loop for a reactor."""
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    return ReactorLoop() if isinstance(reactor, AsyncioSelectorReactor) else ThreadLoop(reactor)


def fire(result: Deferred[Any], value: Any, failed: bool = False) -> None:
    """
    Fire a Deferred, in the reactor, if it was not cancelled.

    @param failed: whether the value is an exception.
    """
    if result.called:  # It was cancelled.
        return
    if not failed:
        result.callback(value)
    elif isinstance(value, asyncio.CancelledError):
        result.errback(CancelledError())
    else:
        result.errback(Failure(value))
