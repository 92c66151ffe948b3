# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What observers receive: immutable values, named in the terms of
ovs-vswitchd.conf.db(5).

An attribute that mirrors a column or a key of the database has its exact
spelling, so that Python, JSON Lines and ovs-vsctl call one thing by one name.

Frozen values are made slowly: nine attributes take 2.4 us, each through
C{object.__setattr__}, and 100,000 interfaces need that twice, for the row and
for its event. Where it counts, a value is made as the class above it, which
has the same attributes and is not frozen, and then becomes what it is to be by
its C{__class__}: 0.9 us. What observers get is frozen all the same.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Union

import attrs

Atom = Union[str, int, float, bool]
"""A value of one cell; a UUID is its text."""

Datum = Union[Atom, None, tuple[Atom, ...], Mapping[Atom, Atom]]
"""
The value of a column: an atom; None for an empty set; a tuple for a set of
two or more; a read-only mapping for a map.
"""

EMPTY: Final[Mapping[str, str]] = MappingProxyType({})
"""The one empty map: most rows have one or two of them."""


class InterfaceKind(enum.Enum):
    """
    The class of an interface, as L{ClassificationRules
    <twisted_ovsdb.ClassificationRules>} tell it.
    """

    BRIDGE = "bridge"
    VM = "vm"
    TUNNEL = "tunnel"
    PATCH = "patch"


class Cause(enum.Enum):
    """
    Why an event is told.

    @cvar INITIAL: the first snapshot.
    @cvar UPDATE: an update notification of the server.
    @cvar RESYNC: a difference shown by the snapshot after an outage.
    @cvar REPLAY: the same interface, told once more after an outage.
    """

    INITIAL = "initial"
    UPDATE = "update"
    RESYNC = "resync"
    REPLAY = "replay"


@attrs.define(eq=False)
class UnfrozenInterface:
    """
    An L{OvsInterface} in the making.
    """

    uuid: str
    name: str
    type: str = ""
    ofport: int | None = None
    error: str | None = None
    external_ids: Mapping[str, str] = EMPTY
    options: Mapping[str, str] = EMPTY
    kind: InterfaceKind | None = None
    extra: Mapping[str, Datum] = EMPTY


@attrs.frozen
class OvsInterface(UnfrozenInterface):
    """
    One row of the Interface table (ovs-vswitchd.conf.db(5)).

    @ivar uuid: the row's UUID, which is the identity of the interface.
    @ivar name: the interface's name; it never changes.
    @ivar type: the column C{type}: empty for a system device, C{internal},
        C{patch}, C{vxlan}, ...
    @ivar ofport: the OpenFlow port number; None until ovs-vswitchd assigns
        one, -1 when it could not.
    @ivar error: why ovs-vswitchd could not configure the interface, or None.
    @ivar external_ids: what other programs have noted on the row, read-only.
    @ivar options: the type's options, read-only.
    @ivar kind: the interface's class, or None when it has none.
    @ivar extra: the columns asked for beyond these, by name, read-only.
    """

    def __hash__(self) -> int:
        # Equal interfaces have equal UUIDs; the mappings cannot be hashed.
        return hash(self.uuid)

    @property
    def iface_id(self) -> str | None:
        """C{external_ids:iface-id}, which names a VM's port; None if empty."""
        return self.external_ids.get("iface-id") or None

    @property
    def attached_mac(self) -> str | None:
        """C{external_ids:attached-mac}: the MAC address inside the VM."""
        return self.external_ids.get("attached-mac") or None

    @property
    def remote_ip(self) -> str | None:
        """C{options:remote_ip}: the other end of a tunnel."""
        return self.options.get("remote_ip") or None

    @property
    def peer(self) -> str | None:
        """C{options:peer}: the other end of a patch port."""
        return self.options.get("peer") or None

    @property
    def ready(self) -> bool:
        """Whether ovs-vswitchd gave it an OpenFlow port and has no error."""
        return self.ofport is not None and self.ofport >= 1 and self.error is None


@attrs.frozen
class SwitchIdentity:
    """
    Who a switch says that it is, in C{external_ids} of its Open_vSwitch table
    (ovs-vswitchd.conf.db(5)).

    @ivar system_id: C{system-id}, None if the switch has none.
    @ivar hostname: C{hostname}, None if the switch does not tell.
    """

    system_id: str | None = None
    hostname: str | None = None


UNIDENTIFIED: Final = SwitchIdentity()


@attrs.define(eq=False)
class SwitchEvent:
    """
    What all events have in common.

    @ivar identity: the switch, where it was asked who it is.
    """

    identity: SwitchIdentity = attrs.field(default=UNIDENTIFIED, kw_only=True)

    @property
    def system_id(self) -> str | None:
        """The switch's system-id, where it was asked for."""
        return self.identity.system_id

    @property
    def hostname(self) -> str | None:
        """The switch's host name, where it was asked for."""
        return self.identity.hostname


@attrs.define(eq=False)
class InterfaceEvent(SwitchEvent):
    """
    What the three interface events, which are frozen, have in common.

    @ivar interface: the interface as it is now; for an offline event, as the
        observer last knew it.
    @ivar cause: why this is told.
    @ivar source: the server, as its endpoint was written.
    """

    interface: OvsInterface
    cause: Cause
    source: str

    @property
    def kind(self) -> InterfaceKind:
        """The interface's class. Only interfaces that have one make events."""
        kind = self.interface.kind
        assert kind is not None
        return kind


@attrs.frozen
class InterfaceOnline(InterfaceEvent):
    """
    An interface exists and has a class.
    """


@attrs.frozen
class InterfaceOffline(InterfaceEvent):
    """
    An interface is gone, or has this class no longer.
    """


@attrs.define(eq=False)
class UnfrozenChange(InterfaceEvent):
    """
    An L{InterfaceChanged} in the making.
    """

    previous: OvsInterface


@attrs.frozen
class InterfaceChanged(UnfrozenChange):
    """
    An interface has the class it had, and another content.

    @ivar previous: the interface as this observer was last told of it.
    """


@attrs.frozen
class Synchronized(SwitchEvent):
    """
    A snapshot has been told in full: what the observer knows is complete.

    @ivar cause: INITIAL or RESYNC.
    @ivar interfaces: every interface that has a class.
    @ivar source: the server, as its endpoint was written.
    """

    cause: Cause
    interfaces: tuple[OvsInterface, ...] = attrs.field(
        repr=lambda interfaces: f"<{len(interfaces)}>"
    )
    source: str


@attrs.frozen
class Disconnected(SwitchEvent):
    """
    A session that had synchronized is over; what is known may grow stale.

    @ivar reason: the exception that ended it.
    @ivar source: the server, as its endpoint was written.
    """

    reason: BaseException
    source: str


Event = Union[InterfaceOnline, InterfaceOffline, InterfaceChanged, Synchronized, Disconnected]
