# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whether a server leads the cluster of a database (ovsdb(7)), asked of the server
itself.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.database.tableset import MonitoredTable, TableSet
from twisted_ovsdb.errors import NotLeader, ProtocolViolation, RpcError
from twisted_ovsdb.wire.notation import JSONRow, datum, string

MONITOR_ID: Final = "twisted_ovsdb_cluster"

_TABLE: Final = "Database"


@attrs.frozen
class _Database:
    """
    A row of the table Database in the database _Server (ovsdb-server(5)).
    """

    name: str
    isLeader: bool
    isConnected: bool


class _DatabaseRows:
    """
    Reads these rows. A server always leads a database that is not clustered.
    """

    columns = ("name", "model", "connected", "leader")

    def whole(self, uuid: str, row: JSONRow) -> _Database:
        """
        Read a row.
        """
        for column in self.columns:
            if column not in row:
                raise ProtocolViolation(f"column {column}: missing")
        clustered = string("model", row["model"]) == "clustered"
        return _Database(
            string("name", row["name"]),
            not clustered or datum("leader", row["leader"]) is True,
            not clustered or datum("connected", row["connected"]) is True,
        )


class Leadership:
    """
    Watches whether a server leads the cluster of a database, and aborts the
    connection with L{NotLeader} as soon as it does not.
    """

    def __init__(self, protocol: OvsdbProtocol, database: str) -> None:
        self._protocol = protocol
        self._database = database
        self._replica: Replica[_Database] = Replica()
        table = MonitoredTable(_DatabaseRows(), self._replica)
        self._tables = TableSet(MONITOR, {_TABLE: table})

    async def follow(self) -> None:
        """
        Ask whether the server leads the cluster, and watch from now on.

        @raise NotLeader: if it does not lead the cluster now. Servers without
            a database C{_Server} are too old for clusters, and pass.
        """
        try:
            tables = await self._protocol.monitor(
                "_Server", MONITOR_ID, self._tables.requests(), self._update
            )
        except RpcError as e:
            if e.error != "unknown database":
                raise
            return
        list(self._replica.replace(self._tables.reader().readAll(tables)[_TABLE]))
        self._check()

    def _update(self, tables: Any) -> None:
        list(self._replica.apply(self._tables.readUpdate(tables).get(_TABLE, {})))
        self._check()

    def _check(self) -> None:
        for row in self._replica.rows.values():
            if row.name == self._database:
                if not row.isConnected:
                    raise NotLeader("this server is cut off from its cluster")
                if not row.isLeader:
                    raise NotLeader("this server does not lead its cluster")
