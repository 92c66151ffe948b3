# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The dialect C{monitor_cond_since} (ovsdb-server(7), sections 4.1.15 and 4.1.16;
Open vSwitch 2.12 and newer). It is C{monitor_cond} with transaction ids: a client
that was away names the last transaction it knows. A server that keeps history
(a member of a cluster, a relay) then sends only what has happened since. A server
without it, such as a switch's own, sends everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.database.tableset import MonitoredTable
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow, isUUID
from twisted_ovsdb.wire.rowreader import RowReader

NO_TRANSACTION: Final = "00000000-0000-0000-0000-000000000000"
"""The transaction id that asks for everything. Servers without history report it."""

MONITOR_COND_SINCE: Final = Dialect(
    "monitor_cond_since", "update3", MONITOR_COND.initial, MONITOR_COND.change
)


class SinceReader(RowReader):
    """
    Reads the reply to C{monitor_cond_since}: whole rows, or the differences from
    the rows that are known.
    """

    def __init__(self, tables: Mapping[str, MonitoredTable]) -> None:
        super().__init__({name: partial(self._readRow, table) for name, table in tables.items()})
        self._found: set[bool] = set()  # whether rows were differences

    def begin(self, reply: Any) -> tuple[bool, str, object]:
        """
        Read what stands around the rows of the reply.

        @return: whether its rows are differences, its transaction id, and the
            C{<table-updates2>}, for L{readRest}.
        @raise ProtocolViolation: if it is wrong.
        """
        if type(reply) is not list or len(reply) != 3 or type(reply[0]) is not bool:
            raise ProtocolViolation(f"not found, last-txn-id and updates: {describe(reply)}")
        found, lastId, updates = reply
        return found, _transaction(lastId), updates

    def end(self, found: bool) -> None:
        """@raise ProtocolViolation: if a row was not as C{found} says."""
        if self._found - {found}:
            kind = "whole rows" if found else "differences"
            raise ProtocolViolation(f"{kind} in a reply whose found is {found}")

    def _readRow(self, table: MonitoredTable, uuid: str, update: JSONRow) -> Any:
        found = "initial" not in update
        self._found.add(found)
        if not found:
            return MONITOR_COND.initial(table.rows, uuid, update)
        return MONITOR_COND.change(table.rows, uuid, update, table.replica.rows.get(uuid))


def readUpdate3(content: Any) -> tuple[str, object]:
    """
    Read the params of C{update3} after the monitor's name.

    @return: the transaction id, and the C{<table-updates2>}.
    @raise ProtocolViolation: if the id is no UUID.
    """
    lastId, updates = content
    return _transaction(lastId), updates


def _transaction(lastId: object) -> str:
    if type(lastId) is not str or not isUUID(lastId):
        raise ProtocolViolation(f"not a transaction id: {describe(lastId)}")
    return lastId
