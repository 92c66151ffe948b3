# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a server is asked before it is monitored: which switch it is, which its
address does not say (a host may change its address, and an address may get
another host), and whether it leads its cluster.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica
from twisted_ovsdb.errors import NotLeader, ProtocolViolation, RpcError, describe
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.wire.notation import EMPTY_MAP, stringMap

_STRING: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}
_COLUMNS: Final = {"name": _STRING, "model": _STRING, "connected": _BOOLEAN, "leader": _BOOLEAN}

SERVER: Final = DatabaseSchema.parse(
    {"name": "_Server", "tables": {"Database": {"columns": _COLUMNS}}}
)
"""The columns of the database C{_Server} (ovsdb-server(5)) that are read here."""


def askIdentity(protocol: OvsdbProtocol, database: str) -> Deferred[SwitchIdentity]:
    """
    Ask a server for C{external_ids:system-id} and C{external_ids:hostname} of
    its Open_vSwitch table (ovs-vswitchd.conf.db(5)).

    @return: the identity, with None for what the switch does not have. It
        fails as L{OvsdbProtocol.transact} does, and with L{ProtocolViolation}
        if the answer is not understood.
    """
    select = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["external_ids"]}
    return protocol.transact(database, select).addCallback(_identityOf)


def _identityOf(results: Any) -> SwitchIdentity:
    try:
        rows = results[0]["rows"]
        value = rows[0]["external_ids"] if rows else EMPTY_MAP
    except (TypeError, KeyError, IndexError) as e:
        raise ProtocolViolation(f"not the rows of a select: {describe(results)}") from e
    ids = stringMap("external_ids", value)
    return SwitchIdentity(ids.get("system-id") or None, ids.get("hostname") or None)


async def followLeader(protocol: OvsdbProtocol, database: str) -> None:
    """
    Ask whether the server leads the cluster of this database (ovsdb(7)). From
    then on, abort the connection with L{NotLeader} as soon as it does not. A
    server always leads a database that is not clustered.

    @raise NotLeader: if it does not lead the cluster now. Servers without a
        database C{_Server} are too old for clusters, and pass.
    """
    replica = DatabaseReplica(SERVER)

    def check(changes: object) -> None:
        for row in replica.tables["Database"].values():
            if row["name"] == database and row["model"] == "clustered":
                if not row["connected"]:
                    raise NotLeader("this server is cut off from its cluster")
                if not row["leader"]:
                    raise NotLeader("this server does not lead its cluster")

    try:
        check(await protocol.follow(replica, "twisted_ovsdb_cluster", check))
    except RpcError as e:
        if e.error != "unknown database":
            raise
