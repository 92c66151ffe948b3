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

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.lifecycle.balance import FLEET, Balance
from twisted_ovsdb.lifecycle.claims import Claims
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks
from twisted_ovsdb.lifecycle.link import Link
from twisted_ovsdb.lifecycle.pins import PINS_PER_PLACE, Pins
from twisted_ovsdb.lifecycle.places import FORGET_AFTER, Places
from twisted_ovsdb.lifecycle.settings import Settings, lockTerms, timeSource
from twisted_ovsdb.lifecycle.strangers import IDENTIFY_TIMEOUT, Strangers
from twisted_ovsdb.lifecycle.trouble import SwitchLog
from twisted_ovsdb.monitoring.lockterms import LockTerms
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.views import notAdded
from twisted_ovsdb.parameters import checkCounts, checkFlags, checkNotNegative
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

    @ivar monitors: the monitor of each switch that is known, by its key: the
        system-id, or else that UUID. A monitor outlives the connections of its
        switch, until the switch is forgotten.
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
        forgetAfter: float = FORGET_AFTER,
        pin: bool = False,
        problemsAfter: float | None = None,
        audit: float | None = None,
        lock: str | LockTerms | None = None,
        instance: str | None = None,
        fleet: int = FLEET,
    ) -> None:
        """
        @param observers: the observers, which are told the events of all
            switches.
        @param maxSwitches: how many switches may be known, and how many
            connections may be unidentified at the same time. If another place is
            needed, the switch that is absent for longest is forgotten.
        @param snapshotTimeout: seconds without a byte until a connection is in
            sync. It must be identified in this time too, but in no more than
            10 s.
        @param forgetAfter: seconds until a switch that is not connected is
            forgotten; 0: never.
        @param pin: whether a switch is bound to the subject of the certificate that
            first brought it, until the process ends. A connection without TLS, or
            with the certificate of another subject, is refused.
        @param fleet: how many listeners share the switches by C{lock}. One that speaks
            for clearly more than its share lets others have some, slowly.

        The other parameters are those of L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}.

        @raise ValueError: if a value is wrong; the text names the parameter.
        """
        checkCounts(maxSwitches=maxSwitches, fleet=fleet)
        checkNotNegative(forgetAfter=forgetAfter)
        checkFlags(pin=pin)
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
            problemsAfter=problemsAfter,
            audit=audit,
            lock=lockTerms(lock, instance, now),
        )
        self.monitors: dict[str, InterfaceMonitor] = {}
        self._hooks = Hooks(SwitchLog(self.monitors, maxSwitches, now), hook)
        limit = snapshotTimeout or SNAPSHOT_TIMEOUT
        self._strangers = Strangers(maxSwitches, min(limit, IDENTIFY_TIMEOUT), clock)
        self._claims = Claims(limit, clock)
        self._pins = Pins(PINS_PER_PLACE * maxSwitches) if pin else None
        self._places = Places(
            self.monitors, maxSwitches, forgetAfter, self._settings, self._hooks, self._makeMonitor
        )
        self._balance = None if lock is None else Balance(self.monitors, fleet, clock)
        self._links: set[Link] = set()
        self._stopping = False

    def buildProtocol(self, addr: IAddress | None) -> OvsdbProtocol | None:
        """@return: None after L{stop}."""
        if self._stopping:
            return None
        source = describeAddress(addr)
        self._hooks.tell(ConnectionHook.attempting, source)
        self._strangers.makePlace()
        if self._stopping:  # A hook has stopped the listener.
            self._hooks.tell(ConnectionHook.failed, source, MonitorStopped())
            return None
        return Link(source, self._settings, self._hooks, self._open).protocol

    def replayTo(self, observer: Observer) -> None:
        """
        As L{InterfaceMonitor.replayTo}, for every switch that is known.

        @raise ValueError: if it is no observer.
        """
        if not any(observer is known for known in self._settings.observers):
            raise notAdded(observer, self._settings.observers)
        for monitor in self.monitors.values():
            monitor.replayTo(observer)

    def start(self) -> None:
        """Accept connections, also after L{stop}."""
        self._stopping = False
        self._places.start()

    def stop(self) -> Deferred[None]:
        """
        Close all connections. What is known of the switches is kept.

        @return: fires when all connections are closed.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._stopping = True
        if self._balance is not None:
            self._balance.stop()
        self._places.stop()
        for closed in [link.close(MonitorStopped()) for link in tuple(self._links)]:
            await closed

    # How a connection is opened

    async def _open(self, link: Link) -> None:
        if self._balance is not None:
            self._balance.start()
        self._links.add(link)
        link.protocol.whenClosed().addCallback(lambda _: self._links.discard(link))
        uuid, identity = await self._strangers.identify(link, self._settings.database)
        link.switch = identity.system_id or uuid
        if self._pins is not None:
            self._pins.check(link)
        while (present := self._places.present(link.switch)) is not None:
            await self._claims.settle(link, present)
        monitor = self._places.enter(link)
        synchronized = monitor._server.attach(link.protocol, self._settings.database, link.source)
        # Now, so that the monitor hears first that the connection is lost.
        link.protocol.whenLost().addCallback(lambda _: self._places.leave(link))
        await synchronized
        if self._pins is not None:
            self._pins.bind(link)

    def _makeMonitor(self, switch: str) -> InterfaceMonitor:
        return self._settings.makeMonitor(switch, identify=True)
