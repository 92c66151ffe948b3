# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A base class for an application's own observers.
"""

from __future__ import annotations

from zope.interface import implementer

from twisted_ovsdb.events import (
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceOffline,
    InterfaceOnline,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.observers.summary import EVENT_NAMES


@implementer(IOvsdbEventObserver)
class OvsdbEventObserver:
    """
    Calls for each event the method that is named after it. Override those that
    you need; they may return what L{IOvsdbEventObserver.eventReceived} may
    return.
    """

    def eventReceived(self, event: Event) -> ObserverResult:
        """Call the method of this event."""
        name = EVENT_NAMES.get(type(event))
        if name is None:
            return None
        if isinstance(event, InterfaceEvent):
            name = event.kind.value + name.capitalize()
        result: ObserverResult = getattr(self, name)(event)
        return result

    def bridgeOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A bridge exists."""

    def bridgeOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A bridge is gone."""

    def bridgeChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A bridge's interface has changed."""

    def vmOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A VM's interface exists; C{event.interface.ready} says whether it has its port."""

    def vmOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A VM's interface is gone."""

    def vmChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A VM's interface has changed, such as its OpenFlow port."""

    def tunnelOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A tunnel port exists."""

    def tunnelOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A tunnel port is gone."""

    def tunnelChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A tunnel port has changed."""

    def patchOnline(self, event: InterfaceOnline) -> ObserverResult:
        """A patch port exists."""

    def patchOffline(self, event: InterfaceOffline) -> ObserverResult:
        """A patch port is gone."""

    def patchChanged(self, event: InterfaceChanged) -> ObserverResult:
        """A patch port has changed."""

    def synchronized(self, event: Synchronized) -> ObserverResult:
        """A snapshot has been told in full."""

    def disconnected(self, event: Disconnected) -> ObserverResult:
        """The session has ended; what is known may be out of date."""
