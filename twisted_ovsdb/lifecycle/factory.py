# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One server: when to connect to it again, and the one monitor that all these
connections feed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import UserError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import MonitorStopped, OvsdbError, PeerSilent
from twisted_ovsdb.events import Event, InterfaceKind, OvsInterface
from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY, BackOff
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks
from twisted_ovsdb.lifecycle.link import Link
from twisted_ovsdb.lifecycle.questions import followLeader
from twisted_ovsdb.lifecycle.settings import Settings, timeSource
from twisted_ovsdb.lifecycle.trouble import ServerLog
from twisted_ovsdb.monitoring.earlier import Told
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.parameters import checkFlags, checkNotNegative, checkTexts
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH

CONNECT_TIMEOUT: Final = 5.0
"""
Seconds: a server on the same host or network answers in milliseconds. Alone,
connectTCP and endpoints would wait for 30 s.
"""


class OvsdbMonitorFactory(ReconnectingClientFactory):
    """
    Keeps one session with one OVSDB server, both for C{reactor.connectTCP} and
    for L{EndpointConnector <twisted_ovsdb.EndpointConnector>}.

    @ivar monitor: the L{InterfaceMonitor <twisted_ovsdb.InterfaceMonitor>},
        which outlives the connections.
    @ivar database: the name of the database.
    """

    noisy = False

    _log = Logger()

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        database: str = "Open_vSwitch",
        rules: ClassificationRules = ClassificationRules(),
        replay: bool = True,
        extraColumns: Iterable[str] = (),
        source: str | None = None,
        clock: IReactorTime | None = None,
        maxDelay: float = MAX_DELAY,
        connectTimeout: float = CONNECT_TIMEOUT,
        snapshotTimeout: float = SNAPSHOT_TIMEOUT,
        probeInterval: float = PROBE_INTERVAL,
        maxLength: int = DEFAULT_MAX_LENGTH,
        identify: bool = False,
        leaderOnly: bool = False,
        members: int = 1,
        hook: ConnectionHook | None = None,
        bridges: bool = False,
        method: str | None = None,
    ) -> None:
        """
        @param observers: the observers, which are told every event.
        @param database: the name of the database.
        @param rules: which kind an interface has.
        @param replay: whether interfaces that an outage left unchanged are
            told once more, as online with the cause REPLAY.
        @param extraColumns: columns of the Interface table to monitor beside
            the usual six.
        @param source: what events name as their source; by default the
            address that the connector leads to.
        @param clock: schedules calls and tells the time, such as the L{Clock
            <twisted.internet.task.Clock>} of a test; by default the reactor,
            and a clock that never jumps.
        @param maxDelay: seconds between two attempts at most.
        @param connectTimeout: seconds that an attempt may take; 0: as long as
            the connector allows.
        @param snapshotTimeout: seconds without a byte while the initial reply
            is awaited; 0: no limit.
        @param probeInterval: seconds without a byte until the server is asked
            for a sign of life, and as many until it is given up; 0: never.
        @param maxLength: how many bytes one message of the server may have.
        @param identify: whether the identity of the switch is monitored too, in
            its Open_vSwitch table. Each event then has C{system_id} and
            C{hostname}, and when the system-id changes, this is an outage in
            which no interface survives.
        @param leaderOnly: whether a member of a cluster that does not lead it
            is left.
        @param members: how many servers the connector tries one after
            another, as L{ClusterEndpoint <twisted_ovsdb.ClusterEndpoint>}
            does.
        @param hook: is told of attempts, failures and sessions.
        @param bridges: whether it is asked on which bridge each interface is: the
            tables Bridge and Port are monitored too, by C{monitor_cond}.
        @param method: the request that monitors: C{monitor}, or C{monitor_cond},
            which costs fewer bytes and needs Open vSwitch 2.6. By default
            C{monitor_cond} with C{bridges}, and C{monitor} without. A server that
            does not know C{monitor_cond} is asked by C{monitor}, with a warning.
        @raise ValueError: if a value is wrong; the text names the parameter.
        """
        checkNotNegative(connectTimeout=connectTimeout)
        checkFlags(identify=identify, leaderOnly=leaderOnly)
        checkTexts(source="" if source is None else source)
        self.clock: IReactorTime  # type: ignore[assignment]
        self.clock, now = timeSource(clock)
        self._settings = Settings(
            observers,
            database,
            rules,
            replay,
            extraColumns,
            snapshotTimeout,
            probeInterval,
            maxLength,
            self.clock,
            now,
            bridges,
            method,
        )
        self.database = database
        self.monitor = self._settings.makeMonitor(source or "", identify)
        self.connector: IConnector | None = None
        self._backOff = BackOff(maxDelay, members)
        self._connectTimeout = connectTimeout
        self._leaderOnly = leaderOnly
        self._hooks = Hooks(ServerLog(now), hook)
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
        ReconnectingClientFactory.stopTrying(self)
        self.monitor.detach()
        if not self._connecting:
            return succeed(None)
        closed = self._closed.wait()
        if self._link is not None:
            self._link.close(MonitorStopped())
        return closed

    @property
    def maxDelay(self) -> float:  # type: ignore[override]
        """Seconds between two attempts at most."""
        return self._backOff.maximum

    def resetDelay(self) -> None:
        """Begin with the shortest delay again. A stopped factory stays stopped."""
        self._backOff.reset()

    # What the monitor does: this delegates to it

    def addObserver(self, observer: Observer, told: Told | None = None) -> None:
        """See L{InterfaceMonitor.addObserver}."""
        self.monitor.addObserver(observer, told)

    def removeObserver(self, observer: Observer) -> None:
        """See L{InterfaceMonitor.removeObserver}."""
        self.monitor.removeObserver(observer)

    def replayTo(self, observer: Observer) -> None:
        """See L{InterfaceMonitor.replayTo}."""
        self.monitor.replayTo(observer)

    def events(self) -> AsyncGenerator[Event, None]:
        """See L{InterfaceMonitor.events}."""
        return self.monitor.events()

    def interfaces(
        self, kind: InterfaceKind | str | None = None, bridge: str | None = None
    ) -> tuple[OvsInterface, ...]:
        """See L{InterfaceMonitor.interfaces}."""
        return self.monitor.interfaces(kind, bridge)

    def interfaceByOfport(self, bridge: str, ofport: int) -> OvsInterface | None:
        """See L{InterfaceMonitor.interfaceByOfport}."""
        return self.monitor.interfaceByOfport(bridge, ofport)

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """See L{InterfaceMonitor.interfaceByName}."""
        return self.monitor.interfaceByName(name)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """See L{InterfaceMonitor.interfacesByIfaceId}."""
        return self.monitor.interfacesByIfaceId(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """See L{InterfaceMonitor.whenSynchronized}."""
        return self.monitor.whenSynchronized()

    def whenReady(self, ifaceId: str, timeout: float | None = None) -> Deferred[OvsInterface]:
        """See L{InterfaceMonitor.whenReady}."""
        return self.monitor.whenReady(ifaceId, timeout)

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
        self._endAttempt()
        if self._callID is not None:
            self._callID.cancel()  # The user did not wait for it.
            self._callID = None
        self._hooks.tell(ConnectionHook.attempting, self._sourceOf(connector))
        # The hook may have stopped the factory.
        if self._connectTimeout and self._connecting:
            self._attempt = self.clock.callLater(self._connectTimeout, connector.stopConnecting)

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """@return: None while a session is up: a factory has one server."""
        if not self.continueTrying or self._inSession():
            return None
        if not self._connecting:
            # endpoint.connect(factory) tells nothing else.
            self._log.warn(
                "this factory has no connector, so it will not connect again:"
                " use EndpointConnector(endpoint, factory).connect() or OvsdbMonitorService"
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
        cause = reason.value
        assert cause is not None
        timedOut = self._attempt is not None and not self._attempt.active()
        if timedOut and isinstance(cause, UserError):
            cause = PeerSilent(f"no connection for {self._connectTimeout:g} s")
        elif not self.continueTrying:
            cause = MonitorStopped()
        if self._link is None:
            self._hooks.tell(ConnectionHook.failed, self._sourceOf(connector), cause)
        self._down(connector)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """See L{ClientFactory}."""
        if connector is self.connector:
            self._down(connector)

    def retry(self, connector: IConnector | None = None) -> None:
        """
        Connect again: at once after a session that was in sync for as long as
        the present delay, else after that delay, which doubles each time.

        @raise ValueError: if there was no connector yet.
        """
        connector = connector or self.connector
        if connector is None:
            raise ValueError("no connector to retry")
        if not self.continueTrying or self._callID is not None:
            return
        wait = self._backOff.wait(self._healthyFor)
        self._healthyFor = None
        self._hooks.tell(ConnectionHook.waiting, self._sourceOf(connector), wait)
        # The hook may have stopped the factory, or connected it.
        if self.continueTrying and not self._connecting:
            self._callID = self.clock.callLater(wait, self._connectAgain, connector)

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

    def _down(self, connector: IConnector) -> None:
        if self._inSession():
            return  # It was a connection that buildProtocol refused.
        link, self._link = self._link, None
        self._connecting = False
        self._endAttempt()
        if self.continueTrying:
            self._healthyFor = None if link is None else link.inSyncFor
            self.retry(connector)
        else:
            self._closed.callback(None)
