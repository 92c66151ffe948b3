# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The difference between what an observer was told and what is so now, as
events.

An observer's tracker keeps no copy of what it told: an interface that does
not wait in it was told as it is now. So an observer that keeps up costs
nothing, and what waits for one that does not is bounded by the interfaces
told and the interfaces present.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
    UnfrozenChange,
)


class Transition(enum.Enum):
    """
    What an observer has to be told next about one interface.
    """

    OFFLINE = enum.auto()
    CHANGED = enum.auto()
    ONLINE = enum.auto()


# Members looked up once: as attributes of their class they take 0.1 us each
# time in CPython 3.11, and every event needs some five of them.
_OFFLINE, _CHANGED, _ONLINE = Transition.OFFLINE, Transition.CHANGED, Transition.ONLINE
_INITIAL, _UPDATE = Cause.INITIAL, Cause.UPDATE
_RESYNC, _REPLAY = Cause.RESYNC, Cause.REPLAY


def transition(told: OvsInterface | None, now: OvsInterface | None) -> Transition | None:
    """
    The one place that decides what a difference means. Another class or
    another iface-id is another thing under the same UUID: its OFFLINE leaves
    nothing told, and that makes the new one ONLINE.

    @param told: the interface as it was told, None if it was not.
    @param now: the interface as it is, which is not as it was told; None if
        it is gone.
    @return: what is to be told, None if nothing is.
    """
    if now is None or now.kind is None:
        return None if told is None else _OFFLINE
    if told is None:
        return _ONLINE
    if told.kind is not now.kind:
        return _OFFLINE
    # Most changes leave the map as it was, and then nothing is looked up.
    if told.external_ids != now.external_ids and told.iface_id != now.iface_id:
        return _OFFLINE
    return _CHANGED


class Present:
    """
    What is so now; the trackers of all observers look at one of these.

    @ivar rows: every interface that is known, with a class or without.
    @ivar source: the server, as its endpoint was written.
    @ivar identity: the switch, where it was asked who it is.
    @ivar session: counts the sessions that have synchronized.
    @ivar inSync: whether the latest of them is up.
    @ivar reason: why the latest session was lost.
    """

    def __init__(self, rows: Mapping[str, OvsInterface], source: str = "") -> None:
        self.rows = rows
        self.source = source
        self.identity = UNIDENTIFIED
        self.session = 0
        self.inSync = False
        self.reason: BaseException | None = None

    def interfaces(self) -> tuple[OvsInterface, ...]:
        """
        Every interface that has a class.
        """
        return tuple(row for row in self.rows.values() if row.kind is not None)


Waiting = OrderedDict[str, "OvsInterface | None"]


