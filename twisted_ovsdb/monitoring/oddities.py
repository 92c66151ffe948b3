# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the log says of a server that is older than others, or whose tables are odd:
each thing once, however often the client connects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twisted.logger import Logger

from twisted_ovsdb.errors import printable
from twisted_ovsdb.openvswitch.present import Present

TORN: Final = 100
"""Interfaces on several bridges that are remembered to have been logged."""


class OdditiesLog:
    """Warns of what is odd about one server."""

    _log = Logger()

    def __init__(self, present: Present, bridges: bool) -> None:
        """@param bridges: whether the tables Bridge and Port are monitored too."""
        self._present = present
        self._cost = (
            "each new port costs as many bytes as its bridge has ports"
            if bridges
            else "each change costs the whole row of the interface"
        )
        self._lacking: dict[str, frozenset[str]] = {}  # by table
        self._fellBack = False
        self._torn: set[str] = set()  # names of interfaces

    def lacking(self, lacking: Mapping[str, frozenset[str]]) -> None:
        """
        The server does not have some columns.

        @param lacking: the columns by table.
        """
        for table, columns in lacking.items():
            new = columns - self._lacking.get(table, frozenset())
            if new:
                self._lacking[table] = columns
                self._log.warn(
                    "{source}: table {table} has no column {columns}; going on without",
                    source=printable(self._present.source),
                    table=table,
                    columns=", ".join(sorted(new)),
                )

    def fellBack(self, method: str) -> None:
        """The server does not know the request that this monitor would use."""
        if not self._fellBack:
            self._fellBack = True
            self._log.warn(
                "{source}: the server is too old for {method}; monitor is used, with which {cost}",
                source=printable(self._present.source),
                method=method,
                cost=self._cost,
            )

    def torn(self, torn: Mapping[str, tuple[str, ...]]) -> None:
        """
        Interfaces are on several bridges.

        @param torn: the names of these bridges, by the UUID of the interface.
        """
        for uuid, bridges in torn.items():
            row = self._present.rows.get(uuid)
            if row is None or row.name in self._torn:
                continue
            if len(self._torn) >= TORN:
                self._torn.clear()
            self._torn.add(row.name)
            self._log.warn(
                "{source}: interface {name} is on several bridges: {bridges}; the first one counts",
                source=printable(self._present.source),
                name=printable(row.name),
                bridges=printable(", ".join(bridges)),
            )
