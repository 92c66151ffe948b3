# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer was told in an earlier process, or by an earlier monitor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Union

from twisted.internet.defer import Deferred, succeed

from twisted_ovsdb.ovsinterface import InterfaceKind, OvsInterface

Remembered = Union[Iterable[OvsInterface], None]
"""The interfaces; None if the observer was never told anything of this switch."""

Told = Union[Iterable[OvsInterface], Callable[[str], Union[Remembered, Awaitable[Remembered]]]]
"""What C{addObserver} accepts as C{told}. A function gets the switch key."""

AskTold = Callable[[str], Deferred[Union[tuple[OvsInterface, ...], None]]]


def askTold(told: Told) -> AskTold:
    """
    @return: a function of the switch key. Its Deferred fails with whatever the
        function C{told} raises, or with TypeError if it returns anything else
        than interfaces; to cancel it cancels that function's Deferred.
    @raise TypeError: if C{told} is neither a function nor interfaces.
    """
    if isinstance(told, type):
        raise TypeError(f"told must be interfaces or a function, not a class: {told!r}")
    if callable(told):
        function = told

        async def ask(switch: str) -> tuple[OvsInterface, ...] | None:
            answer = function(switch)
            found = await answer if isinstance(answer, Awaitable) else answer
            return None if found is None else _interfaces(found)

        return lambda switch: Deferred.fromCoroutine(ask(switch))
    interfaces = _interfaces(told)
    return lambda switch: succeed(interfaces)


def _interfaces(told: Iterable[OvsInterface]) -> tuple[OvsInterface, ...]:
    if isinstance(told, str) or not isinstance(told, Iterable):
        raise TypeError(f"told must be interfaces, such as a list, not {told!r:.200}")
    interfaces = tuple(told)
    for row in interfaces:
        # The constructor checks nothing, and this has to be compared with a row.
        sound = (
            isinstance(row, OvsInterface)
            and isinstance(row.uuid, str)
            and isinstance(row.kind, (InterfaceKind, type(None)))
            and isinstance(row.external_ids, Mapping)
        )
        if not sound:
            raise TypeError(f"told: not an OvsInterface: {row!r:.200}")
    return interfaces
