# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What happens to connections, told to whoever counts or logs it. Observers are
told about interfaces; hooks are told about attempts, failures and sessions.
"""

from __future__ import annotations

from twisted.logger import Logger

from twisted_ovsdb.errors import SwitchRefused


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
        """
        A factory begins to connect, or a switch has connected to a listener.
        """

    def failed(self, source: str, reason: BaseException) -> None:
        """
        An attempt has ended before the session was in sync.
        """

    def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
        """
        A listener does not let this switch stay.
        """

    def synchronized(self, source: str, switch: str) -> None:
        """
        A session is in sync.
        """

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """
        A session that was in sync has ended.
        """

    def waiting(self, source: str, seconds: float) -> None:
        """
        A factory begins its next attempt after this time, which may be 0.
        """


class Hooks(ConnectionHook):
    """
    Tells several hooks, and logs what they raise.
    """

    _log = Logger()

    def __init__(self, *hooks: ConnectionHook | None) -> None:
        """
        @param hooks: whom to tell, in this order; None is left out.
        """
        self._hooks = tuple(hook for hook in hooks if hook is not None)

    def attempting(self, source: str) -> None:
        """
        See L{ConnectionHook.attempting}.
        """
        self._tell("attempting", source)

    def failed(self, source: str, reason: BaseException) -> None:
        """
        See L{ConnectionHook.failed}.
        """
        self._tell("failed", source, reason)

    def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
        """
        See L{ConnectionHook.refused}.
        """
        self._tell("refused", source, switch, reason)

    def synchronized(self, source: str, switch: str) -> None:
        """
        See L{ConnectionHook.synchronized}.
        """
        self._tell("synchronized", source, switch)

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """
        See L{ConnectionHook.lost}.
        """
        self._tell("lost", source, switch, reason)

    def waiting(self, source: str, seconds: float) -> None:
        """
        See L{ConnectionHook.waiting}.
        """
        self._tell("waiting", source, seconds)

    def _tell(self, method: str, *arguments: object) -> None:
        for hook in self._hooks:
            with self._log.failuresHandled("hook {hook} failed", hook=hook):
                getattr(hook, method)(*arguments)
