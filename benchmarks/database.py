# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Makes interfaces like those of OpenStack, thousands in a second: with
transactions, and not with one ovs-vsctl for each interface.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

from benchmarks.connection import Connection

BRIDGE = "br-int"

PORT_SIZE = 1000
"""
Interfaces of one Port in a filled database. With a Port for each interface,
the server would spend most of the time on the other tables.
"""

BATCH = 1000
"""Interfaces that are made in one transaction."""

_random = random.Random(6640)

Operation = dict[str, object]


def newUUID() -> str:
    """
    A new UUID. Every run gets the same UUIDs in the same order.
    """
    return str(uuid.UUID(int=_random.getrandbits(128), version=4))


def interfaceRow(number: int, ofport: bool = True, **extra: str) -> Operation:
    """
    The row of a VM's interface as os-vif writes it.

    @param extra: more C{external_ids}. In their keys, C{_} stands for C{-}.
    """
    port = newUUID()
    ids = {
        "attached-mac": f"fa:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:"
        f"{number & 255:02x}",
        "iface-id": port,
        "iface-status": "active",
        "vm-uuid": newUUID(),
        **{key.replace("_", "-"): value for key, value in extra.items()},
    }
    row: Operation = {"name": f"tap{port[:11]}", "external_ids": ["map", [*ids.items()]]}
    if ofport:
        row["ofport"] = number % 65000 + 1
    return row


def insertPorts(ports: Sequence[Sequence[Operation]]) -> list[Operation]:
    """
    The operations that make one Port for each sequence of interfaces. For each
    Port, the results have the UUIDs of its interfaces, and then the UUID of
    the Port.
    """
    operations: list[Operation] = []
    for number, rows in enumerate(ports):
        names = [f"i{number}x{position}" for position in range(len(rows))]
        for name, row in zip(names, rows, strict=True):
            operations.append({"op": "insert", "table": "Interface", "row": row, "uuid-name": name})
        interfaces = ["set", [["named-uuid", name] for name in names]]
        port = {"name": rows[0]["name"], "interfaces": interfaces}
        operations.append({"op": "insert", "table": "Port", "row": port, "uuid-name": f"p{number}"})
    operations.append(
        _mutateBridge("insert", [["named-uuid", f"p{number}"] for number in range(len(ports))])
    )
    return operations


def deletePorts(uuids: Sequence[str]) -> list[Operation]:
    """
    The operation that removes Ports from the bridge. The server then deletes
    the Ports and their interfaces.
    """
    return [_mutateBridge("delete", [["uuid", port] for port in uuids])]


def assignOfports(uuids: Sequence[str]) -> list[Operation]:
    """
    The operations that give interfaces an OpenFlow port. ovs-vswitchd does
    that in a transaction after the one that made the interfaces.
    """
    return [
        {
            "op": "update",
            "table": "Interface",
            "where": [["_uuid", "==", ["uuid", interface]]],
            "row": {"ofport": number + 1},
        }
        for number, interface in enumerate(uuids)
    ]


def makeBridge(server: Connection) -> None:
    """
    Make the only bridge, without its local port.
    """
    server.transact(
        [
            {
                "op": "insert",
                "table": "Bridge",
                "row": {"name": BRIDGE},
                "uuid-name": "bridge",
            },
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["bridges", "insert", ["set", [["named-uuid", "bridge"]]]]],
            },
        ]
    )


def fill(server: Connection, present: int, wanted: int, portSize: int = PORT_SIZE) -> None:
    """
    Add interfaces to the bridge until there are as many as wanted.

    @param portSize: how many interfaces each Port has.
    """
    for start in range(present, wanted, BATCH):
        rows = [interfaceRow(number) for number in range(start, min(start + BATCH, wanted))]
        ports = [rows[first : first + portSize] for first in range(0, len(rows), portSize)]
        server.transact(insertPorts(ports))


def _mutateBridge(mutator: str, ports: list[list[str]]) -> Operation:
    return {
        "op": "mutate",
        "table": "Bridge",
        "where": [["name", "==", BRIDGE]],
        "mutations": [["ports", mutator, ["set", ports]]],
    }
