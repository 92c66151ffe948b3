# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Calls from one thread into another. Each wake-up costs a system call and makes the threads
wait for each other, so calls that are made close together share one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.logger import Logger

SLICE: Final = 0.004
"""
Seconds of calls after which the other thread does something else first: the answers of a
broker that was busy come all at once.
"""


class Handover:
    """
    Calls into one thread, in the order in which they were made.

    Any thread may make them. It needs no lock: a deque's append and popleft are atomic,
    and a call is added before it is asked whether somebody will come for it.
    """

    _log = Logger()

    def __init__(
        self,
        wake: Callable[[Callable[[], object]], object],
        again: Callable[[Callable[[], object]], object],
        clock: Callable[[], float],
    ) -> None:
        """
        @param wake: calls a function in the thread, from another one.
        @param again: calls a function in the thread later, from itself.
        @param clock: the time in seconds.
        """
        self._wake = wake
        self._again = again
        self._clock = clock
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._awaited = False

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the thread. What it raises is logged."""
        self._waiting.append((function, arguments))
        if not self._awaited:
            self._awaited = True
            self._wake(self._take)

    def _take(self) -> None:
        # Before the first look: what is added from now on is seen here, or wakes us again.
        self._awaited = False
        waiting, clock = self._waiting, self._clock
        end = clock() + SLICE
        while waiting:
            function, arguments = waiting.popleft()
            try:
                function(*arguments)
            except Exception:
                self._log.failure("a call from another thread")
            if clock() >= end and waiting:
                self._awaited = True
                self._again(self._take)
                return
