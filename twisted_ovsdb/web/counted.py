# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How other observers do: how often they fail, and for how long they are busy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult, wantsProblems


@implementer(IOvsdbEventObserver)
class CountedObserver:
    """
    Passes everything on to an observer, and counts.

    @ivar name: what to call the observer.
    @ivar failures: how often it has failed.
    """

    def __init__(self, observer: IOvsdbEventObserver, name: str, now: Callable[[], float]) -> None:
        """@param now: the time in seconds that never jump."""
        self.name = name
        self.failures = 0
        self._observer = observer
        self._now = now
        # The observer may be busy for several switches. The first began first.
        self._busy: dict[Deferred[Any], float] = {}

    def __repr__(self) -> str:
        return repr(self._observer)

    @property
    def wantsProblems(self) -> bool:
        """Whether the observer asks for problems."""
        return wantsProblems(self._observer)

    @property
    def busyFor(self) -> float:
        """Seconds since it is busy; 0 if it is not."""
        return next((self._now() - began for began in self._busy.values()), 0.0)

    def eventReceived(self, event: Event) -> ObserverResult:
        """See L{IOvsdbEventObserver}."""
        try:
            result = self._observer.eventReceived(event)
        except BaseException:
            self.failures += 1
            raise
        if result is None:
            return None
        if not isinstance(result, Deferred):
            if not isinstance(result, Awaitable):
                return result  # which the monitor says something about
            result = Deferred.fromCoroutine(_ended(result))
        self._busy[result] = self._now()
        return result.addBoth(self._ended, result)

    def _ended(self, value: object, busy: Deferred[Any]) -> object:
        self._busy.pop(busy, None)
        if isinstance(value, Failure) and not value.check(CancelledError):
            self.failures += 1
        return value


async def _ended(result: Awaitable[Any]) -> Any:
    return await result
