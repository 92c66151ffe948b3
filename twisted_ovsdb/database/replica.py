# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rows of one table as the server has them.

What has been read is applied here, and that cannot fail: reading, which can,
is over by then (L{TableSet <twisted_ovsdb.database.tableset.TableSet>}).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from types import MappingProxyType
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Replica(Generic[Row]):
    """
    One table's rows by UUID. It outlives the connections that feed it.

    @ivar rows: every row that exists, read-only and alive.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)

    def replace(self, rows: dict[str, Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
        """
        Put a snapshot in the place of all that is known.

        @return: the UUID, the row before and the row now, of each row that
            is not the same; applied when it has been iterated over.
        """
        if not self._rows:
            # The first one: nothing of it is there, so nothing is looked for.
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
        Apply what an update makes of rows: their values, None for a row that
        is gone.

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
