# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whether a server leads the cluster of a database (ovsdb(7)), asked of the server
itself.
"""

from __future__ import annotations

from typing import Final

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica
from twisted_ovsdb.errors import NotLeader, RpcError

MONITOR_ID: Final = "twisted_ovsdb_cluster"

SCHEMA: Final = DatabaseSchema.parse(
    {
        "name": "_Server",
        "tables": {
            "Database": {
                "columns": {
                    "name": {"type": "string"},
                    "model": {"type": "string"},
                    "connected": {"type": "boolean"},
                    "leader": {"type": "boolean"},
                }
            }
        },
    }
)
"""The columns of the database C{_Server} (ovsdb-server(5)) that are read here."""


async def followLeader(protocol: OvsdbProtocol, database: str) -> None:
    """
    Ask whether the server leads the cluster of this database. From then on,
    abort the connection with L{NotLeader} as soon as it does not. A server
    always leads a database that is not clustered.

    @raise NotLeader: if it does not lead the cluster now. Servers without a
        database C{_Server} are too old for clusters, and pass.
    """
    replica = DatabaseReplica(SCHEMA)

    def check(changes: object) -> None:
        for row in replica.tables["Database"].values():
            if row["name"] == database and row["model"] == "clustered":
                if not row["connected"]:
                    raise NotLeader("this server is cut off from its cluster")
                if not row["leader"]:
                    raise NotLeader("this server does not lead its cluster")

    try:
        check(await protocol.follow(replica, MONITOR_ID, check))
    except RpcError as e:
        if e.error != "unknown database":
            raise
