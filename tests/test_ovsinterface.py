# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.ovsinterface}.
"""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from types import MappingProxyType
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.datum import EMPTY
from twisted_ovsdb.ovsinterface import InterfaceKind, OvsInterface, makeInterface

PLAIN = OvsInterface(uuid="u1", name="eth0")
VM = attrs.evolve(PLAIN, name="tap1", external_ids={"iface-id": "p"}, kind=InterfaceKind.VM)

FULL = OvsInterface(
    "u2",
    "vx1",
    "vxlan",
    7,
    "no {device}",
    MappingProxyType({"iface-id": "p"}),
    MappingProxyType({"remote_ip": "192.0.2.1"}),
    InterfaceKind.TUNNEL,
    MappingProxyType(
        {
            "link_state": None,
            "mtu": 1500,
            "rate": 0.5,
            "lldp": True,
            "ips": frozenset(("b", "a")),
            "statistics": MappingProxyType({"rx": 1}),
            "queues": MappingProxyType({1: "q1", 0: "q0"}),
            "empty": EMPTY,
        }
    ),
)
"""An interface that has a value in every attribute, and extra columns of every type."""

texts = st.text(max_size=8)
maps = st.dictionaries(texts, texts, max_size=3).map(MappingProxyType)
integers = st.integers(-(2**63), 2**63 - 1)
atoms = texts, integers, st.floats(allow_nan=False, allow_infinity=False), st.booleans()
atom = st.one_of(*atoms)
datums = st.one_of(
    st.none(),
    atom,
    *(st.frozensets(each, min_size=2, max_size=4) for each in atoms),
    *(st.dictionaries(each, atom, max_size=3).map(MappingProxyType) for each in atoms),
)
interfaces = st.builds(
    OvsInterface,
    texts,
    texts,
    texts,
    st.none() | integers,
    st.none() | texts,
    maps,
    maps,
    st.none() | st.sampled_from(InterfaceKind),
    st.dictionaries(texts, datums, max_size=4).map(MappingProxyType),
    st.booleans(),
    st.none() | texts,
)


class InterfaceTests(SynchronousTestCase):
    """
    An interface as observers see it.
    """

    def test_defaults(self) -> None:
        """
        If only the UUID and the name of an interface are given, all else is
        empty.
        """
        self.assertEqual(
            (PLAIN.type, PLAIN.ofport, PLAIN.error, PLAIN.kind), ("", None, None, None)
        )
        for mapping in (PLAIN.external_ids, PLAIN.options, PLAIN.extra):
            self.assertEqual(mapping, {})
            self.assertIs(type(mapping), MappingProxyType)

    def test_derived(self) -> None:
        """
        Keys that other programs set in the maps of an interface are attributes
        with short names. An empty value reads as None.
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

    def test_localPort(self) -> None:
        """
        The ofport says whether it is the local port; without one, this is what
        was remembered.
        """
        local = attrs.evolve(PLAIN, ofport=65534)
        self.assertTrue(local.local_port)
        for ofport, expected in ((None, True), (-1, True), (0, True), (1, False), (65534, True)):
            self.assertIs(attrs.evolve(local, ofport=ofport).local_port, expected, ofport)
            self.assertIs(attrs.evolve(PLAIN, ofport=ofport).local_port, ofport == 65534)

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
        Interfaces are equal if all their columns are equal, and they can be
        elements of sets.
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
        No attribute of an interface can be set or added.
        """
        for attribute in ("name", "ofport", "unknown"):
            self.assertRaises(AttributeError, setattr, VM, attribute, 1)

    def test_maker(self) -> None:
        """
        The fast maker takes the arguments of the constructor, in the same
        order, and makes an equal interface, which is frozen too.
        """
        names = [field.name for field in attrs.fields(OvsInterface)]
        self.assertEqual(list(inspect.signature(makeInterface).parameters), names)
        columns = [getattr(FULL, name) for name in names]
        made = makeInterface(*columns)
        self.assertIs(type(made), OvsInterface)
        self.assertEqual([getattr(made, name) for name in names], columns)
        self.assertEqual((made, hash(made), repr(made)), (FULL, hash(FULL), repr(FULL)))
        made = makeInterface(*columns[: names.index("extra")])
        self.assertIs(made.extra, EMPTY)
        self.assertIs(made.local_port, False)
        for attribute in ("name", "unknown"):
            self.assertRaises(AttributeError, setattr, made, attribute, 1)
            self.assertRaises(AttributeError, delattr, made, attribute)


class CopyTests(SynchronousTestCase):
    """
    Interfaces can be pickled and copied.
    """

    def assertSame(self, copied: OvsInterface, original: OvsInterface) -> None:
        """
        Assert that a copy is an equal interface with read-only maps.
        """
        self.assertIs(type(copied), OvsInterface)
        self.assertEqual(copied, original)
        self.assertEqual(hash(copied), hash(original))
        values = (copied.external_ids, copied.options, copied.extra, *copied.extra.values())
        for value in values:
            self.assertNotIsInstance(value, dict)
        self.assertRaises(AttributeError, setattr, copied, "name", "")

    def test_pickle(self) -> None:
        """
        Every protocol of pickle gives an equal interface.
        """
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for interface in (PLAIN, VM, FULL):
                self.assertSame(pickle.loads(pickle.dumps(interface, protocol)), interface)

    def test_copy(self) -> None:
        """
        copy and deepcopy give an equal interface, also if it is inside another
        value.
        """
        for interface in (PLAIN, VM, FULL):
            self.assertSame(copy.copy(interface), interface)
            self.assertSame(copy.deepcopy(interface), interface)
            self.assertSame(copy.deepcopy([interface])[0], interface)

    def test_older(self) -> None:
        """
        A pickle that has fewer attributes, as from an older version, can be
        read. The missing attributes have their defaults.
        """
        restore, (columns,) = VM.__reduce__()
        del columns["error"], columns["kind"]
        self.assertEqual(restore(columns), attrs.evolve(VM, kind=None))


class JSONTests(SynchronousTestCase):
    """
    Tests for C{toJSON} and C{fromJSON}.
    """

    def test_toJSON(self) -> None:
        """
        toJSON returns the object of JSON Lines, for columns of every type. It
        has only plain types in it.
        """
        self.assertEqual(
            FULL.toJSON(),
            {
                "uuid": "u2",
                "name": "vx1",
                "type": "vxlan",
                "kind": "tunnel",
                "ofport": 7,
                "local_port": False,
                "bridge": None,
                "ready": False,
                "error": "no {device}",
                "iface_id": "p",
                "attached_mac": None,
                "remote_ip": "192.0.2.1",
                "peer": None,
                "external_ids": {"iface-id": "p"},
                "options": {"remote_ip": "192.0.2.1"},
                "extra": {
                    "link_state": None,
                    "mtu": 1500,
                    "rate": 0.5,
                    "lldp": True,
                    "ips": ["a", "b"],
                    "statistics": {"rx": 1},
                    "queues": [[1, "q1"], [0, "q0"]],
                    "empty": {},
                },
            },
        )
        self.assertIsNone(PLAIN.toJSON()["kind"])
        self.assertEqual(json.loads(json.dumps(FULL.toJSON())), FULL.toJSON())

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(interfaces)
    def test_roundTrip(self, interface: OvsInterface) -> None:
        """
        An interface that is made from the JSON of another one is equal to it,
        also if the JSON was text in between. Its maps are read-only.
        """
        value = interface.toJSON()
        for read in (value, json.loads(json.dumps(value))):
            again = OvsInterface.fromJSON(read)
            self.assertEqual(again, interface)
            for mapping in (again.external_ids, again.options, again.extra):
                self.assertIs(type(mapping), MappingProxyType)
            for column, datum in again.extra.items():
                self.assertIs(type(datum), type(interface.extra[column]))

    def test_ignored(self) -> None:
        """
        Keys that are derived from other keys, and keys of a later version, are
        ignored. Missing keys have their defaults.
        """
        value = {**FULL.toJSON(), "ready": True, "iface_id": 7, "remote_ip": [], "later": {}}
        self.assertEqual(OvsInterface.fromJSON(value), FULL)
        self.assertEqual(OvsInterface.fromJSON({"uuid": "u1", "name": "eth0"}), PLAIN)

    def test_refused(self) -> None:
        """
        An object that is not an interface is refused. The error names the key,
        what was expected, and what is there.
        """
        good = VM.toJSON()
        wrong: list[tuple[str, object, str]] = [
            ("uuid", 7, "uuid: expected a string, got 7"),
            ("name", None, "name: expected a string, got None"),
            ("type", [], "type: expected a string, got []"),
            ("kind", "router", "kind: expected a kind (bridge, vm, tunnel, patch), got"),
            ("kind", [], "kind: expected a kind (bridge, vm, tunnel, patch), got []"),
            ("ofport", "7", "ofport: expected an integer or null, got '7'"),
            ("ofport", True, "ofport: expected an integer or null, got True"),
            ("ofport", 7.5, "ofport: expected an integer or null, got 7.5"),
            ("error", 1, "error: expected a string or null, got 1"),
            ("external_ids", [], "external_ids: expected an object, got []"),
            ("external_ids", {"a": 1}, "external_ids: 'a': expected a string, got 1"),
            ("options", {"a": None}, "options: 'a': expected a string, got None"),
            ("extra", None, "extra: expected an object, got None"),
            ("extra", {"ips": [[1]]}, "extra: 'ips': expected an atom, null, "),
            ("extra", {"ips": [1, [1, 2]]}, "extra: 'ips': expected "),
            ("extra", {"map": {"a": []}}, "extra: 'map': expected "),
            ("extra", {"map": [["a", None]]}, "extra: 'map': expected "),
            ("extra", {7: 1}, "extra: 7: expected a string, got 7"),
        ]
        for key, value, expected in wrong:
            error = self.assertRaises(ValueError, OvsInterface.fromJSON, {**good, key: value})
            self.assertIn(expected, str(error))
        for key in ("uuid", "name"):
            missing = {k: v for k, v in good.items() if k != key}
            error = self.assertRaises(ValueError, OvsInterface.fromJSON, missing)
            self.assertEqual(str(error), f"{key}: missing")
        nothings: tuple[object, ...] = (None, [], "x", 7)
        for nothing in nothings:
            error = self.assertRaises(ValueError, OvsInterface.fromJSON, nothing)
            self.assertIn("an interface is an object, not ", str(error))
