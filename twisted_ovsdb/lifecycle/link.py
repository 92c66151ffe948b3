# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The life of one connection: it is opened step by step, watched while it is up,
and closed. When to connect is left to the factory, and which switches may be
connected to the listener.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.failures import forLog
from twisted_ovsdb.connection.inturn import InTurn
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.watchdog import Watchdog
from twisted_ovsdb.errors import OvsdbError, SessionLost, SwitchRefused
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks
from twisted_ovsdb.lifecycle.settings import ConnectionSettings

GOODBYE_TIMEOUT: Final = 1.0
"""
Seconds that the other side has to let a connection close. It may not read
what is still to be sent, and with TLS it may not say goodbye itself.
"""


class Link:
    """
    One connection, from the protocol that is made for it until its transport
    is closed.

    @ivar protocol: the protocol, for the transport.
    @ivar source: where the other side is, for events and log lines.
    @ivar switch: which switch it is; C{source} until C{opening} knows more.
    """

    _log = Logger()

    def __init__(
        self,
        source: str,
        settings: ConnectionSettings,
        hooks: Hooks,
        opening: Callable[[Link], Coroutine[Any, Any, None]],
    ) -> None:
        """
        @param hooks: told when the session is in sync, and how it ends.
        @param opening: the steps from the connection to the session in sync,
            called with this link. What it raises ends the connection.
        """
        self.source = source
        self.switch = source
        self.protocol = OvsdbProtocol(settings.maxLength, self._connected)
        self._settings = settings
        self._hooks = hooks
        self._opening = opening
        self._syncedAt: float | None = None
        self._closing = False

    @property
    def inSyncFor(self) -> float | None:
        """Seconds since the session was in sync; None if it never was."""
        return None if self._syncedAt is None else self._settings.now() - self._syncedAt

    def close(self, reason: BaseException) -> Deferred[None]:
        """
        End the session for this reason, and say goodbye. A connection that is
        not closed after L{GOODBYE_TIMEOUT} is cut off.

        @return: fires when the transport is closed.
        """
        self.protocol.close(reason)
        if not self._closing:
            self._closing = True
            goodbye = self.protocol.whenClosed()
            goodbye.addTimeout(GOODBYE_TIMEOUT, self._settings.clock, self._cutOff)
        return self.protocol.whenClosed()

    def _cutOff(self, _: object, timeout: float) -> None:
        transport: Any = self.protocol.transport
        transport.abortConnection()

    def _connected(self, _: OvsdbProtocol) -> None:
        self.protocol.whenLost().addCallback(self._lost)
        self.protocol.inTurn = InTurn.of(self._settings.clock)
        Deferred.fromCoroutine(self._open()).addErrback(self._failed)

    async def _open(self) -> None:
        protocol, settings = self.protocol, self._settings
        watchdog = Watchdog(
            protocol, settings.clock, settings.now, settings.snapshotTimeout, settings.probeInterval
        )
        await self._opening(self)
        # An observer that is told the snapshot may have stopped everything.
        if protocol.lost is None:
            watchdog.synchronized()
            self._syncedAt = settings.now()
            self._hooks.tell(ConnectionHook.synchronized, self.source, self.switch)

    def _failed(self, failure: Failure) -> None:
        reason = failure.value
        assert reason is not None
        if isinstance(reason, SessionLost):
            reason = reason.reason
        elif not isinstance(reason, OvsdbError):
            bug = "{source}: a bug in the steps that open a connection"
            self._log.failure(bug, forLog(failure), source=self.source)
        self.protocol.abort(reason)

    def _lost(self, reason: BaseException) -> None:
        if self._syncedAt is not None:
            self._hooks.tell(ConnectionHook.lost, self.source, self.switch, reason)
        elif isinstance(reason, SwitchRefused):
            self._hooks.tell(ConnectionHook.refused, self.source, self.switch, reason)
        else:
            self._hooks.tell(ConnectionHook.failed, self.source, reason)
