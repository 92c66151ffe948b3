# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The difference between what an observer was told of interfaces and what is present
now, taken one event after another.

No copy is kept of what was told: an interface that does not wait here was told as
it is now. An observer that keeps up costs nothing. For a slow one, no more waits
than the interfaces told and the interfaces present.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from twisted_ovsdb.events import (
    Cause,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    makeChanged,
    makeEvent,
)
from twisted_ovsdb.openvswitch.present import Sight
from twisted_ovsdb.openvswitch.transitions import Transition, sameAsTold, transition

# Looked up once: CPython 3.11 is slow to find a member of an enum.
_OFFLINE, _CHANGED, _ONLINE = Transition.OFFLINE, Transition.CHANGED, Transition.ONLINE

Waiting = OrderedDict[str, "OvsInterface | None"]


class Difference:
    """
    What an observer has to be told of interfaces: offline events first, then changed,
    then online.

    @ivar begun: whether L{note} does something. What is present when it begins is
        compared all at once.
    """

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self.begun = False
        # UUID -> the interface as told. Ordered dicts, because taking the
        # first item of a plain dict again and again is quadratic.
        self._offline: Waiting = OrderedDict()
        self._changed: Waiting = OrderedDict()
        self._online: Waiting = OrderedDict()
        # Online too, and told before these: what is new when it begins.
        self._fresh: dict[str, None] = {}
        self._order: list[OvsInterface] = []  # in which those are told, from the end

    def __len__(self) -> int:
        """How many interfaces differ from what was told about them."""
        waiting = len(self._offline) + len(self._changed) + len(self._online)
        return waiting + len(self._fresh)

    def begin(self, told: Mapping[str, OvsInterface]) -> None:
        """
        Compare what is present with what was told.

        @param told: by UUID, the interfaces that were told; none of them waits.
        """
        self.begun = True
        seen = self._sight.interfaces()
        rows: Any = self._sight.present.rows
        # Of a copied dict, the new one is made in a fifth of the time.
        everything = len(seen) == len(rows)
        self._fresh = dict.fromkeys(rows.copy() if everything else [row.uuid for row in seen])
        self._order = list(reversed(seen))
        for uuid, before in told.items():
            self._fresh.pop(uuid, None)
            now = self._sight.get(uuid)
            if not sameAsTold(before, now):
                self._wait(uuid, before, now)

    def clear(self) -> None:
        """Nothing waits, and nothing is noted until L{begin}."""
        self.begun = False
        self._offline.clear()
        self._changed.clear()
        self._online.clear()
        self._fresh, self._order = {}, []

    def shrink(self) -> None:
        """Give back the memory that was needed to begin; to be called when nothing waits."""
        self._fresh, self._order = {}, []

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """
        Note that a row has changed.

        @param before: the row before this change, None if there was none.
        @param now: the row now, which differs from C{before}; None if it is
            gone.
        """
        if not self.begun:
            return
        if not self._sight.whole:
            before, now = self._sight.of(before), self._sight.of(now)
        for waiting in (self._offline, self._changed, self._online, self._fresh):
            if uuid in waiting:
                told = waiting.pop(uuid)
                if told != now:
                    self._wait(uuid, told, now)
                return
        if before is not None and before.kind is None:
            before = None
        self._wait(uuid, before, now)

    def _wait(self, uuid: str, told: OvsInterface | None, now: OvsInterface | None) -> None:
        step = transition(told, now)
        if step is _ONLINE:
            self._online[uuid] = None
        elif step is _CHANGED:
            self._changed[uuid] = told
        elif step is _OFFLINE:
            self._offline[uuid] = told

    def nextTold(self) -> OvsInterface | None:
        """
        The interface of the next event, as it was told. None: it was not told, or
        there is no event.
        """
        waiting = self._offline or self._changed
        return next(iter(waiting.values()), None)

    def nextEvent(
        self, cause: Cause
    ) -> InterfaceOffline | InterfaceChanged | InterfaceOnline | None:
        """
        Take the next event. From here on it counts as told.

        @return: None if nothing waits.
        """
        present = self._sight.present
        told: Any
        if self._offline:
            uuid, told = self._offline.popitem(last=False)
            self._wait(uuid, None, self._sight.get(uuid))
            return makeEvent(InterfaceOffline, told, cause, present.source, present.identity)
        if self._changed:
            uuid, told = self._changed.popitem(last=False)
            now = present.rows[uuid]
            return makeChanged(now, cause, present.source, told, present.identity)
        if self._fresh or self._online:
            uuid = self._nextFresh() if self._fresh else self._online.popitem(last=False)[0]
            now = present.rows[uuid]
            return makeEvent(InterfaceOnline, now, cause, present.source, present.identity)
        return None

    def _nextFresh(self) -> str:
        while True:
            uuid = self._order.pop().uuid
            if uuid in self._fresh:
                del self._fresh[uuid]
                return uuid

    # What was told

    def untold(self) -> set[str]:
        """The UUIDs of what is present and was not told."""
        return {*self._fresh, *self._online}

    def gone(self) -> list[OvsInterface]:
        """What was told and is to be told as offline, as it was told."""
        return [row for row in self._offline.values() if row is not None]

    def told(self) -> dict[str, OvsInterface]:
        """By UUID, every interface that was told, as it was told."""
        untold = self.untold()
        told = {row.uuid: row for row in self._sight.interfaces() if row.uuid not in untold}
        for waiting in (self._offline, self._changed):
            told.update((uuid, row) for uuid, row in waiting.items() if row is not None)
        return told
