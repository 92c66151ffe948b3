# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What it means for an observer that an interface is not as it was told.
"""

from __future__ import annotations

import enum
from typing import Final

import attrs

from twisted_ovsdb.datum import Datum
from twisted_ovsdb.events import InterfaceKind, OvsInterface


class Transition(enum.Enum):
    """What an observer has to be told next about one interface."""

    OFFLINE = enum.auto()
    CHANGED = enum.auto()
    ONLINE = enum.auto()


# Looked up once: CPython 3.11 is slow to find a member of an enum.
_OFFLINE, _CHANGED, _ONLINE = Transition.OFFLINE, Transition.CHANGED, Transition.ONLINE
_BRIDGE = InterfaceKind.BRIDGE

_NO_UUID: Final = "00000000-0000-0000-0000-000000000000"


def transition(told: OvsInterface | None, now: OvsInterface | None) -> Transition | None:
    """
    Decide what a difference means; nothing else decides this. An interface
    with another kind, or with another iface-id unless it is a bridge, is another
    interface with the same UUID: the old one is OFFLINE first, and then the new
    one is ONLINE.

    @param told: the interface as it was told, None if it was not told.
    @param now: the interface now, which differs from C{told}; None if it is
        gone.
    @return: what to tell next, None if there is nothing to tell.
    """
    if now is None or now.kind is None:
        return None if told is None else _OFFLINE
    if told is None:
        return _ONLINE
    if told.kind is not now.kind:
        return _OFFLINE
    # In most changes, the map is the same and nothing has to be looked up.
    if told.external_ids != now.external_ids and told.iface_id != now.iface_id:
        # A bridge is no VM's port, whatever its row says.
        return _CHANGED if now.kind is _BRIDGE else _OFFLINE
    return _CHANGED


def sameAsTold(told: OvsInterface, now: OvsInterface | None) -> bool:
    """
    Whether an interface is as an observer was told in an earlier process, which may
    have monitored other columns. Where only one of the two has a column, it is as
    if the other had the default value of it.
    """
    if now is None or told == now:
        return now is not None
    different = told.extra.keys() ^ now.extra.keys()
    if not all(_isDefault({**told.extra, **now.extra}[column]) for column in different):
        return False
    common: dict[str, Datum] = {c: v for c, v in told.extra.items() if c in now.extra}
    common |= {c: v for c, v in now.extra.items() if c in different}
    return attrs.evolve(told, extra=common) == now


def _isDefault(value: Datum) -> bool:
    """Whether this is what a column has that nobody has set (RFC 7047, section 5.2.1)."""
    return not value or value == _NO_UUID
