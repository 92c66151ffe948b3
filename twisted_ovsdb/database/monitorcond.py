# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The dialect C{monitor_cond}: ovsdb-server(7), sections 4.1.12 and 4.1.14.

Only what differs is told, and a column that has its default is left out. Open
vSwitch has it since 2.6.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from twisted_ovsdb.database.dialects import DifferingRows, rowObject
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow


@attrs.frozen
class MonitorCond:
    """
    A row update has one member: C{initial}, C{insert}, C{modify} or C{delete}.
    """

    method: str = "monitor_cond"
    notification: str = "update2"

    def initial(self, rows: DifferingRows[Any], uuid: str, update: JSONRow) -> Any:
        """
        Read a row of the initial reply.
        """
        member, content = _only(update)
        if member != "initial":
            raise ProtocolViolation(f"{describe(member)} in an initial reply")
        return rows.withDefaults(uuid, rowObject(member, content))

    def change(self, rows: DifferingRows[Any], uuid: str, update: JSONRow, before: Any) -> Any:
        """
        Read a row that is inserted, modified or deleted.
        """
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
    """
    The one member that a row update has.
    """
    if len(update) != 1:
        raise ProtocolViolation(f"not one of its members: {describe(list(update))}")
    return next(iter(update.items()))


MONITOR_COND: Final = MonitorCond()
