# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The dialect C{monitor_cond} (ovsdb-server(7), sections 4.1.12 and 4.1.14; Open
vSwitch 2.6 and newer). The server sends only what differs, and leaves out a
column that has its default value. A row update has one member: C{initial},
C{insert}, C{modify} or C{delete}.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from twisted_ovsdb.database.dialects import Dialect, rowObject
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow


class DifferingRows(Protocol):
    """
    What C{monitor_cond} needs to read the rows of a table. Each method returns
    the row's value, and raises L{ProtocolViolation} that names the column.
    """

    def withDefaults(self, uuid: str, row: JSONRow) -> Any:
        """Read a row without the columns that have their default value."""

    def modified(self, uuid: str, before: Any, differences: JSONRow) -> Any:
        """Apply the differences of some columns to a row's value."""


def _initial(rows: DifferingRows, uuid: str, update: JSONRow) -> Any:
    member, content = _only(update)
    if member != "initial":
        raise ProtocolViolation(f"{describe(member)} in an initial reply")
    return rows.withDefaults(uuid, rowObject(member, content))


def _change(rows: DifferingRows, uuid: str, update: JSONRow, before: Any) -> Any:
    member, content = _only(update)
    if member == "insert":
        if before is not None:
            raise ProtocolViolation("is inserted, and exists already")
        return rows.withDefaults(uuid, rowObject(member, content))
    if member not in ("modify", "delete"):
        raise ProtocolViolation(f"{describe(member)} in an update")
    if before is None:
        raise ProtocolViolation(f"{member}: it was never inserted")
    if member == "delete":
        return None
    return rows.modified(uuid, before, rowObject(member, content))


def _only(update: JSONRow) -> tuple[str, Any]:
    if len(update) != 1:
        raise ProtocolViolation(f"not one of its members: {describe(list(update))}")
    return next(iter(update.items()))


MONITOR_COND: Final = Dialect("monitor_cond", "update2", _initial, _change)
