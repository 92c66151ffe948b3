# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One server: when to connect to it again, and the one monitor that is fed by
all the connections.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.errors import RpcError, describeReason
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.jsonstream import DEFAULT_MAX_LENGTH
from twisted_ovsdb.monitor import InterfaceMonitor
from twisted_ovsdb.protocol import OvsdbProtocol
from twisted_ovsdb.waiters import Waiters

INITIAL_DELAY: Final = 1.0
"""Seconds: an ovsdb-server restarts in a tenth of that."""

MAX_DELAY: Final = 8.0
"""
Seconds between attempts at most, as in Open vSwitch's own clients: an
operator who starts the server again should not have to wait for us.
"""

DELAY_FACTOR: Final = 2.0

GOODBYE_TIMEOUT: Final = 1.0
"""Seconds that a stop waits for a connection to close politely."""

OVSDB_PORT: Final = 6640
"""The port that IANA has assigned to OVSDB."""

LISTEN_HINT: Final = (
    f" (does ovsdb-server listen there? If not: ovs-vsctl set-manager ptcp:{OVSDB_PORT}:127.0.0.1)"
)


def describeAddress(address: IAddress | None) -> str:
    """
    An address as its endpoint is written.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"tcp:{host}:{address.port}"
    if isinstance(address, HostnameAddress):
        return f"tcp:{address.hostname.decode('ascii', 'replace')}:{address.port}"
    if isinstance(address, UNIXAddress) and address.name:
        return f"unix:{address.name.decode('utf-8', 'replace')}"
    return str(address)


class OvsdbMonitorFactory(ReconnectingClientFactory):
    """
    Keeps one session with one OVSDB server, for C{reactor.connectTCP} and
    L{EndpointConnector <twisted_ovsdb.EndpointConnector>} alike.

    @ivar monitor: the L{InterfaceMonitor} that outlives the connections.
    @ivar database: the database's name.
    """

    _log = Logger()

    noisy = False
    initialDelay = delay = INITIAL_DELAY
    maxDelay = MAX_DELAY  # type: ignore[assignment]
    factor = DELAY_FACTOR

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
        maxLength: int = DEFAULT_MAX_LENGTH,
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
        @param clock: the reactor, if not the global one.
        @param maxDelay: seconds between two attempts at most.
        @param maxLength: how many bytes one message of the server may have.
        """
        if maxDelay <= 0:
            raise ValueError(f"maxDelay must be above zero, not {maxDelay}")
        if clock is None:
            from twisted.internet import reactor

            clock = reactor
        self.clock: IReactorTime = clock  # type: ignore[assignment]
        self.database = database
        self.maxDelay = maxDelay
        self.initialDelay = self.delay = min(INITIAL_DELAY, maxDelay)
        self.connector: IConnector | None = None
        self.monitor = InterfaceMonitor(
            observers, rules, replay, extraColumns, source or "", self.clock
        )
        self._maxLength = maxLength
        self._protocol: OvsdbProtocol | None = None
        self._connecting = False  # from startedConnecting to failure or loss
        self._callID: IDelayedCall | None = None
        self._goodbye: IDelayedCall | None = None
        self._closed: Waiters[None] = Waiters()
        self._syncedAt: float | None = None  # of the present or latest session
        self._failures = 0
        self._lastTrouble = ""

    # What users call

    def addObserver(self, observer: IOvsdbEventObserver) -> None:
        """
        See L{InterfaceMonitor.addObserver}.
        """
        self.monitor.addObserver(observer)

    def removeObserver(self, observer: IOvsdbEventObserver) -> None:
        """
        See L{InterfaceMonitor.removeObserver}.
        """
        self.monitor.removeObserver(observer)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """
        See L{InterfaceMonitor.whenSynchronized}.
        """
        return self.monitor.whenSynchronized()

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
        transport: Any = self._protocol.transport if self._protocol is not None else None
        if transport is not None and self._goodbye is None:
            transport.loseConnection()
            # loseConnection waits for what the peer has not read, and on TLS
            # for the peer's own goodbye.
            self._goodbye = self.clock.callLater(GOODBYE_TIMEOUT, transport.abortConnection)
        return closed

    # What connectors call

    def startedConnecting(self, connector: IConnector) -> None:
        """
        An attempt begins; after L{stop}, this is the start.
        """
        # stopTrying knows no connector before the first failure otherwise.
        self.connector = connector
        self.continueTrying = True
        self._connecting = True

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """
        @return: None while a session is up: a factory serves one server.
        """
        if not self.continueTrying or (self._protocol is not None and not self._protocol.lost):
            return None
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
        self._down(connector, reason.value)

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
        if self._syncedAt is not None and self.clock.seconds() - self._syncedAt >= self.delay:
            self.delay = self.initialDelay
            wait = 0.0
        else:
            # Not ReconnectingClientFactory's jitter, which multiplies into
            # the delay: it wanders, and passes maxDelay.
            wait = self.delay * random.uniform(0.75, 1)
            self.delay = min(self.delay * self.factor, self.maxDelay)
        self._syncedAt = None
        self._callID = self.clock.callLater(wait, self._connectAgain, connector)

    def _connectAgain(self, connector: IConnector) -> None:
        self._callID = None
        connector.connect()

    # A connection's life

    def _connected(self, protocol: OvsdbProtocol) -> None:
        self.monitor.attach(protocol, self.database).addCallbacks(
            self._synchronized, self._notSynchronized, errbackArgs=(protocol,)
        )

    def _synchronized(self, _: None) -> None:
        self._syncedAt = self.clock.seconds()
        if self._failures:
            self._log.info(
                "{source}: in sync after {failures} failures",
                source=self.monitor.source,
                failures=self._failures,
            )
        self._failures = 0
        self._lastTrouble = ""

    def _notSynchronized(self, failure: Failure, protocol: OvsdbProtocol) -> None:
        # Whatever else it is, the connection is lost and will tell so.
        if failure.check(RpcError):
            assert failure.value is not None
            protocol.abort(failure.value)

    def _down(self, connector: IConnector, reason: Any) -> None:
        if self._protocol is not None and self._protocol.lost is None:
            return  # another connector, which buildProtocol refused
        self._connecting = False
        self._protocol = None
        if self._goodbye is not None:
            if self._goodbye.active():
                self._goodbye.cancel()
            self._goodbye = None
        if self.continueTrying:
            self._tellTrouble(connector, reason)
            self.retry(connector)
        else:
            self._closed.fire(lambda waiter: waiter.callback(None))

    def _tellTrouble(self, connector: IConnector, reason: BaseException) -> None:
        """
        Warn once, with a hint; then say only what is new.
        """
        first = self._failures == 0
        self._failures += 1
        trouble = describeReason(reason)
        if trouble == self._lastTrouble:
            return
        self._lastTrouble = trouble
        source = self.monitor.source or describeAddress(connector.getDestination())
        if first:
            hint = LISTEN_HINT if source.endswith(f":{OVSDB_PORT}") and not self._syncedAt else ""
            self._log.warn(
                "{source}: {reason}{hint}; trying again until it answers",
                source=source,
                reason=trouble,
                hint=hint,
            )
        else:
            self._log.info("{source}: {reason}", source=source, reason=trouble)
