# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.classify}.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.datum import EMPTY
from twisted_ovsdb.events import InterfaceKind
from twisted_ovsdb.openvswitch.classify import TUNNEL_TYPES, ClassificationRules
from twisted_ovsdb.ovsinterface import LOCAL_OFPORT

BRIDGE, VM, TUNNEL, PATCH = (
    InterfaceKind.BRIDGE,
    InterfaceKind.VM,
    InterfaceKind.TUNNEL,
    InterfaceKind.PATCH,
)

ID = {"iface-id": "4aa64e21"}
REMOTE = {"remote_ip": "192.0.2.7"}
PEER = {"peer": "patch-tun"}


@attrs.frozen
class Columns:
    """
    The columns by which an interface is classified.
    """

    name: str
    type: str = ""
    ofport: int | None = 1
    external_ids: Mapping[str, str] = EMPTY
    options: Mapping[str, str] = EMPTY

    def kind(self, rules: ClassificationRules) -> InterfaceKind | None:
        """
        The kind that the rules give it.
        """
        local = self.ofport == LOCAL_OFPORT
        return rules.classify(self.name, self.type, local, self.external_ids, self.options)


INTERFACES: list[tuple[Columns, InterfaceKind | None, InterfaceKind | None]] = [
    # The local port of a bridge, whatever else its row says.
    (Columns("br-int", "patch", 65534, ID, {**PEER, **REMOTE}), BRIDGE, PATCH),
    (Columns("sw-b", "gre", 65534, options=REMOTE), BRIDGE, None),
    (Columns("sw-b", "internal", 65534, ID), BRIDGE, None),
    # Patch, before everything else.
    (Columns("patch-int", "patch", options=PEER), PATCH, PATCH),
    (Columns("any name", "patch"), PATCH, PATCH),
    (Columns("br-int", "patch", 1, ID, {**PEER, **REMOTE}), PATCH, PATCH),
    (Columns("patch-int", "Patch", options=PEER), None, None),
    (Columns("patch-int", "", options=PEER), None, None),
    # Tunnels, which need a remote_ip, before VMs.
    (Columns("df-1", "vxlan", options=REMOTE), TUNNEL, TUNNEL),
    (Columns("df", "gre", None, options=REMOTE), TUNNEL, TUNNEL),
    (Columns("vx1", "geneve", options=REMOTE), TUNNEL, None),
    (Columns("df-1", "VXLAN", options=REMOTE), TUNNEL, TUNNEL),
    (Columns("df-1", "GenEve", options=REMOTE), TUNNEL, TUNNEL),
    (Columns("df-1", "vxlan", options={"remote_ip": "flow"}), TUNNEL, TUNNEL),
    (Columns("df-1", "vxlan", options={"remote_ip": ""}), None, None),
    (Columns("df-1", "vxlan", options={"local_ip": "192.0.2.1"}), None, None),
    (Columns("df-1", "vxlan2", options=REMOTE), None, None),
    (Columns("df-1", "", options=REMOTE), None, None),
    (Columns("df-1", "vxlan", 1, ID, REMOTE), TUNNEL, TUNNEL),
    (Columns("tap1", "vxlan", 1, ID, REMOTE), TUNNEL, VM),
    (Columns("tap1", "vxlan", 1, ID), VM, VM),
    # VMs, of any type, before bridges.
    (Columns("tap1", "", 1, ID), VM, VM),
    (Columns("tap1", "internal", None, ID), VM, VM),
    (Columns("tap", "dpdkvhostuser", -1, ID), VM, VM),
    (Columns("qr-1", "internal", 1, ID), VM, None),
    (Columns("br-int", "internal", 1, ID), VM, BRIDGE),
    (Columns("tap1", "", 1, {"iface-id": ""}), None, None),
    (Columns("tap1", "", 1, {"attached-mac": "fa:16:3e:00:00:01"}), None, None),
    (Columns("tap1", "", 1, {"Iface-Id": "x"}), None, None),
    (Columns("tap1"), None, None),
    # Bridges by their type and name, or by their port.
    (Columns("br-int", "internal", 65534), BRIDGE, BRIDGE),
    (Columns("br-tun", "internal", None), BRIDGE, BRIDGE),
    (Columns("br-ex", "internal", -1), BRIDGE, BRIDGE),
    (Columns("br0", "internal", 1), BRIDGE, None),
    (Columns("br", "internal", 1), BRIDGE, None),
    (Columns("Br0", "internal", 1), None, None),
    (Columns("xbr0", "internal", 1), None, None),
    (Columns("lan", "internal", 65534), BRIDGE, None),
    (Columns("lan", "", LOCAL_OFPORT), BRIDGE, None),
    (Columns("lan", "internal", 65533), None, None),
    (Columns("br-int", "", 1), None, None),
    (Columns("br-int", "Internal", 1), None, None),
    (Columns("br-int", "internal", 1, {"iface-id": ""}), BRIDGE, BRIDGE),
    # Nothing of these.
    (Columns("eth0"), None, None),
    (Columns("eth0", "system", None), None, None),
    (Columns(""), None, None),
]
"""An interface, its kind by default, and by Dragonflow's specification."""

