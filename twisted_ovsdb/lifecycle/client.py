# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One server: when to connect to it, and when to connect again. What is done on each
connection is left to a monitor, which outlives the connections.
"""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import UserError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import MonitorStopped, OvsdbError, PeerSilent, asReason
from twisted_ovsdb.lifecycle.backoff import BackOff
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks
from twisted_ovsdb.lifecycle.link import Link
from twisted_ovsdb.lifecycle.questions import followLeader
from twisted_ovsdb.lifecycle.settings import ConnectionSettings
from twisted_ovsdb.lifecycle.trouble import ServerLog
from twisted_ovsdb.parameters import checkFlags, checkNotNegative, checkTexts

CONNECT_TIMEOUT: Final = 5.0
"""
Seconds: a server on the same host or network answers in milliseconds. Alone,
connectTCP and endpoints would wait for 30 s.
"""


class ConnectionMonitor(Protocol):
    """
    What is done on each connection.

    @ivar source: what to call the server; empty until it is known.
    """

    source: str

    @property
    def inSync(self) -> bool:
        """Whether what is known is what the server has."""

    @property
    def switch(self) -> str:
        """Which server it is, for hooks."""

    def attach(self, protocol: OvsdbProtocol, database: str) -> Deferred[None]:
        """Begin on this connection; fires when it is in sync."""

    def detach(self) -> None:
        """Leave the connection, if there is one."""


Monitor = TypeVar("Monitor", bound=ConnectionMonitor)


def checkSource(source: str | None) -> str:
    """@raise TypeError: if the name of a server is neither a text nor None."""
    checkTexts(source="" if source is None else source)
    return source or ""


class OvsdbClientFactory(ReconnectingClientFactory, Generic[Monitor]):
    """
    Keeps one session with one OVSDB server, both for C{reactor.connectTCP} and
    for L{EndpointConnector <twisted_ovsdb.EndpointConnector>}.

    @ivar monitor: what outlives the connections.
    @ivar database: the name of the database.
    """

    noisy = False

    _log = Logger()

    def __init__(
        self,
        monitor: Monitor,
        settings: ConnectionSettings,
        maxDelay: float,
        connectTimeout: float,
        leaderOnly: bool,
        members: int,
        hook: ConnectionHook | None,
    ) -> None:
        """
        The parameters are those of L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}.
        """
        checkNotNegative(connectTimeout=connectTimeout)
        checkFlags(leaderOnly=leaderOnly)
        self.clock: IReactorTime = settings.clock  # type: ignore[assignment]
        self.database = settings.database
        self.monitor = monitor
        self.connector: IConnector | None = None
        self._settings = settings
        self._backOff = BackOff(maxDelay, members)
        self._connectTimeout = connectTimeout
        self._leaderOnly = leaderOnly
        self._hooks = Hooks(ServerLog(settings.now), hook)
        self._link: Link | None = None
        self._connecting = False  # from startedConnecting to failure or loss
        self._callID: IDelayedCall | None = None
        self._attempt: IDelayedCall | None = None  # ends it after connectTimeout
        self._healthyFor: float | None = None  # seconds in sync, of the last session
        self._closed: Waiters[None] = Waiters()

    def stop(self) -> Deferred[None]:
        """
        Close the connection, or give up making one. What is known is kept.
        C{connect} of the connector starts the factory again.

        @return: fires when all is closed.
        """
        # What is told below may connect again: only what is there now is to end.
        link = self._link
        closed = self._closed.wait() if self._connecting else None
        self.monitor.detach()
        ReconnectingClientFactory.stopTrying(self)
        linkClosed = succeed(None) if link is None else link.close(MonitorStopped())
        # Without a connector, only the link tells when the connection is closed.
        return closed or linkClosed

    @property
    def inSync(self) -> bool:
        """Whether what is known is what the server has now. It is not in an outage."""
        return self.monitor.inSync

    @property
    def maxDelay(self) -> float:  # type: ignore[override]
        """Seconds between two attempts at most."""
        return self._backOff.maximum

    def resetDelay(self) -> None:
        """Begin with the shortest delay again. A stopped factory stays stopped."""
        self._backOff.reset()

    # What connectors call

    def startedConnecting(self, connector: IConnector) -> None:
        """
        An attempt begins. After L{stop} this is the start. While one connector
        is connecting or connected, another one is stopped: a factory has one
        server.
        """
        if self._connecting and connector is not self.connector:
            connector.stopConnecting()
            return
        # Otherwise stopTrying would know no connector before the first failure.
        self.connector = connector
        self.continueTrying = True
        self._connecting = True
        if self._callID is not None:
            self._callID.cancel()  # The user did not wait for it.
            self._callID = None
        # Before the hook is told, which may stop the factory.
        if self._connectTimeout:
            self._attempt = self.clock.callLater(self._connectTimeout, connector.stopConnecting)
        self._hooks.tell(ConnectionHook.attempting, self._sourceOf(connector))

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """@return: None while a session is up: a factory has one server."""
        if not self.continueTrying or self._inSession():
            return None
        if not self._connecting:
            # endpoint.connect(factory) and ClientService tell nothing else.
            self._log.warn(
                "this factory is not told when its connection is lost, so it will not connect"
                " again: use EndpointConnector(endpoint, factory).connect() or a service such as"
                " OvsdbMonitorService(endpoint, factory), not endpoint.connect(factory)"
            )
        self._endAttempt()
        if not self.monitor.source:
            known = self.connector.getDestination() if self.connector is not None else addr
            self.monitor.source = describeAddress(known)
        self._link = Link(self.monitor.source, self._settings, self._hooks, self._open)
        return self._link.protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """See L{ClientFactory}."""
        if connector is not self.connector:
            return
        assert reason.value is not None
        cause = asReason(reason.value)
        timedOut = self._attempt is not None and not self._attempt.active()
        if timedOut and isinstance(cause, UserError):
            cause = PeerSilent(f"no connection for {self._connectTimeout:g} s")
        elif not self.continueTrying:
            cause = MonitorStopped()
        self._down(connector, cause)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """See L{ClientFactory}."""
        if connector is self.connector:
            self._down(connector)

    def retry(self, connector: IConnector | None = None) -> None:
        """
        Connect again: at once after a session that was in sync for as long as
        the present delay, else after that delay, which doubles each time. This
        does nothing while the factory connects, is connected or waits.

        @raise ValueError: if there was no connector yet.
        """
        connector = connector or self.connector
        if connector is None:
            raise ValueError("no connector to retry")
        if not self.continueTrying or self._connecting or self._callID is not None:
            return
        wait = self._backOff.wait(self._healthyFor)
        # Before the hook is told, which may stop the factory, or connect it.
        self._callID = self.clock.callLater(wait, self._connectAgain, connector)
        self._hooks.tell(ConnectionHook.waiting, self._sourceOf(connector), wait)

    def _sourceOf(self, connector: IConnector) -> str:
        return self.monitor.source or describeAddress(connector.getDestination())

    def _endAttempt(self) -> None:
        if self._attempt is not None and self._attempt.active():
            self._attempt.cancel()
        self._attempt = None

    def _connectAgain(self, connector: IConnector) -> None:
        self._callID = None
        connector.connect()

    def _inSession(self) -> bool:
        return self._link is not None and self._link.protocol.lost is None

    async def _open(self, link: Link) -> None:
        try:
            if self._leaderOnly:
                await followLeader(link.protocol, self.database)
            await self.monitor.attach(link.protocol, self.database)
            link.switch = self.monitor.switch
        except OvsdbError as e:
            self._backOff.refused(e)
            raise

    def _down(self, connector: IConnector, failure: BaseException | None = None) -> None:
        if self._inSession():
            return  # It was a connection that buildProtocol refused.
        link, self._link = self._link, None
        closed, self._closed = self._closed, Waiters()
        self._connecting = False
        self._endAttempt()
        self._healthyFor = None if link is None else link.inSyncFor
        # Only now: the hook, and callers of stop, may stop the factory or connect it.
        if link is None and failure is not None:
            self._hooks.tell(ConnectionHook.failed, self._sourceOf(connector), failure)
        closed.callback(None)
        self.retry(connector)
