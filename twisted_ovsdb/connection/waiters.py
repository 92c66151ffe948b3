# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One thing that happens, and a Deferred of their own for all who wait for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Waiters(Generic[T]):
    """
    Deferreds that fire together, each exactly once.

    Who cancels its own leaves the others alone.
    """

    def __init__(self) -> None:
        self._waiting: deque[Deferred[T]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self) -> Deferred[T]:
        """
        @return: a new Deferred that fires with the others.
        """
        waiter: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        return waiter

    def fire(self, fire: Callable[[Deferred[T]], object]) -> None:
        """
        Fire all who wait now, each with C{fire}, in the order they came.
        """
        for _ in range(len(self._waiting)):
            # One may cancel another: look anew at each step.
            if self._waiting:
                fire(self._waiting.popleft())
