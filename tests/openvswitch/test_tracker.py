# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.tracker}.
"""

from __future__ import annotations

from types import MappingProxyType

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.fold import Fold
from tests.fakes.observers import summaries
from tests.fakes.rows import interface, jsonRow, plain, uuid, vm
from twisted_ovsdb.datum import Datum
from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Cause,
    Event,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.openvswitch.difference import Difference
from twisted_ovsdb.openvswitch.present import Present, Sight
from twisted_ovsdb.openvswitch.tracker import Tracker

TUNNEL = interface(1, jsonRow("tap1", "vxlan", options={"remote_ip": "10.0.0.1"}))


class World:
    """
    What is so now, with any number of trackers.
    """

    def __init__(self) -> None:
        self.rows: dict[str, OvsInterface] = {}
        self.present = Present(self.rows, "tcp:test")
        self.trackers: list[Tracker] = []

    def track(self, replay: bool = True) -> Tracker:
        """
        A tracker for one more observer.
        """
        tracker = Tracker(self.present, replay)
        self.trackers.append(tracker)
        return tracker

    def put(self, *interfaces: OvsInterface) -> None:
        """
        Rows are inserted or modified.
        """
        for now in interfaces:
            before = self.rows.get(now.uuid)
            if before == now:
                continue
            self.rows[now.uuid] = now
            for tracker in self.trackers:
                tracker.note(now.uuid, before, now)

    def remove(self, *numbers: int) -> None:
        """
        Rows are deleted.
        """
        for number in numbers:
            before = self.rows.pop(uuid(number), None)
            if before is not None:
                for tracker in self.trackers:
                    tracker.note(before.uuid, before, None)

    def leave(self, name: str) -> None:
        """
        The snapshot of another switch will come: the rows of this one are gone.
        """
        self.lose(f"now {name}")
        for tracker in self.trackers:
            tracker.leave()
        self.remove(*range(1, 9))
        self.present.identity = SwitchIdentity(name)

    def synchronize(self) -> None:
        """
        A snapshot has been applied.
        """
        self.present.session += 1
        self.present.inSync = True

    def lose(self, reason: str = "gone") -> None:
        """
        The session is lost.
        """
        self.present.inSync = False
        self.present.reason = RuntimeError(reason)


def drain(tracker: Tracker, limit: int = 10**6) -> list[Event]:
    """
    What a tracker tells, C{limit} events at most.
    """
    events: list[Event] = []
    while len(events) < limit:
        event = tracker.nextEvent()
        if event is None:
            break
        events.append(event)
    return events


class TrackerTestCase(SynchronousTestCase):
    """
    A tracker, and what it tells.
    """

    def setUp(self) -> None:
        self.world = World()
        self.tracker = self.world.track()

    def told(self) -> list[tuple[str, ...]]:
        """
        What is told now, in a few words.
        """
        return summaries(drain(self.tracker))

    def inSync(self, *interfaces: OvsInterface) -> None:
        """
        Begin with these interfaces told.
        """
        self.world.put(*interfaces)
        self.world.synchronize()
        drain(self.tracker)


class TrackerTests(TrackerTestCase):
    """
    Tests for L{Tracker}.
    """

    def test_nothingBeforeTheFirstSnapshot(self) -> None:
        """
        Rows that are known while there is no snapshot are claimed to nobody.
        """
        self.world.put(vm(1))
        self.assertEqual(self.told(), [])

    def test_initial(self) -> None:
        """
        The first snapshot is told as INITIAL, and what has no kind is not.
        """
        self.world.put(vm(1), plain(2), vm(3))
        self.world.synchronize()
        events = drain(self.tracker)
        self.assertEqual(
            summaries(events),
            [
                ("online", "vm", "tap1", "initial"),
                ("online", "vm", "tap3", "initial"),
                ("synchronized", "initial"),
            ],
        )
        last = events[-1]
        assert isinstance(last, Synchronized)
        self.assertEqual(last.interfaces, (vm(1), vm(3)))
        self.assertEqual(last.source, "tcp:test")

    def test_emptySnapshot(self) -> None:
        """
        An empty database is synchronized too.
        """
        self.world.synchronize()
        self.assertEqual(self.told(), [("synchronized", "initial")])

    def test_updateInOrder(self) -> None:
        """
        Within one step: what is offline, then what has changed, then what is
        online, whatever the order in the message.
        """
        self.inSync(vm(1), vm(2))
        self.world.put(vm(3), vm(2, ofport=7))
        self.world.remove(1)
        self.assertEqual(
            self.told(),
            [
                ("offline", "vm", "tap1", "update"),
                ("changed", "vm", "tap2", "update"),
                ("online", "vm", "tap3", "update"),
            ],
        )

    def test_changedHasPrevious(self) -> None:
        """
        A changed event has the interface before and after.
        """
        self.inSync(vm(1))
        self.world.put(vm(1, ofport=5))
        self.assertEqual(
            drain(self.tracker),
            [InterfaceChanged(vm(1, ofport=5), Cause.UPDATE, "tcp:test", vm(1))],
        )

    def test_anotherIfaceId(self) -> None:
        """
        Another iface-id under the same UUID: the old is offline as it was
        known, then the new is online.
        """
        self.inSync(vm(1, "a"))
        self.world.put(vm(1, "b"))
        off, on = drain(self.tracker)
        assert isinstance(off, InterfaceOffline) and isinstance(on, InterfaceOnline)
        self.assertEqual((off.interface, on.interface), (vm(1, "a"), vm(1, "b")))

    def test_classLostAndGained(self) -> None:
        """
        An interface without a kind is offline; with one, online.
        """
        self.inSync(vm(1))
        self.world.put(plain(1))
        self.assertEqual(self.told(), [("offline", "vm", "tap1", "update")])
        self.world.put(TUNNEL)
        self.assertEqual(self.told(), [("online", "tunnel", "tap1", "update")])

    def test_transientVanishes(self) -> None:
        """
        What came and went while nobody could be told is not told.
        """
        self.inSync(vm(1))
        self.world.put(vm(2), vm(1, ofport=4))
        self.world.remove(2)
        self.world.put(vm(1))
        self.assertEqual(self.tracker.waiting, 0)
        self.assertEqual(self.told(), [])

    def test_waiting(self) -> None:
        """
        What waits is counted: each interface that is to be told offline, changed or
        online, of the snapshot or later, and of the switch before.
        """
        self.inSync(vm(1), vm(2), vm(3), vm(4))
        self.world.remove(1, 2)
        self.assertEqual(self.tracker.waiting, 2)
        self.world.put(vm(3, ofport=7))
        self.assertEqual(self.tracker.waiting, 3)
        self.world.put(vm(5), vm(6))
        self.assertEqual(self.tracker.waiting, 5)
        counts = []
        while self.tracker.nextEvent() is not None:
            counts.append(self.tracker.waiting)
        self.assertEqual(counts, [4, 3, 2, 1, 0])
        self.world.leave("b")
        self.world.put(vm(1))
        self.world.synchronize()
        self.assertEqual(self.tracker.waiting, 5)
        counts = [self.tracker.waiting for _ in iter(self.tracker.nextEvent, None)]
        self.assertEqual(counts, [5, 4, 3, 2, 1, 0, 0])

    def test_waitingSnapshot(self) -> None:
        """
        Of a first snapshot that is told in part, the rest waits, and what has changed
        meanwhile.
        """
        self.world.put(vm(1), vm(2), vm(3))
        self.world.synchronize()
        self.assertEqual(self.tracker.waiting, 3)
        self.tracker.nextEvent()
        self.assertEqual(self.tracker.waiting, 2)
        self.world.put(vm(4))
        self.world.remove(1)
        self.assertEqual(self.tracker.waiting, 4)

    def test_goneAndBackMerges(self) -> None:
        """
        Offline and online of one UUID leave a change if kind and iface-id
        are as told, and are both told if not.
        """
        self.inSync(vm(1), vm(2, "a"))
        self.world.remove(1, 2)
        self.world.put(vm(1, ofport=9), vm(2, "b"))
        self.assertEqual(
            self.told(),
            [
                ("offline", "vm", "tap2", "update"),
                ("changed", "vm", "tap1", "update"),
                ("online", "vm", "tap2", "update"),
            ],
        )

    def test_row1InSyncWithoutOutage(self) -> None:
        """
        Told in sync, and in sync: the difference, UPDATE.
        """
        self.inSync(vm(1))
        self.world.put(vm(2))
        self.assertEqual(self.told(), [("online", "vm", "tap2", "update")])

    def test_row2InSyncAfterOutages(self) -> None:
        """
        Told in sync, and in sync after outages: one Disconnected with the
        latest reason, the difference, the replay of the rest, Synchronized.
        """
        self.inSync(vm(1), vm(2), vm(3))
        self.world.lose("first")
        self.world.synchronize()
        self.world.remove(1)
        self.world.lose("second")
        self.world.put(vm(2, ofport=2), vm(4))
        self.world.synchronize()
        self.assertEqual(
            self.told(),
            [
                ("disconnected", "second"),
                ("offline", "vm", "tap1", "resync"),
                ("changed", "vm", "tap2", "resync"),
                ("online", "vm", "tap4", "resync"),
                ("online", "vm", "tap3", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_row3Down(self) -> None:
        """
        Told in sync, and down: the difference, UPDATE, then Disconnected.
        """
        self.inSync(vm(1))
        self.world.put(vm(2))
        self.world.lose()
        self.assertEqual(
            self.told(), [("online", "vm", "tap2", "update"), ("disconnected", "gone")]
        )

    def test_row4DownAndInSync(self) -> None:
        """
        Told down, and in sync: the difference, the replay, Synchronized.
        """
        self.inSync(vm(1), vm(2))
        self.world.lose()
        drain(self.tracker)
        self.world.remove(2)
        self.world.synchronize()
        self.assertEqual(
            self.told(),
            [
                ("offline", "vm", "tap2", "resync"),
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_row5Down(self) -> None:
        """
        Told down, and down: nothing, whatever happens meanwhile.
        """
        self.inSync(vm(1))
        self.world.lose()
        drain(self.tracker)
        self.world.put(vm(2))
        self.world.lose("again")
        self.assertEqual(self.told(), [])

    def test_noReplay(self) -> None:
        """
        Without replay an outage that changed nothing is told as such.
        """
        self.tracker = self.world.track(replay=False)
        self.inSync(vm(1))
        self.world.lose()
        self.world.synchronize()
        self.assertEqual(self.told(), [("disconnected", "gone"), ("synchronized", "resync")])

    def test_lostInTheMidstOfTheFirstBracket(self) -> None:
        """
        A session that goes before an observer was told all of its snapshot:
        the next one is INITIAL still, and what was told already is replayed.
        """
        self.world.put(vm(1), vm(2))
        self.world.synchronize()
        drain(self.tracker, 1)
        self.world.lose()
        self.assertEqual(self.told(), [])
        self.world.synchronize()
        self.assertEqual(
            self.told(),
            [
                ("online", "vm", "tap2", "initial"),
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "initial"),
            ],
        )

    def test_changeWithinABracket(self) -> None:
        """
        What is told in a bracket is not replayed in it; what changes and
        changes back before it is replayed, is.
        """
        self.inSync(vm(1), vm(2), vm(3))
        self.world.lose()
        self.world.synchronize()
        drain(self.tracker, 1)
        self.world.put(vm(2, ofport=2), vm(3, ofport=3))
        self.world.put(vm(3))
        self.assertEqual(
            self.told(),
            [
                ("changed", "vm", "tap2", "resync"),
                ("online", "vm", "tap1", "replay"),
                ("online", "vm", "tap3", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_lateObserver(self) -> None:
        """
        One that comes late is told what exists as INITIAL.
        """
        self.inSync(vm(1), plain(2))
        late = self.world.track()
        self.world.put(vm(3))
        self.assertEqual(
            summaries(drain(late)),
            [
                ("online", "vm", "tap1", "initial"),
                ("online", "vm", "tap3", "initial"),
                ("synchronized", "initial"),
            ],
        )

    def test_switch(self) -> None:
        """
        A tracker keeps the key under which it told a snapshot, whatever the
        switch is called meanwhile.
        """
        self.assertIsNone(self.tracker.switch)
        self.inSync(vm(1))
        self.assertEqual(self.tracker.switch, "tcp:test")
        self.world.present.identity = SwitchIdentity("4aa64e21", "host")
        self.assertEqual(self.world.present.switch, "4aa64e21")
        self.world.put(vm(2))
        self.told()
        self.assertEqual(self.tracker.switch, "tcp:test")
        self.world.lose()
        self.world.synchronize()
        self.told()
        self.assertEqual(self.tracker.switch, "4aa64e21")
        self.world.present.identity = UNIDENTIFIED
        self.assertEqual(self.world.present.switch, "tcp:test")


class DifferenceTests(SynchronousTestCase):
    """
    Tests for L{Difference}.
    """

    def test_clear(self) -> None:
        """
        Of a switch that is left in the midst of its first snapshot, nothing waits.
        """
        rows = {uuid(number): vm(number) for number in (1, 2)}
        difference = Difference(Sight(Present(rows), None))
        difference.begin({})
        difference.nextEvent(Cause.INITIAL)
        self.assertEqual((len(difference), difference.untold()), (1, {uuid(2)}))
        difference.clear()
        self.assertEqual((len(difference), difference.untold()), (0, set()))


class LeaveTests(TrackerTestCase):
    """
    Another switch is behind the source.
    """

    def change(self, name: str, *interfaces: OvsInterface) -> None:
        """
        The snapshot of another switch has been applied.
        """
        self.world.leave(name)
        self.world.put(*interfaces)
        self.world.synchronize()

    def test_noRowSurvives(self) -> None:
        """
        Everything that was told is told offline under the old key, then
        everything of the new switch online, also an interface that is the same.
        """
        self.inSync(vm(1), vm(2), plain(3))
        self.change("b", vm(1), vm(4))
        self.assertEqual(self.tracker.waiting, 4)
        events = drain(self.tracker)
        self.assertEqual(
            summaries(events),
            [
                ("disconnected", "now b"),
                ("offline", "vm", "tap1", "resync"),
                ("offline", "vm", "tap2", "resync"),
                ("online", "vm", "tap1", "resync"),
                ("online", "vm", "tap4", "resync"),
                ("synchronized", "resync"),
            ],
        )
        self.assertEqual([e.switch for e in events], ["tcp:test"] * 3 + ["b"] * 3)

    def test_asItWasTold(self) -> None:
        """
        What waits for a busy observer when the switch changes is told as the
        observer knows it: the old state offline, and nothing that it was never
        told.
        """
        self.inSync(vm(1), vm(2), vm(3))
        self.world.put(vm(1, ofport=7), vm(4))
        self.world.remove(2)
        self.change("b")
        events = drain(self.tracker)
        told = [e.interface for e in events if isinstance(e, InterfaceOffline)]
        self.assertEqual(set(told), {vm(1), vm(2), vm(3)})
        self.assertIsNone(next(row for row in told if row == vm(1)).ofport)

    def test_again(self) -> None:
        """
        Switches that came and went while the observer was busy leave nothing.
        """
        self.inSync(vm(1))
        self.change("b", vm(2))
        self.change("c", vm(3))
        self.assertEqual(
            summaries(drain(self.tracker)),
            [
                ("disconnected", "now c"),
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap3", "resync"),
                ("synchronized", "resync"),
            ],
        )

    def test_midway(self) -> None:
        """
        The switch changes while its snapshot is being told.
        """
        self.world.put(vm(1), vm(2))
        self.world.synchronize()
        self.assertEqual(summaries(drain(self.tracker, 1)), [("online", "vm", "tap1", "initial")])
        self.change("b", vm(2))
        self.assertEqual(
            summaries(drain(self.tracker)),
            [
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap2", "initial"),
                ("synchronized", "initial"),
            ],
        )

    def test_recalled(self) -> None:
        """
        What an observer was told in an earlier process of another switch goes
        offline.
        """
        self.tracker.recall("tcp:test", [vm(1)])
        self.change("b", vm(1))
        self.assertEqual(
            summaries(drain(self.tracker)),
            [
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap1", "resync"),
                ("synchronized", "resync"),
            ],
        )


class RepeatTests(TrackerTestCase):
    """
    Everything is told once more.
    """

    def test_inSync(self) -> None:
        """
        Everything that was told before is told as REPLAY, and then Synchronized; also
        without C{replay}. What waits is told after the replay of that interface.
        """
        tracker = self.world.track(replay=False)
        self.inSync(vm(1), vm(2), vm(3))
        drain(tracker)
        self.world.put(vm(2, ofport=2), vm(4))
        self.world.remove(3)
        tracker.repeat()
        self.assertEqual(
            summaries(drain(tracker)),
            [
                ("online", "vm", "tap3", "replay"),
                ("offline", "vm", "tap3", "update"),
                ("online", "vm", "tap2", "replay"),
                ("changed", "vm", "tap2", "update"),
                ("online", "vm", "tap4", "update"),
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "resync"),
            ],
        )
        self.world.lose()
        self.world.synchronize()
        self.assertEqual(
            summaries(drain(tracker)), [("disconnected", "gone"), ("synchronized", "resync")]
        )

    def test_lost(self) -> None:
        """
        If the session is lost before all is told, Disconnected is told all the same,
        and everything is told again after the next snapshot.
        """
        for told in range(4):
            self.world = World()
            tracker = self.world.track(replay=False)
            self.inSync(vm(1), vm(2), vm(3))
            drain(tracker)
            tracker.repeat()
            drain(tracker, told)
            self.world.lose()
            self.assertEqual(summaries(drain(tracker)), [("disconnected", "gone")])
            self.world.synchronize()
            self.assertEqual(len(drain(tracker)), 4)

    def test_otherSwitch(self) -> None:
        """
        If another switch is there before it is told, Disconnected comes first.
        """
        tracker = self.world.track(replay=False)
        self.inSync(vm(1))
        drain(tracker)
        tracker.repeat()
        self.world.leave("other")
        self.world.put(vm(2))
        self.world.synchronize()
        self.assertEqual(
            summaries(drain(tracker)),
            [
                ("disconnected", "now other"),
                ("online", "vm", "tap1", "replay"),
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap2", "resync"),
                ("synchronized", "resync"),
            ],
        )

    def test_inTheMiddle(self) -> None:
        """
        In the middle of a snapshot that is told, everything is told from its
        beginning.
        """
        tracker = self.world.track(replay=False)
        self.inSync(vm(1), vm(2), vm(3))
        drain(tracker, 2)
        tracker.repeat()
        self.assertEqual(
            summaries(drain(tracker)),
            [
                ("online", "vm", "tap3", "initial"),
                ("online", "vm", "tap1", "replay"),
                ("online", "vm", "tap2", "replay"),
                ("synchronized", "initial"),
            ],
        )

    def test_inAnOutage(self) -> None:
        """
        In an outage, this waits for the next snapshot.
        """
        tracker = self.world.track(replay=False)
        self.inSync(vm(1))
        drain(tracker)
        self.world.lose()
        tracker.repeat()
        self.assertEqual(summaries(drain(tracker)), [("disconnected", "gone")])
        self.world.synchronize()
        self.assertEqual(
            summaries(drain(tracker)),
            [("online", "vm", "tap1", "replay"), ("synchronized", "resync")],
        )


class RecallTests(TrackerTestCase):
    """
    What an observer was told in an earlier process.
    """

    def test_resync(self) -> None:
        """
        The first snapshot is told as a RESYNC: what was told and is gone,
        what differs, what is new, and the rest once more.
        """
        was = [vm(1), vm(2), vm(3, "a"), vm(4), vm(5), plain(6)]
        self.tracker.recall("tcp:test", was)
        self.assertEqual(self.tracker.switch, "tcp:test")
        self.world.put(vm(2, ofport=2), vm(3, "b"), vm(4), plain(5), plain(6), vm(7))
        self.assertEqual(self.tracker.waiting, 5)
        self.assertEqual(self.told(), [])
        self.world.synchronize()
        events = drain(self.tracker)
        self.assertEqual(
            summaries(events),
            [
                ("offline", "vm", "tap1", "resync"),
                ("offline", "vm", "tap3", "resync"),
                ("offline", "vm", "tap5", "resync"),
                ("changed", "vm", "tap2", "resync"),
                ("online", "vm", "tap7", "resync"),
                ("online", "vm", "tap3", "resync"),
                ("online", "vm", "tap4", "replay"),
                ("synchronized", "resync"),
            ],
        )
        gone, changed = events[1], events[3]
        assert isinstance(gone, InterfaceOffline) and isinstance(changed, InterfaceChanged)
        self.assertEqual((gone.interface, changed.previous), (vm(3, "a"), vm(2)))

    def test_same(self) -> None:
        """
        Without replay, an observer that was told what is present is told only
        that it is in sync.
        """
        self.tracker = self.world.track(replay=False)
        self.tracker.recall("tcp:test", [vm(1)])
        self.world.put(vm(1), plain(2))
        self.world.synchronize()
        self.assertEqual(self.tracker.waiting, 0)
        self.assertEqual(self.told(), [("synchronized", "resync")])

    def test_otherColumns(self) -> None:
        """
        A column that is monitored now and was not then is a change only if it has
        another value than its default.
        """

        def row(number: int, value: Datum) -> OvsInterface:
            return attrs.evolve(vm(number), extra=MappingProxyType({"x": value}))

        self.tracker = self.world.track(replay=False)
        self.tracker.recall("tcp:test", [vm(1), vm(2)])
        up = row(2, "up")
        self.world.put(row(1, None), up)
        self.assertEqual(self.tracker.waiting, 1)
        self.world.synchronize()
        self.assertEqual(
            self.told(), [("changed", "vm", "tap2", "resync"), ("synchronized", "resync")]
        )

    def test_toldNothing(self) -> None:
        """
        An observer that was told that there is nothing begins with RESYNC too.
        """
        self.tracker.recall("tcp:test", [])
        self.world.put(vm(1))
        self.world.synchronize()
        self.assertEqual(
            self.told(), [("online", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )

    def test_forgets(self) -> None:
        """
        After the first snapshot a tracker keeps nothing of the earlier process.
        """
        self.tracker.recall("tcp:test", [vm(1), vm(2)])
        self.world.put(vm(1))
        self.world.synchronize()
        self.told()
        self.world.put(vm(2))
        self.assertEqual(self.told(), [("online", "vm", "tap2", "update")])
        self.assertEqual(self.tracker._recalled, {})


NUMBERS = st.integers(1, 5)
STATES = st.sampled_from(["a", "b", "ofport", "tunnel", "plain", "gone"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.tuples(NUMBERS, STATES), max_size=4)),
        st.tuples(st.just("lose"), st.none()),
        st.tuples(st.just("synchronize"), st.none()),
        st.tuples(st.just("tell"), st.integers(1, 4)),
        st.tuples(st.just("tellAll"), st.none()),
        st.tuples(st.just("leave"), st.sampled_from(["b", "c"])),
        st.tuples(st.just("repeat"), st.none()),
    ),
    max_size=40,
)


def state(number: int, name: str) -> OvsInterface:
    """
    An interface in one of the states that the schedules know.
    """
    if name == "plain":
        return plain(number)
    if name == "tunnel":
        row = jsonRow(f"tap{number}", "gre", 1, options={"remote_ip": "10.0.0.1"})
        return interface(number, row)
    return vm(number, "b" if name == "b" else "a", 5 if name == "ofport" else None)


class ScheduleTests(SynchronousTestCase):
    """
    Any schedule of changes, outages and slowness.
    """

    @settings(max_examples=1500, deadline=None, derandomize=True, database=None)
    @given(steps=STEPS, replay=st.booleans())
    def test_events(self, steps: list[tuple[str, object]], replay: bool) -> None:
        """
        Whatever happens in whatever order, the events that an observer was
        told never contradict each other, what waits stays bounded, and when
        all is told they add up to what is so.
        """
        self.play(steps, replay, None)

    @settings(max_examples=1500, deadline=None, derandomize=True, database=None)
    @given(
        told=st.dictionaries(NUMBERS, STATES),
        before=STEPS,
        after=STEPS,
        replay=st.booleans(),
    )
    def test_recall(
        self,
        told: dict[int, str],
        before: list[tuple[str, object]],
        after: list[tuple[str, object]],
        replay: bool,
    ) -> None:
        """
        So it is, too, with anything told in an earlier process, and whatever
        happens before that is known.
        """
        was = [state(number, name) for number, name in told.items() if name != "gone"]
        # Until then the observer is busy, and is told nothing.
        meanwhile = [step for step in before if not step[0].startswith("tell")]
        self.play([*meanwhile, ("recall", None), *after], replay, was)

    def play(
        self, steps: list[tuple[str, object]], replay: bool, told: list[OvsInterface] | None
    ) -> None:
        """
        Play a schedule, and judge its events.
        """
        world = World()
        tracker = world.track(replay)
        fold = Fold(replay, told)
        for what, argument in [*steps, ("synchronize", None), ("tellAll", None)]:
            if what == "recall":
                assert told is not None
                tracker.recall("tcp:test", told)
            elif what == "put":
                assert isinstance(argument, list)
                # In an outage nothing is known to change: a snapshot tells.
                for number, name in argument:
                    if name == "gone":
                        world.remove(number)
                    else:
                        world.put(state(number, name))
            elif what == "leave":
                world.leave(str(argument))
            elif what == "repeat":
                tracker.repeat()
                fold.repeated()
            elif what == "lose":
                world.lose()
            elif what == "synchronize":
                world.lose()
                world.synchronize()
            else:
                limit = argument if isinstance(argument, int) else 10**6
                for event in drain(tracker, limit):
                    fold.receive(event)
            present = sum(row.kind is not None for row in world.rows.values())
            assert tracker.waiting <= len(fold.interfaces) + present
        assert fold.inSync
        expected = {u: row for u, row in world.rows.items() if row.kind is not None}
        assert fold.interfaces == expected
