# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.rows}.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import jsonRow, uuid
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.rows import COLUMNS, TABLE, InterfaceRows

UUID = "ffcf0000-0a0b-4c0d-8e0f-abcdef012345"

ROW: dict[str, Any] = json.loads(
    """{
        "name": "tap1",
        "type": "internal",
        "ofport": 7,
        "error": ["set", []],
        "external_ids": ["map", [["attached-mac", "fa:16:3e:0:0:1"], ["iface-id", "port-1"]]],
        "options": ["map", []]
    }"""
)
"""A row as ovsdb-server writes it."""

DEFAULT = InterfaceRows(ClassificationRules())

WRONG: list[tuple[str, Any]] = [
    ("name", ["set", []]),
    ("name", 5),
    ("type", None),
    ("type", ["set", []]),
    ("ofport", "7"),
    ("ofport", 7.0),
    ("ofport", 2**63),
    ("ofport", -(2**63) - 1),
    ("ofport", ["set", [1, 2]]),
    ("error", 5),
    ("error", ["map", []]),
    ("external_ids", ["set", []]),
    ("external_ids", {"iface-id": "x"}),
    ("options", ["map", [["a", 1]]]),
    ("options", "a"),
]
"""A column, and a value that is not of its type."""


class RequestTests(SynchronousTestCase):
    """
    What is asked of the server.
    """

    def test_columns(self) -> None:
        """
        Six columns of the Interface table are monitored, and no others.
        """
        columns = ["name", "type", "ofport", "error", "external_ids", "options"]
        self.assertEqual(DEFAULT.columns, tuple(columns))
        self.assertEqual(TABLE, "Interface")

    def test_extraColumns(self) -> None:
        """
        Extra columns come behind them, each once: the server refuses a
        request that names a column twice.
        """
        extra = ["link_state", "name", "mtu", "link_state", "options"]
        rows = InterfaceRows(ClassificationRules(), extra)
        self.assertEqual(rows.columns, (*COLUMNS, "link_state", "mtu"))
        again = InterfaceRows(ClassificationRules(), iter(extra))
        self.assertEqual(again.columns, rows.columns)

    def test_plainString(self) -> None:
        """
        A string in the place of the extra columns is told at once.
        """
        fault = self.assertRaises(TypeError, InterfaceRows, ClassificationRules(), "mtu")
        self.assertIn("'mtu'", str(fault))


class LackingTests(SynchronousTestCase):
    """
    Servers whose schema has not all of the columns.
    """

    def test_notAskedFor(self) -> None:
        """
        What the server lacks is not asked for; the rows for other servers
        stay as they are.
        """
        full = InterfaceRows(ClassificationRules(), ("mtu", "link_state"))
        rows = full.without(frozenset(("error", "mtu", "unknown")))
        expected = ("name", "type", "ofport", "external_ids", "options", "link_state")
        self.assertEqual(rows.columns, expected)
        self.assertEqual(full.columns, (*COLUMNS, "mtu", "link_state"))

    def test_readAsEmpty(self) -> None:
        """
        What the server lacks is empty, and an extra column is left out; all
        else is read and judged as ever, by the same rules.
        """
        dragonflow = InterfaceRows(ClassificationRules.dragonflow(), ("mtu", "link_state"))
        for column in COLUMNS:
            if column not in InterfaceRows.required:
                rows = dragonflow.without((column, "mtu"))
                row = {**ROW, "link_state": "up"}
                del row[column]
                interface = rows.whole(UUID, row)
                self.assertFalse(getattr(interface, column), column)
                self.assertEqual(interface.extra, {"link_state": "up"})
                kind = None if column == "external_ids" else InterfaceKind.VM
                self.assertEqual(interface.kind, kind, column)

    def test_required(self) -> None:
        """
        Without a name and a type nothing can be told.
        """
        self.assertEqual(InterfaceRows.required, {"name", "type"})
        for column in InterfaceRows.required:
            row = {name: value for name, value in ROW.items() if name != column}
            rows = DEFAULT.without((column,))
            fault = self.assertRaises(ProtocolViolation, rows.whole, UUID, row)
            self.assertEqual(str(fault), f"column {column}: missing")


