# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Waiting with a real reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred

POLL: Final = 0.02
"""Seconds between two checks of a condition."""

PATIENCE: Final = 60.0
"""Seconds to wait for a condition. Most take a fraction of that."""


def wait(reactor: Any, seconds: float) -> Deferred[None]:
    """
    @return: a Deferred that fires after this many seconds.
    """
    late: Deferred[None] = Deferred(lambda _: call.cancel())
    call = reactor.callLater(seconds, late.callback, None)
    return late


async def until(
    reactor: Any, condition: Callable[[], bool], patience: float = PATIENCE, poll: float = POLL
) -> bool:
    """
    Wait for a condition.

    @return: whether the condition was met in time.
    """
    deadline = reactor.seconds() + patience
    while not condition():
        if reactor.seconds() > deadline:
            return False
        await wait(reactor, poll)
    return True
