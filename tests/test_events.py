# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.events}.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.events import (
    EMPTY,
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)

PLAIN = OvsInterface(uuid="u1", name="eth0")
VM = attrs.evolve(PLAIN, name="tap1", external_ids={"iface-id": "p"}, kind=InterfaceKind.VM)
SOURCE = "tcp:127.0.0.1:6640"

EVENTS: list[Event] = [
    InterfaceOnline(VM, Cause.INITIAL, SOURCE),
    InterfaceOffline(VM, Cause.INITIAL, SOURCE),
    InterfaceChanged(VM, Cause.INITIAL, SOURCE, PLAIN),
    Synchronized(Cause.INITIAL, (VM,), SOURCE),
    Disconnected(ValueError("gone"), SOURCE),
]


class InterfaceTests(SynchronousTestCase):
    """
    An interface as observers see it.
    """

    def test_defaults(self) -> None:
        """
        Of an interface that has only a name nothing else is claimed.
        """
        self.assertEqual(
            (PLAIN.type, PLAIN.ofport, PLAIN.error, PLAIN.kind), ("", None, None, None)
        )
        for mapping in (PLAIN.external_ids, PLAIN.options, PLAIN.extra):
            self.assertEqual(mapping, {})
            self.assertIs(type(mapping), MappingProxyType)

    def test_derived(self) -> None:
        """
        What other programs note on an interface has short names; an empty
        value is none.
        """
        for attribute, column, key in [
            ("iface_id", "external_ids", "iface-id"),
            ("attached_mac", "external_ids", "attached-mac"),
            ("remote_ip", "options", "remote_ip"),
            ("peer", "options", "peer"),
        ]:
            for mapping, expected in [({key: "x"}, "x"), ({key: ""}, None), ({"x": "y"}, None)]:
                columns: dict[str, Any] = {column: mapping}
                interface = attrs.evolve(PLAIN, **columns)
                self.assertEqual(getattr(interface, attribute), expected, f"{attribute} {mapping}")
            self.assertIsNone(getattr(PLAIN, attribute), attribute)

    def test_ready(self) -> None:
        """
        An interface is ready once it has an OpenFlow port and no error.
        """
        for ofport, error, expected in [
            (None, None, False),
            (-1, None, False),
            (0, None, False),
            (1, None, True),
            (65534, None, True),
            (1, "no such device", False),
            (-1, "no such device", False),
        ]:
            interface = attrs.evolve(PLAIN, ofport=ofport, error=error)
            self.assertIs(interface.ready, expected, interface)

    def test_values(self) -> None:
        """
        Interfaces are equal when all their columns are, wherever the maps
        came from, and can stand in sets.
        """
        same = attrs.evolve(VM, external_ids=MappingProxyType({"iface-id": "p"}), options=EMPTY)
        self.assertEqual(same, VM)
        self.assertEqual({VM, same, attrs.evolve(VM, ofport=1)}, {VM, attrs.evolve(same, ofport=1)})
        different: list[dict[str, Any]] = [
            {"uuid": "u2"},
            {"name": "tap2"},
            {"type": "internal"},
            {"ofport": 1},
            {"error": "x"},
            {"external_ids": {}},
            {"options": {"a": "b"}},
            {"kind": None},
            {"extra": {"mtu": 1500}},
        ]
        for columns in different:
            self.assertNotEqual(attrs.evolve(VM, **columns), VM, columns)

    def test_frozen(self) -> None:
        """
        An interface cannot be changed, nor given what it does not have.
        """
        for attribute in ("name", "ofport", "unknown"):
            self.assertRaises(AttributeError, setattr, VM, attribute, 1)


class EventTests(SynchronousTestCase):
    """
    Events as values.
    """

    def test_values(self) -> None:
        """
        Events are equal to themselves alone, can be hashed, and do not change.
        """
        self.assertEqual(len(set(EVENTS)), len(EVENTS))
        for event in EVENTS:
            self.assertEqual(event, attrs.evolve(event))
            self.assertEqual([other for other in EVENTS if other == event], [event])
            self.assertRaises(AttributeError, setattr, event, "source", "")
            self.assertEqual(event.source, SOURCE)

    def test_kind(self) -> None:
        """
        An interface event has its interface's class: the new one, where
        there is a previous.
        """
        changed = InterfaceChanged(VM, Cause.UPDATE, SOURCE, previous=PLAIN)
        online = InterfaceOnline(VM, Cause.UPDATE, SOURCE)
        offline = InterfaceOffline(VM, Cause.UPDATE, SOURCE)
        for kind in (online.kind, offline.kind, changed.kind):
            self.assertEqual(kind, InterfaceKind.VM)
        self.assertEqual(changed.previous, PLAIN)

    def test_synchronizedIsShort(self) -> None:
        """
        A log line of a snapshot counts the interfaces and does not list them.
        """
        text = repr(Synchronized(Cause.RESYNC, (VM,) * 1000, SOURCE))
        self.assertIn("interfaces=<1000>", text)
        self.assertNotIn("tap1", text)

    def test_names(self) -> None:
        """
        Classes and causes have the names that other programs read.
        """
        self.assertEqual(
            [kind.value for kind in InterfaceKind], ["bridge", "vm", "tunnel", "patch"]
        )
        causes = ["initial", "update", "resync", "replay"]
        self.assertEqual([cause.value for cause in Cause], causes)
