# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which switch is at the other end of a connection. Its address does not say it:
a host may change its address, and an address may get another host.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.wire.notation import EMPTY_MAP, stringMap


def identify(protocol: OvsdbProtocol, database: str = "Open_vSwitch") -> Deferred[SwitchIdentity]:
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
    external_ids = stringMap("external_ids", value)
    return SwitchIdentity(
        external_ids.get("system-id") or None, external_ids.get("hostname") or None
    )
