# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A client that only reads and changes the database: it uses the package's
protocol without a monitor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
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


Rows = list[dict[str, Any]]
"""The rows of the Interface table, as the server writes them."""


async def readRows(protocol: OvsdbProtocol) -> Rows:
    """
    Read all rows of the Interface table from the server.
    """
    (result,) = await transact(protocol, {"op": "select", "table": TABLE, "where": []})
    rows: Rows = result["rows"]
    return rows


async def readTable(protocol: OvsdbProtocol) -> dict[str, OvsInterface]:
    """
    Read from the server all interfaces that have a kind, by UUID.
    """
    return withKind(await readRows(protocol))


def withKind(
    rows: Rows, told: Mapping[str, OvsInterface] = MappingProxyType({})
) -> dict[str, OvsInterface]:
    """
    The interfaces among these rows that have a kind, by UUID.

    @param told: what the events of an observer add up to: which ports were seen
        as the local port of a bridge, and count as one while their ofport says
        nothing.
    """
    interfaces: dict[str, OvsInterface] = {}
    for row in rows:
        lacking = [column for column in COLUMNS if column not in row]
        reader = InterfaceRows(ClassificationRules(), lacking=lacking, known=told)
        interface = reader.whole(row["_uuid"][1], row)
        if interface.kind is not None:
            interfaces[interface.uuid] = interface
    return interfaces


def jsonMap(items: dict[str, str]) -> list[Any]:
    """
    A map in the notation of OVSDB.
    """
    return ["map", [list(item) for item in items.items()]]
