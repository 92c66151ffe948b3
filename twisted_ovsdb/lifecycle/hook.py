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
from twisted_ovsdb.events import ForgetReason

P = ParamSpec("P")


class ConnectionHook:
    """
    Is told what happens to the connections of a factory or a listener, for
    metrics for example. Each method does nothing: override those that you
    need, and pass an instance as C{hook}.

    After L{attempting}, each attempt ends in exactly one of these ways:
    L{failed}, L{refused}, or L{synchronized} and later L{lost}. This also holds
    when the factory or the listener is stopped: the reason is then
    L{MonitorStopped <twisted_ovsdb.errors.MonitorStopped>}. Between two
    attempts, a factory (but not a listener, which does not connect) tells
    L{waiting}.

    The methods are called in the reactor thread. They may stop the factory or
    the listener, and connect a factory whose connector is disconnected: that is
    then the next attempt. An exception in one of them is logged and has no other
    effect.
    The arguments of a method will not change; later versions may have more
    methods. The arguments mean:

      - C{source}: where the other side is: the C{source} of the factory, or
        else the address that its connector knows, which may be a host's name
        before the first connection and its address later; for a listener the
        address of the switch;
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

    def forgotten(self, switch: str, reason: ForgetReason) -> None:
        """
        A listener forgets a switch that was in sync, and is not connected.
        C{reason} says why.
        """

    def waiting(self, source: str, seconds: float) -> None:
        """
        A factory will begin its next attempt in so many seconds: 0 after a
        session that was healthy, and while a cluster has members to try.
        """


class Hooks:
    """Several hooks, told in this order. What they raise is logged."""

    _log = Logger()

    def __init__(self, *hooks: ConnectionHook | None) -> None:
        """@raise TypeError: if one of these is neither a hook nor None."""
        self._hooks = tuple(hook for hook in hooks if hook is not None)
        for hook in self._hooks:
            if not isinstance(hook, ConnectionHook):
                raise TypeError(f"hook must be an instance of ConnectionHook, not {hook!r}")

    def tell(
        self,
        method: Callable[Concatenate[ConnectionHook, P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Call this method of L{ConnectionHook} on each hook."""
        for hook in self._hooks:
            with self._log.failuresHandled("hook {hook} failed", hook=hook):
                getattr(hook, method.__name__)(*args, **kwargs)
