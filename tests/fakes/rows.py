# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Rows of the Interface table, messages with such rows, and the interfaces that
are made from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.rows import InterfaceRows

_ROWS = InterfaceRows(ClassificationRules())


def uuid(number: int) -> str:
    """
    A UUID for each number.
    """
    return f"{number:08x}-0000-4000-8000-000000000000"


def jsonRow(
    name: str,
    type: str = "",
    ofport: int | None = None,
    error: str | None = None,
    external_ids: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    A row of the Interface table as ovsdb-server writes it.
    """
    return {
        "name": name,
        "type": type,
        "ofport": ["set", []] if ofport is None else ofport,
        "error": ["set", []] if error is None else error,
        "external_ids": ["map", [list(item) for item in (external_ids or {}).items()]],
        "options": ["map", [list(item) for item in (options or {}).items()]],
    }


def vmRow(name: str, ifaceId: str = "port", ofport: int | None = None) -> dict[str, Any]:
    """
    The row of a VM's interface.
    """
    return jsonRow(name, ofport=ofport, external_ids={"iface-id": ifaceId})


def interface(number: int, row: Mapping[str, Any]) -> OvsInterface:
    """
    The interface that observers are told for a row.
    """
    return _ROWS.whole(uuid(number), row)


def vm(number: int, ifaceId: str = "port", ofport: int | None = None) -> OvsInterface:
    """
    A VM's interface.
    """
    return interface(number, vmRow(f"tap{number}", ifaceId, ofport))


def plain(number: int) -> OvsInterface:
    """
    An interface without a kind.
    """
    return interface(number, jsonRow(f"tap{number}"))


def reply(messageId: int, rows: Mapping[int, Mapping[str, Any]]) -> bytes:
    """
    The reply to C{monitor}: rows by the number of their UUID.
    """
    tables = {"Interface": {uuid(n): {"new": row} for n, row in rows.items()}} if rows else {}
    return json.dumps({"id": messageId, "result": tables, "error": None}).encode()


def update(rows: Mapping[int, Mapping[str, Any]], monitorId: str = "twisted_ovsdb") -> bytes:
    """
    An update notification: C{new} and C{old} by the number of their UUID.
    """
    tables = {"Interface": {uuid(n): row for n, row in rows.items()}}
    return json.dumps({"id": None, "method": "update", "params": [monitorId, tables]}).encode()
