# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.topology}.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.openvswitch.topology import Topology


def bridge(name: str, *ports: str) -> Mapping[str, Any]:
    """
    A row of the table Bridge.
    """
    return MappingProxyType({"name": name, "ports": frozenset(ports)})


def port(*interfaces: str) -> Mapping[str, Any]:
    """
    A row of the table Port.
    """
    return MappingProxyType({"interfaces": frozenset(interfaces)})


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
        self.assertEqual(touched, {"i1", "i2"})
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
        a, b = bridge("br-a", "p1", "p2"), bridge("br-b")
        self.topology.note(
            [("b1", None, a), ("b2", None, b)], [("p1", None, port("i1")), ("p2", None, port("i2"))]
        )
        touched = self.topology.note(
            [("b1", a, bridge("br-a", "p2")), ("b2", b, bridge("br-b", "p1"))], []
        )
        self.assertEqual(touched, {"i1"})
        self.assertEqual(self.topology.bridgeOf("i1"), "br-b")
        self.assertEqual(self.topology.bridgeOf("i2"), "br-a")

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
        self.topology.note([("b1", a, None)], [])
        self.assertEqual(self.topology.bridgeOf("i1"), "br-b")
        self.assertEqual(self.topology.torn, {})

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.tuples(BRIDGES, PORT_TABLES), max_size=6))
    def test_random(self, states: list[tuple[Any, Any]]) -> None:
        """
        After any changes, each interface is where the two tables say. Every
        interface that has moved was touched.
        """
        topology = Topology()
        bridges: dict[str, Any] = {}
        ports: dict[str, Any] = {}
        where: dict[str, str | None] = {}
        for newBridges, newPorts in states:
            now = {uuid: bridge(name, *its) for uuid, (name, its) in newBridges.items()}
            nowPorts = {uuid: port(*its) for uuid, its in newPorts.items()}
            touched = topology.note(_changes(bridges, now), _changes(ports, nowPorts))
            bridges, ports = now, nowPorts
            for interface in ("i1", "i2", "i3"):
                names = {
                    b["name"]
                    for b in bridges.values()
                    for p in b["ports"]
                    if interface in ports.get(p, {"interfaces": ()})["interfaces"]
                }
                found = topology.bridgeOf(interface)
                self.assertEqual(found, min(names, default=None))
                if found != where.get(interface):
                    self.assertIn(interface, touched)
                where[interface] = found


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [
        (uuid, before.get(uuid), now.get(uuid))
        for uuid in {**before, **now}
        if before.get(uuid) != now.get(uuid)
    ]
