# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One session: the monitor of the Interface table on one connection, from the
request to the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_ovsdb.errors import RpcError
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.protocol import OvsdbProtocol
from twisted_ovsdb.replica import Replica
from twisted_ovsdb.rows import InterfaceRows

MONITOR_ID: Final = "twisted_ovsdb"


class MonitorSession:
    """
    Asks for the monitor and reads what comes of it.

    @ivar protocol: the connection.
    """

    def __init__(
        self,
        protocol: OvsdbProtocol,
        rows: InterfaceRows,
        replica: Replica[OvsInterface],
        onSnapshot: Callable[[dict[str, OvsInterface]], None],
        onUpdate: Callable[[dict[str, OvsInterface | None]], None],
    ) -> None:
        """
        @param rows: what to ask for, and how to read it.
        @param replica: what the updates have to fit.
        @param onSnapshot: gets what the initial reply holds.
        @param onUpdate: gets what an update makes of its rows.
        """
        self.protocol = protocol
        self._rows = rows
        self._replica = replica
        self._onSnapshot = onSnapshot
        self._onUpdate = onUpdate

    def start(self, database: str) -> Deferred[None]:
        """
        Ask for the monitor; the first request of a session is this one.

        @return: fires when the snapshot has been applied. After a failure
            other than L{RpcError}, the connection is lost.
        """
        reply = self.protocol.monitor(
            database, MONITOR_ID, self._rows.monitorRequests(), self._updateReceived
        )
        return reply.addCallback(self._replyReceived).addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        if not failure.check(RpcError):
            assert failure.value is not None
            self.protocol.abort(failure.value)
        return failure

    def _replyReceived(self, tables: Any) -> None:
        reading = self._replica.readSnapshot(tables)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                return self._onSnapshot(end.value)

    def _updateReceived(self, tables: Any) -> None:
        self._onUpdate(self._replica.readUpdate(tables))
