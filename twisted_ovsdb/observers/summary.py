# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the log and JSON Lines tell alike of an event: its name, how many
interfaces there are of each kind, and which columns have changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from twisted_ovsdb.datum import Datum
from twisted_ovsdb.events import (
    Disconnected,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.openvswitch.rows import COLUMNS

EVENT_NAMES: Final[Mapping[type[Any], str]] = {
    InterfaceOnline: "online",
    InterfaceOffline: "offline",
    InterfaceChanged: "changed",
    Synchronized: "synchronized",
    Disconnected: "disconnected",
}
"""The name of each event, in the log and in JSON Lines."""


def countKinds(interfaces: tuple[OvsInterface, ...]) -> dict[str, int]:
    """How many interfaces there are of each kind, for every kind."""
    counts = Counter(interface.kind for interface in interfaces)
    return {kind.value: counts[kind] for kind in InterfaceKind}


def changedColumns(previous: OvsInterface, now: OvsInterface) -> Iterator[tuple[str, Datum, Datum]]:
    """The columns in which two states of one interface differ: name, old, new."""
    for column in COLUMNS:
        old, new = getattr(previous, column), getattr(now, column)
        if old != new:
            yield column, old, new
    for column in dict.fromkeys([*previous.extra, *now.extra]):
        old, new = previous.extra.get(column), now.extra.get(column)
        if old != new:
            yield column, old, new
