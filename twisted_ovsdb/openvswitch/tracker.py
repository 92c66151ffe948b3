# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What one observer is told of a switch and its connection, and when the interfaces
that differ are told.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchForgotten,
    Synchronized,
    makeEvent,
)
from twisted_ovsdb.openvswitch.difference import Difference
from twisted_ovsdb.openvswitch.present import Present, Sight, Wants
from twisted_ovsdb.openvswitch.replay import Replay
from twisted_ovsdb.openvswitch.transitions import sameAsTold

# Looked up once: CPython 3.11 is slow to find a member of an enum.
_INITIAL, _UPDATE = Cause.INITIAL, Cause.UPDATE
_RESYNC, _REPLAY = Cause.RESYNC, Cause.REPLAY


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

    Where another process may tell of the switch in the place of this one, what waits
    is dropped when this one may not: the other one tells it. An observer that knows
    what both have told (L{recalls}) is compared with that each time.

    When the switch is forgotten, what waits is dropped: Disconnected, if it was
    told in sync, and SwitchForgotten, if anything was told of it. Then the
    tracker begins anew.

    @ivar present: what is known now.
    @ivar switch: the key of the switch under which the events were told, also
        those of an earlier process; None before the first snapshot.
    @ivar note: notes that a row has changed; see L{Difference.note}.
    @ivar recalls: whether L{recall} is called each time before a snapshot is told, where
        another process may have told something meanwhile.
    """

    def __init__(self, present: Present, replay: bool, wants: Wants | None = None) -> None:
        """
        @param replay: whether interfaces that are the same after an outage are
            told once more.
        @param wants: of which interfaces the observer is told; any other one has
            no kind for it. None: it is told of all.
        """
        self.present = present
        self._sight = Sight(present, wants)
        self._difference = Difference(self._sight)
        self.note = self._difference.note
        self._replay = Replay()
        self._replays = replay
        self._repeat = False  # whether the next snapshot is replayed in any case
        self.switch: str | None = None
        self._toldSession = 0  # the session told as in sync; 0: told down
        self._snapshotSession = 0  # the session whose snapshot is being told
        self._synchronizedOnce = False
        self.recalls = False
        self._recalledSession = 0  # the session before whose snapshot it was
        self._recalled: dict[str, OvsInterface] = {}  # told in an earlier process
        # What was told under: who the switch was, and what was told of it that
        # is another switch by now.
        self._source, self._identity = present.source, present.identity
        self._left: dict[str, OvsInterface] = {}  # taken from the end
        self._forgetting: ForgetReason | None = None  # why, until it is told

    @property
    def begun(self) -> bool:
        """Whether L{note} has to be called. The first snapshot is compared all at once."""
        return self._difference.begun

    @property
    def waiting(self) -> int:
        """How many interfaces differ from what was told about them."""
        if self._difference.begun:
            return len(self._left) + len(self._difference)
        told, sight = self._recalled, self._sight
        new = sum(row.uuid not in told for row in sight.interfaces())
        gone = sum(not sameAsTold(row, sight.get(uuid)) for uuid, row in told.items())
        return len(self._left) + new + gone

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
        if switch != present.switch:  # It was another switch when this was asked for.
            self._source, self._identity = switch, UNIDENTIFIED
            self.leave()

    @property
    def awaitsRecall(self) -> bool:
        """Whether nothing can be told before L{recallAnew}."""
        present = self.present
        return (
            self.recalls
            and present.inSync
            and not self._toldSession
            and self._recalledSession != present.session
        )

    def recallAnew(self, switch: str, told: Iterable[OvsInterface] | None) -> None:
        """
        Compare the snapshot that is told next with what was told until now, also by
        other processes, and not with what this tracker has told.

        @param switch: as for L{recall}.
        @param told: the interfaces; None if nothing was told of this switch.
        """
        self._recalledSession = self.present.session
        self._drop()
        if told is None:
            self.switch, self._synchronizedOnce = None, False
        else:
            self.recall(switch, told)

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
        self._beginReplay()

    def leave(self) -> None:
        """
        Another switch is behind the source: note that everything that was told
        is gone. To be called before the rows and the identity of the new switch
        replace the old ones. All rows of the new switch will be new.
        """
        told = self._difference.told() if self._difference.begun else self._recalled
        self._left.update(reversed(told.items()))
        self._recalled = {}
        self._difference.clear()
        if not self._repeat:
            self._replay.end()

    def _drop(self) -> None:
        """Compare the next snapshot with nothing."""
        self._left, self._recalled = {}, {}
        self._difference.clear()
        self._replay.end()

    # What is told next

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
        if self._identity is not present.identity and self.switch == present.switch:
            self._identity = present.identity
        if self._toldSession:
            if present.inSync:
                if present.session != self._toldSession:
                    return self._disconnected()
                if not self._repeat:
                    return self._difference.nextEvent(_UPDATE)
                event = self._nextDifference(_UPDATE)
                return self._nextRepeated() if event is None else event
            if present.exclusive:
                return self._disconnected()
            return self._nextDifference(_UPDATE) or self._disconnected()
        if self._left and not present.exclusive:
            return self._nextLeft()
        if not present.inSync or (self.recalls and self.awaitsRecall):
            return None
        if self._left:
            return self._nextLeft()
        if self._snapshotSession != present.session or not self._difference.begun:
            self._beginSnapshot()
        return self._nextDifference(self._cause()) or self._nextRepeated()

    def _cause(self) -> Cause:
        return _RESYNC if self._synchronizedOnce else _INITIAL

    def _beginSnapshot(self) -> None:
        """Begin to tell the snapshot of a session: find what differs, and what is replayed."""
        present, difference = self.present, self._difference
        toldNothing = not difference.begun and not self._recalled
        if not difference.begun:
            difference.begin(self._recalled)
            self._recalled = {}
        self._snapshotSession = present.session
        self.switch, self._source, self._identity = present.switch, present.source, present.identity
        if self._repeat or (self._replays and not toldNothing):
            self._beginReplay()

    def _beginReplay(self) -> None:
        difference = self._difference
        self._replay.begin(self._sight.interfaces(), difference.untold(), difference.gone())

    def _nextDifference(self, cause: Cause) -> Event | None:
        if self._repeat:
            told = self._difference.nextTold()
            if told is not None and self._replay.waits(told.uuid):
                return self._replayOf(told)
        event = self._difference.nextEvent(cause)
        if self._replay.active and event is not None:
            self._replay.note(event.interface.uuid)
        return event

    def _nextLeft(self) -> Event:
        uuid, told = self._left.popitem()
        if self._repeat and self._replay.waits(uuid):
            self._left[uuid] = told
            return self._replayOf(told)
        return makeEvent(InterfaceOffline, told, _RESYNC, self._source, self._identity)

    def _replayOf(self, told: OvsInterface) -> Event:
        """Of an interface that is no longer as it was told."""
        self._replay.note(told.uuid)
        return makeEvent(InterfaceOnline, told, _REPLAY, self._source, self._identity)

    def _nextRepeated(self) -> Event:
        uuid = self._replay.next()
        if uuid is None:
            return self._synchronized()
        present = self.present
        now = present.rows[uuid]
        return makeEvent(InterfaceOnline, now, _REPLAY, present.source, present.identity)

    def _synchronized(self) -> Event:
        cause = self._cause()
        self._difference.shrink()
        self._replay.end()
        present = self.present
        self._toldSession = present.session
        self._synchronizedOnce, self._repeat = True, False
        rows = self._sight.interfaces()
        return Synchronized(cause, rows, present.source, identity=present.identity)

    def _disconnected(self) -> Event:
        self._toldSession = 0
        reason = self.present.reason
        assert reason is not None
        return Disconnected(reason, self._source, identity=self._identity)

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
