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

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.connection.watchdog import Watchdog
from twisted_ovsdb.errors import OvsdbError, SessionLost, SwitchRefused
from twisted_ovsdb.lifecycle.hook import ConnectionHook
from twisted_ovsdb.lifecycle.settings import Settings

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
        settings: Settings,
        hook: ConnectionHook,
        opening: Callable[[Link], Coroutine[Any, Any, None]],
    ) -> None:
        """
        @param hook: told when the session is in sync, and how it ends.
        @param opening: the steps from the connection to the session in sync,
            called with this link. What it raises ends the connection.
        """
        self.source = source
        self.switch = source
        self.protocol: OvsdbProtocol = _LinkProtocol(self, settings.maxLength)
        self._settings = settings
        self._hook = hook
        self._opening = opening
        self._syncedAt: float | None = None
        self._goodbye: IDelayedCall | None = None
        self._closed = False
        self._closing: Waiters[None] = Waiters()

    @property
    def inSyncFor(self) -> float | None:
        """Seconds since the session was in sync; None if it never was."""
        return None if self._syncedAt is None else self._settings.now() - self._syncedAt

    def whenClosed(self) -> Deferred[None]:
        """
        @return: fires when the transport is closed. The session ends before
            that: see L{OvsdbProtocol.whenLost}.
        """
        return succeed(None) if self._closed else self._closing.wait()

    def close(self, reason: BaseException) -> Deferred[None]:
        """
        End the session for this reason, and say goodbye. A connection that is
        not closed after L{GOODBYE_TIMEOUT} is cut off.

        @return: fires when the transport is closed.
        """
        if not self._closed:
            if self._goodbye is None:
                self._goodbye = self._settings.clock.callLater(GOODBYE_TIMEOUT, self._cutOff)
            self.protocol.close(reason)
        return self.whenClosed()

    def _cutOff(self) -> None:
        transport: Any = self.protocol.transport
        transport.abortConnection()

    # Called by the protocol

    def connected(self) -> None:
        """
        The transport is there: take the steps of C{opening}.
        """
        settings = self._settings
        watchdog = Watchdog(
            self.protocol,
            settings.clock,
            settings.now,
            settings.snapshotTimeout,
            settings.probeInterval,
        )
        self.protocol.whenLost().addCallback(self._ended)
        Deferred.fromCoroutine(self._opening(self)).addCallbacks(
            self._opened, self._notOpened, callbackArgs=(watchdog,)
        )

    def closed(self) -> None:
        """
        The transport is closed.
        """
        self._closed = True
        if self._goodbye is not None and self._goodbye.active():
            self._goodbye.cancel()
        self._closing.callback(None)

    # How the session begins and ends

    def _opened(self, _: None, watchdog: Watchdog) -> None:
        # An observer that is told the snapshot may have stopped everything.
        if self.protocol.lost is None:
            watchdog.synchronized()
            self._syncedAt = self._settings.now()
            self._hook.synchronized(self.source, self.switch)

    def _notOpened(self, failure: Failure) -> None:
        reason = failure.value
        assert reason is not None
        if not isinstance(reason, OvsdbError):
            self._log.failure(
                "{source}: a bug in the steps that open a connection",
                failure=failure,
                source=self.source,
            )
        self.protocol.abort(reason.reason if isinstance(reason, SessionLost) else reason)

    def _ended(self, reason: BaseException) -> None:
        if self._syncedAt is not None:
            self._hook.lost(self.source, self.switch, reason)
        elif isinstance(reason, SwitchRefused):
            self._hook.refused(self.source, self.switch, reason)
        else:
            self._hook.failed(self.source, reason)


class _LinkProtocol(OvsdbProtocol):
    """
    Tells its link when the transport is there, and when it is closed.
    """

    def __init__(self, link: Link, maxLength: int) -> None:
        super().__init__(maxLength)
        self._link: Link | None = link

    def connectionMade(self) -> None:
        """
        The transport is there.
        """
        super().connectionMade()
        if self._link is not None:
            self._link.connected()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is closed.
        """
        super().connectionLost(reason)
        # The link has this protocol: without the cycle, what both hold is free
        # at once.
        link, self._link = self._link, None
        if link is not None:
            link.closed()
