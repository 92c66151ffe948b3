# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Open_vSwitch table, as far as it says which switch this is. The address of a
server does not say it: a host may change its address, and an address may get
another host.
"""

from __future__ import annotations

from typing import Final

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.wire.notation import JSONRow, stringMap

SWITCH_TABLE: Final = "Open_vSwitch"


class IdentityRows:
    """
    Reads the identity from the row of the Open_vSwitch table, which has one row.

    @cvar columns: the columns to monitor.
    @cvar required: none: a server without this table is monitored without it.
    """

    columns: Final = ("external_ids",)
    required: Final[frozenset[str]] = frozenset()

    def whole(self, uuid: str, row: JSONRow) -> SwitchIdentity:
        """
        Read a row.

        @raise ProtocolViolation: if a column is missing or is not of its type.
        """
        if "external_ids" not in row:
            raise ProtocolViolation("column external_ids: missing")
        ids = stringMap("external_ids", row["external_ids"])
        return SwitchIdentity(ids.get("system-id") or None, ids.get("hostname") or None)
