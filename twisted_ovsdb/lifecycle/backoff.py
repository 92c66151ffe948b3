# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How long to wait before the next attempt.
"""

from __future__ import annotations

import random
from typing import Final

from twisted_ovsdb.errors import NotLeader, OvsdbError, ProtocolViolation, RpcError, SessionLost
from twisted_ovsdb.parameters import checkCounts, checkPositive

INITIAL_DELAY: Final = 1.0
"""Seconds: a restart of ovsdb-server takes much less."""

MAX_DELAY: Final = 8.0
"""
Seconds between attempts at most, as in Open vSwitch's own clients: when the
server is there again, operators should not have to wait long.
"""


class BackOff:
    """
    Delays that double up to a maximum.

    @ivar delay: seconds that the next wait takes, before the jitter.
    @ivar maximum: seconds that a wait takes at most.
    """

    def __init__(self, maximum: float = MAX_DELAY, members: int = 1) -> None:
        """
        @param members: how many servers there are to try one after another;
            there is a wait only when all have been tried.
        @raise ValueError: if one of the two is not above zero, or C{members} is no
            whole number.
        """
        checkPositive(maxDelay=maximum)
        checkCounts(members=members)
        self.maximum = maximum
        self._initial = min(INITIAL_DELAY, maximum)
        self._members = members
        self.reset()

    def reset(self) -> None:
        """Begin with the shortest delay again."""
        self.delay = self._initial
        self._tried = 0

    def refused(self, reason: OvsdbError) -> None:
        """
        Make the next wait short or long, because a server could not be
        monitored for this reason.
        """
        if isinstance(reason, NotLeader):
            # A cluster elects a leader within a second or two.
            self.delay = self._initial
        elif isinstance(reason, RpcError) and reason.error == "database not available":
            pass  # This member may still be joining its cluster.
        elif not isinstance(reason, (SessionLost, ProtocolViolation)):
            # A server that refuses will refuse again soon.
            self.delay = self.maximum

    def wait(self, healthyFor: float | None) -> float:
        """
        @param healthyFor: seconds that the last session was in sync, None if
            it never was.
        @return: seconds to wait; 0 after a session that was in sync for as
            long as the present delay, and while there is another server to
            try.
        """
        if healthyFor is not None and healthyFor >= self.delay:
            self.reset()
            return 0.0
        self._tried += 1
        if self._tried < self._members:
            return 0.0
        self._tried = 0
        # Twisted's factory multiplies the jitter into the delay, which then
        # drifts and exceeds the maximum.
        wait = self.delay * random.uniform(0.75, 1)
        self.delay = min(self.delay * 2, self.maximum)
        return wait
