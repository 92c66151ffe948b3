# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Observers that pass on to another observer what it wants to know. They can be
put around one another.
"""

from __future__ import annotations

import re
from fnmatch import translate

import attrs

from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.interfaces import Observer, asObserver
from twisted_ovsdb.openvswitch.views import View
from twisted_ovsdb.ovsinterface import kindOf

# The classes are named in what the functions return, because a type checker
# without a plugin for zope.interface does not know what IOvsdbEventObserver has.


@attrs.frozen(eq=False)
class OnlyKinds(View):
    """An observer that L{onlyKinds} made."""

    kinds: frozenset[InterfaceKind]

    def wants(self, interface: OvsInterface) -> bool:
        """Whether the interface has one of the kinds."""
        return interface.kind in self.kinds


@attrs.frozen(eq=False)
class OnlyBridges(View):
    """An observer that L{onlyBridges} made."""

    bridges: tuple[str, ...]
    _matches: re.Pattern[str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        pattern = re.compile("|".join(map(translate, self.bridges)))
        object.__setattr__(self, "_matches", pattern)

    def wants(self, interface: OvsInterface) -> bool:
        """Whether the interface is on one of the bridges."""
        bridge = interface.bridge
        return bridge is not None and self._matches.match(bridge) is not None

    @property
    def needsBridges(self) -> bool:
        """True."""
        return True


@attrs.frozen(eq=False)
class WithoutReplays(View):
    """An observer that L{withoutReplays} made."""

    @property
    def replays(self) -> bool:
        """False."""
        return False


def onlyKinds(observer: Observer, *kinds: InterfaceKind | str) -> OnlyKinds:
    """
    Tell an observer of interfaces of some kinds only. An interface that gets
    another kind goes offline for it.

    C{Synchronized.interfaces} has only these interfaces, too; Disconnected and
    SwitchForgotten are passed on as they are. C{removeObserver} and C{replayTo} take
    what this returns, not the observer within.

    @param kinds: the kinds, or their names, at least one.
    @raise TypeError: if C{observer} is not an observer.
    @raise ValueError: if no kind is given, or something that is not a kind.
    """
    adapted = asObserver(observer)
    if not kinds:
        raise ValueError("no kind is given: the observer would be told of no interface")
    return OnlyKinds(adapted, frozenset(map(kindOf, kinds)))


def onlyBridges(observer: Observer, *bridges: str) -> OnlyBridges:
    """
    Tell an observer of interfaces on some bridges only, and of these bridges. An
    interface that moves to another bridge goes offline for it, and one that moves
    to these bridges comes online.

    The monitor has to know the bridges (C{bridges=True}). Otherwise as
    L{onlyKinds}.

    @param bridges: names, or shell patterns (fnmatchcase), at least one.
    @raise TypeError: if C{observer} is not an observer, or a bridge is no text.
    @raise ValueError: if no bridge is given, or an empty name.
    """
    adapted = asObserver(observer)
    if not bridges:
        raise ValueError("no bridge is given: the observer would be told of no interface")
    for bridge in bridges:
        if not isinstance(bridge, str):
            raise TypeError(f"a bridge is given by its name, not {bridge!r}")
        if not bridge:
            raise ValueError(
                "no bridge has an empty name: the observer would be told of no interface"
            )
    return OnlyBridges(adapted, bridges)


def withoutReplays(observer: Observer) -> WithoutReplays:
    """
    Do not tell an observer again, as online with the cause REPLAY, of
    interfaces that an outage left unchanged. Other observers of the same
    factory are told.

    C{removeObserver} and C{replayTo} take what this returns, not the observer within.

    @raise TypeError: if C{observer} is not an observer.
    """
    return WithoutReplays(asObserver(observer))
