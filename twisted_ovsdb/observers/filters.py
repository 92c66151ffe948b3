# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Observers that pass on to another observer what it wants to know. They can be
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
from twisted_ovsdb.interfaces import IOvsdbEventObserver, Observer, ObserverResult, asObserver
from twisted_ovsdb.ovsinterface import kindOf

# The two classes are named in what the functions return, because a type checker
# without a plugin for zope.interface does not know what IOvsdbEventObserver has.


@implementer(IOvsdbEventObserver)
@attrs.frozen(eq=False)
class OnlyKinds:
    """An observer that L{onlyKinds} made."""

    observer: IOvsdbEventObserver
    kinds: frozenset[InterfaceKind]

    def eventReceived(self, event: Event) -> ObserverResult:
        """Pass the event on, without the interfaces of other kinds."""
        if isinstance(event, InterfaceEvent) and event.kind not in self.kinds:
            return None
        if isinstance(event, Synchronized):
            wanted = tuple(row for row in event.interfaces if row.kind in self.kinds)
            event = attrs.evolve(event, interfaces=wanted)
        return self.observer.eventReceived(event)


@implementer(IOvsdbEventObserver)
@attrs.frozen(eq=False)
class WithoutReplays:
    """An observer that L{withoutReplays} made."""

    observer: IOvsdbEventObserver

    def eventReceived(self, event: Event) -> ObserverResult:
        """Pass the event on, unless it is a replay."""
        if isinstance(event, InterfaceOnline) and event.cause is Cause.REPLAY:
            return None
        return self.observer.eventReceived(event)


def onlyKinds(observer: Observer, *kinds: InterfaceKind | str) -> OnlyKinds:
    """
    Tell an observer of interfaces of some kinds only.

    C{Synchronized.interfaces} has only these interfaces, too; Disconnected is
    passed on as it is. C{removeObserver} takes what this returns, not the
    observer within.

    @param kinds: the kinds, or their names, at least one.
    @raise TypeError: if C{observer} is not an observer.
    @raise ValueError: if no kind is given, or something that is not a kind.
    """
    adapted = asObserver(observer)
    if not kinds:
        raise ValueError("no kind is given: the observer would be told of no interface")
    return OnlyKinds(adapted, frozenset(map(kindOf, kinds)))


def withoutReplays(observer: Observer) -> WithoutReplays:
    """
    Do not tell an observer again, as online with the cause REPLAY, of
    interfaces that an outage left unchanged. Other observers of the same
    factory are told.

    C{removeObserver} takes what this returns, not the observer within.

    @raise TypeError: if C{observer} is not an observer.
    """
    return WithoutReplays(asObserver(observer))
