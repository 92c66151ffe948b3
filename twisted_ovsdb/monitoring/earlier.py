# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer was told in an earlier process: by a monitor that no longer
exists, usually in an earlier process.
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
    interfaces = tuple(told)
    for interface in interfaces:
        if not _isSound(interface):
            raise TypeError(f"told: not an OvsInterface: {interface!r:.200}")
    return interfaces


def _isSound(interface: object) -> bool:
    """Whether it can be compared with a row. The constructor checks nothing."""
    return (
        isinstance(interface, OvsInterface)
        and isinstance(interface.uuid, str)
        and isinstance(interface.kind, (InterfaceKind, type(None)))
        and isinstance(interface.external_ids, Mapping)
    )
