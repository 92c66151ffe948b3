# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How the command begins with many servers: not with all at the same moment. They often
are on a few hosts, and the listen queue of an ovsdb-server has ten places.
"""

from __future__ import annotations

from typing import Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

AT_ONCE: Final = 10
"""Servers to which it connects at once."""

SPREAD: Final = 2.0
"""Seconds in which it begins with the others."""


class SpreadService(MultiService):
    """Starts its services one after another: the first ones at once, the others soon."""

    def __init__(self, clock: IReactorTime | None = None) -> None:
        """@param clock: the reactor by default."""
        MultiService.__init__(self)
        self._clock = clock
        self._later: list[IDelayedCall] = []

    def startService(self) -> None:
        """Start the first services now."""
        Service.startService(self)
        clock = self._clock
        if clock is None:
            from twisted.internet import reactor

            clock = reactor
        services = list(self)
        for service in services[:AT_ONCE]:
            service.startService()
        rest = services[AT_ONCE:]
        for number, service in enumerate(rest, 1):
            wait = SPREAD * number / len(rest)
            self._later.append(clock.callLater(wait, service.startService))

    def stopService(self) -> Deferred[None]:
        """Stop all of them, and start no more."""
        later, self._later = self._later, []
        for call in later:
            if call.active():
                call.cancel()
        stopped: Deferred[None] = MultiService.stopService(self)
        return stopped
