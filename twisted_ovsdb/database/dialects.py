# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The dialects: the ways in which a server reports the rows of tables.

C{monitor} (RFC 7047, sections 4.1.5 and 4.1.6) is known to every server, which
sends the whole row each time. C{new} and C{old} tell whether a row is inserted,
modified or deleted; an C{old} that is empty is present too.

With C{monitor_cond} (ovsdb-server(7), sections 4.1.12 and 4.1.14; Open vSwitch 2.6
and newer), the server sends only what differs, and leaves out a column that has
its default value. A row update has one member: C{initial}, C{insert}, C{modify} or
C{delete}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow


@attrs.frozen
class Dialect:
    """
    How to read row updates. Each function gets an object that reads the columns
    of the table, a UUID and a row update. It raises L{ProtocolViolation} if the
    row update is wrong, or does not fit the row that is known; the caller adds
    which row it was.

    @ivar method: the request that begins it.
    @ivar notification: the notification of changes.
    @ivar initial: reads a row update of the initial reply; returns the row's
        value.
    @ivar change: reads a row update of a notification. It also gets the row's
        value before, None if the row is not known; it returns the value now,
        None if the row is gone.
    """

    method: str
    notification: str
    initial: Callable[[Any, str, JSONRow], Any]
    change: Callable[[Any, str, JSONRow, Any], Any]


def _rowObject(member: str, value: Any) -> JSONRow:
    if type(value) is not dict:
        raise ProtocolViolation(f"{member} is no object: {describe(value)}")
    return value


class WholeRows(Protocol):
    """
    What C{monitor} needs to read the rows of a table. The method returns the
    row's value, and raises L{ProtocolViolation} that names the column.
    """

    def whole(self, uuid: str, row: JSONRow) -> Any:
        """Read a row with all its columns."""


def _initialWhole(rows: WholeRows, uuid: str, update: JSONRow) -> Any:
    if "old" in update or "new" not in update:
        raise ProtocolViolation("an initial reply has only new rows")
    return rows.whole(uuid, _rowObject("new", update["new"]))


def _changeWhole(rows: WholeRows, uuid: str, update: JSONRow, before: Any) -> Any:
    if "old" in update:
        _rowObject("old", update["old"])
        if before is None:
            raise ProtocolViolation("is modified or deleted, and was never inserted")
        if "new" not in update:
            return None
    elif "new" not in update:
        raise ProtocolViolation("the update has neither old nor new")
    elif before is not None:
        raise ProtocolViolation("is inserted, and exists already")
    return rows.whole(uuid, _rowObject("new", update["new"]))


MONITOR: Final = Dialect("monitor", "update", _initialWhole, _changeWhole)


class DifferingRows(Protocol):
    """
    What C{monitor_cond} needs to read the rows of a table. Each method returns
    the row's value, and raises L{ProtocolViolation} that names the column.
    """

    def withDefaults(self, uuid: str, row: JSONRow) -> Any:
        """Read a row without the columns that have their default value."""

    def modified(self, uuid: str, before: Any, differences: JSONRow) -> Any:
        """Apply the differences of some columns to a row's value."""


def _initialDiffering(rows: DifferingRows, uuid: str, update: JSONRow) -> Any:
    member, content = _only(update)
    if member != "initial":
        raise ProtocolViolation(f"{describe(member)} in an initial reply")
    return rows.withDefaults(uuid, _rowObject(member, content))


def _changeDiffering(rows: DifferingRows, uuid: str, update: JSONRow, before: Any) -> Any:
    member, content = _only(update)
    if member == "insert":
        if before is not None:
            raise ProtocolViolation("is inserted, and exists already")
        return rows.withDefaults(uuid, _rowObject(member, content))
    if member not in ("modify", "delete"):
        raise ProtocolViolation(f"{describe(member)} in an update")
    if before is None:
        raise ProtocolViolation(f"{member}: it was never inserted")
    if member == "delete":
        return None
    return rows.modified(uuid, before, _rowObject(member, content))


def _only(update: JSONRow) -> tuple[str, Any]:
    if len(update) != 1:
        raise ProtocolViolation(f"not one of its members: {describe(list(update))}")
    return next(iter(update.items()))


MONITOR_COND: Final = Dialect("monitor_cond", "update2", _initialDiffering, _changeDiffering)
