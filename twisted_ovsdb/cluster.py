# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Clustered databases (ovsdb(7)): several servers of one database, of which one
is the leader.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from twisted_ovsdb.errors import OvsdbError, RpcError
from twisted_ovsdb.notation import JSONRow, datum, string
from twisted_ovsdb.protocol import OvsdbProtocol
from twisted_ovsdb.replica import Replica

MONITOR_ID: Final = "twisted_ovsdb_cluster"

_COLUMNS: Final = ["name", "model", "connected", "leader"]


class NotLeader(OvsdbError):
    """
    This member of a cluster does not lead it, or is cut off from it.
    """


@implementer(IStreamClientEndpoint)
class ClusterEndpoint:
    """
    The members of one cluster: each attempt goes to the next of them.

    @ivar members: the endpoints, in the order in which they are tried.
    """

    def __init__(self, members: Iterable[IStreamClientEndpoint], shuffle: bool = True) -> None:
        """
        @param shuffle: whether the order is a random one, so that not all
            clients go to the same member.
        @raise ValueError: if there is no member.
        """
        self.members = list(members)
        if not self.members:
            raise ValueError("a cluster needs a member")
        if shuffle:
            random.shuffle(self.members)
        self._next = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Connect to the next member.
        """
        member = self.members[self._next]
        self._next = (self._next + 1) % len(self.members)
        result: Deferred[Any] = member.connect(protocolFactory)
        return result


@attrs.frozen
class _Database:
    """
    A row of _Server.Database (ovsdb-server(5)).
    """

    name: str
    isLeader: bool
    isConnected: bool

    @classmethod
    def read(cls, uuid: str, row: JSONRow) -> _Database:
        """
        Read a row; a database that is not clustered leads itself.
        """
        clustered = string(row, "model") == "clustered"
        return cls(
            string(row, "name"),
            not clustered or datum(row, "leader") is True,
            not clustered or datum(row, "connected") is True,
        )


class Leadership:
    """
    Watches whether a server leads the cluster of a database, and aborts the
    connection with L{NotLeader} as soon as it does not.
    """

    def __init__(self, protocol: OvsdbProtocol, database: str) -> None:
        self._protocol = protocol
        self._database = database
        self._replica = Replica("Database", _Database.read)

    async def follow(self) -> None:
        """
        Ask, and go on watching.

        @raise NotLeader: if it does not lead now. A server so old that it
            has no C{_Server} database knows no clusters.
        """
        try:
            tables = await self._protocol.monitor(
                "_Server", MONITOR_ID, {"Database": [{"columns": _COLUMNS}]}, self._update
            )
        except RpcError as e:
            if e.error != "unknown database":
                raise
            return
        list(self._replica.replace(self._replica.readWholeSnapshot(tables)))
        self._check()

    def _update(self, tables: Any) -> None:
        list(self._replica.apply(self._replica.readUpdate(tables)))
        self._check()

    def _check(self) -> None:
        for row in self._replica.rows.values():
            if row.name == self._database:
                if not row.isConnected:
                    raise NotLeader("this server is cut off from its cluster")
                if not row.isLeader:
                    raise NotLeader("this server does not lead its cluster")
