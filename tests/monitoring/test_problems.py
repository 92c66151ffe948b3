# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What observers are told of problems, and when.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.fold import Fold
from tests.fakes.observers import Busy
from tests.fakes.rows import interface, uuid, vmRow
from twisted_ovsdb import (
    Event,
    ForgetReason,
    OvsdbEventObserver,
    OvsdbMonitorFactory,
    Problem,
    ProblemFound,
    ProblemSolved,
    onlyBridges,
    onlyKinds,
)
from twisted_ovsdb.monitoring import problemwatch
from twisted_ovsdb.monitoring.problemwatch import LOOK_SLICE
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.openvswitch.problems import Problems
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory

AFTER = 30.0


class ProblemsTestCase(SynchronousTestCase):
    """
    A switch in memory whose problems are told after 30 seconds.
    """

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.observer = RecordingObserver()
        self.fold = Fold()
        self.server.addBridge("br-int")

    def watch(self, *observers: Any, **options: Any) -> OvsdbMonitorFactory:
        """
        Connect a factory, and forget what the first snapshot tells.
        """
        options = {"problemsAfter": AFTER, **options}
        observers = observers or (self.observer,)
        self.factory = connectedFactory(self.server, *observers, **options)
        self.take()
        return self.factory

    def take(self) -> list[Event]:
        """
        Take what was told, and add it up.
        """
        events = self.observer.take()
        for event in events:
            self.fold.receive(event)
        return events

    def expect(self, *expected: str) -> list[Any]:
        """
        As L{RecordingObserver.expect}, and add it up.
        """
        events = self.observer.expect(*expected)
        for event in events:
            self.fold.receive(event)
        return events

    def configure(self, wanted: int, applied: int) -> None:
        """
        The configuration of the switch, and what ovs-vswitchd has applied of it.
        """
        row = {"next_cfg": wanted, "cur_cfg": applied}
        self.server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})

    def name(self, systemId: str) -> None:
        """
        Give the switch this system-id.
        """
        row = {"external_ids": ["map", [["system-id", systemId]]]}
        self.server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})

    def tearDown(self) -> None:
        self.factory.stop()
        self.server.advance(0)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])


