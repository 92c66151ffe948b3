# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.places}: which switches are known, and what
observers are told when one is forgotten.
"""

from __future__ import annotations

import gc
import json
import random
import weakref
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from tests.fakes.fold import Fold
from tests.fakes.observers import Busy, Recorder, summaries
from tests.lifecycle.test_hook import RecordingHook
from tests.lifecycle.test_listener import ListenerTestCase, Switch
from twisted_ovsdb import ForgetReason, OvsdbListenerFactory, SwitchForgotten, onlyKinds
from twisted_ovsdb.events import Event
from twisted_ovsdb.lifecycle.places import DAY, FORGET_AFTER, LASTING
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver


class PlacesTestCase(ListenerTestCase):
    """
    A listener whose switches come and go.
    """

    def leave(self, system_id: str, *numbers: int, after: float = 0) -> None:
        """
        A switch connects, is in sync for this time, and goes.
        """
        switch = self.synchronize(system_id, *numbers)
        for _ in range(int(after)):
            self.clock.advance(1)
            switch.protocol.dataReceived(b" ")
        self.clock.advance(after % 1)
        switch.lose()

    def forgotten(self) -> list[tuple[str, str]]:
        """
        The switches of which the observer was told that they are forgotten, and
        why.
        """
        events = [e for e in self.observer.events if isinstance(e, SwitchForgotten)]
        return [(event.switch, event.reason.value) for event in events]

    def known(self) -> list[str]:
        """
        The keys of the switches that are known.
        """
        return list(self.listener.monitors)


class PlacesTests(PlacesTestCase):
    """
    Which switch keeps its place.
    """

    def test_F60_neverInSync(self) -> None:
        """
        Switches that are made up and never in sync take no place when they are
        gone, and nobody is told of them.
        """
        hook = RecordingHook()
        self.listen(maxSwitches=2, hook=hook)
        with capturedLogs() as logs:
            for number in range(1000):
                switch = self.dial()
                switch.identify(f"made-up-{number}")
                switch.lose()
        self.assertEqual(self.known(), [])
        # Nothing waits until observers know that they are gone.
        self.assertEqual(self.listener._places._parting, {})
        self.assertEqual([line for line in self.lines(logs) if "observers" in line], [])
        self.synchronize("good", 1)
        self.assertEqual(self.observer.take()[-1], ("synchronized", "initial"))
        self.assertFalse([told for told in hook.take() if told.startswith("forgotten")])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # the probe of the good one

    def test_F60_brieflyInSync(self) -> None:
        """
        Switches that are made up, in sync for a moment, and gone, do not lock a
        new switch out, and there are never more than there are places. Each
        forgetting is told.
        """
        self.listen(maxSwitches=3)
        for number in range(50):
            self.leave(f"made-up-{number}", number)
            self.assertLessEqual(len(self.known()), 3)
        self.synchronize("good", 1)
        self.assertEqual(self.known(), ["made-up-48", "made-up-49", "good"])
        expected = [(f"made-up-{number}", "limit") for number in range(48)]
        self.assertEqual(self.forgotten(), expected)

    def test_F60_order(self) -> None:
        """
        A place is taken from a switch that was in sync for less than a minute
        before one that was so for a minute, and among equals from the one that is
        absent for longest.
        """
        self.listen(maxSwitches=4)
        self.leave("old", 1, after=LASTING)
        self.leave("older-but-back", 2, after=LASTING)
        self.leave("short", 3, after=LASTING - 0.5)
        self.leave("shorter", 4)
        self.leave("old", 1)  # It was here for a minute, earlier.
        for number, name in enumerate(["short", "shorter", "older-but-back", "old"]):
            self.synchronize(f"new-{number}")
            self.assertEqual(self.forgotten()[-1], (name, "limit"))
        with capturedLogs() as logs:
            self.dial().identify("one-too-many")
        self.assertEqual(
            self.reasons(logs), ["too many switches are connected (4, --max-switches)"]
        )
        self.assertEqual(len(self.forgotten()), 4)

    def test_F60_connectedButNotInSync(self) -> None:
        """
        When all places are taken by connected switches, the first one goes that
        never was in sync. One that is known waits for its snapshot undisturbed.
        """
        self.listen(maxSwitches=3)
        self.leave("known", 1)
        back = self.dial()
        back.identify("known")
        pending = [self.dial(), self.dial()]
        for number, switch in enumerate(pending):
            switch.identify(f"made-up-{number}")
        with capturedLogs() as logs:
            self.synchronize("good", 1)
        gone = [each.transport.disconnecting for each in (back, *pending)]
        self.assertEqual(gone, [False, True, False])
        why = "not in sync, and too many switches are connected (3, --max-switches)"
        self.assertEqual(self.reasons(logs), [why])
        self.assertEqual(self.known(), ["known", "made-up-1", "good"])
        self.assertEqual(self.forgotten(), [])

    def test_claimantTakesThePlace(self) -> None:
        """
        If a switch that had to go has another connection that waits for its name,
        there are no more switches than places either.
        """
        self.listen(maxSwitches=2)
        first, other = self.dial(), self.dial()
        first.identify("one")
        other.identify("two")
        again = self.dial()
        again.identify("one")
        self.synchronize("good", 1)
        self.assertTrue(first.transport.disconnecting)
        self.assertEqual(len(self.known()), 2)
        self.assertTrue(self.listener.monitors["good"].inSync)

    def test_stopWhileAPlaceIsMade(self) -> None:
        """
        An observer that stops the listener when it is told that a switch is
        forgotten does not disturb it.
        """
        case = self

        class Stopper(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                if isinstance(event, SwitchForgotten):
                    case.listener.stop()

        self.observer = Stopper()
        self.listen(maxSwitches=1)
        self.leave("one", 1)
        newcomer = self.dial()
        newcomer.identify("two")
        self.assertTrue(newcomer.transport.disconnecting)
        newcomer.lose()
        self.assertEqual(self.known(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AgeTests(PlacesTestCase):
    """
    Switches that do not come back.
    """

    def test_F60_age(self) -> None:
        """
        After thirty days without a connection a switch is forgotten, and that is
        told. If it comes back, it is a new one.
        """
        self.assertEqual(FORGET_AFTER, 30 * DAY)
        self.leave("one", 1, 2)
        self.clock.advance(10)
        self.leave("two", 3)
        self.observer.take()
        self.clock.advance(FORGET_AFTER - 10 - 0.5)
        self.assertEqual(self.observer.events, [])
        self.assertEqual(self.known(), ["one", "two"])
        self.clock.advance(0.5)
        [event] = self.observer.events
        assert isinstance(event, SwitchForgotten)
        self.assertEqual((event.switch, event.source), ("one", "one"))
        self.assertEqual((event.system_id, event.hostname), ("one", "host"))
        self.assertIs(event.reason, ForgetReason.AGE)
        self.assertEqual(self.known(), ["two"])
        self.observer.take()
        self.synchronize("one", 1)
        self.assertEqual(
            self.observer.take(), [("online", "vm", "tap1", "initial"), ("synchronized", "initial")]
        )
        self.clock.advance(10)
        self.assertEqual(self.known(), ["one"])

    def test_comesBackInTime(self) -> None:
        """
        The time counts from the last connection, and while a switch is connected it
        is not forgotten.
        """
        self.listen(forgetAfter=100, probeInterval=0)
        self.leave("one", 1)
        self.clock.advance(99)
        switch = self.synchronize("one", 1)
        self.clock.advance(1000)
        switch.lose()
        self.clock.advance(99)
        self.assertEqual(self.forgotten(), [])
        self.clock.advance(1)
        self.assertEqual(self.forgotten(), [("one", "age")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_several(self) -> None:
        """
        Switches that were gone together are forgotten together, and those of a
        minute and those of a moment at their own times.
        """
        self.listen(forgetAfter=100)
        self.leave("a", 1)
        self.leave("b", 2, after=LASTING)
        self.leave("c", 3)
        self.clock.advance(100 - LASTING)
        self.assertEqual(self.forgotten(), [("a", "age")])
        self.clock.advance(LASTING)
        self.assertCountEqual(self.forgotten()[1:], [("b", "age"), ("c", "age")])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.known(), [])

    def test_backInTime(self) -> None:
        """
        A switch that is back is not forgotten, and no timer is left for it. When it
        is gone again, the time begins anew.
        """
        self.listen(forgetAfter=100, probeInterval=0, snapshotTimeout=0)
        for _ in range(3):
            self.leave("one", 1)
            self.assertEqual(
                [call.getTime() for call in self.clock.calls], [self.clock.seconds() + 100]
            )
            self.clock.advance(99)
            switch = self.synchronize("one", 1)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.clock.advance(99)
            switch.lose()
        self.clock.advance(99.5)
        self.assertEqual(self.known(), ["one"])
        self.clock.advance(0.5)
        self.assertEqual(self.forgotten(), [("one", "age")])

    def test_lastingIsForgotten(self) -> None:
        """
        That a switch was in sync for long is forgotten with the switch: nothing of it
        stays, and it has to be in sync for long again before it goes after others.
        """
        self.listen(forgetAfter=100)
        self.leave("one", 1, after=LASTING)
        self.assertEqual(self.listener._places._lasted, {"one"})
        self.clock.advance(100)
        self.assertEqual(self.forgotten(), [("one", "age")])
        self.assertEqual(self.listener._places._lasted, set())

    def test_never(self) -> None:
        """
        0 is no limit, and needs no timer.
        """
        self.listen(forgetAfter=0)
        self.leave("one", 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(FORGET_AFTER * 10)
        self.assertEqual(self.known(), ["one"])

    def test_stopped(self) -> None:
        """
        While the listener is stopped, there is no timer and nothing is told. What
        is too old then is forgotten at the start.
        """
        self.listen(forgetAfter=100)
        self.leave("one", 1)
        switch = self.synchronize("two", 2)
        for _ in range(2):
            stopped = self.listener.stop()
            switch.lose()
            self.successResultOf(stopped)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.observer.take()
            self.clock.advance(99)
            self.assertEqual(self.forgotten(), [])
            self.listener.start()
            switch = self.dial()
        self.assertEqual(self.forgotten(), [])
        self.clock.advance(0)
        self.assertCountEqual(self.forgotten(), [("one", "age"), ("two", "age")])

    def test_stoppedByAnObserver(self) -> None:
        """
        If an observer stops the listener when it is told of one switch, the others
        are kept until the next start.
        """
        case = self

        class Stopper(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                if isinstance(event, SwitchForgotten):
                    case.listener.stop()

        self.observer = Stopper()
        self.listen(forgetAfter=100)
        self.leave("one", 1)
        self.leave("two", 2)
        self.clock.advance(100)
        self.assertEqual(self.forgotten(), [("one", "age")])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.listener.start()
        self.clock.advance(0)
        self.assertEqual(self.forgotten(), [("one", "age"), ("two", "age")])

    def test_log(self) -> None:
        """
        The log says which switch was too old. Of those whose place was needed it
        says one, and counts the others: a peer can repeat that.
        """
        self.listen(forgetAfter=2000, maxSwitches=1)
        with capturedLogs() as logs:
            for number in range(5):
                self.leave(f"s{number}")
            self.clock.advance(600)
            self.leave("s5")
            self.clock.advance(2000)
        lines = [line for line in self.lines(logs) if "forgotten" in line]
        needed = "is forgotten: another one needed its place (--max-switches)"
        self.assertEqual(
            lines,
            [
                f"switch s0 {needed}",
                f"switch s4 {needed} (and 3 others since the last such line)",
                "switch s5 is forgotten: not connected for too long (--forget)",
            ],
        )

    def test_memory(self) -> None:
        """
        Nothing of a switch that is forgotten stays in memory.
        """
        hook = RecordingHook()
        self.listen(forgetAfter=100, hook=hook)
        switch = self.dial()
        switch.identify(None)
        switch.snapshot(1)
        (monitor,) = map(weakref.ref, self.listener.monitors.values())
        switch.lose()
        del switch
        self.observer.take()
        self.clock.advance(100)
        gc.collect()
        self.assertIsNone(monitor())
        places = self.listener._places
        for kept in (places._briefly, places._lasting, places._lasted, places._parting):
            self.assertFalse(kept)
        log: Any = self.listener._hooks._hooks[0]
        self.assertEqual(log._nameless, set())
        self.assertEqual(hook.take()[-1], f"forgotten {self.observer.events[0].switch}: age")


class TellingTests(PlacesTestCase):
    """
    What observers are told of a switch that is forgotten.
    """

    def setUp(self) -> None:
        super().setUp()
        self.listen(forgetAfter=100)

    def forget(self) -> None:
        """
        Let the time pass after which absent switches are forgotten.
        """
        self.clock.advance(100)

    def test_F60_busy(self) -> None:
        """
        An observer that is busy is told later: Disconnected if it was told in sync,
        and then that the switch is forgotten. What else waited is moot, and is not
        kept.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory([busy], clock=self.clock, forgetAfter=100)
        switch = self.synchronize("one", 1)
        busy.free()
        self.assertEqual(busy.take()[-1], ("synchronized", "initial"))
        switch.lose()
        self.forget()
        self.assertEqual(self.known(), [])
        self.assertEqual(busy.events, [])
        busy.freeAll()
        closed = "Connection was closed cleanly."
        self.assertEqual(busy.take(), [("disconnected", closed), ("forgotten", "age")])
        self.assertEqual(self.listener._places._parting, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busyInTheSnapshot(self) -> None:
        """
        An observer that was told part of a snapshot, and never Synchronized, is told
        that the switch is forgotten, and no Disconnected.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory([busy], clock=self.clock, forgetAfter=100)
        self.leave("one", 1, 2, 3)
        self.forget()
        busy.freeAll()
        self.assertEqual(busy.take(), [("online", "vm", "tap1", "initial"), ("forgotten", "age")])

    def test_F60_comesBackWhileBusy(self) -> None:
        """
        If the switch comes back before a busy observer could be told, the observer
        is told first that it is forgotten, and then everything as of a new switch.
        Another observer was told at once.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory(
            [busy, self.observer], clock=self.clock, forgetAfter=100
        )
        self.leave("one", 1, 2)
        self.forget()
        self.assertEqual(self.observer.take()[-1], ("forgotten", "age"))
        self.synchronize("one", 2, 3)
        self.assertEqual(len(busy.events), 1)
        busy.freeAll()
        told = busy.take()
        self.assertEqual(
            told,
            [
                ("online", "vm", "tap1", "initial"),
                ("forgotten", "age"),
                ("online", "vm", "tap2", "initial"),
                ("online", "vm", "tap3", "initial"),
                ("synchronized", "initial"),
            ],
        )
        self.assertEqual(self.observer.take(), told[2:])
        self.assertEqual(self.listener._places._parting, {})

    def test_busyWithTheForgetting(self) -> None:
        """
        While an observer is busy with the forgetting itself, it is told nothing of
        the switch that has come back.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory([busy], clock=self.clock, forgetAfter=100)
        self.leave("one", 1)
        busy.freeAll()
        self.forget()
        self.assertEqual(busy.take()[-1], ("forgotten", "age"))
        switch = self.synchronize("one", 1)
        self.assertEqual(busy.take(), [])
        busy.free()
        self.assertEqual(busy.take(), [("online", "vm", "tap1", "initial")])
        busy.freeAll()
        switch.lose()
        self.assertEqual(self.known(), ["one"])

    def test_comesBackAndGoesWhileBusy(self) -> None:
        """
        If the switch comes back while the observer is busy, and is never in sync,
        the observer is told once that it is forgotten.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory([busy], clock=self.clock, forgetAfter=100)
        self.leave("one", 1)
        self.forget()
        switch = self.dial()
        switch.identify("one")
        switch.lose()
        self.assertEqual(self.known(), [])
        busy.freeAll()
        self.assertEqual(busy.take()[1:], [("forgotten", "age")])
        self.assertEqual(self.listener._places._parting, {})

    def test_forgottenTwiceWhileBusy(self) -> None:
        """
        If a switch is forgotten, comes back, and is forgotten again while the
        observer is busy, it is told once.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory([busy], clock=self.clock, forgetAfter=100)
        for _ in range(3):
            self.leave("one", 1)
            self.forget()
        busy.freeAll()
        self.assertEqual(busy.take()[1:], [("forgotten", "age")])
        self.assertEqual(self.listener._places._parting, {})

    def test_stopWhileBusy(self) -> None:
        """
        After a stop nothing is told. After the next start it is told that the switch
        is forgotten.
        """
        busy = Busy()
        self.listener = OvsdbListenerFactory([busy], clock=self.clock, forgetAfter=100)
        self.leave("one", 1)
        self.forget()
        self.successResultOf(self.listener.stop())
        busy.freeAll()
        self.assertEqual(len(busy.take()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.listener.start()
        busy.freeAll()
        self.assertEqual(busy.take(), [("forgotten", "age")])
        self.assertEqual(self.listener._places._parting, {})

    def test_F60_partingIsBounded(self) -> None:
        """
        For an observer that hangs, no more forgotten switches wait to be told than
        there are places. The oldest goes with a warning.
        """
        hung: list[Deferred[None]] = []

        class Hung(Recorder):
            def eventReceived(self, event: Event) -> Deferred[None]:
                hung.append(Deferred())
                return hung[-1]

        self.listener = OvsdbListenerFactory([Hung()], clock=self.clock, maxSwitches=3)
        with capturedLogs() as logs:
            for number in range(10):
                self.leave(f"s{number}", 1)
        parting = self.listener._places._parting
        self.assertEqual(list(parting), ["s4", "s5", "s6"])
        lines = [line for line in self.lines(logs) if "observers are busy" in line]
        self.assertEqual(
            lines[0],
            "observers are busy, and not told that switch s0 is forgotten: 3 others wait too",
        )
        self.assertTrue(hung[0].called)  # It was cancelled.
        self.assertFalse(hung[-1].called)

    def test_knowsNothing(self) -> None:
        """
        An observer that was told nothing of a switch is not told that it is
        forgotten.
        """
        self.leave("one", 1)
        late = Recorder()
        self.listener.monitors["one"].addObserver(late)
        self.forget()
        self.assertEqual(late.events, [])
        self.assertEqual(self.observer.take()[-1], ("forgotten", "age"))

    def test_told(self) -> None:
        """
        An observer that knows a switch from an earlier life is told that it is
        forgotten, also if what it knows is found only after that. What it knew does
        not count then.
        """
        self.leave("one", 1)
        known = self.listener.monitors["one"].interfaces()
        found: Deferred[Any] = Deferred()
        late, nobody = Recorder(), Recorder()
        self.listener.monitors["one"].addObserver(late, told=lambda switch: found)
        self.listener.monitors["one"].addObserver(nobody, told=lambda switch: None)
        self.forget()
        self.assertEqual((late.events, nobody.events), ([], []))
        self.synchronize("one", 1)
        found.callback(known)
        self.assertEqual(
            late.take(),
            [
                ("forgotten", "age"),
                ("online", "vm", "tap1", "initial"),
                ("synchronized", "initial"),
            ],
        )
        self.assertEqual(nobody.take()[-1], ("synchronized", "initial"))

    def test_views(self) -> None:
        """
        An observer behind a view is told too, and so is one that writes JSON Lines.
        """
        lines: list[bytes] = []
        vms = Recorder()
        views = [onlyKinds(vms, "vm"), onlyKinds(JSONLinesObserver(lines.append), "patch")]
        self.listener = OvsdbListenerFactory(views, clock=self.clock, forgetAfter=100)
        self.leave("one", 1)
        self.forget()
        self.assertEqual(vms.take()[-1], ("forgotten", "age"))
        last = json.loads(lines[-1])
        self.assertEqual(
            (last["event"], last["switch"], last["reason"]), ("forgotten", "one", "age")
        )

    def test_removedWhileBusy(self) -> None:
        """
        A busy observer that is removed from the monitor holds nothing up.
        """
        busy = Busy()
        self.leave("one", 1)
        monitor = self.listener.monitors["one"]
        switch = self.dial()
        switch.identify("one")
        switch.snapshot(1)
        monitor.addObserver(busy)
        self.clock.advance(0)
        switch.lose()
        self.forget()
        self.assertEqual(list(self.listener._places._parting), ["one"])
        monitor.removeObserver(busy)
        self.assertEqual(self.listener._places._parting, {})

    def test_questions(self) -> None:
        """
        What waits for a switch that is forgotten does not wait for ever: Deferreds
        fail, and a loop over its events ends after the last one.
        """
        switch = self.synchronize("one", 1)
        monitor = self.listener.monitors["one"]
        told: list[Event] = []

        async def loop() -> None:
            async for event in monitor.events():
                told.append(event)

        ended = Deferred.fromCoroutine(loop())
        self.clock.advance(0)
        switch.lose()
        waiting = [monitor.whenSynchronized(), monitor.whenReady("x")]
        self.assertEqual(len(monitor.interfaces()), 1)
        self.forget()
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.assertEqual(monitor.interfaces(), ())
        self.assertIsNone(monitor.interfaceByName("tap1"))
        self.successResultOf(ended)
        self.assertEqual(summaries(told)[-1], ("forgotten", "age"))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RandomTests(PlacesTestCase):
    """
    Switches that come, go and are forgotten at random.
    """

    def test_folds(self) -> None:
        """
        For every observer, however busy, the events of each switch add up to what is
        known of it, and to nothing if nothing is known.
        """
        complete = 0
        for seed in range(100):
            with capturedLogs() as logs:
                self.scene(random.Random(seed), logs)
            complete += not any("observers are busy" in line for line in self.lines(logs))
        self.assertGreater(complete, 80)

    def scene(self, choice: random.Random, logs: Any) -> None:
        """
        One random history.
        """
        self.observer, busy = Recorder(), [Apart(), Apart()]
        self.listener = OvsdbListenerFactory(
            [self.observer, *busy],
            clock=self.clock,
            maxSwitches=3,
            forgetAfter=50,
            probeInterval=0,
        )
        connected: dict[str, Switch] = {}
        for _ in range(choice.randrange(10, 60)):
            name = choice.choice("abcde")
            match choice.randrange(4):
                case 0:
                    if name not in connected:
                        switch = self.dial()
                        switch.identify(name)
                        if switch.transport.disconnecting:
                            switch.lose()
                            continue
                        first = ord(name) * 9
                        switch.snapshot(*choice.sample(range(first, first + 9), 3))
                        connected[name] = switch
                case 1:
                    if name in connected:
                        connected.pop(name).lose()
                case 2:
                    self.clock.advance(choice.choice([1, 30, 60]))
                case _:
                    for each in busy:
                        each.freeSome(choice)
        for each in busy:
            each.freeAll()
        for told in (self.observer.events, *(each.events for each in busy)):
            folds: dict[str, Fold] = {}
            for event in told:
                folds.setdefault(event.switch, Fold()).receive(event)
            for name, fold in folds.items():
                monitor = self.listener.monitors.get(name)
                rows = () if monitor is None else monitor.interfaces()
                if told is not self.observer.events:
                    # What was only there while an observer was busy, it is not told.
                    if name not in connected and monitor is not None:
                        continue
                    if any(f"switch {name} is forgotten: 3 others" in x for x in self.lines(logs)):
                        continue
                self.assertEqual(fold.interfaces, {row.uuid: row for row in rows})
                self.assertEqual(fold.inSync, name in connected)
        self.assertEqual(self.listener._places._parting, {})
        for switch in connected.values():
            switch.lose()
        self.successResultOf(self.listener.stop())
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Apart:
    """
    An observer that is busy with each event of each switch, until it is freed.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.waiting: list[Deferred[None]] = []

    def eventReceived(self, event: Event) -> Deferred[None]:
        """
        Record the event, and be busy with it.
        """
        self.events.append(event)
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def freeSome(self, choice: random.Random) -> None:
        """
        Finish some of the events.
        """
        for _ in range(choice.randrange(5)):
            if self.waiting:
                self.waiting.pop(choice.randrange(len(self.waiting))).callback(None)

    def freeAll(self) -> None:
        """
        Finish every event, until nothing more is told.
        """
        while self.waiting:
            self.waiting.pop().callback(None)
