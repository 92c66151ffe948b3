# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which bridge each interface is on, by the tables Bridge and Port
(ovs-vswitchd.conf.db(5)): a bridge has ports, and a port has interfaces, more than
one if it is a bond.

A bridge may have thousands of ports. A change costs what it changes, and not what
the bridge has: the rows are not kept whole, and only the references are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import attrs

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.notation import EMPTY_SET, JSONRow, references, string

BRIDGE: Final = "Bridge"
PORT: Final = "Port"

_NOTHING: Final[frozenset[str]] = frozenset()


@attrs.define(eq=False)
class Parent:
    """
    A row of one of the two tables, as it was read.

    @ivar name: the name of a bridge; empty for a port.
    @ivar children: the UUIDs that it refers to, or those that change sides: each
        one is removed if it is there, and otherwise added. L{Topology} takes them.
    @ivar whole: whether C{children} are all of them.
    """

    name: str
    children: Collection[str]
    whole: bool


class ParentRows:
    """
    Reads rows of one of the two tables, in either dialect.

    @ivar columns: the columns to monitor.
    @ivar required: the same: no column may be lacking.
    @cvar untyped: False: the types of all columns are known.
    """

    untyped: Final = False

    def __init__(self, children: str, named: bool) -> None:
        """
        @param children: the column that refers to the other table.
        @param named: whether the name is read too.
        """
        self.columns = ("name", children) if named else (children,)
        self.required = frozenset(self.columns)
        self._children = children
        self._named = named

    def whole(self, uuid: str, row: JSONRow) -> Parent:
        """See L{WholeRows <twisted_ovsdb.database.monitor.WholeRows>}."""
        for column in self.columns:
            if column not in row:
                raise ProtocolViolation(f"column {column}: missing")
        return self.withDefaults(uuid, row)

    def withDefaults(self, uuid: str, row: JSONRow) -> Parent:
        """See L{DifferingRows <twisted_ovsdb.database.monitorcond.DifferingRows>}."""
        name = string("name", row.get("name", "")) if self._named else ""
        column = self._children
        return Parent(name, references(column, row.get(column, EMPTY_SET)), True)

    def modified(self, uuid: str, before: Parent, differences: JSONRow) -> Parent:
        """See L{DifferingRows <twisted_ovsdb.database.monitorcond.DifferingRows>}."""
        name = before.name
        if "name" in differences:
            name = string("name", differences["name"])
        column = self._children
        return Parent(name, references(column, differences.get(column, EMPTY_SET)), False)


BRIDGE_ROWS: Final = ParentRows("ports", named=True)
PORT_ROWS: Final = ParentRows("interfaces", named=False)

Changes = Iterable[tuple[str, "Parent | None", "Parent | None"]]
"""UUID, row before and row now, as a replica gives them."""


class _References:
    """The references of one table, in both directions."""

    def __init__(self) -> None:
        # Most ports have one child, and most children one parent: a tuple is small.
        self._children: dict[str, tuple[str, ...] | set[str]] = {}
        self._parents: dict[str, tuple[str, ...]] = {}

    def childrenOf(self, parent: str) -> Collection[str]:
        return self._children.get(parent, ())

    def parentsOf(self, child: str) -> tuple[str, ...]:
        return self._parents.get(child, ())

    def note(self, uuid: str, now: Parent | None) -> Collection[str]:
        """
        Note a row.

        @return: the children that it has lost or got.
        """
        known = self._children.get(uuid, ())
        given: Collection[str] = _NOTHING
        if now is not None:
            given, now.children = now.children, _NOTHING
        if not known and not self._parents and len(given) > 2:
            # The first bridge of a snapshot may have 100,000 ports.
            self._parents = dict.fromkeys(given, (uuid,))
            self._children[uuid] = set(given)
            return given
        if now is None or now.whole:
            gone = [child for child in known if child not in given]
        else:
            gone = [child for child in given if child in known]
        come = [child for child in given if child not in known]
        for child in gone:
            self._detach(child, uuid)
        single = (uuid,)  # one object for all of them
        for child in come:
            others = self._parents.get(child)
            self._parents[child] = single if others is None else (*others, uuid)
        if now is None:
            self._children.pop(uuid, None)
        elif isinstance(known, set):
            known.difference_update(gone)
            known.update(come)
        else:
            kept = [*(child for child in known if child not in gone), *come]
            self._children[uuid] = tuple(kept) if len(kept) < 3 else set(kept)
        return gone + come

    def _detach(self, child: str, parent: str) -> None:
        rest = tuple(other for other in self._parents[child] if other != parent)
        if rest:
            self._parents[child] = rest
        else:
            del self._parents[child]


class Topology:
    """
    The bridge of each interface.

    @ivar torn: interfaces that are on more than one bridge, with the names of
        these bridges. The schema allows it.
    """

    def __init__(self) -> None:
        self.torn: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}  # of bridges, by UUID
        self._ports = _References()  # of bridges
        self._interfaces = _References()  # of ports

    def noteBridge(self, uuid: str, now: Parent | None) -> Collection[str]:
        """
        Note a row of Bridge as it is now.

        @return: the UUIDs of ports that may be on another bridge now.
        """
        moved = self._ports.note(uuid, now)
        before = self._names.get(uuid)
        if now is None:
            del self._names[uuid]
        elif now.name != before:
            self._names[uuid] = now.name
            if before is not None:
                moved = {*moved, *self._ports.childrenOf(uuid)}
        return moved

    def notePort(self, uuid: str, now: Parent | None) -> Collection[str]:
        """
        Note a row of Port as it is now.

        @return: the UUIDs of interfaces that may be on another bridge now.
        """
        return self._interfaces.note(uuid, now)

    def note(self, bridges: Changes, ports: Changes) -> list[str]:
        """
        Note the changes of one message.

        @return: the UUIDs of interfaces that may be on another bridge now, in
            order.
        """
        moved = {port for uuid, _, now in bridges for port in self.noteBridge(uuid, now)}
        interfaces = {child for uuid, _, now in ports for child in self.notePort(uuid, now)}
        for port in moved:
            interfaces.update(self._interfaces.childrenOf(port))
        return sorted(interfaces)

    def bridgeOf(self, interface: str) -> str | None:
        """
        @param interface: the UUID of an interface.
        @return: the name of its bridge; the least one if it is on several; None if
            no port and bridge lead to it.
        """
        ports = self._interfaces.parentsOf(interface)
        if len(ports) == 1 and interface not in self.torn:
            bridges = self._ports.parentsOf(ports[0])
            if len(bridges) == 1:
                return self._names[bridges[0]]
        found = {self._names[b] for port in ports for b in self._ports.parentsOf(port)}
        if len(found) > 1:
            self.torn[interface] = tuple(sorted(found))
        else:
            self.torn.pop(interface, None)
        return min(found, default=None)
