# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Switches that connect to us: after C{ovs-vsctl set-manager tcp:CONTROLLER:6640}
each ovsdb-server connects, and is monitored as soon as it has said which
switch it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import (
    MonitorStopped,
    PeerSilent,
    ProtocolViolation,
    RpcError,
    SessionLost,
    SwitchRefused,
)
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks
from twisted_ovsdb.lifecycle.link import Link
from twisted_ovsdb.lifecycle.questions import askIdentity
from twisted_ovsdb.lifecycle.settings import Settings, timeSource
from twisted_ovsdb.lifecycle.trouble import SwitchLog
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.identity import SWITCH_TABLE
from twisted_ovsdb.parameters import checkPositive
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH

MAX_SWITCHES: Final = 1000
"""
Switches that may be known, and connections that may be unidentified: each
costs memory, and whatever can connect can claim to be one.
"""


class OvsdbListenerFactory(ServerFactory):
    """
    Monitors every switch that connects, and recognizes it by its system-id: a
    switch that connects again is compared with what was last known of it. A
    switch without a system-id is known by the UUID of its Open_vSwitch row.

    @ivar monitors: the monitor of each switch, by its key: the system-id, or
        else that UUID. A monitor outlives the connections of its switch.
    """

    noisy = False

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        database: str = "Open_vSwitch",
        rules: ClassificationRules = ClassificationRules(),
        replay: bool = True,
        extraColumns: Iterable[str] = (),
        clock: IReactorTime | None = None,
        maxSwitches: int = MAX_SWITCHES,
        snapshotTimeout: float = SNAPSHOT_TIMEOUT,
        probeInterval: float = PROBE_INTERVAL,
        maxLength: int = DEFAULT_MAX_LENGTH,
        hook: ConnectionHook | None = None,
        bridges: bool = False,
        method: str | None = None,
    ) -> None:
        """
        @param observers: the observers, which are told the events of all
            switches.
        @param maxSwitches: how many switches may be known, and how many
            connections may be unidentified at the same time.
        @param snapshotTimeout: seconds until a connection must be identified,
            and seconds without a byte until it is in sync.

        The other parameters are those of L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}.

        @raise ValueError: if a value is wrong; the text names the parameter.
        """
        checkPositive(maxSwitches=maxSwitches)
        clock, now = timeSource(clock)
        self._settings = Settings(
            observers=observers,
            database=database,
            rules=rules,
            replay=replay,
            extraColumns=extraColumns,
            snapshotTimeout=snapshotTimeout,
            probeInterval=probeInterval,
            maxLength=maxLength,
            clock=clock,
            now=now,
            bridges=bridges,
            method=method,
        )
        self.monitors: dict[str, InterfaceMonitor] = {}
        self._maxSwitches = maxSwitches
        self._hooks = Hooks(SwitchLog(self.monitors, maxSwitches, now), hook)
        self._links: set[Link] = set()
        self._unidentified = 0  # of these links
        self._sessions: dict[str, Link] = {}  # by the key of the switch
        self._stopping = False

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """@return: None while too many connections are unidentified."""
        if self._stopping:
            return None
        source = describeAddress(addr)
        self._hooks.tell(ConnectionHook.attempting, source)
        if self._stopping:  # The hook has stopped the listener.
            self._hooks.tell(ConnectionHook.failed, source, MonitorStopped())
            return None
        if self._unidentified >= self._maxSwitches:
            limit = f"{self._unidentified}, --max-switches"
            refusal = SwitchRefused(f"too many unidentified connections ({limit})")
            self._hooks.tell(ConnectionHook.refused, source, source, refusal)
            return None
        return Link(source, self._settings, self._hooks, self._open).protocol

    def replayTo(self, observer: Observer) -> None:
        """
        As L{InterfaceMonitor.replayTo}, for every switch that is known.

        @raise ValueError: if it is no observer.
        """
        if not any(observer is known for known in self._settings.observers):
            raise ValueError(f"{observer!r} is no observer")
        for monitor in self.monitors.values():
            monitor.replayTo(observer)

    def start(self) -> None:
        """Accept connections, also after L{stop}."""
        self._stopping = False

    def stop(self) -> Deferred[None]:
        """
        Close all connections. What is known of the switches is kept.

        @return: fires when all connections are closed.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._stopping = True
        for monitor in self.monitors.values():
            monitor.detach()
        for closed in [link.close(MonitorStopped()) for link in tuple(self._links)]:
            await closed

    # How a connection is opened

    async def _open(self, link: Link) -> None:
        self._links.add(link)
        link.protocol.whenClosed().addCallback(lambda _: self._links.discard(link))
        found = await self._identified(link)
        if found is None:
            raise SwitchRefused(f"the table {SWITCH_TABLE} of the switch is empty")
        uuid, identity = found
        link.switch = identity.system_id or uuid
        await self._makeRoom(link)
        if link.protocol.lost is not None:
            raise SessionLost(link.protocol.lost)
        monitor = self._monitorOf(link)
        self._sessions[link.switch] = link
        link.protocol.whenLost().addCallback(lambda _: self._sessions.pop(link.switch))
        await monitor._attach(link.protocol, self._settings.database, link.source)

    async def _identified(self, link: Link) -> tuple[str, SwitchIdentity] | None:
        """
        Ask a connection which switch it is. Any byte satisfies the watchdog,
        but here there is a limit to the whole time.
        """
        settings = self._settings
        limit = settings.snapshotTimeout or SNAPSHOT_TIMEOUT
        asked = askIdentity(link.protocol, settings.database)
        self._unidentified += 1
        try:
            return await asked.addTimeout(limit, settings.clock)
        except TimeoutError as e:
            raise PeerSilent(f"the switch did not identify itself within {limit:g} s") from e
        finally:
            self._unidentified -= 1

    async def _makeRoom(self, link: Link) -> None:
        """
        End an earlier connection of the same switch.

        @raise SwitchRefused: if the earlier connection answers: hosts that were
            cloned have the same system-id.
        """
        switch = link.switch
        while (present := self._sessions.get(switch)) is not None:
            if await self._answers(present.protocol):
                twice = f"switch {switch} is connected already, from {present.source}"
                raise SwitchRefused(f"{twice}; were the hosts cloned?", switch)
            again = f"switch {switch} has connected again, from {link.source}"
            present.protocol.abort(SwitchRefused(again, switch))

    async def _answers(self, protocol: OvsdbProtocol) -> bool:
        limit = self._settings.probeInterval or PROBE_INTERVAL
        try:
            await protocol.echo().addTimeout(limit, self._settings.clock)
        except (TimeoutError, SessionLost, ProtocolViolation):
            return False
        except RpcError:
            pass  # also an answer
        return True

    def _monitorOf(self, link: Link) -> InterfaceMonitor:
        if link.switch not in self.monitors:
            if len(self.monitors) >= self._maxSwitches:
                limit = f"{len(self.monitors)}, --max-switches"
                raise SwitchRefused(f"too many known switches ({limit})", link.switch)
            self.monitors[link.switch] = self._settings.makeMonitor(link.switch, identify=True)
        return self.monitors[link.switch]