class EachProblemTests(ProblemsTestCase):
    """
    Tests for what is a problem.
    """

    def test_failed(self) -> None:
        """
        A port that ovs-vswitchd could not configure is told after 30 seconds, and
        when it has worked for as long, that it did not, and how long.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        self.watch()
        began = self.server.clock.seconds()
        self.server.setInterface("tap1", ofport=-1, error="could not open\n")
        self.expect("changed vm tap1")
        self.server.advance(AFTER - 0.1)
        self.expect()
        self.server.advance(0.1)
        (found,) = self.expect("problem failed tap1")
        self.assertIsInstance(found, ProblemFound)
        self.assertEqual((found.since, found.detail), (began, r"could not open\n"))
        self.assertEqual(found.interface, self.factory.interfaceByName("tap1"))
        self.assertEqual(self.factory.problems(), (found,))
        self.server.advance(100)
        self.server.setInterface("tap1", ofport=2, error=None)
        ended = self.server.clock.seconds()
        self.server.advance(AFTER)
        _, solved = self.expect("changed vm tap1", "solved failed tap1")
        self.assertIsInstance(solved, ProblemSolved)
        self.assertEqual((solved.since, solved.lasted), (began, ended - began))
        self.assertEqual(self.factory.problems(), ())

    def test_pending(self) -> None:
        """
        A port without a kind that gets no OpenFlow port is a problem too.
        """
        self.watch()
        self.server.addPort("br-int", "eth7")
        self.server.advance(AFTER)
        (found,) = self.expect("problem pending eth7")
        self.assertIsNone(found.kind)
        self.assertEqual(found.detail, "no OpenFlow port")

    def test_failedIsNotPending(self) -> None:
        """
        A port that goes from pending to failed is one problem after another.
        """
        self.watch()
        self.server.addPort("br-int", "eth7")
        self.server.advance(20)
        self.server.setInterface("eth7", ofport=-1)
        self.server.advance(20)
        self.expect()
        self.server.advance(10)
        (found,) = self.expect("problem failed eth7")
        self.assertEqual(found.detail, "ofport -1")

    def test_duplicate(self) -> None:
        """
        Two interfaces with one iface-id are two problems, which end together.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        self.watch()
        self.server.addPort("br-int", "tap2", iface_id="vm-1", ofport=2)
        self.server.advance(AFTER)
        _, first, second = self.expect(
            "online vm tap2", "problem duplicate-iface-id tap1", "problem duplicate-iface-id tap2"
        )
        self.assertEqual(first.detail, "iface-id vm-1 is also on tap2")
        self.assertEqual(second.detail, "iface-id vm-1 is also on tap1")
        self.server.deletePort("tap2")
        self.expect("offline vm tap2", "solved duplicate-iface-id tap2")
        self.server.advance(AFTER)
        self.expect("solved duplicate-iface-id tap1")

    def test_oneSidedPatch(self) -> None:
        """
        A patch port whose peer does not exist, or does not point back, is a
        problem until the peer does.
        """
        self.server.addBridge("br-ex")
        self.server.addPatchPair("br-int", "patch-ex", "br-ex", "patch-int")
        for name in ("patch-ex", "patch-int"):
            self.server.assignOfport(name)
        self.watch()
        self.server.setInterface("patch-int", options={"peer": "other"})
        self.server.advance(AFTER)
        told: list[Any] = self.take()[1:]
        details = {event.interface.name: event.detail for event in told}
        self.assertEqual(
            details,
            {
                "patch-ex": "its peer patch-int names another peer",
                "patch-int": "its peer other is no patch port of this switch",
            },
        )
        self.server.setInterface("patch-int", options={"peer": "patch-ex"})
        self.server.advance(AFTER)
        self.take()
        self.assertEqual(self.fold.problems, {})
        self.server.deletePort("patch-int")
        self.server.advance(AFTER)
        self.expect("offline patch patch-int", "problem one-sided-patch patch-ex")

    def test_notApplying(self) -> None:
        """
        A switch that does not apply its configuration is a problem of the switch,
        which has no interface.
        """
        self.watch()
        self.configure(4, 3)
        self.server.advance(AFTER)
        (found,) = self.expect("problem not-applying")
        self.assertEqual(found.detail, "cur_cfg 3 is behind next_cfg 4")
        self.assertEqual((found.interface, found.kind), (None, None))
        self.assertEqual(self.factory.problems(), (found,))
        self.configure(4, 4)
        self.server.advance(AFTER)
        self.expect("solved not-applying")

    def test_busySwitch(self) -> None:
        """
        A switch that is always behind, but comes further each time, does apply
        its configuration.
        """
        self.watch()
        for number in range(1, 10):
            self.configure(number + 1, number)
            self.server.advance(AFTER / 2)
        self.expect()
        self.assertEqual(self.factory.problems(), ())


