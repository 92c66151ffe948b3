# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows of one table as the server has them. What
L{TableSet <twisted_ovsdb.database.tableset.TableSet>} has read is applied here,
which cannot fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from types import MappingProxyType
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Replica(Generic[Row]):
    """
    One table's rows. A replica outlives the connections from which it is fed.

    @ivar rows: every row that exists, by UUID; a read-only view.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)

    def replace(self, rows: dict[str, Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Replace all rows by those of a snapshot.

        @return: of each row that is not the same, the UUID, the row before and
            the row now. Everything is applied only at the end of the iteration.
        """
        if not self._rows:
            self._rows.update(rows)
            return zip(rows, repeat(None), rows.values())
        return self._exchange(rows)

    def _exchange(self, rows: dict[str, Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
        for uuid in [uuid for uuid in self._rows if uuid not in rows]:
            yield uuid, self._rows.pop(uuid), None
        yield from self.apply(rows)

    def apply(
        self, changes: Mapping[str, Row | None]
    ) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Apply an update: the rows now, None for a row that is gone.

        @return: as L{replace}.
        """
        rows = self._rows
        for uuid, now in changes.items():
            before = rows.get(uuid)
            if now is None:
                del rows[uuid]
            elif before is not None and before == now:
                continue
            else:
                rows[uuid] = now
            yield uuid, before, now