class LocalPortTests(SynchronousTestCase):
    """
    The local port of a bridge, which stays one while its ofport says nothing.
    """

    def test_remembered(self) -> None:
        """
        An empty or failed ofport leaves it the local port, and so does another
        type. Another ofport does not.
        """
        known: dict[str, OvsInterface] = {}
        rows = InterfaceRows(ClassificationRules(), known=known)
        for type_, ofport, kind in (
            ("", ["set", []], None),
            ("", 65534, InterfaceKind.BRIDGE),
            ("", ["set", []], InterfaceKind.BRIDGE),
            ("patch", -1, InterfaceKind.BRIDGE),
            ("patch", 0, InterfaceKind.BRIDGE),
            ("patch", 3, InterfaceKind.PATCH),
            ("patch", -1, InterfaceKind.PATCH),
            ("", ["set", []], None),
        ):
            row = {**ROW, "name": "LAN", "type": type_, "ofport": ofport}
            row["external_ids"] = ["map", []]
            known[UUID] = rows.whole(UUID, row)
            self.assertIs(known[UUID].kind, kind, (type_, ofport))
            if ofport == 65534:
                self.assertEqual(known[UUID], attrs.evolve(known[UUID]))

    def test_lacking(self) -> None:
        """
        For a server that lacks columns, it is remembered too.
        """
        known: dict[str, OvsInterface] = {}
        rows = InterfaceRows(ClassificationRules(), known=known).without(("error",))
        known[UUID] = rows.whole(UUID, {**ROW, "ofport": 65534})
        self.assertIs(rows.whole(UUID, {**ROW, "ofport": -1}).kind, InterfaceKind.BRIDGE)

    def test_onItsBridge(self) -> None:
        """
        Where bridges are known, the interface of a bridge is the one that has its name,
        whatever that is, and nothing else makes it one.
        """
        rows = InterfaceRows(ClassificationRules(), bridges=True)
        row = rows.whole(uuid(1), jsonRow("LAN", "internal"))
        self.assertIsNone(row.kind)
        rows.place(row, "LAN")
        self.assertIs(row.kind, InterfaceKind.BRIDGE)
        self.assertIsNone(rows.moved(row, "br0").kind)
        self.assertIs(rows.moved(rows.moved(row, None), "LAN").kind, InterfaceKind.BRIDGE)

    def test_rulesWithoutLocalPorts(self) -> None:
        """
        Rules that do not look at local ports are not changed by it.
        """
        known: dict[str, OvsInterface] = {}
        rows = InterfaceRows(ClassificationRules.dragonflow(), known=known)
        known[UUID] = rows.whole(UUID, {**ROW, "name": "tap1", "ofport": 65534})
        self.assertIs(known[UUID].kind, InterfaceKind.VM)
        self.assertTrue(known[UUID].local_port)