class TimeTests(ProblemsTestCase):
    """
    Tests for flaps and outages.
    """

    def test_flap(self) -> None:
        """
        What is wrong, or right, for less than 30 seconds is not told: ovs-vswitchd
        clears errors and sets them anew at each reconfiguration.
        """
        self.server.addPort("br-int", "eth7", ofport=1)
        self.watch()
        self.server.setInterface("eth7", error="none such")
        self.server.advance(AFTER - 1)
        self.server.setInterface("eth7", error=None)
        self.server.advance(AFTER)
        self.expect()
        self.server.setInterface("eth7", error="none such")
        self.server.advance(AFTER)
        self.expect("problem failed eth7")
        self.server.setInterface("eth7", error=None)
        self.server.advance(AFTER - 1)
        self.server.setInterface("eth7", error="none such")
        self.server.advance(2 * AFTER)
        self.expect()

    def test_outage(self) -> None:
        """
        Nothing is found in an outage, and after it the time begins again. A
        problem that was told before it stays told.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.watch(replay=False)
        self.server.advance(AFTER)
        self.expect("problem pending tap1")
        self.server.addPort("br-int", "eth7")
        self.server.advance(AFTER - 1)
        self.server.kill()
        self.expect("disconnected")
        self.assertEqual(self.factory.problems(), ())
        self.server.advance(2 * AFTER)
        self.server.start()
        self.server.advance(10)
        self.expect("synchronized resync")
        self.assertEqual([each.detail for each in self.factory.problems()], ["no OpenFlow port"])
        self.server.advance(AFTER - 10.1)
        self.expect()
        self.server.advance(10.1)
        self.expect("problem pending eth7")

    def test_endsAfterAnOutage(self) -> None:
        """
        What has ended shortly before an outage has to stay so after it.
        """
        self.server.addPort("br-int", "eth7")
        self.watch(replay=False)
        self.server.advance(AFTER)
        self.expect("problem pending eth7")
        self.server.assignOfport("eth7")
        self.server.advance(AFTER - 1)
        self.server.kill()
        self.server.start()
        self.server.advance(10)
        self.expect("disconnected", "synchronized resync")
        self.server.advance(AFTER - 10.1)
        self.expect()
        self.server.advance(10.1)
        self.expect("solved pending eth7")

    def test_solvedInAnOutage(self) -> None:
        """
        A problem that an outage has ended is told as solved after it: at once if
        the interface is gone, else when it has been right for 30 seconds.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.addPort("br-int", "tap2", iface_id="vm-2")
        self.watch(replay=False)
        self.server.advance(AFTER)
        self.assertEqual(len(self.take()), 2)
        self.server.kill()
        self.server.deletePort("tap1")
        self.server.assignOfport("tap2")
        self.server.advance(2 * AFTER)
        self.server.start()
        self.server.advance(10)
        self.expect(
            "disconnected",
            "offline vm tap1 resync",
            "changed vm tap2 resync",
            "synchronized resync",
            "solved pending tap1",
        )
        self.server.advance(AFTER)
        self.expect("solved pending tap2")

    def test_stopped(self) -> None:
        """
        A factory that is stopped tells nothing, and schedules nothing.
        """
        self.server.addPort("br-int", "eth7")
        self.watch()
        self.factory.stop()
        self.expect("disconnected")
        self.server.advance(2 * AFTER)
        self.expect()

    def test_otherSwitch(self) -> None:
        """
        When another switch is behind the source, the problems of the old one are
        solved under its key.
        """
        self.name("old")
        self.server.addPort("br-int", "eth7")
        self.watch(identify=True, replay=False)
        self.server.advance(AFTER)
        (found,) = self.expect("problem pending eth7")
        self.name("new")
        self.server.advance(10)
        solved, *_, synchronized = self.expect(
            "solved pending eth7",
            "disconnected",
            "offline bridge br-int",
            "online bridge br-int",
            "synchronized resync",
        )
        self.assertEqual((found.switch, solved.switch, synchronized.switch), ("old", "old", "new"))
        self.server.advance(AFTER)
        (again,) = self.expect("problem pending eth7")
        self.assertEqual(again.switch, "new")

    def test_forgotten(self) -> None:
        """
        The problems of a switch that is forgotten are not solved one by one. When it
        comes back, they have to last again.
        """
        self.server.addPort("br-int", "eth7")
        self.watch()
        self.server.advance(AFTER)
        self.expect("problem pending eth7")
        self.factory.stop()
        self.expect("disconnected")
        self.factory.monitor._server.forget(ForgetReason.AGE)
        self.expect("forgotten")
        self.assertEqual(self.fold.problems, {})
        self.server.advance(0)
        assert self.factory.connector is not None
        self.factory.connector.connect()
        self.server.advance(0)
        self.expect("online bridge br-int initial", "synchronized initial")
        self.server.advance(AFTER)
        self.expect("problem pending eth7")


