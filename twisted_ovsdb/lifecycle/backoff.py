# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How long to wait before the next attempt.
"""

from __future__ import annotations

import random
from typing import Final

INITIAL_DELAY: Final = 1.0
"""Seconds: an ovsdb-server restarts in a tenth of that."""

MAX_DELAY: Final = 8.0
"""
Seconds between attempts at most, as in Open vSwitch's own clients: an
operator who starts the server again should not have to wait for us.
"""

DELAY_FACTOR: Final = 2.0


class BackOff:
    """
    Delays that double up to a maximum.

    @ivar delay: seconds, before the jitter, that the next wait takes.
    @ivar maximum: seconds that it never passes.
    """

    def __init__(self, maximum: float = MAX_DELAY, members: int = 1) -> None:
        """
        @param members: how many servers there are to try one after another;
            there is a wait only when all have been tried.
        @raise ValueError: if the maximum is not above zero.
        """
        if maximum <= 0:
            raise ValueError(f"maxDelay must be above zero, not {maximum}")
        self.maximum = maximum
        self._initial = min(INITIAL_DELAY, maximum)
        self.delay = self._initial
        self._members = members
        self._tried = 0

    def reset(self) -> None:
        """
        Begin with the shortest delay again.
        """
        self.delay = self._initial
        self._tried = 0

    def soon(self) -> None:
        """
        Another server is about to serve: an election takes a second or two,
        and to wait longer than that would miss its end.
        """
        self.delay = self._initial

    def slow(self) -> None:
        """
        The server has refused, and will not think better of it soon.
        """
        self.delay = self.maximum

    def wait(self, healthyFor: float | None) -> float:
        """
        @param healthyFor: seconds that the session that has ended was in
            sync, None if it never was.
        @return: seconds to wait: none after a session that was healthy for
            as long as the present delay, and none while there is another
            server to try.
        """
        if healthyFor is not None and healthyFor >= self.delay:
            self.reset()
            return 0.0
        self._tried += 1
        if self._tried < self._members:
            return 0.0
        self._tried = 0
        # Not ReconnectingClientFactory's jitter, which multiplies into the
        # delay: it wanders, and passes the maximum.
        wait = self.delay * random.uniform(0.75, 1)
        self.delay = min(self.delay * DELAY_FACTOR, self.maximum)
        return wait
