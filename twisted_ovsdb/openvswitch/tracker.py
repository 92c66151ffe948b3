# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The difference between what an observer was told and what is present now, as
events.

A tracker keeps no copy of what it told: an interface that does not wait in the
tracker was told as it is now. An observer that keeps up costs nothing. For a slow
one, no more waits than the interfaces told and the interfaces present.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.datum import Datum
from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchForgotten,
    Synchronized,
    makeChanged,
    makeEvent,
)

Wants = Callable[[OvsInterface], bool]
"""Whether an observer is told of an interface that has a kind."""


class Transition(enum.Enum):
    """What an observer has to be told next about one interface."""

    OFFLINE = enum.auto()
    CHANGED = enum.auto()
    ONLINE = enum.auto()


# Looked up once: CPython 3.11 is slow to find a member of an enum.
_OFFLINE, _CHANGED, _ONLINE = Transition.OFFLINE, Transition.CHANGED, Transition.ONLINE
_INITIAL, _UPDATE = Cause.INITIAL, Cause.UPDATE
_RESYNC, _REPLAY = Cause.RESYNC, Cause.REPLAY
_BRIDGE = InterfaceKind.BRIDGE

_NO_UUID: Final = "00000000-0000-0000-0000-000000000000"


def transition(told: OvsInterface | None, now: OvsInterface | None) -> Transition | None:
    """
    Decide what a difference means; nothing else decides this. An interface
    with another kind, or with another iface-id unless it is a bridge, is another
    interface with the same UUID: the old one is OFFLINE first, and then the new
    one is ONLINE.

    @param told: the interface as it was told, None if it was not told.
    @param now: the interface now, which differs from C{told}; None if it is
        gone.
    @return: what to tell next, None if there is nothing to tell.
    """
    if now is None or now.kind is None:
        return None if told is None else _OFFLINE
    if told is None:
        return _ONLINE
    if told.kind is not now.kind:
        return _OFFLINE
    # In most changes, the map is the same and nothing has to be looked up.
    if told.external_ids != now.external_ids and told.iface_id != now.iface_id:
        # A bridge is no VM's port, whatever its row says.
        return _CHANGED if now.kind is _BRIDGE else _OFFLINE
    return _CHANGED


def sameAsTold(told: OvsInterface, now: OvsInterface | None) -> bool:
    """
    Whether an interface is as an observer was told in an earlier process, which may
    have monitored other columns. Where only one of the two has a column, it is as
    if the other had the default value of it.
    """
    if now is None or told == now:
        return now is not None
    if told.extra.keys() == now.extra.keys():
        return False
    different = told.extra.keys() ^ now.extra.keys()
    if not all(_isDefault({**told.extra, **now.extra}[column]) for column in different):
        return False
    common: dict[str, Datum] = {c: v for c, v in told.extra.items() if c in now.extra}
    common |= {c: v for c, v in now.extra.items() if c in different}
    return attrs.evolve(told, extra=common) == now


def _isDefault(value: Datum) -> bool:
    """Whether this is what a column has that nobody has set (RFC 7047, section 5.2.1)."""
    return not value or value == _NO_UUID


class Present:
    """
    What is known of one switch now. The trackers of all observers share it.

    @ivar rows: every interface, with or without a kind.
    @ivar source: the server, as its endpoint was written; of a switch that
        connected to a listener, its key.
    @ivar identity: the identity of the switch, if the server was asked.
    @ivar session: the number of sessions that have synchronized.
    @ivar inSync: whether the latest of these sessions is up.
    @ivar reason: why the latest session was lost.
    """

    def __init__(self, rows: Mapping[str, OvsInterface], source: str = "") -> None:
        self.rows = rows
        self.source = source
        self.identity = UNIDENTIFIED
        self.session = 0
        self.inSync = False
        self.reason: BaseException | None = None

    @property
    def switch(self) -> str:
        """The key of the switch: its system-id if that is known, else the source."""
        return self.identity.system_id or self.source

    def interfaces(self) -> tuple[OvsInterface, ...]:
        """Every interface that has a kind."""
        return tuple(row for row in self.rows.values() if row.kind is not None)


