# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a server is asked before it is monitored: which switch it is, if it has
connected to us, and whether it leads its cluster.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica
from twisted_ovsdb.errors import NotLeader, ProtocolViolation, RpcError, describe
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.openvswitch.identity import IDENTITY_COLUMN, SWITCH_TABLE, identityOf
from twisted_ovsdb.wire.notation import stringMap, uuidText

_STRING: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}
_COLUMNS: Final = {"name": _STRING, "model": _STRING, "connected": _BOOLEAN, "leader": _BOOLEAN}

SERVER: Final = DatabaseSchema.parse(
    {"name": "_Server", "tables": {"Database": {"columns": _COLUMNS}}}
)
"""The columns of the database C{_Server} (ovsdb-server(5)) that are read here."""


def askIdentity(
    protocol: OvsdbProtocol, database: str
) -> Deferred[tuple[str, SwitchIdentity] | None]:
    """
    Ask a server for the row of its Open_vSwitch table (ovs-vswitchd.conf.db(5)).

    @return: the UUID of the row, and the identity in it; None if there is no
        row. It fails as L{OvsdbProtocol.transact} does, and with
        L{ProtocolViolation} if the answer is not understood.
    """
    columns = ["_uuid", IDENTITY_COLUMN]
    select = {"op": "select", "table": SWITCH_TABLE, "where": [], "columns": columns}
    return protocol.transact(database, select).addCallback(_identityOf)


def _identityOf(results: Any) -> tuple[str, SwitchIdentity] | None:
    try:
        rows = results[0]["rows"]
        if not rows:
            return None
        row = rows[0]
        uuid, ids = uuidText(row["_uuid"]), row[IDENTITY_COLUMN]
    except (TypeError, KeyError, IndexError) as e:
        raise ProtocolViolation(f"not the rows of a select: {describe(results)}") from e
    if uuid is None:
        raise ProtocolViolation(f"column _uuid: not a UUID: {describe(row['_uuid'])}")
    return uuid, identityOf(stringMap(IDENTITY_COLUMN, ids))


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
        """@raise NotLeader: it does not lead the cluster, or is cut off."""
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
