# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Random transactions, which the comparison of the server in memory with the real
one runs on both.
"""

from __future__ import annotations

import random
from typing import Any, Final

from twisted_ovsdb.wire.notation import encode

Operations = list[dict[str, Any]]

WRONG: Final[list[Operations]] = [
    [{"op": "insert", "table": "Zed", "row": {}}],
    [{"op": "insert", "table": "Interface", "row": {"zz": 1}}],
    [{"op": "insert", "table": "Interface", "row": {"name": 1}}],
    [{"op": "fly", "table": "Interface"}],
    [{"op": "abort"}],
    [{"op": "update", "table": "Interface", "where": [], "row": {"name": "x"}}],
    [{"op": "select", "table": "Interface", "where": [["name", "~", "x"]]}],
    [{"op": "select", "table": "Interface", "where": [["zz", "==", "x"]]}],
    [{"op": "select", "table": "Interface", "where": [], "columns": ["zz"]}],
    [{"op": "select", "table": "Interface"}],
    [{"op": "insert", "table": "Interface", "row": []}],
    [{"op": "update", "table": "Interface", "where": [], "row": {"link_state": "x"}}],
    [{"op": "insert", "table": "Open_vSwitch", "uuid-name": "o", "row": {}}],
    [{"op": "mutate", "table": "Interface", "where": [], "mutations": [["zz", "insert", "x"]]}],
    [{"op": "comment", "comment": "x"}, {"op": "abort"}, {"op": "comment", "comment": "y"}],
]
"""Transactions that fail and change nothing."""


class Author:
    """
    Writes random transactions. In these, a label such as C{@tap1} stands for
    the UUID of a row.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bridges: list[str] = []
        self.ports: dict[str, str] = {}
        self._number = 0

    def write(self) -> Operations:
        """
        The next transaction.
        """
        self._number += 1
        if not self.bridges:
            return self.addBridge()
        kinds = [self.addPort] * 5 + [self.set] * 8 + [self.mutate] * 4 + [self.delete] * 3
        kinds += [self.move] * 3 + [self.addBond, self.setPort, self.swap]
        kinds += [self.recreate, self.batch, self.select, self.addBridge, self.deleteBridge]
        kinds += [self.wrong, self.twice, self.dangling, self.unreferenced]
        return self.random.choice(kinds)()

    def addBridge(self) -> Operations:
        """A new bridge without ports."""
        name = f"br{self._number}"
        self.bridges.append(name)
        return [
            insert("Bridge", name, {"name": name}),
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["bridges", "insert", ["named-uuid", name]]],
            },
        ]

    def deleteBridge(self) -> Operations:
        """A bridge is removed, with all its ports."""
        bridge = self.random.choice(self.bridges)
        self.bridges.remove(bridge)
        self.ports = {port: on for port, on in self.ports.items() if on != bridge}
        return [
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["bridges", "delete", ["uuid", f"@{bridge}"]]],
            }
        ]

    def addPort(self, name: str | None = None) -> Operations:
        """A new port with one interface."""
        name = name or f"tap{self._number}"
        bridge = self.random.choice(self.bridges)
        self.ports[name] = bridge
        interface = {"name": name, **self.columns()}
        port = {"name": name, "interfaces": ["named-uuid", f"i{name}"]}
        return [
            insert("Interface", f"i{name}", interface),
            insert("Port", name, port),
            mutate("Bridge", bridge, "ports", "insert", ["named-uuid", name]),
        ]

    def addBond(self) -> Operations:
        """A new port with several interfaces."""
        name = f"bond{self._number}"
        bridge = self.random.choice(self.bridges)
        self.ports[name] = bridge
        names = [f"{name}x{number}" for number in range(self.random.randint(2, 4))]
        named = ["set", [["named-uuid", f"i{interface}"] for interface in names]]
        interfaces = [
            insert("Interface", f"i{interface}", {"name": interface, **self.columns()})
            for interface in names
        ]
        return [
            *interfaces,
            insert("Port", name, {"name": name, "interfaces": named}),
            mutate("Bridge", bridge, "ports", "insert", ["named-uuid", name]),
        ]

    def move(self) -> Operations:
        """A port is moved to a bridge, which may be the one that it is on."""
        if not self.ports:
            return self.addPort()
        name = self.random.choice(list(self.ports))
        bridge, self.ports[name] = self.ports[name], self.random.choice(self.bridges)
        return [
            mutate("Bridge", bridge, "ports", "delete", ["uuid", f"@{name}"]),
            mutate("Bridge", self.ports[name], "ports", "insert", ["uuid", f"@{name}"]),
        ]

    def swap(self) -> Operations:
        """Two ports swap their interfaces."""
        names = [name for name in self.ports if name.startswith("tap")]
        if len(names) < 2:
            return self.addPort()
        ports = self.random.sample(names, 2)
        return [
            {
                "op": "update",
                "table": "Port",
                "where": [["name", "==", name]],
                "row": {"interfaces": ["uuid", f"@i{other}"]},
            }
            for name, other in zip(ports, reversed(ports), strict=True)
        ]

    def setPort(self) -> Operations:
        """New values for columns of a port, or of none."""
        choices: dict[str, list[Any]] = {
            "tag": [["set", []], 7, 9],
            "trunks": [["set", []], 7, ["set", [7, 9]], ["set", [1, 7, 11]]],
            "fake_bridge": [True, False],
        }
        chosen = self.random.sample(list(choices), self.random.randint(1, 3))
        row = {name: self.random.choice(choices[name]) for name in chosen}
        return [{"op": "update", "table": "Port", "where": self.where(), "row": row}]

    def conditions(self) -> dict[str, Any]:
        """New conditions for the monitors of some tables, of which one has to hold."""
        port = self.random.choice([*(name for name in self.ports if name[:3] == "tap"), "none"])
        choices: dict[str, list[list[Any]]] = {
            "Interface": [
                [["ofport", "==", 7]],
                [["ofport", "<", 5], ["external_ids", "includes", encode({"a": "x"})]],
                [["ofport", "==", ["set", []]], ["type", "!=", ""]],
                [["external_ids", "excludes", encode({"a": "x"})]],
                [["name", "==", port], ["link_state", "==", "up"]],
                [["_uuid", "==", ["uuid", f"@i{port}"]]] if port in self.ports else [],
            ],
            "Port": [
                [["name", "==", port]],
                [["tag", ">=", 9], ["trunks", "includes", 7]],
                [["interfaces", "includes", ["uuid", f"@i{port}"]]] if port in self.ports else [],
            ],
            "Bridge": [
                [["name", "==", bridge] for bridge in self.bridges[:3]],
                [["ports", "includes", ["uuid", f"@{port}"]]] if port in self.ports else [],
            ],
        }
        chosen = self.random.sample(list(choices), self.random.randint(1, 3))
        always: list[list[Any]] = [[], [True], [False], [False, ["name", "==", port]]]
        return {
            table: [{"where": self.random.choice([*choices[table], *always])}] for table in chosen
        }

    def delete(self) -> Operations:
        """A port is removed, by deleting the reference to it."""
        if not self.ports:
            return self.addPort()
        name = self.random.choice(list(self.ports))
        bridge = self.ports.pop(name)
        return [mutate("Bridge", bridge, "ports", "delete", ["uuid", f"@{name}"])]

    def recreate(self) -> Operations:
        """A port is removed and added again with its name, in one transaction."""
        if not self.ports:
            return self.addPort()
        name = self.random.choice(list(self.ports))
        bridge = self.ports.pop(name)
        gone = mutate("Bridge", bridge, "ports", "delete", ["uuid", f"@{name}"])
        return [gone, *self.addPort(name)]

    def batch(self) -> Operations:
        """Several new ports at once."""
        ports = [self.addPort(f"tap{self._number}x{n}") for n in range(self.random.randint(2, 6))]
        return [operation for operations in ports for operation in operations]

    def set(self) -> Operations:
        """New values for columns of an interface, or of none. Some values are the old ones."""
        row = self.columns()
        return [{"op": "update", "table": "Interface", "where": self.where(), "row": row}]

    def mutate(self) -> Operations:
        """Pairs of a map are added or removed."""
        column = self.random.choice(["external_ids", "options", "other_config"])
        pairs = encode({self.random.choice("abc"): self.random.choice("xy")})
        keys = ["set", self.random.sample("abc", self.random.randint(0, 3))]
        mutation = self.random.choice(
            [[column, "insert", pairs], [column, "delete", pairs], [column, "delete", keys]]
        )
        return [
            {
                "op": "mutate",
                "table": "Interface",
                "where": self.where(),
                "mutations": [mutation],
            }
        ]

    def select(self) -> Operations:
        """A select of the interfaces that meet one condition."""
        columns = ["name", "ofport", "external_ids"]
        where = self.random.choice(
            [
                [["name", "!=", "x"]],
                [["ofport", "includes", ["set", []]]],
                [["external_ids", "includes", encode({"a": "x"})]],
                [["external_ids", "excludes", encode({"a": "x"})]],
                [["type", "==", "internal"], ["name", "==", self.port()]],
            ]
        )
        return [{"op": "select", "table": "Interface", "where": where, "columns": columns}]

    def wrong(self) -> Operations:
        """A transaction that fails."""
        return self.random.choice(WRONG)

    def twice(self) -> Operations:
        """A port with a name that exists already."""
        before = dict(self.ports)
        operations = self.addPort(self.port())
        self.ports = before
        return operations if before else self.set()

    def dangling(self) -> Operations:
        """A reference to a row that does not exist."""
        nowhere = ["uuid", "00000000-1111-4111-8111-000000000000"]
        return [mutate("Bridge", self.random.choice(self.bridges), "ports", "insert", nowhere)]

    def unreferenced(self) -> Operations:
        """A row to which nothing refers: the server removes it at once."""
        return [insert("Interface", "i", {"name": f"gone{self._number}"})]

    def port(self) -> str:
        """The name of a port that exists, or of none."""
        return self.random.choice([*self.ports, "none"])

    def where(self) -> list[Any]:
        """A condition that one interface meets, or none."""
        return [["name", "==", self.port()]]

    def columns(self) -> dict[str, Any]:
        """Values for some columns of an interface."""
        choices: dict[str, list[object]] = {
            "ofport": [None, 1, 7, -1],
            "type": ["", "internal", "vxlan"],
            "error": [None, "could not open"],
            "external_ids": [{}, {"iface-id": "x"}, {"a": "x", "b": "é"}],
            "options": [{}, {"remote_ip": "192.0.2.1"}],
            "link_state": [None, "up", "down"],
        }
        chosen = self.random.sample(list(choices), self.random.randint(0, 4))
        return {name: encode(self.random.choice(choices[name])) for name in chosen}


def insert(table: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
    """
    An operation that inserts a row.
    """
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def mutate(table: str, name: str, column: str, mutator: str, value: Any) -> dict[str, Any]:
    """
    An operation that mutates the row with this name.
    """
    where = [["name", "==", name]]
    return {"op": "mutate", "table": table, "where": where, "mutations": [[column, mutator, value]]}