class DecodeTests(SynchronousTestCase):
    """
    Rows as interfaces.
    """

    def test_row(self) -> None:
        """
        Every column is where its name says, and the kind is decided.
        """
        expected = OvsInterface(
            uuid=UUID,
            name="tap1",
            type="internal",
            ofport=7,
            error=None,
            external_ids={"attached-mac": "fa:16:3e:0:0:1", "iface-id": "port-1"},
            options={},
            kind=InterfaceKind.VM,
            extra={},
        )
        self.assertEqual(DEFAULT.whole(UUID, ROW), expected)

    def test_classified(self) -> None:
        """
        Each column that decides the kind reaches the rules.
        """
        no_ids: dict[str, Any] = {"external_ids": ["map", []]}
        remote: dict[str, Any] = {"options": ["map", [["remote_ip", "flow"]]]}
        cases: list[tuple[dict[str, Any], InterfaceKind | None]] = [
            ({"type": "patch"}, InterfaceKind.PATCH),
            ({"type": "vxlan", **remote}, InterfaceKind.TUNNEL),
            ({"type": "vxlan", **no_ids}, None),
            ({"name": "br-int", **no_ids}, InterfaceKind.BRIDGE),
            ({"ofport": 65534, **no_ids}, InterfaceKind.BRIDGE),
            (no_ids, None),
        ]
        for columns, expected in cases:
            kind = DEFAULT.whole(UUID, {**ROW, **columns}).kind
            self.assertEqual(kind, expected, str(columns))

    def test_rules(self) -> None:
        """
        The given rules decide the kind.
        """
        rows = InterfaceRows(ClassificationRules(vmNames=("vnet*",)))
        self.assertIsNone(rows.whole(UUID, ROW).kind)

    def test_portAndError(self) -> None:
        """
        Until ovs-vswitchd is done there is no port; when it fails there is
        -1 and an error.
        """
        interface = DEFAULT.whole(UUID, {**ROW, "ofport": ["set", []]})
        self.assertEqual((interface.ofport, interface.error, interface.ready), (None, None, False))
        interface = DEFAULT.whole(UUID, {**ROW, "ofport": -1, "error": "no such device"})
        expected = (-1, "no such device", False)
        self.assertEqual((interface.ofport, interface.error, interface.ready), expected)
        self.assertTrue(DEFAULT.whole(UUID, {**ROW, "ofport": ["set", [7]]}).ready)

    def test_extra(self) -> None:
        """
        Extra columns are in C{extra} under the database's names, whatever
        their type; other columns are left out.
        """
        rows = InterfaceRows(ClassificationRules(), ("mtu", "link_state", "ips", "status", "name"))
        extra = {
            "mtu": 1500,
            "link_state": ["set", []],
            "ips": ["set", ["a", "b"]],
            "status": ["map", [["driver", "tun"]]],
        }
        interface = rows.whole(UUID, {**ROW, **extra, "unasked": 1})
        expected = {
            "mtu": 1500,
            "link_state": None,
            "ips": frozenset({"a", "b"}),
            "status": {"driver": "tun"},
        }
        self.assertEqual(interface.extra, expected)
        self.assertEqual(DEFAULT.whole(UUID, {**ROW, **extra}).extra, {})

    def test_readOnly(self) -> None:
        """
        No observer can change what another one sees.
        """
        rows = InterfaceRows(ClassificationRules(), ("mtu",))
        for interface in (DEFAULT.whole(UUID, ROW), rows.whole(UUID, {**ROW, "mtu": 1500})):
            for mapping in (interface.external_ids, interface.options, interface.extra):
                self.assertIs(type(mapping), MappingProxyType)

    def test_missing(self) -> None:
        """
        A column that was asked for and is not there is a fault.
        """
        rows = InterfaceRows(ClassificationRules(), ("mtu",))
        full = {**ROW, "mtu": 1500}
        for column in rows.columns:
            row = {name: value for name, value in full.items() if name != column}
            fault = self.assertRaises(ProtocolViolation, rows.whole, UUID, row)
            self.assertEqual(str(fault), f"column {column}: missing")

    def test_wrong(self) -> None:
        """
        A value of the wrong type is a fault that names its column.
        """
        for column, value in WRONG:
            row = {**ROW, column: value}
            fault = self.assertRaises(ProtocolViolation, DEFAULT.whole, UUID, row)
            self.assertIn(f"column {column}: expected ", str(fault), value)
        rows = InterfaceRows(ClassificationRules(), ("mtu",))
        fault = self.assertRaises(ProtocolViolation, rows.whole, UUID, {**ROW, "mtu": None})
        self.assertIn("column mtu: expected ", str(fault))
