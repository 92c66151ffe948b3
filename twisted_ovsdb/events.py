# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What observers receive: immutable events, which hold an interface or the state
of the connection.
"""

from __future__ import annotations

import enum
from typing import Any, Final, TypeVar, Union

import attrs

# The two names with "as" are imported from here by most modules.
from twisted_ovsdb.ovsinterface import InterfaceKind as InterfaceKind
from twisted_ovsdb.ovsinterface import OvsInterface as OvsInterface
from twisted_ovsdb.ovsinterface import thawed


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


class ForgetReason(enum.Enum):
    """
    Why a switch is forgotten.

    @cvar AGE: it has not been connected for a long time.
    @cvar LIMIT: another switch needed its place.
    @cvar ENDPOINT: its endpoint is no longer given to a command with C{--state}.
    """

    AGE = "age"
    LIMIT = "limit"
    ENDPOINT = "endpoint"


class Problem(enum.Enum):
    """
    What is wrong with an interface, or with a switch, for longer than a moment.

    @cvar FAILED: ovs-vswitchd could not configure the interface: its ofport is -1,
        or it has an error.
    @cvar PENDING: the interface has no OpenFlow port yet: ovs-vswitchd does not
        run, or is stuck.
    @cvar DUPLICATE_IFACE_ID: another interface of the switch has the same
        C{external_ids:iface-id}.
    @cvar ONE_SIDED_PATCH: there is no patch port that is the peer of this one.
    @cvar NOT_APPLYING: ovs-vswitchd does not apply what is configured: C{cur_cfg}
        stays behind C{next_cfg}. This is a problem of the switch.
    """

    FAILED = "failed"
    PENDING = "pending"
    DUPLICATE_IFACE_ID = "duplicate-iface-id"
    ONE_SIDED_PATCH = "one-sided-patch"
    NOT_APPLYING = "not-applying"


@attrs.frozen
class SwitchIdentity:
    """
    Which switch it is: what it has in C{external_ids} of its Open_vSwitch table
    (ovs-vswitchd.conf.db(5)), and from where it connected.

    @ivar system_id: C{system-id}, None if the switch has none.
    @ivar hostname: C{hostname}, None if the switch has none.
    @ivar address: of a switch that connected to a listener, from where.
    @ivar row: the UUID of its row in that table, if it has no system-id, and connected to
        a listener or is shared by several monitors (C{lock}).
    """

    system_id: str | None = None
    hostname: str | None = None
    address: str | None = None
    row: str | None = None

    @property
    def key(self) -> str | None:
        """What to key by, wherever the switch is reached; None if the identity has nothing."""
        return self.system_id or self.row


UNIDENTIFIED: Final = SwitchIdentity()
"""The identity of a switch whose identity was not asked for."""


@attrs.frozen
class SwitchEvent:
    """
    What all events have in common.

    @ivar source: the server, as its endpoint was written; of a switch that
        connected to a listener, the same as C{switch}.
    @ivar identity: the identity of the switch, where it was asked for.
    """

    source: str
    identity: SwitchIdentity = attrs.field(default=UNIDENTIFIED, kw_only=True)

    @property
    def switch(self) -> str:
        """
        What to key by: the L{key <SwitchIdentity.key>} of its identity, else
        C{source}. It stays the same when the switch connects again.
        """
        return self.identity.key or self.source

    @property
    def system_id(self) -> str | None:
        """The switch's system-id, where it was asked for."""
        return self.identity.system_id

    @property
    def hostname(self) -> str | None:
        """The switch's host name, where it was asked for."""
        return self.identity.hostname

    @property
    def address(self) -> str | None:
        """From where the switch connected to a listener."""
        return self.identity.address


@attrs.frozen
class InterfaceEvent(SwitchEvent):
    """
    What the three interface events have in common.

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
        """The interface's kind. Only interfaces that have one make events."""
        kind = self.interface.kind
        assert kind is not None
        return kind


class InterfaceOnline(InterfaceEvent):
    """An interface exists and has a kind."""

    __slots__ = ()


class InterfaceOffline(InterfaceEvent):
    """An interface is gone, or no longer has this kind."""

    __slots__ = ()


