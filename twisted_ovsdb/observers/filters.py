# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Observers that pass on to another observer what it wants to know, and can be
put around one another.
"""

from __future__ import annotations

import attrs
from zope.interface import implementer

from twisted_ovsdb.events import (
    Cause,
    Event,
    InterfaceEvent,
    InterfaceKind,
    InterfaceOnline,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult


@implementer(IOvsdbEventObserver)
@attrs.frozen(eq=False)
class _OnlyKinds:
    observer: IOvsdbEventObserver
    kinds: frozenset[InterfaceKind]

    def eventReceived(self, event: Event) -> ObserverResult:
        if isinstance(event, InterfaceEvent) and event.kind not in self.kinds:
            return None
        if isinstance(event, Synchronized):
            wanted = tuple(row for row in event.interfaces if row.kind in self.kinds)
            event = attrs.evolve(event, interfaces=wanted)
        return self.observer.eventReceived(event)


@implementer(IOvsdbEventObserver)
@attrs.frozen(eq=False)
class _WithoutReplays:
    observer: IOvsdbEventObserver

    def eventReceived(self, event: Event) -> ObserverResult:
        if isinstance(event, InterfaceOnline) and event.cause is Cause.REPLAY:
            return None
        return self.observer.eventReceived(event)


def onlyKinds(observer: IOvsdbEventObserver, *kinds: InterfaceKind) -> IOvsdbEventObserver:
    """
    Tell an observer of interfaces of some classes only.

    Synchronized has only these interfaces too; Disconnected is passed on as it
    is. C{removeObserver} takes what this returns, not the observer within.

    @param kinds: the classes, at least one.
    @raise TypeError: if it does not provide L{IOvsdbEventObserver}.
    @raise ValueError: if no class is given, or something that is none.
    """
    adapted: IOvsdbEventObserver = IOvsdbEventObserver(observer)
    if not kinds:
        raise ValueError("no kind is given: the observer would be told of no interface")
    return _OnlyKinds(adapted, frozenset(map(InterfaceKind, kinds)))


def withoutReplays(observer: IOvsdbEventObserver) -> IOvsdbEventObserver:
    """
    Do not tell an observer once more, as online with the cause REPLAY, of
    interfaces that an outage left unchanged; the other observers of the same
    factory are told.

    C{removeObserver} takes what this returns, not the observer within.

    @raise TypeError: if it does not provide L{IOvsdbEventObserver}.
    """
    adapted: IOvsdbEventObserver = IOvsdbEventObserver(observer)
    return _WithoutReplays(adapted)
