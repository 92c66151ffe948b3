# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is known of one switch now, and what an observer sees of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted_ovsdb.events import UNIDENTIFIED, OvsInterface

Wants = Callable[[OvsInterface], bool]
"""Whether an observer is told of an interface that has a kind."""


class Present:
    """
    What is known of one switch now. The trackers of all observers share it.

    @ivar rows: every interface, with or without a kind.
    @ivar source: the server, as its endpoint was written; of a switch that
        connected to a listener, its key.
    @ivar identity: the identity of the switch, if the server was asked.
    @ivar current: whether the rows are what the server has now.
    @ivar snapshots: how often they became that.
    @ivar exclusive: whether another process may tell of this switch in the place of
        this one: it does so while it has a lock that only one of them can have.
    @ivar inSync: whether observers may be told: the rows are current, and this process
        has the lock, if there is one.
    @ivar session: how often that has begun.
    @ivar reason: why it has ended last.
    """

    def __init__(
        self, rows: Mapping[str, OvsInterface], source: str = "", exclusive: bool = False
    ) -> None:
        self.rows = rows
        self.current = False
        self.snapshots = 0
        self.exclusive = exclusive
        self.source = source
        self.identity = UNIDENTIFIED
        self.session = 0
        self.inSync = False
        self.reason: BaseException | None = None

    @property
    def switch(self) -> str:
        """The key of the switch: that of its identity, else the source."""
        return self.identity.key or self.source

    def interfaces(self) -> tuple[OvsInterface, ...]:
        """Every interface that has a kind."""
        return tuple(row for row in self.rows.values() if row.kind is not None)


class Sight:
    """
    What one observer sees of a switch: an interface that it does not want has no
    kind for it.

    @ivar present: what is known now.
    """

    def __init__(self, present: Present, wants: Wants | None) -> None:
        """@param wants: of which interfaces the observer is told; None: of all."""
        self.present = present
        self._wants = wants

    @property
    def whole(self) -> bool:
        """Whether the observer is told of every interface that has a kind."""
        return self._wants is None

    def interfaces(self) -> tuple[OvsInterface, ...]:
        """Every interface that the observer sees."""
        found = self.present.interfaces()
        return found if self._wants is None else tuple(filter(self._wants, found))

    def get(self, uuid: str) -> OvsInterface | None:
        """As L{of}, of the row that has this UUID now."""
        return self.of(self.present.rows.get(uuid))

    def of(self, row: OvsInterface | None) -> OvsInterface | None:
        """The row, if the observer may see it. It may have no kind."""
        if row is None or self._wants is None:
            return row
        return row if row.kind is not None and self._wants(row) else None