@attrs.frozen
class InterfaceChanged(InterfaceEvent):
    """
    An interface has the kind that it had, and something else has changed.

    @ivar previous: the interface as this observer was last told of it.
    """

    previous: OvsInterface


@attrs.frozen
class Synchronized(SwitchEvent):
    """
    A snapshot has been told in full: what the observer knows is complete.

    @ivar cause: INITIAL or RESYNC.
    @ivar interfaces: every interface that has a kind.
    @ivar source: the server, as its endpoint was written.
    """

    cause: Cause
    interfaces: tuple[OvsInterface, ...] = attrs.field(repr=lambda rows: f"<{len(rows)}>")
    source: str


@attrs.frozen
class Disconnected(SwitchEvent):
    """
    A session that had synchronized has ended; what is known may be out of
    date.

    @ivar reason: the exception that ended the session.
    @ivar source: the server, as its endpoint was written.
    """

    reason: BaseException
    source: str


@attrs.frozen
class SwitchForgotten(SwitchEvent):
    """
    Nothing is known any more of a switch that was told, and that is not
    connected: drop all that you keep of it. No offline event is told of its
    interfaces, because nobody knows whether they are gone. If the switch connects
    again, it is told as a new one.

    @ivar reason: why.
    @ivar source: the server, as its endpoint was written; of a switch that
        connected to a listener, the same as C{switch}.
    """

    reason: ForgetReason
    source: str


@attrs.frozen
class ProblemEvent(SwitchEvent):
    """
    What the two events about a problem have in common. Only observers that ask for
    problems are told them.

    @ivar problem: what is wrong.
    @ivar interface: the interface that has the problem, with or without a kind; None
        for a problem of the switch. If it is gone, as it was last told here.
    @ivar since: when the problem began, or was first seen after a connection, in
        seconds since the epoch.
    @ivar detail: what is wrong, in a few words for people.
    @ivar source: the server, as its endpoint was written; of a switch that
        connected to a listener, the same as C{switch}.
    """

    problem: Problem
    interface: OvsInterface | None
    since: float
    detail: str
    source: str

    @property
    def kind(self) -> InterfaceKind | None:
        """The interface's kind; None if it has none, or if the switch has the problem."""
        return None if self.interface is None else self.interface.kind


class ProblemFound(ProblemEvent):
    """A problem has lasted for C{problemsAfter} seconds."""

    __slots__ = ()


@attrs.frozen
class ProblemSolved(ProblemEvent):
    """
    A problem that was told is over: for C{problemsAfter} seconds, or because the
    interface is gone.

    @ivar lasted: how many seconds the problem lasted.
    """

    lasted: float


Event = Union[
    InterfaceOnline,
    InterfaceOffline,
    InterfaceChanged,
    Synchronized,
    Disconnected,
    SwitchForgotten,
    ProblemFound,
    ProblemSolved,
]
"""Any event that an observer receives."""


# Makers of frozen values: see makeInterface.

_Made = TypeVar("_Made", bound=InterfaceEvent)
_new: Final = object.__new__
_Thawed: Final = thawed(InterfaceEvent)
_ThawedChange: Final = thawed(InterfaceChanged)


def makeEvent(
    kind: type[_Made],
    interface: OvsInterface,
    cause: Cause,
    source: str,
    identity: SwitchIdentity,
) -> _Made:
    """
    Make an event as its constructor does, but faster.

    @param kind: L{InterfaceOnline} or L{InterfaceOffline}.
    """
    event: Any = _new(_Thawed)
    event.interface = interface
    event.cause = cause
    event.source = source
    event.identity = identity
    event.__class__ = kind
    return event  # type: ignore[no-any-return]


def makeChanged(
    interface: OvsInterface,
    cause: Cause,
    source: str,
    previous: OvsInterface,
    identity: SwitchIdentity,
) -> InterfaceChanged:
    """Make an L{InterfaceChanged} as its constructor does, but faster."""
    event: Any = _new(_ThawedChange)
    event.interface = interface
    event.cause = cause
    event.source = source
    event.previous = previous
    event.identity = identity
    event.__class__ = InterfaceChanged
    return event  # type: ignore[no-any-return]
