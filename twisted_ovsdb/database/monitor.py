# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The dialect C{monitor} (RFC 7047, sections 4.1.5 and 4.1.6), which every server
has. The server sends the whole row each time. C{new} and C{old} tell whether a
row is inserted, modified or deleted; an C{old} that is empty is present too.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from twisted_ovsdb.database.dialects import Dialect, rowObject
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.notation import JSONRow


class WholeRows(Protocol):
    """
    What C{monitor} needs to read the rows of a table. The method returns the
    row's value, and raises L{ProtocolViolation} that names the column.
    """

    def whole(self, uuid: str, row: JSONRow) -> Any:
        """Read a row with all its columns."""


def _initial(rows: WholeRows, uuid: str, update: JSONRow) -> Any:
    if "old" in update or "new" not in update:
        raise ProtocolViolation("an initial reply has only new rows")
    return rows.whole(uuid, rowObject("new", update["new"]))


def _change(rows: WholeRows, uuid: str, update: JSONRow, before: Any) -> Any:
    if "old" in update:
        rowObject("old", update["old"])
        if before is None:
            raise ProtocolViolation("is modified or deleted, and was never inserted")
        if "new" not in update:
            return None
    elif "new" not in update:
        raise ProtocolViolation("the update has neither old nor new")
    elif before is not None:
        raise ProtocolViolation("is inserted, and exists already")
    return rows.whole(uuid, rowObject("new", update["new"]))


MONITOR: Final = Dialect("monitor", "update", _initial, _change)