Waiting = OrderedDict[str, "OvsInterface | None"]


class Tracker:
    """
    The events of one observer, computed one at a time when the observer is not
    busy.

    Within a difference, offline events come first, then changed, then online.
    What is told depends on the state of the connection, as it was told and as
    it is now:

      - told in sync, now in sync, no outage between: the difference, UPDATE;
      - told in sync, now in sync, outages between: Disconnected, then as in
        the last line;
      - told in sync, now down: the difference, UPDATE, then Disconnected;
      - told down, now down: nothing;
      - told down, now in sync: the difference, a REPLAY of every interface
        that is not in the difference, Synchronized.

    The difference of the last line is INITIAL until the first Synchronized of
    this observer, and RESYNC from then on. An observer that was told something
    in an earlier process begins with RESYNC.

    When another switch is behind the source, this is an outage in which no row
    survives: Disconnected, then everything that was told offline, with the
    identity as it was; then everything online, and Synchronized. Rows of two
    switches are never compared.

    When the switch is forgotten, what waits is dropped: Disconnected, if it was
    told in sync, and SwitchForgotten, if anything was told of it. Then the
    tracker begins anew.

    @ivar present: what is known now.
    @ivar switch: the key of the switch under which the events were told, also
        those of an earlier process; None before the first snapshot.
    @ivar begun: whether L{note} has to be called. The first snapshot is computed
        from all rows at once.
    """

    def __init__(self, present: Present, replay: bool = True, wants: Wants | None = None) -> None:
        """
        @param replay: whether interfaces that are the same after an outage are
            told once more.
        @param wants: of which interfaces the observer is told; any other one has
            no kind for it. None: it is told of all.
        """
        self._wants = wants
        self.present = present
        self.switch: str | None = None
        self._replay = replay
        self._toldSession = 0  # the session told as in sync; 0: told down
        self._snapshotSession = 0  # the session whose snapshot is being told
        self._synchronizedOnce = False
        self.begun = False
        self._recalled: dict[str, OvsInterface] = {}  # told in an earlier process
        self._repeat = False  # whether the next snapshot is replayed in any case
        # What was told under: who the switch was, and what was told of it that
        # is another switch by now.
        self._source, self._identity = present.source, present.identity
        self._left: dict[str, OvsInterface] = {}  # taken from the end
        self._forgetting: ForgetReason | None = None  # why, until it is told
        # UUID -> the interface as told. Ordered dicts, because taking the
        # first item of a plain dict again and again is quadratic.
        self._offline: Waiting = OrderedDict()
        self._changed: Waiting = OrderedDict()
        self._online: Waiting = OrderedDict()
        # These are filled at once and only get shorter. Plain dicts that are
        # filled backwards and taken from the end are faster.
        self._fresh: dict[str, None] = {}  # online too; told before _online
        self._unreplayed: dict[str, None] = {}

    @property
    def waiting(self) -> int:
        """How many interfaces differ from what was told about them."""
        if not self.begun:
            told = self._recalled
            new = sum(row.uuid not in told for row in self._interfaces())
            gone = sum(not sameAsTold(row, self._seen(uuid)) for uuid, row in told.items())
            return len(self._left) + new + gone
        waiting = len(self._offline) + len(self._changed) + len(self._online) + len(self._fresh)
        return len(self._left) + waiting

    @property
    def toldInSync(self) -> bool:
        """Whether the observer was told that the switch is in sync, and it is."""
        present = self.present
        return present.inSync and self._toldSession == present.session

    def recall(self, switch: str, told: Iterable[OvsInterface]) -> None:
        """
        Begin with what the observer was told in an earlier process; to be called
        before anything is told.

        @param switch: the key of the switch under which it was told.
        @param told: the interfaces; one without a kind is ignored.
        """
        present = self.present
        self.switch = switch
        self._source, self._identity = present.source, present.identity
        self._recalled = {row.uuid: row for row in told if row.kind is not None}
        self._synchronizedOnce = True
        if self._repeat:
            self._unreplayed = self._told()
        if switch != present.switch:  # It was another switch when this was asked for.
            self._source, self._identity = switch, UNIDENTIFIED
            self.leave()

    @property
    def forgetting(self) -> bool:
        """Whether the observer is still to be told that the switch is forgotten."""
        return self._forgetting is not None

    def forget(self, reason: ForgetReason) -> None:
        """
        The switch is forgotten: drop what waits, and tell that. To be called
        before its rows are removed, and while it is not connected.
        """
        self._forgetting = reason
        self._drop()

    def repeat(self) -> None:
        """
        Tell everything once more: a REPLAY of what was told, and Synchronized. Whoever
        begins with nothing can add up what is told from here on: an interface of which
        a difference waits is replayed as it was told, before that difference.
        """
        self._repeat = True
        self._unreplayed = self._told()

    def leave(self) -> None:
        """
        Another switch is behind the source: note that everything that was told
        is gone. To be called before the rows and the identity of the new switch
        replace the old ones. All rows of the new switch will be new.
        """
        if self.begun:
            untold = self._fresh.keys() | self._online.keys()
            told = {row.uuid: row for row in self._interfaces() if row.uuid not in untold}
            for waiting in (self._offline, self._changed):
                told.update((uuid, row) for uuid, row in waiting.items() if row is not None)
        else:
            told = self._recalled
        left = {**self._left, **dict(reversed(told.items()))}
        unreplayed = self._unreplayed if self._repeat else {}
        self._drop()
        self._left, self._unreplayed = left, unreplayed

    def _drop(self) -> None:
        """Compare the next snapshot with nothing."""
        self._left, self._recalled = {}, {}
        self._offline.clear()
        self._changed.clear()
        self._online.clear()
        self._fresh, self._unreplayed = {}, {}
        self.begun = False

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """
        Note that a row has changed.

        @param before: the row before this change, None if there was none.
        @param now: the row now, which differs from C{before}; None if it is
            gone.
        """
        if not self.begun:
            return
        if self._wants is not None:
            before, now = self._wanted(before), self._wanted(now)
            if before == now:
                return
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
        Take the next event. From here on it counts as told.

        @return: None if there is nothing to tell now.
        """
        present = self.present
        if self._forgetting is not None:
            farewell = self._farewell(self._forgetting)
            if farewell is not None:
                return farewell
        if self.switch == present.switch:
            self._identity = present.identity
        if self._toldSession:
            if present.inSync:
                if present.session != self._toldSession:
                    return self._disconnected()
                difference = self._difference(_UPDATE)
                return self._nextRepeated() if difference is None and self._repeat else difference
            return self._difference(_UPDATE) or self._disconnected()
        if self._left:
            return self._takeLeft()
        if not present.inSync:
            return None
        if not self.begun:
            self._begin()
        if self._snapshotSession != present.session:
            self._beginSnapshot()
        return self._difference(self._cause()) or self._nextRepeated()

    def _cause(self) -> Cause:
        return _RESYNC if self._synchronizedOnce else _INITIAL

    def _nextRepeated(self) -> Event:
        return self._nextReplay() or self._synchronized()

    def _takeLeft(self) -> Event:
        uuid, told = self._left.popitem()
        if uuid in self._unreplayed:
            self._left[uuid] = told
            return self._replayOf(told)
        return makeEvent(InterfaceOffline, told, _RESYNC, self._source, self._identity)

    def _replayOf(self, told: OvsInterface) -> Event:
        """Of an interface that is no longer as it was told."""
        del self._unreplayed[told.uuid]
        return makeEvent(InterfaceOnline, told, _REPLAY, self._source, self._identity)

    def _told(self) -> dict[str, None]:
        """The UUIDs of what was told, backwards."""
        if not self.begun:
            return dict.fromkeys([*self._recalled, *self._left])
        untold = self._fresh.keys() | self._online.keys()
        rows = reversed(self._interfaces())
        told = {row.uuid: None for row in rows if row.uuid not in untold}
        return {**told, **dict.fromkeys(self._offline), **dict.fromkeys(self._left)}

    def _farewell(self, reason: ForgetReason) -> Event | None:
        """The next event of a switch that is forgotten. None: there is no other."""
        if self._toldSession:
            return self._disconnected()
        known = self.switch is not None
        self.switch = self._forgetting = None
        self._synchronizedOnce = self._repeat = False
        self._drop()  # What was recalled meanwhile.
        if not known:
            return None
        return SwitchForgotten(reason, self._source, identity=self._identity)

    def _difference(self, cause: Cause) -> Event | None:
        present = self.present
        told: Any
        if self._repeat:
            waiting = self._offline or self._changed
            uuid = next(iter(waiting), "")
            if uuid in self._unreplayed:
                told = waiting[uuid]
                return self._replayOf(told)
        if self._offline:
            uuid, told = self._offline.popitem(last=False)
            self._wait(uuid, None, self._seen(uuid))
            self._unreplayed.pop(uuid, None)
            return makeEvent(InterfaceOffline, told, cause, present.source, present.identity)
        if self._changed:
            uuid, told = self._changed.popitem(last=False)
            self._unreplayed.pop(uuid, None)
            now = present.rows[uuid]
            return makeChanged(now, cause, present.source, told, present.identity)
        if self._fresh or self._online:
            uuid, _ = self._fresh.popitem() if self._fresh else self._online.popitem(last=False)
            now = present.rows[uuid]
            return makeEvent(InterfaceOnline, now, cause, present.source, present.identity)
        return None

    def _begin(self) -> None:
        """Compute the first difference: to what was told in an earlier process, or to nothing."""
        self.begun = True
        told, self._recalled = self._recalled, {}
        uuids = [row.uuid for row in self._interfaces()]
        uuids.reverse()
        self._fresh = dict.fromkeys(uuids)
        for uuid, before in told.items():
            self._fresh.pop(uuid, None)
            now = self._seen(uuid)
            if not sameAsTold(before, now):
                self._wait(uuid, before, now)

    def _beginSnapshot(self) -> None:
        """Begin to tell the snapshot of a session: find what is to be replayed."""
        present = self.present
        self._snapshotSession = present.session
        self.switch, self._source, self._identity = present.switch, present.source, present.identity
        self._unreplayed = self._told() if self._replay or self._repeat else {}

    def _nextReplay(self) -> Event | None:
        if not self._unreplayed:
            return None
        uuid, _ = self._unreplayed.popitem()
        present = self.present
        now = present.rows[uuid]
        return makeEvent(InterfaceOnline, now, _REPLAY, present.source, present.identity)

    def _synchronized(self) -> Event:
        cause = self._cause()
        # They are empty, but a dict keeps the memory that it once needed.
        self._fresh, self._unreplayed = {}, {}
        self._toldSession = self.present.session
        self._synchronizedOnce, self._repeat = True, False
        present = self.present
        return Synchronized(cause, self._interfaces(), present.source, identity=present.identity)

    # What the observer can see

    def _interfaces(self) -> tuple[OvsInterface, ...]:
        found = self.present.interfaces()
        return found if self._wants is None else tuple(filter(self._wants, found))

    def _seen(self, uuid: str) -> OvsInterface | None:
        return self._wanted(self.present.rows.get(uuid))

    def _wanted(self, row: OvsInterface | None) -> OvsInterface | None:
        if row is None or self._wants is None:
            return row
        return row if row.kind is not None and self._wants(row) else None

    def _disconnected(self) -> Event:
        self._toldSession = 0
        reason = self.present.reason
        assert reason is not None
        return Disconnected(reason, self._source, identity=self._identity)
