# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The operations with which ovs-vsctl adds, moves and removes bridges and ports,
for L{twisted_ovsdb.testing}. Each function returns the operations of one
transaction, and raises C{ValueError} if a bridge or a port does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted_ovsdb.wire.notation import encode

Operations = list[dict[str, Any]]

Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""The rows by table and UUID."""


def find(tables: Tables, table: str, name: str) -> str:
    """The UUID of the row that has this name."""
    for key, row in tables[table].items():
        if row["name"] == name:
            return key
    raise ValueError(f"no {table} has the name {name}")


def addBridge(name: str, interface: Mapping[str, Any]) -> Operations:
    """
    Add a bridge with its local port.

    @param interface: the columns of the local port's Interface.
    """
    return [
        *_insertPort({"name": name}, [interface]),
        _insert("Bridge", "bridge", {"name": name, "ports": ["named-uuid", _label(name)]}),
        _mutate("Open_vSwitch", [], "bridges", "insert", ["named-uuid", "bridge"]),
    ]


def addFakeBridge(
    tables: Tables, name: str, parent: str, vlan: int, interface: Mapping[str, Any]
) -> Operations:
    """
    Add a fake bridge: a port of the parent, in whose VLAN the fake bridge's
    ports are. In the database, these are ports of the parent too.
    """
    port = {"name": name, "fake_bridge": True, "tag": vlan}
    return [*_insertPort(port, [interface]), _attach(find(tables, "Bridge", parent), name)]


def deleteBridge(tables: Tables, name: str) -> Operations:
    """Remove a bridge or a fake bridge, with all its ports."""
    bridge, vlan = _bridge(tables, name)
    if vlan is None:
        return [_mutate("Open_vSwitch", [], "bridges", "delete", ["uuid", bridge])]
    ports = tables["Port"]
    gone = [key for key in tables["Bridge"][bridge]["ports"] if ports[key]["tag"] == vlan]
    return [_mutateBridge(bridge, "delete", ["set", [["uuid", key] for key in gone]])]


def addPort(
    tables: Tables, bridge: str, name: str, interfaces: Iterable[Mapping[str, Any]]
) -> Operations:
    """
    Add a port to a bridge or a fake bridge.

    @param interfaces: the columns of each of its Interfaces. A port with
        several of these is a bond.
    """
    key, vlan = _bridge(tables, bridge)
    return [*_insertPort({"name": name, "tag": vlan}, interfaces), _attach(key, name)]


def movePort(tables: Tables, name: str, bridge: str) -> Operations:
    """Take a port from its bridge, and give it to another bridge or fake bridge."""
    port = find(tables, "Port", name)
    key, vlan = _bridge(tables, bridge)
    moved = [_detach(port), _mutateBridge(key, "insert", ["uuid", port])]
    if vlan is not None or _isOnFakeBridge(tables, port):
        where = [["_uuid", "==", ["uuid", port]]]
        row = {"tag": encode(vlan)}
        moved.append({"op": "update", "table": "Port", "where": where, "row": row})
    return moved


def deletePort(tables: Tables, name: str) -> Operations:
    """Remove a port, with all its interfaces."""
    return [_detach(find(tables, "Port", name))]


def _bridge(tables: Tables, name: str) -> tuple[str, int | None]:
    """The UUID of a bridge and no VLAN; of a fake bridge, the parent's UUID and the VLAN."""
    for key, row in tables["Port"].items():
        if row["name"] == name and row["fake_bridge"]:
            return _bridgeOf(tables, key), row["tag"]
    return find(tables, "Bridge", name), None


def _bridgeOf(tables: Tables, port: str) -> str:
    return next(key for key, row in tables["Bridge"].items() if port in row["ports"])


def _isOnFakeBridge(tables: Tables, port: str) -> bool:
    ports = tables["Port"]
    neighbours = [ports[key] for key in tables["Bridge"][_bridgeOf(tables, port)]["ports"]]
    return any(row["fake_bridge"] and row["tag"] == ports[port]["tag"] for row in neighbours)


def _insertPort(port: Mapping[str, Any], interfaces: Iterable[Mapping[str, Any]]) -> Operations:
    """A port and its interfaces. No bridge has it yet."""
    rows = [{column: encode(value) for column, value in row.items()} for row in interfaces]
    names = [f"{_label(port['name'])}_{number}" for number in range(len(rows))]
    values = {column: encode(value) for column, value in port.items()}
    values["interfaces"] = ["set", [["named-uuid", name] for name in names]]
    return [
        *(_insert("Interface", name, row) for name, row in zip(names, rows, strict=True)),
        _insert("Port", _label(port["name"]), values),
    ]


def _label(port: str) -> str:
    """The C{uuid-name} of a new port. A name of a port may have any characters."""
    return f"port_{port.encode().hex()}"


def _attach(bridge: str, port: str) -> dict[str, Any]:
    """Give a bridge a port that is new."""
    return _mutateBridge(bridge, "insert", ["named-uuid", _label(port)])


def _detach(port: str) -> dict[str, Any]:
    """Take a port from the bridge that has it."""
    where = [["ports", "includes", ["uuid", port]]]
    return _mutate("Bridge", where, "ports", "delete", ["uuid", port])


def _mutateBridge(bridge: str, mutator: str, ports: Any) -> dict[str, Any]:
    where = [["_uuid", "==", ["uuid", bridge]]]
    return _mutate("Bridge", where, "ports", mutator, ports)


def _insert(table: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def _mutate(table: str, where: list[Any], column: str, mutator: str, value: Any) -> dict[str, Any]:
    mutations = [[column, mutator, value]]
    return {"op": "mutate", "table": table, "where": where, "mutations": mutations}
