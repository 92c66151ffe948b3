# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The dialect C{monitor}: RFC 7047, sections 4.1.5 and 4.1.6.

Every row is told whole, so a row update can be applied twice and does no harm.
Every server has it.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from twisted_ovsdb.database.dialects import WholeRows, rowObject
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.notation import JSONRow


@attrs.frozen
class Monitor:
    """
    A row is inserted, modified or deleted as C{new} and C{old} are present; an
    C{old} that is empty is present too.
    """

    method: str = "monitor"
    notification: str = "update"

    def initial(self, rows: WholeRows[Any], uuid: str, update: JSONRow) -> Any:
        """
        Read a row of the initial reply.
        """
        if "old" in update or "new" not in update:
            raise ProtocolViolation("an initial reply has only new rows")
        return rows.whole(uuid, rowObject("new", update["new"]))

    def change(self, rows: WholeRows[Any], uuid: str, update: JSONRow, before: Any) -> Any:
        """
        Read a row that is inserted, modified or deleted.
        """
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


MONITOR: Final = Monitor()
