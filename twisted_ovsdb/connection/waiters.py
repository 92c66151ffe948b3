# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Several callers wait for the same thing, each with a Deferred of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Waiters(Generic[T]):
    """
    Deferreds that fire together, each exactly once. A caller that cancels its
    own Deferred does not disturb the others.
    """

    def __init__(self) -> None:
        self._waiting: deque[Deferred[T]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self) -> Deferred[T]:
        """@return: a new Deferred that fires with the others."""
        waiter: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        return waiter

    def callback(self, value: T) -> None:
        """Give this value to every Deferred that waits now, oldest first."""
        for waiter in self._take():
            waiter.callback(value)

    def errback(self, reason: BaseException) -> None:
        """Fail every Deferred that waits now with this reason, oldest first."""
        for waiter in self._take():
            waiter.errback(reason)

    def _take(self) -> Iterator[Deferred[T]]:
        # Those that begin to wait meanwhile are left out.
        for _ in range(len(self._waiting)):
            # A callback may have cancelled other Deferreds.
            if self._waiting:
                yield self._waiting.popleft()
