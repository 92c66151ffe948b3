# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What one observer wants to be told, where this is not everything. The tracker of
the observer looks through its views, so that an interface that moves out of sight
goes offline in its place in the order: before others come online.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from zope.interface import implementer

from twisted_ovsdb.events import (
    Cause,
    Event,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    ProblemEvent,
    Synchronized,
)
from twisted_ovsdb.interfaces import (
    IOvsdbEventObserver,
    Observer,
    ObserverResult,
    wantsProblems,
)
from twisted_ovsdb.openvswitch.present import Wants


@implementer(IOvsdbEventObserver)
@attrs.frozen(eq=False)
class View:
    """
    An observer with a limit to what it wants to be told: the base class of what
    L{onlyKinds <twisted_ovsdb.onlyKinds>} and its kin return.

    @ivar observer: the observer that is told.
    """

    observer: IOvsdbEventObserver

    def wants(self, interface: OvsInterface) -> bool:
        """Whether the observer is told of this interface."""
        return True

    @property
    def replays(self) -> bool:
        """Whether the observer is told replays."""
        return True

    @property
    def wantsProblems(self) -> bool:
        """Whether the observer asks for problems."""
        return wantsProblems(self.observer)

    @property
    def needsBridges(self) -> bool:
        """Whether it asks on which bridge an interface is."""
        return False

    @property
    def told(self) -> Any:
        """What it was told before, as C{addObserver} takes it; None if that is not known."""
        return None

    def eventReceived(self, event: Event) -> ObserverResult:
        """
        Pass on what the observer wants. A monitor does not call this, but looks
        through the view: see L{through}. It is for observers that call others.
        """
        seen = self._seen(event)
        return None if seen is None else self.observer.eventReceived(seen)

    def _seen(self, event: Event) -> Event | None:
        if isinstance(event, Synchronized):
            return attrs.evolve(event, interfaces=tuple(filter(self.wants, event.interfaces)))
        if isinstance(event, ProblemEvent):
            return event if event.interface is None or self.wants(event.interface) else None
        if not isinstance(event, InterfaceEvent):
            return event
        if isinstance(event, InterfaceOnline) and event.cause is Cause.REPLAY and not self.replays:
            return None
        now = self.wants(event.interface)
        if not isinstance(event, InterfaceChanged):
            return event if now else None
        before = self.wants(event.previous)
        common: dict[str, Any] = {"source": event.source, "identity": event.identity}
        if now and not before:
            return InterfaceOnline(event.interface, event.cause, **common)
        if before and not now:
            return InterfaceOffline(event.previous, event.cause, **common)
        return event if now else None


def behindViews(
    observer: IOvsdbEventObserver, make: Callable[[IOvsdbEventObserver], IOvsdbEventObserver]
) -> IOvsdbEventObserver:
    """
    Put something in front of an observer, but behind the views that stand before
    it: it is told what they let through, and the monitor still sees them.
    """
    if isinstance(observer, View):
        return attrs.evolve(observer, observer=behindViews(observer.observer, make))
    return make(observer)


@attrs.frozen
class Seen:
    """
    What the views in front of an observer say.

    @ivar observer: the observer behind them.
    @ivar wants: what it wants; None if everything.
    @ivar replays: whether it wants replays.
    @ivar told: what it was told before; None if that is not known.
    """

    observer: Observer
    wants: Wants | None
    replays: bool
    told: Any


def through(observer: Observer) -> Seen:
    """Look through the views in front of an observer."""
    wants: list[Wants] = []
    replays, told = True, None
    while isinstance(observer, View):
        if type(observer).wants is not View.wants:
            wants.append(observer.wants)
        replays = replays and observer.replays
        told = observer.told if told is None else told
        observer = observer.observer
    if not wants:
        return Seen(observer, None, replays, told)
    return Seen(observer, lambda interface: all(want(interface) for want in wants), replays, told)


def notAdded(observer: object, added: Iterable[Observer]) -> ValueError:
    """
    The error for an observer that is none. It often is the one within a view: what
    L{onlyKinds <twisted_ovsdb.onlyKinds>} and its kin return is the observer.
    """
    for outer in added:
        within: object = outer
        while isinstance(within, View):
            within = within.observer
            if within is observer:
                name = type(outer).__name__
                function = name[:1].lower() + name[1:]
                return ValueError(
                    f"{observer!r} is within {function}(...): pass what that returned"
                )
    return ValueError(f"{observer!r} is no observer")


def checkBridges(observer: Observer, known: bool) -> None:
    """
    @param known: whether the monitor knows the bridges.
    @raise ValueError: if a view needs them: its observer would never be told
        anything.
    """
    while isinstance(observer, View):
        if observer.needsBridges and not known:
            raise ValueError("onlyBridges needs to know the bridges: pass bridges=True")
        observer = observer.observer
