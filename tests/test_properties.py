# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Properties of the whole, from bytes to events, under any schedule. Rows come, go
and change. There are outages and faults, and messages are cut anywhere.
Observers are prompt, slow or late, or they raise, or they were told something
in an earlier process.
"""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.fold import Fold
from tests.fakes.rows import interface, jsonRow, reply, update, uuid, vmRow
from twisted_ovsdb import InterfaceMonitor, OvsdbProtocol
from twisted_ovsdb.events import Event, InterfaceOffline, InterfaceOnline, OvsInterface

STATES: dict[str, Any] = {
    "vm": lambda n: vmRow(f"tap{n}", f"port-é-{n}"),
    "ready": lambda n: vmRow(f"tap{n}", f"port-é-{n}", 7),
    "other": lambda n: vmRow(f"tap{n}", f'another "{{" \\ {n}', 7),
    "tunnel": lambda n: jsonRow(f"tap{n}", "vxlan", 3, options={"remote_ip": "10.0.0.1"}),
    "failed": lambda n: jsonRow(f"tap{n}", "vxlan", -1, "no", options={"remote_ip": "10.0.0.1"}),
    "plain": lambda n: jsonRow(f"tap{n}", "internal"),
    "gone": lambda n: None,
}

FAULTS = (
    b'{"id":null,"method":"update","params":["twisted_ovsdb",{"Interface":{"x":{"new":{}}}}]}',
    b'{"id":null,"method":"update","params":["twisted_ovsdb",{"Port":{}}]}',
    b'{"id":null,"method":"update","params":["twisted_ovsdb",[]]}',
    b'{"id":null,"method":"monitor_canceled","params":["twisted_ovsdb"]}',
    b"[]",
    b'{"id":5}',
    b"\xff",
    b'{"a":NaN}',
)


class Told:
    """
    An observer that checks what it is told. It answers in its manner: prompt,
    slow, or by raising an exception.
    """

    def __init__(self, manner: str, replay: bool, told: list[OvsInterface] | None = None) -> None:
        self.manner = manner
        self.replay = replay
        self.told = told
        self.fold = Fold(replay, told)
        self.events: list[Event] = []
        self.contradictions: list[AssertionError] = []
        self.waiting: Deferred[object] | None = None
        self.earlier: Deferred[list[OvsInterface]] | None = None

    def eventReceived(self, event: Event) -> Any:
        """
        Check the event.
        """
        self.events.append(event)
        # The monitor would log an exception: keep it for the test instead.
        try:
            assert self.waiting is None, "told while busy"
            self.fold.receive(event)
        except AssertionError as e:
            self.contradictions.append(e)
        if self.manner == "raises":
            raise ZeroDivisionError
        if self.manner == "slow":
            self.waiting = Deferred()
        return self.waiting

    def free(self) -> None:
        """
        Finish the present event.
        """
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.callback(None)

    def ask(self, switch: str) -> Deferred[list[OvsInterface]]:
        """
        Return a Deferred for what the observer was told in an earlier process.
        """
        assert self.earlier is None, "asked twice"
        self.earlier = Deferred()
        return self.earlier

    def answer(self, known: bool = True) -> None:
        """
        Fire the Deferred of L{ask}, with what the observer was told or with an
        error.
        """
        if self.earlier is None or self.earlier.called:
            return
        assert self.told is not None and self.events == []
        if known:
            self.earlier.callback(self.told)
        else:
            self.told = None
            self.fold = Fold(self.replay)
            self.earlier.errback(LookupError())


class Scene:
    """
    A database, observers, and a connection that is made and lost.
    """

    def __init__(self, seed: int, replay: bool) -> None:
        self.random = random.Random(seed)
        self.table: dict[int, dict[str, Any]] = {}
        self.steps = 0
        self.replay = replay
        self.observers = [Told(manner, replay) for manner in ("prompt", "slow", "raises")]
        self.removed: list[Told] = []
        self.clock = Clock()
        self.monitor = InterfaceMonitor([], replay=replay, clock=self.clock)
        for told in self.observers:
            self.add(told)
        self.protocol: OvsdbProtocol | None = None

    def add(self, told: Told) -> None:
        """
        Add an observer whose class does not declare the interface.
        """
        from zope.interface import directlyProvides

        from twisted_ovsdb import IOvsdbEventObserver

        directlyProvides(told, IOvsdbEventObserver)
        ask = None if told.told is None else told.ask
        self.monitor.addObserver(told, ask)

    def remove(self) -> None:
        """
        Remove the observer that was added last.
        """
        told = self.observers.pop()
        self.monitor.removeObserver(told)
        told.events.clear()
        self.removed.append(told)

    def send(self, data: bytes) -> None:
        """
        Receive bytes from the server, cut anywhere.
        """
        while data and self.protocol is not None:
            cut = self.random.choice((1, 2, 7, 50, len(data)))
            self.protocol.dataReceived(data[:cut])
            data = data[cut:]
            if self.protocol.lost is not None:
                self.protocol = None

    def connect(self) -> None:
        """
        Make a new connection, and receive its snapshot.
        """
        self.lose()
        self.protocol = OvsdbProtocol()
        self.protocol.makeConnection(StringTransport())
        self.monitor.attach(self.protocol).addErrback(lambda _: None)
        rows = list(self.table.items())
        self.random.shuffle(rows)
        self.send(reply(1, dict(rows)))

    def lose(self) -> None:
        """
        Lose the connection, if there is one.
        """
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(Failure(ConnectionLost()))

    def transact(self, changes: list[tuple[int, str]]) -> None:
        """
        Apply one transaction. Its update arrives if there is a connection.
        """
        updates: dict[int, dict[str, Any]] = {}
        for number, state in dict(changes).items():
            old, new = self.table.get(number), STATES[state](number)
            if old == new:
                continue
            if new is None:
                del self.table[number]
                updates[number] = {"old": old}
            else:
                self.table[number] = new
                updates[number] = {"new": new} if old is None else {"new": new, "old": {}}
        if updates:
            self.send(update(updates))

    def check(self) -> None:
        """
        Assert that no observer was told anything that contradicts what it knew,
        and that removed observers were told nothing more.
        """
        for told in self.observers:
            assert not told.contradictions, told.contradictions
        for told in self.removed:
            assert told.events == [], "told after it was removed"
            assert told.earlier is None or told.earlier.called, "not cancelled"

    def expected(self) -> dict[str, Any]:
        """
        The interfaces that observers have to know, by UUID.
        """
        rows = {uuid(n): interface(n, row) for n, row in self.table.items()}
        return {u: row for u, row in rows.items() if row.kind is not None}

    def freeAll(self) -> None:
        """
        Free slow observers until they have been told everything.
        """
        while any(told.waiting is not None for told in self.observers):
            for told in self.observers:
                told.free()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("transact"),
            st.lists(st.tuples(st.integers(1, 6), st.sampled_from(sorted(STATES))), max_size=4),
        ),
        st.tuples(st.just("connect"), st.none()),
        st.tuples(st.just("lose"), st.none()),
        st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
        st.tuples(st.just("partial"), st.integers(1, 200)),
        st.tuples(st.just("free"), st.none()),
        st.tuples(st.just("late"), st.sampled_from(["prompt", "slow"])),
        st.tuples(st.just("turn"), st.none()),
    ),
    max_size=30,
)

TOLD_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("told"),
            st.tuples(
                st.sampled_from(["prompt", "slow"]),
                st.dictionaries(st.integers(1, 6), st.sampled_from(sorted(STATES))),
            ),
        ),
        st.tuples(st.just("answer"), st.booleans()),
        st.tuples(st.just("remove"), st.none()),
    ),
    max_size=6,
)


class ScheduleTests(SynchronousTestCase):
    """
    Any schedule, checked at every event and at the end.
    """

    def play(self, scene: Scene, what: str, argument: Any) -> None:
        """
        Play one step of a schedule.
        """
        if what == "transact":
            scene.transact(argument)
        elif what == "connect":
            scene.connect()
        elif what == "lose":
            scene.lose()
        elif what == "fault":
            scene.send(argument)
        elif what == "partial":
            # A message that is cut off by the loss of the connection.
            if scene.protocol is not None:
                scene.protocol.dataReceived(update({99: {"new": vmRow("tap99")}})[:argument][:-1])
            scene.lose()
        elif what == "free":
            for told in scene.observers:
                told.free()
        elif what == "late" and len(scene.observers) < 6:
            told = Told(argument, scene.replay)
            scene.observers.append(told)
            scene.add(told)
        elif what == "told" and len(scene.observers) < 6:
            manner, rows = argument
            was = [interface(n, STATES[state](n)) for n, state in rows.items() if state != "gone"]
            told = Told(manner, scene.replay, was)
            scene.observers.append(told)
            scene.add(told)
        elif what == "answer":
            for told in scene.observers:
                told.answer(argument)
        elif what == "remove" and len(scene.observers) > 3:
            scene.remove()
        elif what == "turn":
            scene.clock.advance(0)

    @settings(max_examples=700, deadline=None, derandomize=True, database=None)
    @given(steps=STEPS, seed=st.integers(0, 2**16), replay=st.booleans())
    def test_events(self, steps: list[tuple[str, Any]], seed: int, replay: bool) -> None:
        """
        Every event fits what its observer was told before. While in sync, a
        prompt observer knows the whole table after every step. At the end all
        observers know it, also slow and late ones.
        """
        self.judge(steps, seed, replay)

    @settings(max_examples=700, deadline=None, derandomize=True, database=None)
    @given(
        steps=STEPS,
        told=TOLD_STEPS,
        seed=st.integers(0, 2**16),
        replay=st.booleans(),
    )
    def test_told(
        self, steps: list[tuple[str, Any]], told: list[tuple[str, Any]], seed: int, replay: bool
    ) -> None:
        """
        The same is true for observers that were told something in an earlier
        process, whenever this becomes known, or if it never does. An observer
        that is removed is told nothing more.
        """
        mixed, shuffle = [*steps, *told], random.Random(seed)
        # Each list keeps its order. The places of told among the steps are random.
        places = sorted(shuffle.sample(range(len(mixed)), len(told)))
        mixed = list(steps)
        for place, step in zip(places, told, strict=True):
            mixed.insert(place, step)
        self.judge(mixed, seed, replay)

    def judge(self, steps: list[tuple[str, Any]], seed: int, replay: bool) -> None:
        """
        Play a schedule, and check the observers at every step and at the end.
        """
        scene = Scene(seed, replay)
        for what, argument in steps:
            self.play(scene, what, argument)
            scene.check()
            prompt = scene.observers[0]
            if scene.monitor.inSync:
                assert prompt.fold.interfaces == scene.expected()
            assert prompt.fold.inSync == scene.monitor.inSync
            self.assertAlternates(prompt, replay)
        scene.connect()
        scene.clock.advance(0)
        for told in scene.observers:
            told.answer()
        scene.freeAll()
        scene.check()
        for told in scene.observers:
            assert told.fold.inSync, told.manner
            assert told.fold.interfaces == scene.expected(), told.manner
            self.assertAlternates(told, replay)
        prompt, _, raises = scene.observers[:3]
        assert raises.events == prompt.events
        self.flushLoggedErrors(ZeroDivisionError, LookupError)
        assert [call for call in scene.clock.getDelayedCalls() if call.getTime() == 0] == []

    def assertAlternates(self, told: Told, replay: bool) -> None:
        """
        Assert that without replays online and offline alternate for every UUID.
        The first of them is online, or offline if the observer was told of the
        interface in an earlier process.
        """
        if replay:
            return
        online = {row.uuid for row in told.told or () if row.kind is not None}
        for event in told.events:
            if isinstance(event, InterfaceOnline):
                assert event.interface.uuid not in online
                online.add(event.interface.uuid)
            elif isinstance(event, InterfaceOffline):
                online.remove(event.interface.uuid)

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(
        rows=st.dictionaries(st.integers(1, 6), st.sampled_from(sorted(STATES)[:-1]), max_size=6),
        seed=st.integers(0, 2**16),
    )
    def test_idempotence(self, rows: dict[int, str], seed: int) -> None:
        """
        After an outage in which nothing changed, observers are told only the
        outage and, with replay, each interface once more.
        """
        for replay in (True, False):
            scene = Scene(seed, replay)
            scene.transact([(n, state) for n, state in rows.items() if state != "gone"])
            scene.connect()
            before = len(scene.observers[0].events)
            scene.connect()
            events = scene.observers[0].events[before:]
            self.flushLoggedErrors(ZeroDivisionError)
            scene.check()
            assert len(events) == 2 + (len(scene.expected()) if replay else 0)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(data=st.binary(max_size=60), seed=st.integers(0, 2**16))
    def test_rubbish(self, data: bytes, seed: int) -> None:
        """
        Random bytes in the middle of a session are ignored or end the session.
        Observers are told nothing from them.
        """
        scene = Scene(seed, False)
        scene.table = {1: vmRow("tap1")}
        scene.connect()
        scene.send(data)
        scene.connect()
        assert scene.observers[0].fold.interfaces == scene.expected()
        self.flushLoggedErrors(ZeroDivisionError)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(place=st.integers(0, 10**6), value=st.sampled_from([0, 0x22, 0x5B, 0x7B, 0x7D, 0xFF]))
    def test_mutations(self, place: int, value: int) -> None:
        """
        If one byte of an update is changed, the update is read as it then
        stands, or it ends the session. After the next snapshot observers know
        the right state.
        """
        scene = Scene(place, False)
        scene.table = {1: vmRow("tap1"), 2: vmRow("tap2")}
        scene.connect()
        message = bytearray(update({1: {"old": vmRow("tap1")}, 3: {"new": vmRow("tap3")}}))
        message[place % len(message)] = value
        scene.send(bytes(message))
        self.flushLoggedErrors(ZeroDivisionError)
        scene.check()
        # A row that is not in the update stays as it was.
        assert scene.observers[0].fold.interfaces[uuid(2)] == scene.expected()[uuid(2)]
        scene.connect()
        self.flushLoggedErrors(ZeroDivisionError)
        scene.check()
        assert scene.observers[0].fold.interfaces == scene.expected()

    def test_notation(self) -> None:
        """
        All notations of a row give the same events: an atom or a set of one
        atom, any order of keys, white space between the messages.
        """
        row = vmRow("tap1", ofport=7)
        variants = (
            row,
            {**row, "ofport": ["set", [7]], "name": ["set", ["tap1"]]},
            dict(reversed(row.items())),
        )
        results = []
        for variant in variants:
            for indent in (None, 2):
                text = json.dumps(json.loads(reply(1, {1: variant})), indent=indent)
                scene = Scene(1, True)
                scene.protocol = OvsdbProtocol()
                scene.protocol.makeConnection(StringTransport())
                scene.monitor.attach(scene.protocol)
                scene.send(b" \t\r\n" + text.encode())
                results.append(scene.observers[0].events)
        self.flushLoggedErrors(ZeroDivisionError)
        for events in results:
            self.assertEqual(events, results[0])
        self.assertEqual(len(results[0]), 2)
