# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Properties of monitors that share a switch, in any history: changes, connections that
are cut, locks that are stolen and given up, observers that are busy, and answers about
what was told that come late.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.fakes.fold import Fold
from twisted_ovsdb import (
    Disconnected,
    EndpointConnector,
    Event,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    IOvsdbEventObserver,
    OvsdbError,
    OvsdbMonitorFactory,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.testing import MemoryServer

LOCK = "fleet"

ACTIONS = (
    *("add", "set", "delete") * 2,
    *("giveUp", "steal", "cut", "othersTake", "othersFree", "restart"),
    *("wait", "busy", "free") * 2,
    *("late", "answer"),
)

Steps = list[tuple[str, int]]

STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2)), min_size=10, max_size=40)


class Shared:
    """
    What all monitors have told, as a broker would have it: at each takeover, whoever takes
    over goes on from it.
    """

    def __init__(self) -> None:
        self.rows: dict[str, OvsInterface] | None = None

    def receive(self, event: Event) -> None:
        """
        An event of the monitor that speaks.
        """
        if self.rows is None:
            self.rows = {}
        rows = self.rows
        if isinstance(event, InterfaceOnline):
            assert event.interface.uuid not in rows, event
            rows[event.interface.uuid] = event.interface
        elif isinstance(event, InterfaceChanged):
            assert rows[event.interface.uuid] == event.previous != event.interface, event
            rows[event.interface.uuid] = event.interface
        elif isinstance(event, InterfaceOffline):
            assert rows.pop(event.interface.uuid) == event.interface, event
        elif isinstance(event, Synchronized):
            assert {row.uuid: row for row in event.interfaces} == rows


@implementer(IOvsdbEventObserver)
class Front:
    """
    The observer of one monitor. Whether it was asked what was told or not, its own events
    begin with Synchronized and end with Disconnected.
    """

    def __init__(self, shared: Shared | None) -> None:
        self.shared = shared
        self.fold = Fold(replay=False)
        self.answers: list[Deferred[Any]] = []
        self.busy: Deferred[None] | None = None
        self.getsBusy = False
        self.late = False

    def told(self, switch: str) -> Deferred[Any]:
        """
        What C{told=} is asked; the test answers.
        """
        answer: Deferred[Any] = Deferred()
        self.answers.append(answer)
        if not self.late:
            self.answer()
        return answer

    def answer(self) -> None:
        """
        Say what was told.
        """
        answers, self.answers = self.answers, []
        for answer in answers:
            rows = None if self.shared is None else self.shared.rows
            if not answer.called:
                answer.callback(None if rows is None else list(rows.values()))

    def eventReceived(self, event: Event) -> Deferred[None] | None:
        """
        Add the event to what was told, and be busy if that is wanted.
        """
        assert self.busy is None, "told while busy"
        if self.shared is None:
            self.fold.receive(event)
        elif not isinstance(event, Disconnected):
            self.shared.receive(event)
        if self.getsBusy:
            self.getsBusy = False
            self.busy = Deferred()
        return self.busy

    def free(self) -> None:
        """
        Be busy no more.
        """
        busy, self.busy = self.busy, None
        if busy is not None:
            busy.callback(None)


class World:
    """
    A server, and three monitors that share it.
    """

    def __init__(self, shared: Shared | None) -> None:
        self.server = MemoryServer()
        self.server.addBridge("br-int")
        self.fronts = [Front(shared) for _ in range(3)]
        self.factories = []
        self.taken = False
        for name, front in zip("abc", self.fronts, strict=True):
            factory = OvsdbMonitorFactory(
                clock=self.server.clock, source="s", lock=LOCK, instance=name, replay=False
            )
            factory.addObserver(front, None if shared is None else front.told)
            EndpointConnector(self.server.endpoint, factory).connect()
            self.factories.append(factory)
        self.server.advance(0)

    def do(self, action: str, number: int) -> None:
        """
        Something happens.
        """
        server, factory, front = self.server, self.factories[number], self.fronts[number]
        names = {row["name"] for row in server.tables["Interface"].values()}
        name = f"tap{number}"
        if action == "add" and name not in names:
            server.addPort("br-int", name, "vm")
        elif action == "set" and name in names:
            server.assignOfport(name)
        elif action == "delete" and name in names:
            server.deletePort(name)
        elif action == "giveUp":
            factory.giveUp()
        elif action == "steal":
            factory.stealLock()
        elif action == "cut" and factory._link is not None:
            factory._link.protocol.abort(OvsdbError("cut"))
        elif action == "othersTake" and not self.taken:
            self.taken = True
            server.stealLock(LOCK)
        elif action == "othersFree" and self.taken:
            self.taken = False
            server.freeLock(LOCK)
        elif action == "restart":
            server.restart()
        elif action == "wait":
            server.advance((0.5, 3, 12)[number])
        elif action == "busy":
            front.getsBusy = True
        elif action == "free":
            front.free()
        elif action == "late":
            front.late = True
        elif action == "answer":
            front.late = False
            front.answer()
        server.advance(0)

    def settle(self) -> None:
        """
        Everything comes to rest.
        """
        self.do("othersFree", 0)
        for front in self.fronts:
            front.late = False
        for _ in range(30):
            self.server.advance(1)
            for front in self.fronts:
                front.getsBusy = False
                front.free()
                front.answer()
            self.server.advance(0)

    def present(self) -> dict[str, OvsInterface]:
        """
        What there is.
        """
        return {row.uuid: row for row in self.factories[0].interfaces()}

    def speakers(self) -> int:
        """
        How many monitors speak.
        """
        return sum(factory.speaking for factory in self.factories)


class HistoryTests(SynchronousTestCase):
    """
    Tests for any history.
    """

    def setUp(self) -> None:
        self.patch(random, "uniform", lambda low, high: high)

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(STEPS)
    def test_shared(self, steps: Steps) -> None:
        """
        With a memory that all monitors share, nothing is told twice and nothing is left
        out, whoever tells it; at the end one of them speaks, and what was told is what
        there is.
        """
        shared = Shared()
        world = World(shared)
        for step in steps:
            world.do(*step)
            self.assertLessEqual(world.speakers(), 1)
        world.settle()
        self.assertEqual(world.speakers(), 1)
        self.assertEqual(shared.rows, world.present())

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(STEPS)
    def test_alone(self, steps: Steps) -> None:
        """
        Without one, each observer is told exactly what is different from what it was
        told last, whenever its monitor speaks.
        """
        world = World(None)
        for step in steps:
            world.do(*step)
            self.assertLessEqual(world.speakers(), 1)
        world.settle()
        self.assertEqual(world.speakers(), 1)
        for factory, front in zip(world.factories, world.fronts, strict=True):
            self.assertEqual(front.fold.inSync, factory.speaking)
            if factory.speaking:
                self.assertEqual(front.fold.interfaces, world.present())