TAP, BR, DF = (
    Columns("tap1", "", 1, ID),
    Columns("br0", "internal"),
    Columns("df1", "gre", 1, {}, REMOTE),
)

RULES: list[tuple[ClassificationRules, Columns, InterfaceKind | None]] = [
    (ClassificationRules(vmNames=()), TAP, None),
    (ClassificationRules(vmNames=("vnet*", "tap?")), TAP, VM),
    (ClassificationRules(vmNames=("tap",)), TAP, None),
    (ClassificationRules(vmNames=("ap1",)), TAP, None),
    (ClassificationRules(vmNames=("TAP*",)), TAP, None),
    (ClassificationRules(vmNames=("tap[0-3]",)), TAP, VM),
    (ClassificationRules(vmNames=("tap[!1]",)), TAP, None),
    (ClassificationRules(vmNames=("*a*1*", "*x*y*")), TAP, VM),
    (ClassificationRules(vmNames=("tap.",)), TAP, None),
    (ClassificationRules(vmNames=["tap*"]), TAP, VM),
    (ClassificationRules(vmNames=("a", "tap*")), Columns("tap\n1", "", 1, ID), VM),
    (ClassificationRules(vmKeys=("vm-id", "iface-id")), TAP, VM),
    (ClassificationRules(vmKeys=("vm-id",)), TAP, None),
    (
        ClassificationRules(vmKeys=("vm-id", "x")),
        Columns("tap1", "", 1, {"vm-id": "", "x": "1"}),
        VM,
    ),
    (ClassificationRules(vmKeys=()), TAP, None),
    (ClassificationRules(bridgeNames=()), BR, None),
    (ClassificationRules(bridgeNames=()), Columns("br0", "internal", 65534), BRIDGE),
    (ClassificationRules(bridgeNames=("*",)), Columns("x", "internal"), BRIDGE),
    (ClassificationRules(localPorts=False), Columns("lan", "internal", 65534), None),
    (ClassificationRules(localPorts=False), Columns("br0", "internal", 65534), BRIDGE),
    (ClassificationRules(tunnelNames=("vx*",)), DF, None),
    (ClassificationRules(tunnelNames=("vx*", "df*")), DF, TUNNEL),
    (ClassificationRules(tunnelTypes=()), DF, None),
    (ClassificationRules(tunnelTypes=("gre", "mpls")), Columns("x", "MPLS", 1, {}, REMOTE), TUNNEL),
]
"""Rules, an interface, and its kind by these rules."""

NO_ID = "no iface-id in external_ids"

EXPLAINED: list[tuple[ClassificationRules, Columns, str]] = [
    (ClassificationRules(), Columns("eth0"), f"eth0 (type ''): {NO_ID}"),
    (
        ClassificationRules(),
        Columns("lan", "internal"),
        f"lan (type 'internal'): {NO_ID}; internal, but not named ('br*',)",
    ),
    (
        ClassificationRules(),
        Columns("vx", "VXLAN"),
        f"vx (type 'VXLAN'): type VXLAN, but no remote_ip, or not named ('*',); {NO_ID}",
    ),
    (
        ClassificationRules.dragonflow(),
        Columns("qr-1", "", 1, ID),
        "qr-1 (type ''): not named ('tap*',)",
    ),
    (
        ClassificationRules(vmKeys=("vm-id", "iface-id")),
        Columns("eth0", "system"),
        "eth0 (type 'system'): no vm-id or iface-id in external_ids",
    ),
]
"""Rules, an interface that they give no kind, and why."""


