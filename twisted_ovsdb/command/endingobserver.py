# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer of the user that may end the command.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.command.ending import stopWith
from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult, wantsProblems

INTERRUPTED = 130
"""The status of a program that SIGINT has ended, as a shell shows it."""


@implementer(IOvsdbEventObserver)
@attrs.frozen(eq=False)
class EndingObserver:
    """
    Passes everything on to an observer. What it raises to end the program,
    C{SystemExit} or C{KeyboardInterrupt}, stops all services in good order, and the
    status of the process is that of the exception. Twisted's reactor would only log
    it.
    """

    _observer: IOvsdbEventObserver

    _log = Logger()

    def __repr__(self) -> str:
        return repr(self._observer)

    @property
    def wantsProblems(self) -> bool:
        """Whether the observer asks for problems."""
        return wantsProblems(self._observer)

    def eventReceived(self, event: Event) -> ObserverResult:
        """See L{IOvsdbEventObserver}."""
        try:
            result = self._observer.eventReceived(event)
        except (SystemExit, KeyboardInterrupt) as e:
            self._end(e)
            return None
        # None first: it is the usual result, and Awaitable is slow to ask.
        if result is not None and isinstance(result, Awaitable):
            return Deferred.fromCoroutine(_ended(result)).addErrback(self._ended)
        return result

    def _ended(self, failure: Failure) -> None:
        failure.trap(SystemExit, KeyboardInterrupt)
        assert failure.value is not None
        self._end(failure.value)

    def _end(self, reason: BaseException) -> None:
        from twisted.internet import reactor

        status, text = _statusOf(reason)
        self._log.warn(
            "observer {observer} ends the program, with status {status}{text}",
            observer=self._observer,
            status=status,
            text=text,
        )
        stopWith(reactor, status)


async def _ended(result: Awaitable[Any]) -> Any:
    return await result


def _statusOf(reason: BaseException) -> tuple[int, str]:
    """The status that Python would end with, and what it would print."""
    if not isinstance(reason, SystemExit):
        return INTERRUPTED, ""
    if reason.code is None or isinstance(reason.code, int):
        return (reason.code or 0) & 0xFF, ""
    return 1, f": {reason.code}"