class ObserverTests(ProblemsTestCase):
    """
    Which observers are told of problems.
    """

    def test_asks(self) -> None:
        """
        An observer that overrides a method for problems asks for them, and one
        that does not is told none.
        """

        class Plain(OvsdbEventObserver):
            def eventReceived(self, event: Event) -> None:
                told.append(event)

        class Asking(Plain):
            def problemFound(self, event: ProblemFound) -> None:
                pass

        told: list[Event] = []
        self.server.addPort("br-int", "eth7")
        self.watch(Plain())
        told.clear()
        self.server.advance(AFTER)
        self.assertEqual(told, [])
        self.factory.addObserver(Asking())
        self.server.advance(0)
        self.assertEqual([type(event) for event in told][-1:], [ProblemFound])

    def test_methods(self) -> None:
        """
        The base class calls the method of each of the two events.
        """
        told = []

        class Problems(OvsdbEventObserver):
            def problemFound(self, event: ProblemFound) -> None:
                told.append(("found", event.problem))

            def problemSolved(self, event: ProblemSolved) -> None:
                told.append(("solved", event.problem))

        self.server.addPort("br-int", "eth7")
        self.watch(Problems())
        self.server.advance(AFTER)
        self.server.deletePort("eth7")
        self.assertEqual(told, [("found", Problem.PENDING), ("solved", Problem.PENDING)])

    def test_views(self) -> None:
        """
        A view limits problems as it limits events. An interface that moves out of
        sight takes its problem along.
        """
        self.server.addBridge("br-ex")
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.addPort("br-int", "eth7")
        kinds, bridges = RecordingObserver(), RecordingObserver()
        self.watch(onlyKinds(kinds, "vm"), onlyBridges(bridges, "br-int"), bridges=True)
        self.server.advance(AFTER)
        kinds.expect("online vm tap1", "synchronized", "problem pending tap1")
        self.assertEqual(len(bridges.take()), 5)
        self.server.movePort("tap1", "br-ex")
        kinds.expect("changed vm tap1")
        bridges.expect("offline vm tap1", "solved pending tap1")

    def test_busy(self) -> None:
        """
        A busy observer is told the difference: a problem that came and went is not
        told, and one that went and came again is told as both.
        """
        busy = _BusyWithProblems()
        self.server.addPort("br-int", "eth7")
        self.watch(busy)
        busy.freeAll()
        self.server.advance(AFTER)
        self.assertEqual(busy.take()[-1:], [("problem", "pending", "eth7")])
        self.server.assignOfport("eth7")
        self.server.addPort("br-int", "eth8")
        self.server.advance(AFTER)
        self.server.deletePort("eth8")
        self.server.setInterface("eth7", ofport=None)
        self.server.advance(AFTER)
        busy.freeAll()
        told = [("solved", "pending", "eth7"), ("problem", "pending", "eth7")]
        self.assertEqual(busy.take(), told)

    def test_late(self) -> None:
        """
        An observer that is added late, and one that is told everything once more,
        is told the problems that there are, after Synchronized.
        """
        self.server.addPort("br-int", "eth7")
        self.watch()
        self.server.advance(AFTER)
        self.expect("problem pending eth7")
        late = RecordingObserver()
        self.factory.addObserver(late)
        self.server.advance(0)
        late.expect("online bridge br-int", "synchronized initial", "problem pending eth7")
        self.factory.replayTo(self.observer)
        self.fold.repeated()
        self.server.advance(0)
        self.expect("online bridge br-int replay", "synchronized", "problem pending eth7")

    def test_toldAnew(self) -> None:
        """
        An observer that is told everything once more is not told that problems of
        another switch are solved: of these it is told nothing.
        """
        busy = _BusyWithProblems()
        self.name("old")
        self.server.addPort("br-int", "eth7")
        self.watch(busy, identify=True, replay=False)
        busy.freeAll()
        self.server.advance(AFTER)
        busy.take()
        self.name("new")
        self.server.advance(10)
        self.factory.replayTo(busy)
        busy.freeAll()
        self.server.advance(0)
        busy.freeAll()
        self.assertNotIn(("solved", "pending", "eth7"), busy.take())

    def test_loop(self) -> None:
        """
        A loop over events(problems=True) is told problems.
        """
        self.server.addPort("br-int", "eth7")
        self.watch()
        self.server.advance(AFTER)
        for asks, expected in ((False, 2), (True, 3)):
            told: list[Event] = []

            async def loop(asks: bool = asks, told: list[Event] = told) -> None:
                async for event in self.factory.events(problems=asks):
                    told.append(event)

            Deferred.fromCoroutine(loop())
            self.server.advance(0)
            self.assertEqual(len(told), expected)


class _BusyWithProblems(Busy):
    wantsProblems = True


