# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer was told in an earlier life: by a monitor that is gone,
usually in an earlier process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Union

from twisted.internet.defer import Deferred

from twisted_ovsdb.events import OvsInterface

Remembered = Union[Iterable[OvsInterface], None]
"""
The interfaces that an observer was told; None if it was never told anything
of this switch.
"""

AskTold = Callable[[str], Union[Remembered, Awaitable[Remembered]]]
"""
A function of the switch key that returns what an observer was told, or a
Deferred or another awaitable of it.
"""

Told = Union[AskTold, Iterable[OvsInterface]]
"""What C{addObserver} accepts as C{told}."""


def askTold(told: Told) -> AskTold:
    """
    Make a function of what C{addObserver} was given.

    @raise TypeError: if C{told} is neither a function nor interfaces.
    """
    if callable(told):
        return told
    interfaces = _interfaces(told)
    return lambda switch: interfaces


def ask(function: AskTold, switch: str) -> Deferred[tuple[OvsInterface, ...] | None]:
    """
    Call the function.

    @param switch: the key of the switch.
    @return: what it returned, None if the observer was never told anything of
        this switch. Whatever the function raises is the failure, and so is
        TypeError for anything else than interfaces. Cancelling this cancels
        the Deferred of the function.
    """
    return Deferred.fromCoroutine(_ask(function, switch))


async def _ask(function: AskTold, switch: str) -> tuple[OvsInterface, ...] | None:
    answer = function(switch)
    told = await answer if isinstance(answer, Awaitable) else answer
    return None if told is None else _interfaces(told)


def _interfaces(told: Iterable[OvsInterface]) -> tuple[OvsInterface, ...]:
    interfaces = tuple(told)
    for interface in interfaces:
        if not isinstance(interface, OvsInterface):
            raise TypeError(f"told: not an OvsInterface: {interface!r:.200}")
    return interfaces
