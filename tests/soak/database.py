# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A client that only reads and changes the database: it uses the package's
protocol without a monitor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError

from twisted_ovsdb import ClassificationRules, OvsdbProtocol, OvsInterface
from twisted_ovsdb.openvswitch.rows import COLUMNS, TABLE, InterfaceRows

DATABASE: Final = "Open_vSwitch"

Operation = dict[str, Any]


class Refused(Exception):
    """
    The server did not commit a transaction.
    """


async def connect(reactor: Any, paths: Sequence[str]) -> OvsdbProtocol:
    """
    Connect to the first of these sockets that answers.

    @raise ConnectError: if none does.
    """
    for path in paths[:-1]:
        try:
            return await connectOne(reactor, path)
        except ConnectError:
            continue
    return await connectOne(reactor, paths[-1])


async def connectOne(reactor: Any, path: str) -> OvsdbProtocol:
    """
    Connect to a unix socket.
    """
    protocol: OvsdbProtocol = await connectProtocol(
        UNIXClientEndpoint(reactor, path), OvsdbProtocol()
    )
    return protocol


async def transact(protocol: OvsdbProtocol, *operations: Operation) -> list[Any]:
    """
    Run one transaction.

    @raise Refused: if it was not committed.
    """
    results: list[Any] = await protocol.call("transact", [DATABASE, *operations])
    for result in results:
        if isinstance(result, dict) and "error" in result:
            raise Refused(result)
    return results


async def readTable(protocol: OvsdbProtocol) -> dict[str, OvsInterface]:
    """
    Read from the server all interfaces that have a kind, by UUID.
    """
    (result,) = await transact(protocol, {"op": "select", "table": TABLE, "where": []})
    interfaces: dict[str, OvsInterface] = {}
    for row in result["rows"]:
        lacking = [column for column in COLUMNS if column not in row]
        rows = InterfaceRows(ClassificationRules(), lacking=lacking)
        interface = rows.whole(row["_uuid"][1], row)
        if interface.kind is not None:
            interfaces[interface.uuid] = interface
    return interfaces


def jsonMap(items: dict[str, str]) -> list[Any]:
    """
    A map in the notation of OVSDB.
    """
    return ["map", [list(item) for item in items.items()]]
