# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What users ask of who makes its own monitor, passed on to that monitor.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from twisted.internet.defer import Deferred

from twisted_ovsdb.events import Event, InterfaceKind, OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor


class MonitorOwner:
    """
    The part of L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>}
    that is its monitor's.

    @ivar monitor: the L{InterfaceMonitor} that outlives the connections.
    """

    monitor: InterfaceMonitor

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

    def events(self) -> AsyncGenerator[Event, None]:
        """
        Events for C{async for}, until the factory is stopped. See
        L{InterfaceMonitor.events}.
        """
        return self.monitor.events()

    def interfaces(self, kind: InterfaceKind | None = None) -> tuple[OvsInterface, ...]:
        """
        What exists now and has a class. See L{InterfaceMonitor.interfaces}.
        """
        return self.monitor.interfaces(kind)

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """
        The interface of this name, if it has a class. See
        L{InterfaceMonitor.interfaceByName}.
        """
        return self.monitor.interfaceByName(name)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """
        The interfaces of this iface-id that have a class. See
        L{InterfaceMonitor.interfacesByIfaceId}.
        """
        return self.monitor.interfacesByIfaceId(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """
        Fires when what is known is complete. See
        L{InterfaceMonitor.whenSynchronized}.
        """
        return self.monitor.whenSynchronized()

    def whenReady(self, ifaceId: str, timeout: float | None = None) -> Deferred[OvsInterface]:
        """
        Fires when the VM's interface of this iface-id has its OpenFlow port.
        See L{InterfaceMonitor.whenReady}.
        """
        return self.monitor.whenReady(ifaceId, timeout)
