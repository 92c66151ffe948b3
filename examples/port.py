# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Add a port to a bridge, or remove it, as ovs-vsctl does.

    python examples/port.py add BRIDGE PORT IFACE_ID [SERVER]
    python examples/port.py remove BRIDGE PORT [SERVER]

Like C{ovs-vsctl --no-wait}, it does not wait for ovs-vswitchd, which gives the port
its OpenFlow port a moment later: C{wait_for_vm.py} does.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from twisted.internet import task
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError

from twisted_ovsdb import (
    NamedUUID,
    OvsdbError,
    OvsdbProtocol,
    clientFromRemote,
    decode,
    encode,
    encodeRow,
)

DATABASE = "Open_vSwitch"

SERVER = "tcp:127.0.0.1:6640"

CONFIGURE = {
    "op": "mutate",
    "table": "Open_vSwitch",
    "where": [],
    "mutations": [["next_cfg", "+=", 1]],
}
"""Tells ovs-vswitchd to read the configuration; it then sets cur_cfg to the same number."""


async def addPort(protocol: OvsdbProtocol, bridge: str, name: str, ifaceId: str) -> None:
    """
    Add a port with one interface: all of these operations, or none.

    @raise ValueError: if there is no such bridge.
    @raise TransactionFailed: for example, if there is an interface of this name.
    """
    interface = {"name": name, "external_ids": {"iface-id": ifaceId}}
    port = {"name": name, "interfaces": NamedUUID("interface")}
    results = await protocol.transact(
        DATABASE,
        {
            "op": "insert",
            "table": "Interface",
            "uuid-name": "interface",
            "row": encodeRow(interface),
        },
        {"op": "insert", "table": "Port", "uuid-name": "port", "row": encodeRow(port)},
        {
            "op": "mutate",
            "table": "Bridge",
            "where": [["name", "==", bridge]],
            "mutations": [["ports", "insert", encode((NamedUUID("port"),))]],
        },
        CONFIGURE,
        {"op": "comment", "comment": f"add {name} to {bridge}"},
    )
    # Rows to which nothing refers are gone again at the commit.
    if results[2]["count"] == 0:
        raise ValueError(f"there is no bridge {bridge}")


async def removePort(protocol: OvsdbProtocol, bridge: str, name: str) -> None:
    """
    Remove a port. Its row and its interfaces go with it: nothing refers to them.

    @raise ValueError: if the bridge has no such port.
    """
    named = [["name", "==", name]]
    select = {"op": "select", "table": "Port", "where": named, "columns": ["_uuid"]}
    (found,) = await protocol.transact(DATABASE, select)
    port = {decode(row["_uuid"]) for row in found["rows"]}
    results = await protocol.transact(
        DATABASE,
        {
            "op": "mutate",
            "table": "Bridge",
            "where": [["name", "==", bridge], ["ports", "includes", encode(port)]],
            "mutations": [["ports", "delete", encode(port)]],
        },
        CONFIGURE,
        {"op": "comment", "comment": f"remove {name} from {bridge}"},
    )
    if not port or results[0]["count"] == 0:
        raise ValueError(f"there is no port {name} on a bridge {bridge}")


def fail(text: str) -> NoReturn:
    """
    End because of a wrong argument.
    """
    print(text, file=sys.stderr)
    raise SystemExit(2)


async def main(reactor: Any, what: str, bridge: str, name: str, *more: str) -> None:
    """
    Add or remove a port.
    """
    server = more[-1] if len(more) == (2 if what == "add" else 1) else SERVER
    try:
        endpoint = clientFromRemote(reactor, server)
    except ValueError as e:
        fail(str(e))
    try:
        protocol = await connectProtocol(endpoint, OvsdbProtocol())
    except ConnectError as e:
        raise SystemExit(f"{server}: {e}") from None
    try:
        if what == "add":
            await addPort(protocol, bridge, name, more[0])
        else:
            await removePort(protocol, bridge, name)
    except (ValueError, OvsdbError) as e:
        raise SystemExit(str(e)) from None
    finally:
        protocol.transport.loseConnection()


if __name__ == "__main__":
    counts = {"add": (5, 6), "remove": (4, 5)}
    if len(sys.argv) < 2 or len(sys.argv) not in counts.get(sys.argv[1], ()):
        fail("usage: port.py add BRIDGE PORT IFACE_ID [SERVER] | remove BRIDGE PORT [SERVER]")
    task.react(lambda *args: ensureDeferred(main(*args)), sys.argv[1:])
