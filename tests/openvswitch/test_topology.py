# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.topology}.
"""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.openvswitch.topology import BRIDGE_ROWS, PORT_ROWS, Parent, Topology


def bridge(name: str, *ports: str, whole: bool = True) -> Parent:
    """
    A row of the table Bridge; or what changes in it, if it is not whole.
    """
    return Parent(name, frozenset(ports), whole)


def port(*interfaces: str, whole: bool = True) -> Parent:
    """
    A row of the table Port.
    """
    return Parent("", frozenset(interfaces), whole)


NAMES = st.sampled_from(["br-a", "br-b", "br-c"])
PORTS = st.frozensets(st.sampled_from(["p1", "p2", "p3"]))
INTERFACES = st.frozensets(st.sampled_from(["i1", "i2", "i3"]))
BRIDGES = st.dictionaries(st.sampled_from(["b1", "b2"]), st.tuples(NAMES, PORTS), max_size=2)
PORT_TABLES = st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), INTERFACES, max_size=3)


class TopologyTests(SynchronousTestCase):
    """
    Tests for L{Topology}.
    """

    def setUp(self) -> None:
        self.topology = Topology()

    def test_bond(self) -> None:
        """
        All interfaces of a port are on its bridge.
        """
        touched = self.topology.note(
            [("b1", None, bridge("br-int", "p1"))], [("p1", None, port("i1", "i2"))]
        )
        self.assertEqual(touched, ["i1", "i2"])
        self.assertEqual([self.topology.bridgeOf(i) for i in ("i1", "i2")], ["br-int"] * 2)

    def test_nowhere(self) -> None:
        """
        An interface without a port, and one of a port without a bridge, is on no
        bridge.
        """
        self.topology.note([], [("p1", None, port("i1"))])
        self.assertIsNone(self.topology.bridgeOf("i1"))
        self.assertIsNone(self.topology.bridgeOf("i9"))

    def test_moved(self) -> None:
        """
        A port that moves from one bridge to another touches its interfaces, and
        no others.
        """
        for whole in (True, False):
            self.setUp()
            self.topology.note(
                [("b1", None, bridge("br-a", "p1", "p2")), ("b2", None, bridge("br-b"))],
                [("p1", None, port("i1")), ("p2", None, port("i2"))],
            )
            left = bridge("br-a", "p2") if whole else bridge("br-a", "p1", whole=False)
            got = bridge("br-b", "p1", whole=whole)
            touched = self.topology.note([("b1", None, left), ("b2", None, got)], [])
            self.assertEqual(touched, ["i1"])
            self.assertEqual(self.topology.bridgeOf("i1"), "br-b")
            self.assertEqual(self.topology.bridgeOf("i2"), "br-a")

    def test_renamed(self) -> None:
        """
        When a bridge has another name, all its interfaces are somewhere else.
        """
        self.topology.note([("b1", None, bridge("br-a", "p1"))], [("p1", None, port("i1"))])
        touched = self.topology.note([("b1", None, bridge("br-b", whole=False))], [])
        self.assertEqual((touched, self.topology.bridgeOf("i1")), (["i1"], "br-b"))

    def test_torn(self) -> None:
        """
        Of two bridges that claim a port, the least name counts. It is known as
        torn until one of them lets it go.
        """
        b = bridge("br-b", "p1")
        a = bridge("br-a", "p1")
        self.topology.note([("b2", None, b), ("b1", None, a)], [("p1", None, port("i1"))])
        self.assertEqual(self.topology.bridgeOf("i1"), "br-a")
        self.assertEqual(self.topology.torn, {"i1": ("br-a", "br-b")})
        self.topology.note([("b1", None, None)], [])
        self.assertEqual(self.topology.bridgeOf("i1"), "br-b")
        self.assertEqual(self.topology.torn, {})

    def test_nothingLeft(self) -> None:
        """
        Nothing is kept of bridges and ports that are gone.
        """
        for number in range(3):
            uuid_ = f"b{number}"
            self.topology.note([(uuid_, None, bridge("br", "p"))], [("p", None, port("i"))])
            self.topology.note([(uuid_, None, None)], [("p", None, None)])
            self.assertIsNone(self.topology.bridgeOf("i"))
        self.assertEqual(self.topology._names, {})
        for references in (self.topology._ports, self.topology._interfaces):
            self.assertEqual((references._children, references._parents), ({}, {}))

    def test_small(self) -> None:
        """
        Most ports have one interface: what is kept of them is small. Of a bridge with many
        ports, each is found at once.
        """
        self.topology.note([], [("p1", None, port("i1")), ("p2", None, port("i2", "i3"))])
        for name in ("p1", "p2"):
            self.assertLess(sys.getsizeof(self.topology._interfaces.childrenOf(name)), 100)
        for name in ("b1", "b2"):
            self.topology.note([(name, None, bridge(name, "p1", "p2", "p3"))], [])
            self.assertIsInstance(self.topology._ports.childrenOf(name), set)

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.tuples(BRIDGES, PORT_TABLES, st.booleans()), max_size=6))
    def test_random(self, states: list[tuple[Any, Any, bool]]) -> None:
        """
        After any changes, reported whole or as differences, each interface is where
        the two tables say. Every interface that has moved was touched.
        """
        topology = Topology()
        bridges: dict[str, tuple[str, frozenset[str]]] = {}
        ports: dict[str, tuple[str, frozenset[str]]] = {}
        where: dict[str, str | None] = {}
        for newBridges, newPorts, whole in states:
            nowPorts = {uuid: ("", its) for uuid, its in newPorts.items()}
            touched = topology.note(
                _changes(bridges, newBridges, whole), _changes(ports, nowPorts, whole)
            )
            bridges, ports = newBridges, nowPorts
            for interface in ("i1", "i2", "i3"):
                names = {
                    name
                    for name, its in bridges.values()
                    for p in its
                    if interface in ports.get(p, ("", ()))[1]
                }
                found = topology.bridgeOf(interface)
                self.assertEqual(found, min(names, default=None))
                if found != where.get(interface):
                    self.assertIn(interface, touched)
                where[interface] = found

    def test_rows(self) -> None:
        """
        The rows are read in either dialect; what is not of its type is a violation
        that names the column.
        """
        row = {"name": "br-int", "ports": ["uuid", uuid(1)]}
        read = BRIDGE_ROWS.whole("b", row)
        self.assertEqual((read.name, read.children, read.whole), ("br-int", {uuid(1)}, True))
        empty = BRIDGE_ROWS.withDefaults("b", {"name": "br-int"})
        self.assertEqual(empty.children, set())
        two = {"ports": ["set", [["uuid", uuid(1)], ["uuid", uuid(2)]]]}
        now = BRIDGE_ROWS.modified("b", read, two)
        self.assertEqual((now.name, now.children, now.whole), ("br-int", {uuid(1), uuid(2)}, False))
        self.assertEqual(BRIDGE_ROWS.modified("b", read, {"name": "x"}).name, "x")
        for rows, wrong, text in (
            (BRIDGE_ROWS, {"name": "x"}, "column ports: missing"),
            (BRIDGE_ROWS, {"name": 5, "ports": ["set", []]}, "column name: expected a string"),
            (PORT_ROWS, {"interfaces": 5}, "column interfaces: expected UUIDs"),
            (PORT_ROWS, {"interfaces": ["set", [["uuid", "x"]]]}, "column interfaces: expected"),
            (PORT_ROWS, {"interfaces": ["set", [["uuid", uuid(1)]] * 2]}, "UUIDs, each once"),
        ):
            fault = self.assertRaises(ProtocolViolation, rows.whole, "b", wrong)
            self.assertIn(text, str(fault))


def _changes(
    before: dict[str, tuple[str, frozenset[str]]],
    now: dict[str, tuple[str, frozenset[str]]],
    whole: bool,
) -> list[tuple[str, Parent | None, Parent | None]]:
    changes: list[tuple[str, Parent | None, Parent | None]] = []
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if new is None:
            changes.append((key, None, None))
        elif old is None or whole:
            changes.append((key, None, Parent(new[0], new[1], True)))
        else:
            changes.append((key, None, Parent(new[0], old[1] ^ new[1], False)))
    return changes
