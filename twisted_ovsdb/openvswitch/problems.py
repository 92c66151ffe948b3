# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which problems have lasted: what is wrong now becomes a problem when it has been so
for a time, and the problem ends when it has not been so for as long. Whatever is
shorter, such as an error that ovs-vswitchd clears and sets anew at each
reconfiguration, is never seen here.

The time is passed in, in seconds that never jump.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import attrs

from twisted_ovsdb.events import OvsInterface, Problem
from twisted_ovsdb.openvswitch.conditions import (
    OF_INTERFACES,
    SWITCH,
    Conditions,
    Configuration,
    Key,
)

_NOT_APPLYING = (SWITCH, Problem.NOT_APPLYING)


@attrs.define(eq=False)
class Lasting:
    """
    A problem that has lasted for long enough to be told.

    @ivar began: when it began.
    @ivar since: the same, in seconds since the epoch.
    @ivar ended: when it ended; None while it is there.
    """

    began: float
    since: float
    ended: float | None = None


class Problems:
    """
    The problems of one switch. L{note} and L{configure} say what has changed,
    L{look} looks at it, and L{ripen} says what has lasted.

    No more is kept than an entry for each interface, and for each problem of one.

    @ivar found: the problems that have lasted, and have not ended.
    @ivar now: the time of the latest call.
    """

    def __init__(self, rows: Mapping[str, OvsInterface], after: float) -> None:
        """
        @param rows: the interfaces by UUID, as they are now.
        @param after: how many seconds it has to last.
        """
        self.conditions = Conditions(rows)
        self.found: dict[Key, Lasting] = {}
        self.now = 0.0
        self._rows = rows
        self._after = after
        self._changed: dict[str, None] = {}  # to be looked at
        # When it began, and for those that were found when it ended: the first first.
        self._begun: dict[Key, float] = {}
        self._ending: dict[Key, float] = {}

    def clear(self) -> None:
        """Nothing is known of the switch any more: end everything."""
        for lasting in self.found.values():
            lasting.ended = self.now
        self.conditions.clear()
        for kept in (self.found, self._changed, self._begun, self._ending):
            kept.clear()

    def restart(self, now: float) -> None:
        """
        Begin to measure again: nobody knows what was so before. To be called when
        everything that has changed has been looked at.
        """
        self._begun = dict.fromkeys(self._begun, now)
        self._ending = dict.fromkeys(self._ending, now)

    # What is so now

    def note(self, uuid: str, before: object, now: object) -> None:
        """Note that an interface has changed."""
        self._changed[uuid] = None

    @property
    def changed(self) -> int:
        """How many interfaces are to be looked at."""
        return len(self._changed)

    def look(self, now: float, count: int) -> list[Key]:
        """
        Look at some of the interfaces that have changed.

        @param count: how many, at most.
        @return: the problems that were found of these interfaces: what observers
            see of them may be another.
        """
        self.now = now
        concerned: list[Key] = []
        for _ in range(min(count, len(self._changed))):
            uuid, _ = self._changed.popitem()
            for key, holds in self.conditions.look(uuid):
                self._hold(key, holds)
            if self.found:
                keys = [(uuid, problem) for problem in OF_INTERFACES]
                concerned += [key for key in keys if key in self.found]
            if uuid not in self._rows:
                self._gone(uuid)
        return concerned

    def configure(self, configuration: Configuration | None, now: float) -> None:
        """
        Note the configuration of the switch.

        @param configuration: None if the server does not say it.
        """
        self.now = now
        before = self.conditions.configuration
        if configuration == before:
            return
        self.conditions.configuration = configuration
        behind = configuration is not None and configuration[1] < configuration[0]
        if before is None or configuration is None or configuration[1] != before[1]:
            # It has come further: it is not stuck at what it is behind now.
            self._begun.pop(_NOT_APPLYING, None)
        self._hold(_NOT_APPLYING, behind)

    def _hold(self, key: Key, holds: bool) -> None:
        if key in self.found:
            if holds:
                self._ending.pop(key, None)
            else:
                self._ending.setdefault(key, self.now)
        elif holds:
            self._begun.setdefault(key, self.now)
        else:
            self._begun.pop(key, None)

    def _gone(self, uuid: str) -> None:
        for problem in OF_INTERFACES:
            key = (uuid, problem)
            self._begun.pop(key, None)
            if key in self.found:
                self._end(key, self._ending.pop(key, self.now))

    def _end(self, key: Key, ended: float) -> None:
        self.found.pop(key).ended = ended

    # What has lasted

    @property
    def due(self) -> float | None:
        """When L{ripen} is to be called; None if nothing waits."""
        first = [next(iter(each.values())) for each in (self._begun, self._ending) if each]
        return min(first) + self._after if first else None

    def ripen(self, now: float, epoch: float, count: int) -> Iterator[Key]:
        """
        Find and end what has lasted by now.

        @param epoch: what to add to a time for the seconds since the epoch.
        @param count: how many of each, at most.
        @return: the problems that were found or have ended.
        """
        self.now = now
        for key in self._ripe(self._begun, count):
            began = self._begun.pop(key)
            self.found[key] = Lasting(began, began + epoch)
            yield key
        for key in self._ripe(self._ending, count):
            self._end(key, self._ending.pop(key))
            yield key

    def _ripe(self, times: dict[Key, float], count: int) -> list[Key]:
        first = islice(times.items(), count)
        # As the timer is computed: a difference may be rounded the other way.
        return [key for key, time in first if time + self._after <= self.now]