class ClassificationTests(SynchronousTestCase):
    """
    Which interfaces are what.
    """

    def test_interfaces(self) -> None:
        """
        The first rule that fits decides: patch, tunnel, vm, bridge.
        Dragonflow's rules look at the names too.
        """
        rules, dragonflow = ClassificationRules(), ClassificationRules.dragonflow()
        for columns, expected, named in INTERFACES:
            self.assertEqual(columns.kind(rules), expected, columns)
            self.assertEqual(columns.kind(dragonflow), named, f"{columns} in dragonflow")

    def test_tunnelTypes(self) -> None:
        """
        Every tunnel type of Open vSwitch is one, in any case; those of older
        versions and of vendors too.
        """
        self.assertEqual(len(set(TUNNEL_TYPES)), 16)
        self.assertLess({"ipsec_gre", "gre64", "ipsec_gre64", "capwap", "gtp"}, {*TUNNEL_TYPES})
        for type in TUNNEL_TYPES:
            for written in (type, type.upper(), type.title()):
                kind = Columns("x", written, options=REMOTE).kind(ClassificationRules())
                self.assertEqual(kind, TUNNEL, written)

    def test_rules(self) -> None:
        """
        The rules are data: names are shell patterns, and one that fits is
        enough; an empty tuple fits nothing.
        """
        for rules, columns, expected in RULES:
            self.assertEqual(columns.kind(rules), expected, f"{rules}: {columns}")

    def test_explain(self) -> None:
        """
        An operator can read why an interface has no kind.
        """
        for rules, columns, expected in EXPLAINED:
            self.assertIsNone(columns.kind(rules), columns)
            text = rules.explain(columns.name, columns.type, columns.external_ids)
            self.assertEqual(text, expected)


class RulesTests(SynchronousTestCase):
    """
    Rules as values.
    """

    def test_explainWithoutKeys(self) -> None:
        """
        Where no key makes a VM, none is missed.
        """
        rules = ClassificationRules(vmKeys=())
        self.assertEqual(rules.explain("eth0", "", {}), "eth0 (type ''): ")

    def test_plainString(self) -> None:
        """
        A string in the place of a tuple, a comma forgotten, is told at once
        and is not taken for a tuple of letters.
        """
        for name in ("bridgeNames", "vmNames", "tunnelNames", "tunnelTypes", "vmKeys"):
            rules: dict[str, str] = {name: "br*"}
            fault = self.assertRaises(TypeError, ClassificationRules, **rules)
            self.assertIn("'br*'", str(fault), name)

    def test_values(self) -> None:
        """
        Rules are equal when they say the same, and can be hashed, shown and
        changed by C{attrs.evolve}.
        """
        rules = ClassificationRules(vmNames=("tap*",))
        self.assertEqual(rules, attrs.evolve(ClassificationRules(), vmNames=("tap*",)))
        self.assertEqual(hash(rules), hash(ClassificationRules(vmNames=("tap*",))))
        self.assertNotEqual(rules, ClassificationRules())
        self.assertIn("vmNames=('tap*',)", repr(rules))
        self.assertNotIn("compile", repr(rules))
        self.assertIsNone(Columns("qr-1", "", 1, ID).kind(rules))

    def test_frozen(self) -> None:
        """
        Rules are shared by observers, and no one can change them.
        """
        rules = ClassificationRules()
        self.assertRaises(attrs.exceptions.FrozenInstanceError, setattr, rules, "vmNames", ())

    def test_dragonflow(self) -> None:
        """
        Dragonflow's rules are the names in its specification.
        """
        rules = ClassificationRules.dragonflow()
        self.assertEqual(rules.bridgeNames, ("br-int", "br-tun", "br-ex"))
        self.assertEqual((rules.vmNames, rules.tunnelNames), (("tap*",), ("df*",)))
        self.assertEqual(rules.tunnelTypes, TUNNEL_TYPES)
