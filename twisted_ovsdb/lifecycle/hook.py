# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What happens to connections, for metrics and logs. Observers are told about
interfaces; hooks are told about attempts, failures and sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from twisted.logger import Logger

from twisted_ovsdb.errors import SwitchRefused

P = ParamSpec("P")


class ConnectionHook:
    """
    Is told what happens to the connections of a factory or a listener, for
    metrics for example. Each method does nothing: override those that you
    need, and pass an instance as C{hook}.

    Each attempt ends in exactly one of these ways: L{failed}, L{refused}, or
    L{synchronized} and later L{lost}. This also holds when the factory or the
    listener is stopped: the reason is then L{MonitorStopped
    <twisted_ovsdb.errors.MonitorStopped>}.

    The methods are called in the reactor thread. An exception in one of them
    is logged and has no other effect. The arguments of a method will not
    change; later versions may have more methods. The arguments mean:

      - C{source}: where the other side is: the endpoint as its user wrote it,
        or the address of the switch that connected;
      - C{switch}: which switch it is: its system-id, or C{source} where the
        system-id is not known;
      - C{reason}: why, an exception;
      - C{seconds}: how long.
    """

    def attempting(self, source: str) -> None:
        """A factory begins to connect, or a switch has connected to a listener."""

    def failed(self, source: str, reason: BaseException) -> None:
        """An attempt has ended before the session was in sync."""

    def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
        """A listener does not let this switch stay."""

    def synchronized(self, source: str, switch: str) -> None:
        """A session is in sync."""

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """A session that was in sync has ended."""

    def waiting(self, source: str, seconds: float) -> None:
        """A factory begins its next attempt after this time, which may be 0."""


class Hooks:
    """Several hooks, told in this order. What they raise is logged."""

    _log = Logger()

    def __init__(self, *hooks: ConnectionHook | None) -> None:
        self._hooks = tuple(hook for hook in hooks if hook is not None)

    def tell(
        self,
        method: Callable[Concatenate[ConnectionHook, P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """
        Call this method of each hook.

        @param method: a method of L{ConnectionHook}.
        """
        for hook in self._hooks:
            with self._log.failuresHandled("hook {hook} failed", hook=hook):
                getattr(hook, method.__name__)(*args, **kwargs)
