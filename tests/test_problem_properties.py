# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Properties of problems under any schedule, as C{tests/test_properties.py} has them for
interfaces: rows come, go and change, time passes, there are outages, and observers
are prompt, slow or late, or they raise.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests import test_properties
from tests.fakes.rows import interface, jsonRow, uuid, vmRow
from tests.openvswitch.test_problems import wrong
from tests.test_properties import Scene, Told
from twisted_ovsdb import InterfaceMonitor

AFTER = 3

STATES: dict[str, Any] = {
    **test_properties.STATES,
    "twin": lambda n: vmRow(f"tap{n}", "port-of-two", 7),
    "patch": lambda n: jsonRow(f"tap{n}", "patch", 7, options={"peer": f"tap{n ^ 1}"}),
    "onesided": lambda n: jsonRow(f"tap{n}", "patch", 7, options={"peer": "tap1"}),
}

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("transact"),
            st.lists(st.tuples(st.integers(1, 6), st.sampled_from(sorted(STATES))), max_size=4),
        ),
        st.tuples(st.just("pass"), st.integers(1, AFTER + 1)),
        st.tuples(st.just("connect"), st.none()),
        st.tuples(st.just("lose"), st.none()),
        st.tuples(st.just("free"), st.none()),
        st.tuples(st.just("late"), st.sampled_from(["prompt", "slow"])),
    ),
    max_size=30,
)


class ProblemScene(Scene):
    """
    A scene whose observers are told problems.
    """

    def __init__(self, seed: int, replay: bool) -> None:
        super().__init__(seed, replay)
        self.monitor = InterfaceMonitor([], replay=replay, clock=self.clock, problemsAfter=AFTER)
        for told in self.observers:
            self.add(told)

    def add(self, told: Told) -> None:
        """
        Add an observer that asks for problems.
        """
        told.wantsProblems = True  # type: ignore[attr-defined]
        super().add(told)


class ProblemScheduleTests(SynchronousTestCase):
    """
    Any schedule, checked at every event and at the end.
    """

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(steps=STEPS, seed=st.integers(0, 2**16), replay=st.booleans())
    def test_problems(self, steps: list[tuple[str, Any]], seed: int, replay: bool) -> None:
        """
        Problems are found and solved in turn for each interface, and never while an
        observer is not in sync. When everything has stayed as it is for long
        enough, every observer knows exactly what is wrong.
        """
        self.patch(test_properties, "STATES", STATES)
        scene = ProblemScene(seed, replay)
        for what, argument in steps:
            if what == "pass":
                scene.clock.advance(argument)
            elif what == "transact":
                scene.transact(argument)
            elif what in ("connect", "lose"):
                getattr(scene, what)()
            elif what == "free":
                for told in scene.observers:
                    told.free()
            elif len(scene.observers) < 6:
                scene.observers.append(Told(argument, replay))
                scene.add(scene.observers[-1])
            scene.check()
        scene.connect()
        scene.clock.advance(0)
        scene.freeAll()
        scene.clock.advance(AFTER)
        scene.clock.advance(AFTER)
        scene.freeAll()
        scene.check()
        expected = wrong({uuid(n): interface(n, row) for n, row in scene.table.items()})
        for told in scene.observers:
            assert set(told.fold.problems) == expected, told.manner
        self.assertEqual(
            {
                (e.interface.uuid if e.interface else "", e.problem)
                for e in scene.monitor.problems()
            },
            expected,
        )
        scene.lose()
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(
            [call for call in scene.clock.getDelayedCalls() if "Watch" in str(call)], []
        )
