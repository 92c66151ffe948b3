# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which bridge each interface is on, by the tables Bridge and Port
(ovs-vswitchd.conf.db(5)): a bridge has ports, and a port has interfaces, more than
one if it is a bond.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted_ovsdb.database.schema import Row

BRIDGE: Final = "Bridge"
PORT: Final = "Port"

RowChanges = Iterable[tuple[str, "Row | None", "Row | None"]]
"""UUID, row before and row now, as a replica gives them."""

_NONE: Final[frozenset[Any]] = frozenset()


class Topology:
    """
    The bridge of each interface. It has the references of the two tables in the
    other direction.

    @ivar torn: interfaces that are on more than one bridge, with the names of
        these bridges. The schema allows it.
    """

    def __init__(self) -> None:
        self.torn: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}  # of bridges, by UUID
        # Most have one parent: a string then; a tuple for several.
        self._bridgesOf: dict[str, tuple[str, ...]] = {}  # by UUID of the port
        self._portsOf: dict[str, tuple[str, ...]] = {}  # by UUID of the interface
        self._interfacesOf: dict[str, frozenset[Any]] = {}  # by UUID of the port

    def note(self, bridges: RowChanges, ports: RowChanges) -> set[str]:
        """
        Note the changes of one message.

        @return: the UUIDs of interfaces that may be on another bridge now.
        """
        touched: set[str] = set()  # ports
        interfaces: set[str] = set()
        for uuid, before, now in bridges:
            old, new = _uuids(before, "ports"), _uuids(now, "ports")
            moved = old ^ new
            if before is not None and now is not None and before["name"] != now["name"]:
                touched |= old | new
            touched |= moved
            _exchange(self._bridgesOf, uuid, old - new, new - old)
            if now is None:
                del self._names[uuid]
            else:
                self._names[uuid] = str(now["name"])
        for uuid, before, now in ports:
            old, new = _uuids(before, "interfaces"), _uuids(now, "interfaces")
            interfaces |= old ^ new
            _exchange(self._portsOf, uuid, old - new, new - old)
            if now is None:
                del self._interfacesOf[uuid]
            else:
                self._interfacesOf[uuid] = new
        for port in touched:
            interfaces |= self._interfacesOf.get(port, _NONE)
        return interfaces

    def bridgeOf(self, interface: str) -> str | None:
        """
        @param interface: the UUID of an interface.
        @return: the name of its bridge; the least one if it is on several; None if
            no port and bridge lead to it.
        """
        ports = self._portsOf.get(interface, ())
        if len(ports) == 1:
            bridges = self._bridgesOf.get(ports[0], ())
            if len(bridges) == 1:
                self.torn.pop(interface, None)
                return self._names[bridges[0]]
        found = {self._names[b] for port in ports for b in self._bridgesOf.get(port, ())}
        if len(found) > 1:
            self.torn[interface] = tuple(sorted(found))
        else:
            self.torn.pop(interface, None)
        return min(found, default=None)


def _uuids(row: Row | None, column: str) -> frozenset[Any]:
    found: Any = _NONE if row is None else row[column]
    return found  # type: ignore[no-any-return]


def _exchange(
    parents: dict[str, tuple[str, ...]], parent: str, gone: Iterable[Any], come: Iterable[Any]
) -> None:
    """Children leave and join a parent."""
    for child in gone:
        rest = tuple(other for other in parents[child] if other != parent)
        if rest:
            parents[child] = rest
        else:
            del parents[child]
    single = (parent,)  # one object for all of them
    for child in come:
        others = parents.get(child)
        parents[child] = single if others is None else (*others, parent)
