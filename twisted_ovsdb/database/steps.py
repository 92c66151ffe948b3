# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The difference between the rows that somebody was told and the rows that are known
now, as one step.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from twisted_ovsdb.database.schema import Row
from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.events import Cause


@attrs.frozen(repr=False)
class Step:
    """
    Changes that are told together.

    @ivar changes: each row that differs, once.
    @ivar cause: INITIAL for the first snapshot, RESYNC if there was an outage
        since the step before, else UPDATE.
    """

    changes: tuple[RowChange, ...]
    cause: Cause

    def __repr__(self) -> str:
        # A step may have 100,000 rows, and logs show it.
        return f"<{len(self.changes)} changes, {self.cause.value}>"


class ChangeTracker:
    """
    What was told of the rows, and what has to be told.

    It keeps no copy of what it told: a row that does not wait in the tracker was
    told as it is now.

    @ivar session: the number of snapshots so far.
    """

    def __init__(self, rows: Mapping[str, Mapping[str, Row]]) -> None:
        """@param rows: the rows that are known, by table and UUID."""
        self.session = 0
        self._rows = rows
        self._told = 0  # the session of the last step
        # By table and UUID, the row as it was told; None if it was not.
        self._waiting: dict[tuple[str, str], Row | None] = {}

    def note(self, change: RowChange) -> None:
        """Note that a row has changed."""
        key = (change.table, change.uuid)
        if key not in self._waiting:
            self._waiting[key] = change.before
        elif self._waiting[key] == change.now:
            del self._waiting[key]

    def nextStep(self) -> Step | None:
        """
        Take the difference, after the first snapshot. From then on it counts as told.

        @return: None if there is none. The first step is told also if there are
            no rows.
        """
        if self._told == 0:
            cause = Cause.INITIAL
        elif not self._waiting:
            self._told = self.session
            return None
        else:
            cause = Cause.UPDATE if self._told == self.session else Cause.RESYNC
        self._told = self.session
        waiting, self._waiting = self._waiting, {}
        changes = [
            RowChange(table, uuid, told, self._rows[table].get(uuid))
            for (table, uuid), told in waiting.items()
        ]
        return Step(tuple(changes), cause)