class SettingsTests(ProblemsTestCase):
    """
    Tests for problemsAfter.
    """

    def test_off(self) -> None:
        """
        Without problemsAfter nothing is looked for, nothing more is monitored, and
        a question says what to pass.
        """
        self.server.addPort("br-int", "eth7")
        self.watch(problemsAfter=None)
        self.assertEqual(set(self.factory.monitor._known.tables.tables), {"Interface"})
        self.server.advance(100)
        self.expect()
        error = self.assertRaises(ValueError, self.factory.problems)
        self.assertIn("problemsAfter=30.0", str(error))

    def test_monitored(self) -> None:
        """
        With problemsAfter the two counters are monitored, and the identity only if
        it is asked for: the switch is known by its source.
        """
        self.watch()
        requests = self.factory.monitor._known.tables.requests()
        self.assertEqual(requests["Open_vSwitch"], [{"columns": ["next_cfg", "cur_cfg"]}])
        self.assertEqual(self.factory.monitor.switch, "memory")

    def test_monitoredWithIdentity(self) -> None:
        """
        The counters and the identity of a switch are columns of one request.
        """
        self.watch(identify=True)
        requests = self.factory.monitor._known.tables.requests()
        columns = ["external_ids", "next_cfg", "cur_cfg"]
        self.assertEqual(requests["Open_vSwitch"], [{"columns": columns}])

    def test_wrong(self) -> None:
        """
        A number that is no time is refused, with its name.
        """
        self.watch()
        for wrong in (0, -1, "30", float("nan")):
            error = self.assertRaises(
                ValueError, OvsdbMonitorFactory, problemsAfter=wrong, clock=self.server.clock
            )
            self.assertIn("problemsAfter", str(error))

    def sliced(self) -> None:
        """
        A watch that looks at one of three interfaces in each turn.
        """
        self.patch(problemwatch, "LOOK_SLICE", 1)
        self.watch()
        self.clock = clock = Clock()
        self.rows: dict[str, Any] = {}
        self.changes: list[Any] = []
        self.told: list[int] = []  # how many changes there were at each delivery
        present = Present(self.rows)
        present.current, present.snapshots = True, 1
        self.problems = Problems(self.rows, AFTER)
        self.sliceWatch = problemwatch.ProblemWatch(
            self.problems,
            present,
            lambda: None,
            clock,
            clock.seconds,
            self.changes.extend,
            lambda: self.told.append(len(self.changes)),
        )

    def put(self, ofport: int | None) -> None:
        """
        The three interfaces have this OpenFlow port.
        """
        for number in range(3):
            row = vmRow(f"tap{number}", f"vm-{number}", ofport)
            self.rows[uuid(number)] = interface(number, row)
            self.problems.note(uuid(number), None, None)
        self.sliceWatch.settle()

    def test_endedInSlices(self) -> None:
        """
        What has ended is not found, also while it is still looked at in slices.
        """
        self.sliced()
        self.put(None)
        self.clock.pump([0, 0, 0])
        self.clock.advance(AFTER - 1)
        self.put(5)
        # Where the reactor is late, the timer is due before the last slice.
        self.clock.advance(2)
        self.clock.pump([0, 0, AFTER])
        self.assertEqual((self.changes, self.problems.found), ([], {}))

    def test_rightAgain(self) -> None:
        """
        Nothing is scheduled where nothing is wrong any more.
        """
        self.sliced()
        self.put(None)
        self.clock.pump([0, 0, 0, 1])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.put(5)
        self.clock.pump([0, 0, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_goneInSlices(self) -> None:
        """
        What is gone is no problem any more, also where it was not looked at yet. That
        it has ended is delivered with each slice.
        """
        self.sliced()
        self.put(None)
        self.clock.pump([0, 0, 0, AFTER])
        self.assertEqual(len(list(self.sliceWatch.each())), 3)
        self.rows.clear()
        self.assertEqual(list(self.sliceWatch.each()), [])
        del self.changes[:], self.told[:]
        for number in range(3):
            self.problems.note(uuid(number), None, None)
        self.sliceWatch.settle()
        counts = [len(self.changes)]
        for _ in range(2):
            self.clock.advance(0)
            counts.append(len(self.changes))
        self.assertEqual((self.told[-1], counts[-1]), (len(self.changes), 3))

    def test_beginsAfterTheLastSlice(self) -> None:
        """
        The time of a snapshot begins when all of it was looked at.
        """
        self.sliced()
        self.put(None)
        self.clock.pump([2, AFTER - 0.5])
        self.assertEqual(self.changes, [])
        self.clock.advance(0.5)
        self.assertEqual(len(self.changes), 3)

    def test_slices(self) -> None:
        """
        Thousands of interfaces are looked at in slices, and the time begins when
        all have been looked at.
        """
        count = 2 * LOOK_SLICE + 500
        interfaces = [
            {"op": "insert", "table": "Interface", "uuid-name": f"i{n}", "row": {"name": f"p{n}"}}
            for n in range(count)
        ]
        names = ["set", [["named-uuid", f"i{n}"] for n in range(count)]]
        port = {"name": "bond", "interfaces": names}
        self.server.transact(
            *interfaces,
            {"op": "insert", "table": "Port", "uuid-name": "port", "row": port},
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [],
                "mutations": [["ports", "insert", ["named-uuid", "port"]]],
            },
        )
        self.watch()
        self.server.advance(AFTER)
        for _ in range(10):
            self.server.advance(0)
        self.assertEqual(len(self.take()), count)
        self.assertEqual(len(self.fold.problems), count)
