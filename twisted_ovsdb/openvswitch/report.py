# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The problems of one switch for one observer: the difference between what it was told
and what is so now, between the events of its tracker.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from twisted_ovsdb.events import (
    Event,
    OvsInterface,
    Problem,
    ProblemFound,
    ProblemSolved,
    SwitchIdentity,
)
from twisted_ovsdb.openvswitch.conditions import Key
from twisted_ovsdb.openvswitch.present import Wants
from twisted_ovsdb.openvswitch.problems import Lasting, Problems
from twisted_ovsdb.openvswitch.tracker import Tracker

_SWITCH_WIDE: Final = Problem.NOT_APPLYING

Told = tuple[Lasting, str, "OvsInterface | None"]
"""A problem as it was told: with its detail, and its interface."""


class Report:
    """
    What one observer has to be told of problems, after what its tracker tells.

    Nothing is told between Disconnected and Synchronized. What was told before an
    outage is still told: after it, only what is different. When another switch is
    behind the source, everything that was told is solved, under the old key.
    """

    def __init__(self, problems: Problems, tracker: Tracker, wants: Wants | None = None) -> None:
        """@param wants: of which interfaces the observer is told; None: of all."""
        self._problems = problems
        self._tracker = tracker
        self._wants = wants
        self._told: dict[Key, Told] = {}
        self._waiting: OrderedDict[Key, None] = OrderedDict()
        self._left: list[ProblemSolved] = []  # taken from the end
        self.repeat()

    @property
    def waiting(self) -> int:
        """How many problems may differ from what was told."""
        return len(self._waiting) + len(self._left)

    def note(self, key: Key) -> None:
        """Note that a problem was found or has ended, or that its interface has changed."""
        self._waiting[key] = None

    def repeat(self) -> None:
        """Tell everything once more, to an observer that begins with nothing."""
        self._told, self._left = {}, []
        self._waiting = OrderedDict.fromkeys(self._problems.found)

    def drop(self) -> None:
        """The switch is forgotten: nothing was told of it."""
        self._told, self._left = {}, []
        self._waiting.clear()

    def leave(self) -> None:
        """
        Another switch is behind the source. To be called before the problems of
        this one are cleared, and before its identity is replaced.
        """
        identity = self._tracker.present.identity
        solved = [self._solved(key, told, identity) for key, told in self._told.items()]
        self._told = {}
        self._waiting.clear()
        self._left = [*reversed(solved), *self._left]

    def nextEvent(self) -> Event | None:
        """As L{Tracker.nextEvent}."""
        present = self._tracker.present
        if self._left and (present.inSync or not present.exclusive):
            return self._left.pop()
        event = self._tracker.nextEvent()
        if event is None and self._waiting and self._tracker.toldInSync:
            event = self._difference()
        return event

    def _difference(self) -> Event | None:
        while self._waiting:
            key, _ = self._waiting.popitem(last=False)
            now = self._seen(key)
            told = self._told.get(key)
            if told is not None and told[0] is not now:
                del self._told[key]
                self._waiting[key] = None
                return self._solved(key, told, self._tracker.present.identity)
            if told is None and now is not None:
                return self._found(key, now)
        return None

    def _seen(self, key: Key) -> Lasting | None:
        found = self._problems.found.get(key)
        if found is None or key[1] is _SWITCH_WIDE:
            return found
        row = self._tracker.present.rows.get(key[0])
        if row is None or (self._wants is not None and not self._wants(row)):
            return None
        return found

    def _found(self, key: Key, lasting: Lasting) -> ProblemFound:
        present = self._tracker.present
        interface = present.rows.get(key[0])
        detail = self._problems.conditions.detail(key)
        self._told[key] = lasting, detail, interface
        return ProblemFound(
            key[1], interface, lasting.since, detail, present.source, identity=present.identity
        )

    def _solved(self, key: Key, told: Told, identity: SwitchIdentity) -> ProblemSolved:
        lasting, detail, before = told
        present = self._tracker.present
        # It goes on, but is out of this observer's sight.
        ended = self._problems.now if lasting.ended is None else lasting.ended
        return ProblemSolved(
            key[1],
            present.rows.get(key[0], before),
            lasting.since,
            detail,
            present.source,
            ended - lasting.began,
            identity=identity,
        )
