# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A turn of the reactor, for code that has more to do than one turn should take,
or that must not do it inside the present call.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Turn:
    """
    One call in the next turn of the reactor, which can be cancelled.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None

    @property
    def awaited(self) -> bool:
        """Whether a call is to come."""
        return self._call is not None

    def take(self, call: Callable[[], object]) -> None:
        """
        Call this in the next turn. While a call is awaited, this does nothing.
        """
        if self._call is None:
            self._call = self._clock.callLater(0, self._run, call)

    def cancel(self) -> bool:
        """
        Cancel the call.

        @return: whether a call was awaited.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        return call is not None

    def _run(self, call: Callable[[], object]) -> None:
        self._call = None
        call()
