# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Switches that dial in: C{ovs-vsctl set-manager tcp:CONTROLLER:6640} has each
ovsdb-server connect to us, and each is monitored as it comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.protocol import GOODBYE_TIMEOUT, OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT, Watchdog, timeSource
from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import (
    MonitorStopped,
    OvsdbError,
    PeerSilent,
    RpcError,
    SessionLost,
    describeReason,
)
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.lifecycle.identity import identify
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH

MAX_SWITCHES: Final = 1000
"""
Switches that are known at most, and connections at most: each costs memory,
and whoever can connect can be one.
"""


class Refused(OvsdbError):
    """
    A switch that dialled in may not stay.

    @ivar system_id: who it is, if it is known.
    """

    def __init__(self, text: str, system_id: str = "") -> None:
        super().__init__(text)
        self.system_id = system_id


class OvsdbListenerFactory(ServerFactory):
    """
    Monitors every switch that connects, and knows it again by its system-id:
    one that comes back is compared with what was last known of it.

    @ivar monitors: the monitor of each switch, by system-id; it outlives the
        switch's connections.
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
        clock: IReactorTime | None = None,
        maxSwitches: int = MAX_SWITCHES,
        snapshotTimeout: float = SNAPSHOT_TIMEOUT,
        probeInterval: float = PROBE_INTERVAL,
        maxLength: int = DEFAULT_MAX_LENGTH,
    ) -> None:
        """
        @param observers: who is told of all switches.
        @param maxSwitches: how many switches may be known, and as many may be
            connected without having said yet who they are.
        @param snapshotTimeout: seconds without a byte that a peer may stay
            before it has been synchronized.

        The others are as for L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}.
        """
        self._observers = tuple(observers)
        self._options = (rules, replay, tuple(extraColumns))
        self._database = database
        self._clock, self._now = timeSource(clock)
        self._maxSwitches = maxSwitches
        self._snapshotTimeout = snapshotTimeout
        self._probeInterval = probeInterval
        self._maxLength = maxLength
        self.monitors: dict[str, InterfaceMonitor] = {}
        self._sessions: dict[str, OvsdbProtocol] = {}  # by system-id
        self._refused: set[str] = set()  # warned of, by system-id
        self._strangers = 0  # connected, and not identified yet
        self._connections: set[OvsdbProtocol] = set()
        self._closed: Waiters[None] = Waiters()
        self._cutOff: IDelayedCall | None = None
        self._stopping = False

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """
        @return: None when there are too many connections.
        """
        if self._stopping:
            return None
        source = describeAddress(addr)
        if self._strangers >= self._maxSwitches:
            self._log.warn(
                "{source}: refused: who has not said yet who it is: {count} (--max-switches)",
                source=source,
                count=self._strangers,
            )
            return None

        return _DialledIn(self, source, self._maxLength)

    def start(self) -> None:
        """
        Accept connections, also after L{stop}.
        """
        self._stopping = False

    def stop(self) -> Deferred[None]:
        """
        Close all connections. What is known of the switches is kept.

        @return: fires when all are closed.
        """
        self._stopping = True
        for monitor in self.monitors.values():
            monitor.detach()
        if not self._connections:
            return succeed(None)
        closed = self._closed.wait()
        for protocol in tuple(self._connections):
            protocol.close(MonitorStopped())
        if self._cutOff is None:
            self._cutOff = self._clock.callLater(GOODBYE_TIMEOUT, self._cutOffAll)
        return closed

    def _cutOffAll(self) -> None:
        self._cutOff = None
        for protocol in tuple(self._connections):
            transport: Any = protocol.transport
            transport.abortConnection()

    # A connection's life

    def _connectionMade(self, protocol: OvsdbProtocol, source: str) -> None:
        self._connections.add(protocol)
        watchdog = Watchdog(
            protocol, self._clock, self._now, self._snapshotTimeout, self._probeInterval
        )
        served = Deferred.fromCoroutine(self._serve(protocol, source))
        served.addCallback(lambda _: watchdog.synchronized())
        served.addErrback(self._failed, protocol, source)

    async def _serve(self, protocol: OvsdbProtocol, source: str) -> None:
        self._strangers += 1
        # The watchdog is content with any byte; a stranger may not dawdle.
        late = PeerSilent(f"has not said who it is for {self._snapshotTimeout:g} s")
        limit = self._snapshotTimeout or SNAPSHOT_TIMEOUT
        deadline = self._clock.callLater(limit, protocol.abort, late)
        try:
            identity = await identify(protocol, self._database)
        finally:
            self._strangers -= 1
            if deadline.active():
                deadline.cancel()
        system_id = identity.system_id
        if system_id is None:
            raise Refused("it has no external_ids:system-id")
        await self._makeRoom(system_id, source)
        if protocol.lost is not None:
            raise SessionLost(protocol.lost)
        monitor = self._monitorOf(identity, source)
        self._sessions[system_id] = protocol
        self._refused.discard(system_id)
        protocol.whenLost().addCallback(self._sessionLost, system_id, protocol, source)
        await monitor.attach(protocol, self._database)
        self._log.info(
            "{source}: in sync with switch {system_id} ({hostname})",
            source=source,
            system_id=system_id,
            hostname=identity.hostname,
        )

    async def _makeRoom(self, system_id: str, source: str) -> None:
        """
        See to it that no other connection has this system-id: the one that
        there is goes, unless it proves to be alive. Hosts that were cloned
        share their system-id.
        """
        while (present := self._sessions.get(system_id)) is not None:
            if await self._isAlive(present):
                raise Refused(
                    f"switch {system_id} is connected already, from"
                    f" {self.monitors[system_id].source}; were the hosts cloned?",
                    system_id,
                )
            present.abort(Refused(f"switch {system_id} has come anew from {source}"))

    async def _isAlive(self, protocol: OvsdbProtocol) -> bool:
        answer = protocol.call("echo", [])
        limit = self._clock.callLater(self._probeInterval or PROBE_INTERVAL, answer.cancel)
        try:
            await answer
        except (CancelledError, SessionLost):
            return False
        except RpcError:
            return True
        finally:
            if limit.active():
                limit.cancel()
        return True

    def _monitorOf(self, identity: SwitchIdentity, source: str) -> InterfaceMonitor:
        assert identity.system_id is not None
        monitor = self.monitors.get(identity.system_id)
        if monitor is None:
            if len(self.monitors) >= self._maxSwitches:
                count = len(self.monitors)
                raise Refused(f"known already: {count} (--max-switches)", identity.system_id)
            rules, replay, extraColumns = self._options
            monitor = InterfaceMonitor(
                self._observers, rules, replay, extraColumns, clock=self._clock
            )
            self.monitors[identity.system_id] = monitor
        monitor.source = source
        monitor.identity = identity
        return monitor

    def _failed(self, failure: Failure, protocol: OvsdbProtocol, source: str) -> None:
        reason = failure.value
        assert reason is not None
        if isinstance(reason, SessionLost):
            reason = reason.reason
        if not failure.check(OvsdbError):
            self._log.failure("{source}: while it was asked", failure=failure, source=source)
        elif isinstance(reason, Refused) and reason.system_id in self._refused:
            pass  # it dials again and again, and was warned of
        elif not isinstance(reason, MonitorStopped):
            if isinstance(reason, Refused) and reason.system_id:
                if len(self._refused) >= self._maxSwitches:
                    self._refused.clear()
                self._refused.add(reason.system_id)
            self._log.warn(
                "{source}: dropped: {reason}", source=source, reason=describeReason(reason)
            )
        protocol.abort(reason)

    def _sessionLost(
        self, reason: BaseException, system_id: str, protocol: OvsdbProtocol, source: str
    ) -> None:
        if self._sessions.get(system_id) is protocol:
            del self._sessions[system_id]
        if not self._stopping:
            self._log.info(
                "{source}: switch {system_id} is gone: {reason}",
                source=source,
                system_id=system_id,
                reason=describeReason(reason),
            )

    def _connectionClosed(self, protocol: OvsdbProtocol) -> None:
        self._connections.discard(protocol)
        if self._stopping and not self._connections:
            if self._cutOff is not None:
                self._cutOff.cancel()
                self._cutOff = None
            self._closed.fire(lambda waiter: waiter.callback(None))


class _DialledIn(OvsdbProtocol):
    """
    A connection that tells its listener of its beginning and its end.
    """

    def __init__(self, listener: OvsdbListenerFactory, source: str, maxLength: int) -> None:
        super().__init__(maxLength)
        self._listener = listener
        self._source = source

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        super().connectionMade()
        self._listener._connectionMade(self, self._source)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        super().connectionLost(reason)
        self._listener._connectionClosed(self)