class Tracker:
    """
    One observer's events, computed one at a time as it can take them.

    The order: within a difference, what is offline, then what has changed,
    then what is online. The connection, as told and as it is now:

      - told in sync, and in sync without an outage: the difference, UPDATE;
      - told in sync, and in sync after outages: Disconnected, and on as in
        the last line;
      - told in sync, and down: the difference, UPDATE, then Disconnected;
      - told down, and down: nothing;
      - told down, and in sync: the difference, a REPLAY of all that it did
        not touch, Synchronized.
    """

    def __init__(self, present: Present, replay: bool = True) -> None:
        """
        @param replay: whether what is unchanged after an outage is told once
            more.
        """
        self._present = present
        self._replay = replay
        self._toldSession = 0  # the session told as in sync; 0: told down
        self._replaySession = 0  # the session that _unreplayed belongs to
        self._synchronizedOnce = False
        self._begun = False
        # UUID -> the interface as told. Ordered dicts, because taking the
        # first of a plain dict again and again is quadratic.
        self._offline: Waiting = OrderedDict()
        self._changed: Waiting = OrderedDict()
        self._online: Waiting = OrderedDict()
        # These are filled at once and only get shorter: plain dicts, filled
        # backwards and taken from the end, are four times as fast.
        self._fresh: dict[str, None] = {}  # online too, and the first to be
        self._unreplayed: dict[str, None] = {}

    @property
    def begun(self) -> bool:
        """Whether it was ever told anything: if not, it need not take note."""
        return self._begun

    @property
    def waiting(self) -> int:
        """How many interfaces differ from what was told of them."""
        if not self._begun:
            return len(self._present.interfaces())
        return len(self._offline) + len(self._changed) + len(self._online) + len(self._fresh)

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """
        Take note that a row has changed.

        @param before: the row before this change, None if there was none.
        @param now: the row now, which is not equal; None if it is gone.
        """
        if not self._begun:
            return  # then all that there is will be online
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

    def nextEvent(self) -> Event | None:
        """
        What the observer has to be told next; it counts as told from here on.

        @return: None if there is nothing to tell now.
        """
        present = self._present
        if self._toldSession:
            if present.inSync:
                if present.session == self._toldSession:
                    return self._difference(_UPDATE)
                return self._disconnected()
            return self._difference(_UPDATE) or self._disconnected()
        if not present.inSync:
            return None
        if not self._begun:
            self._begin()
        if self._replaySession != present.session:
            self._beginReplay()
        cause = _RESYNC if self._synchronizedOnce else _INITIAL
        return self._difference(cause) or self._nextReplay() or self._synchronized(cause)

    def _difference(self, cause: Cause) -> Event | None:
        present = self._present
        event: Any
        told: Any
        kind: type[Event]
        if self._offline:
            uuid, told = self._offline.popitem(last=False)
            self._wait(uuid, None, present.rows.get(uuid))
            self._unreplayed.pop(uuid, None)
            event, kind = InterfaceEvent(told, cause, present.source), InterfaceOffline
        elif self._changed:
            uuid, told = self._changed.popitem(last=False)
            self._unreplayed.pop(uuid, None)
            event = UnfrozenChange(present.rows[uuid], cause, present.source, told)
            kind = InterfaceChanged
        elif self._fresh or self._online:
            uuid, _ = self._fresh.popitem() if self._fresh else self._online.popitem(last=False)
            event, kind = InterfaceEvent(present.rows[uuid], cause, present.source), InterfaceOnline
        else:
            return None
        if present.identity is not UNIDENTIFIED:
            event.identity = present.identity
        event.__class__ = kind
        return event  # type: ignore[no-any-return]

    def _begin(self) -> None:
        """
        Find what is to be told at the first time: all that has a class.
        """
        self._begun = True
        uuids = [uuid for uuid, row in self._present.rows.items() if row.kind is not None]
        uuids.reverse()
        self._fresh = dict.fromkeys(uuids)

    def _beginReplay(self) -> None:
        """
        Find what the snapshot leaves as it was told.
        """
        self._replaySession = self._present.session
        self._unreplayed = {}
        if self._replay:
            untold = self._fresh.keys() | self._online.keys()
            rows = reversed(self._present.interfaces())
            self._unreplayed = {row.uuid: None for row in rows if row.uuid not in untold}

    def _nextReplay(self) -> Event | None:
        if not self._unreplayed:
            return None
        uuid, _ = self._unreplayed.popitem()
        present = self._present
        return InterfaceOnline(
            present.rows[uuid], _REPLAY, present.source, identity=present.identity
        )

    def _synchronized(self, cause: Cause) -> Event:
        # They are empty, but a dict keeps the memory that it once needed.
        self._fresh, self._unreplayed = {}, {}
        self._toldSession = self._present.session
        self._synchronizedOnce = True
        present = self._present
        return Synchronized(cause, present.interfaces(), present.source, identity=present.identity)

    def _disconnected(self) -> Event:
        self._toldSession = 0
        reason = self._present.reason
        assert reason is not None
        return Disconnected(reason, self._present.source, identity=self._present.identity)
