# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One server: when to connect to it again, and the one monitor that is fed by
all the connections.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import UserError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.protocol import GOODBYE_TIMEOUT, OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT, Watchdog, timeSource
from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import (
    MonitorStopped,
    NotLeader,
    OvsdbError,
    PeerSilent,
    ProtocolViolation,
    SessionLost,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY, BackOff
from twisted_ovsdb.lifecycle.identity import identify as askIdentity
from twisted_ovsdb.lifecycle.leadership import Leadership
from twisted_ovsdb.lifecycle.owner import MonitorOwner
from twisted_ovsdb.lifecycle.trouble import TroubleLog
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH

CONNECT_TIMEOUT: Final = 5.0
"""
Seconds: a server on the same host or network answers in milliseconds, and
connectTCP alone would wait for 30 s, endpoints as long.
"""


class OvsdbMonitorFactory(MonitorOwner, ReconnectingClientFactory):
    """
    Keeps one session with one OVSDB server, for C{reactor.connectTCP} and
    L{EndpointConnector <twisted_ovsdb.EndpointConnector>} alike.

    @ivar monitor: the L{InterfaceMonitor} that outlives the connections.
    @ivar database: the database's name.
    """

    _log = Logger()

    noisy = False

    def __init__(
        self,
        observers: Iterable[IOvsdbEventObserver] = (),
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
    ) -> None:
        """
        @param observers: who is told.
        @param database: the database's name.
        @param rules: which class an interface has.
        @param replay: whether interfaces that an outage left unchanged are
            told once more, as online with the cause REPLAY.
        @param extraColumns: columns of the Interface table to monitor beyond
            the usual six.
        @param source: what events name as their source; by default the
            address that the connector leads to.
        @param clock: what schedules and tells the time, such as the L{Clock
            <twisted.internet.task.Clock>} of a test; by default the reactor,
            and a clock that does not jump.
        @param maxDelay: seconds between two attempts at most.
        @param connectTimeout: seconds that an attempt may take; 0: no limit
            of ours.
        @param snapshotTimeout: seconds without a byte while the first reply
            is awaited; 0: no limit.
        @param probeInterval: seconds without a byte until the server is asked
            for a sign of life, and as many until it is given up; 0: never.
        @param maxLength: how many bytes one message of the server may have.
        @param identify: whether the switch is asked who it is before the
            snapshot, which is then in each event's C{system_id} and
            C{hostname}.
        @param leaderOnly: whether a member of a cluster that does not lead it
            is left.
        @param members: how many servers the connector tries one after
            another, as L{ClusterEndpoint <twisted_ovsdb.ClusterEndpoint>}
            does.
        """
        self.clock: IReactorTime  # type: ignore[assignment]
        self.clock, self._now = timeSource(clock)
        self.database = database
        self._backOff = BackOff(maxDelay, members)
        self._identify = identify
        self._leaderOnly = leaderOnly
        self.connector: IConnector | None = None
        self.monitor = InterfaceMonitor(
            observers, rules, replay, extraColumns, source or "", self.clock
        )
        self._connectTimeout = connectTimeout
        self._snapshotTimeout = snapshotTimeout
        self._probeInterval = probeInterval
        self._maxLength = maxLength
        self._protocol: OvsdbProtocol | None = None
        self._connecting = False  # from startedConnecting to failure or loss
        self._callID: IDelayedCall | None = None
        self._attempt: IDelayedCall | None = None  # when it has taken too long
        self._timedOut = False
        self._goodbye: IDelayedCall | None = None
        self._closed: Waiters[None] = Waiters()
        self._syncedAt: float | None = None  # of the present or latest session
        self._trouble = TroubleLog()

    # What users call, beside what MonitorOwner has

    def stop(self) -> Deferred[None]:
        """
        Close the connection or give up making one. What is known is kept, and
        the connector's C{connect} starts again.

        @return: fires when all is closed.
        """
        ReconnectingClientFactory.stopTrying(self)
        self.monitor.detach()
        if not self._connecting:
            return succeed(None)
        closed = self._closed.wait()
        if self._protocol is not None and self._goodbye is None:
            self._protocol.close(MonitorStopped())
            # Which waits for what the peer has not read, and on TLS for the
            # peer's own goodbye.
            transport: Any = self._protocol.transport
            self._goodbye = self.clock.callLater(GOODBYE_TIMEOUT, transport.abortConnection)
        return closed

    @property
    def maxDelay(self) -> float:  # type: ignore[override]
        """Seconds between two attempts at most."""
        return self._backOff.maximum

    def resetDelay(self) -> None:
        """
        Begin with the shortest delay again. A factory that was stopped stays
        so.
        """
        self._backOff.reset()

    # What connectors call

    def startedConnecting(self, connector: IConnector) -> None:
        """
        An attempt begins; after L{stop}, this is the start.
        """
        # stopTrying knows no connector before the first failure otherwise.
        self.connector = connector
        self.continueTrying = True
        self._connecting = True
        self._timedOut = False
        self._cancelAttempt()
        if self._connectTimeout:
            self._attempt = self.clock.callLater(self._connectTimeout, self._giveUp, connector)

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """
        @return: None while a session is up: a factory serves one server.
        """
        if not self.continueTrying or (self._protocol is not None and not self._protocol.lost):
            return None
        self._cancelAttempt()
        if not self.monitor.source:
            known = self.connector.getDestination() if self.connector is not None else addr
            self.monitor.source = describeAddress(known)
        self._syncedAt = None
        self._protocol = OvsdbProtocol(self._maxLength, self._connected)
        return self._protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """
        There is no connection.
        """
        cause: Any = reason.value
        if self._timedOut and isinstance(cause, UserError):
            cause = PeerSilent(f"no connection for {self._connectTimeout:g} s")
        self._down(connector, cause)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """
        The connection is gone.
        """
        # What the protocol was aborted for says more than "aborted".
        lost = self._protocol.lost if self._protocol is not None else None
        self._down(connector, lost or reason.value)

    def retry(self, connector: IConnector | None = None) -> None:
        """
        Connect again after a while: at once after a session that was in sync
        for as long as the present delay, else after a delay that doubles.

        @raise ValueError: if there was no connector yet.
        """
        connector = connector or self.connector
        if connector is None:
            raise ValueError("no connector to retry")
        if not self.continueTrying or self._callID is not None:
            return
        healthyFor = None if self._syncedAt is None else self._now() - self._syncedAt
        wait = self._backOff.wait(healthyFor)
        self._syncedAt = None
        self._callID = self.clock.callLater(wait, self._connectAgain, connector)

    def _giveUp(self, connector: IConnector) -> None:
        self._attempt = None
        self._timedOut = True
        connector.stopConnecting()

    def _cancelAttempt(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None

    def _connectAgain(self, connector: IConnector) -> None:
        self._callID = None
        connector.connect()

    # A connection's life

    def _connected(self, protocol: OvsdbProtocol) -> None:
        watchdog = Watchdog(
            protocol, self.clock, self._now, self._snapshotTimeout, self._probeInterval
        )
        Deferred.fromCoroutine(self._open(protocol)).addCallbacks(
            self._synchronized,
            self._notSynchronized,
            callbackArgs=(watchdog,),
            errbackArgs=(protocol,),
        )

    async def _open(self, protocol: OvsdbProtocol) -> None:
        if self._leaderOnly:
            await Leadership(protocol, self.database).follow()
        if self._identify:
            self.monitor.identity = await askIdentity(protocol, self.database)
        await self.monitor.attach(protocol, self.database)

    def _synchronized(self, _: None, watchdog: Watchdog) -> None:
        watchdog.synchronized()
        self._syncedAt = self._now()
        self._trouble.over(self.monitor.source)

    def _notSynchronized(self, failure: Failure, protocol: OvsdbProtocol) -> None:
        assert failure.value is not None
        if not failure.check(OvsdbError):
            self._log.failure("while the snapshot was read", failure=failure)
        elif failure.check(NotLeader):
            self._backOff.soon()
        elif not failure.check(SessionLost, ProtocolViolation):
            # The server refuses; but a member of a cluster may yet be joining.
            if getattr(failure.value, "error", "") != "database not available":
                self._backOff.slow()
        protocol.abort(failure.value)

    def _down(self, connector: IConnector, reason: Any) -> None:
        if self._protocol is not None and self._protocol.lost is None:
            return  # another connector, which buildProtocol refused
        self._connecting = False
        self._protocol = None
        self._cancelAttempt()
        if self._goodbye is not None:
            if self._goodbye.active():
                self._goodbye.cancel()
            self._goodbye = None
        if self.continueTrying:
            source = self.monitor.source or describeAddress(connector.getDestination())
            self._trouble.failed(source, reason, hadSession=self._syncedAt is not None)
            self.retry(connector)
        else:
            self._closed.fire(lambda waiter: waiter.callback(None))
