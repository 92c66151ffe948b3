# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A call in the next turn of the reactor.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Turn:
    """
    One call in the next turn of the reactor: for code that would otherwise run
    too long at once, or must not run inside the present call.

    @ivar awaited: whether a call is scheduled.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None
        self.awaited = False

    def take(self, call: Callable[[], object]) -> None:
        """Call this in the next turn, unless a call is scheduled already."""
        if self._call is None:
            self._call = self._clock.callLater(0, self._run, call)
            self.awaited = True

    def cancel(self) -> bool:
        """
        Cancel the call.

        @return: whether a call was scheduled.
        """
        call, self._call, self.awaited = self._call, None, False
        if call is not None:
            call.cancel()
        return call is not None

    def _run(self, call: Callable[[], object]) -> None:
        self._call, self.awaited = None, False
        call()
