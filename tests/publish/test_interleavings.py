# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Two or three monitors that share a switch, over a model of a broker: whatever order
things happen in, and wherever one of them dies or freezes, events add up to what is
so, and nothing false, repeated or out of order is told. docs/fleet.rst has the
argument; this tries it.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.broker import ModelBroker
from tests.fakes.fleet import ModelMonitor, ModelSwitch, takePicture
from twisted_ovsdb.events import ForgetReason, OvsInterface
from twisted_ovsdb.publish.streams import Stored, Stream

MONITORS = st.integers(0, 2)
INTERFACES = st.integers(1, 3)
CHANGES = st.sampled_from(["change", "change", "revert", "remove"])
"""It comes or changes; it is as it was before; it goes."""

FAULTS = st.sampled_from(
    [
        "none",
        "none",
        "freeze",  # SIGSTOP
        "freeze, disconnect",  # the same; the switch has found it, and given its lock away
        "freeze, disconnect",
        "wake",  # SIGCONT
        "wake",
        "kill",  # SIGKILL; another process is started in its place
        "kill at once",  # the same; what was on its way to the broker is lost
        "lose",  # the broker stores a message, and dies before it acknowledges it
        "cut",  # the connection to the broker is lost, and what was on its way
        "cut later",  # the same, but the broker has what was on its way
        "window",  # the broker knows the ids of messages no longer
        "disconnect",  # the connection to the switch is lost
        "steal",  # the monitor steals the lock
        "forget",  # it forgets the switch, which has not been there for long
    ]
)


class Checker:
    """
    Follows all events that the broker has stored, and compares them with what has
    happened to the interfaces.

    @ivar interfaces: what the events add up to.
    """

    def __init__(self, switch: ModelSwitch) -> None:
        self._switch = switch
        self.interfaces: dict[str, OvsInterface] = {}
        self._places: dict[str, int] = {}  # in the history of each interface
        self._last = 0

    def message(self, stored: Stored) -> None:
        """A message was stored."""
        assert stored.previous == self._last, "a gap"
        self._last = stored.sequence
        for text in stored.payload.split(b"\n"):
            self._line(json.loads(text))

    def _line(self, value: dict[str, Any]) -> None:
        name = value["event"]
        if name == "forgotten" or (name == "started" and not value["resumed"]):
            self.interfaces.clear()
        if name not in ("online", "changed", "offline"):
            return
        row = OvsInterface.fromJSON(value["interface"])
        known = self.interfaces.get(row.uuid)
        if name == "online":
            assert known is None, f"online twice: {row.name}"
            self._reach(row.uuid, row)
            self.interfaces[row.uuid] = row
        elif name == "changed":
            assert known is not None, f"changed, but not online: {row.name}"
            assert known != row, f"repeated: {row.name}"
            self._reach(row.uuid, row)
            self.interfaces[row.uuid] = row
        else:
            assert known == row, f"offline, but known as {known}"
            self._reach(row.uuid, None)
            del self.interfaces[row.uuid]

    def _reach(self, key: str, state: OvsInterface | None) -> None:
        """A state is told: it was so, and not before what was told last."""
        states = self._switch.states[key]
        place = self._places.get(key, 0)
        while place < len(states) and states[place] != state:
            place += 1
        assert place < len(states), f"false, or out of order: {key} {state}"
        self._places[key] = place


class Fleet(RuleBasedStateMachine):
    """
    Everything that may happen to the monitors of one switch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broker = ModelBroker()
        self.switch = ModelSwitch()
        self.names = 0
        self.monitors = [self._new() for _ in range(3)]
        self.checker = Checker(self.switch)
        self.checked = 0
        for monitor in self.monitors[:2]:
            self.switch.connect(monitor)

    def _new(self) -> ModelMonitor:
        self.names += 1
        return ModelMonitor(f"m{self.names}", self.switch, self.broker, auto=False)

    # What happens

    @rule(
        n=MONITORS,
        turns=st.integers(0, 40),
        changes=st.lists(st.tuples(INTERFACES, CHANGES), max_size=3),
        fault=FAULTS,
    )
    def run(self, n: int, turns: int, changes: list[tuple[int, str]], fault: str) -> None:
        """
        Interfaces change. A monitor, its switch and the broker do so many of the steps
        that they have to do; then it has a fault.
        """
        for number, how in changes:
            getattr(self.switch, how)(number)
        monitor = self.monitors[n]
        if not monitor.frozen and monitor not in self.switch.connections and not monitor.inbox:
            self.switch.connect(monitor)
        for _ in range(turns):
            if not monitor.frozen and monitor.inbox:
                monitor.read()
            elif monitor.streams.requests:
                monitor.streams.serve()
            else:
                monitor.pass_(0.1)
            self.eventsAreTrue()
        self.fail(n, fault)

    @rule(n=MONITORS, reads=st.integers(0, 3), serves=st.integers(0, 3))
    def step(self, n: int, reads: int, serves: int) -> None:
        """A monitor reads what the switch has sent; the broker gets requests of it."""
        monitor = self.monitors[n]
        for _ in range(reads):
            if not monitor.frozen and monitor.inbox:
                monitor.read()
        for _ in range(serves):
            if monitor.streams.requests:
                monitor.streams.serve()

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.1, 11.0, 4000.0, 100_000.0]))
    def passTime(self, seconds: float) -> None:
        """Time passes."""
        for monitor in self.monitors:
            # By then, what was sent is stored, or never will be: clients give up, and
            # the broker closes the connection of a frozen one.
            if seconds > 600:
                monitor.streams.cut(reach=True)
            monitor.pass_(seconds)

    def fail(self, n: int, how: str) -> None:
        """A fault: see L{FAULTS}."""
        monitor, streams = self.monitors[n], self.monitors[n].streams
        if how == "freeze":
            monitor.freeze()
        elif how == "wake":
            monitor.wake()
        elif how in ("kill", "kill at once"):
            monitor.freeze()
            streams.cut(reach=how == "kill")
            self.switch.disconnect(monitor)
            self.monitors[n] = self._new()
        elif how == "lose" and streams.requests:
            streams.serve(lost=True)
        elif how in ("cut", "cut later"):
            streams.cut(reach=how == "cut later")
        elif how == "window":
            self.broker.passWindow()
        elif how == "disconnect":
            self.switch.disconnect(monitor)
        elif how == "freeze, disconnect":
            monitor.freeze()
            self.switch.disconnect(monitor)
        elif how == "steal" and not monitor.frozen:
            monitor.stealLock()
        elif how == "forget" and not monitor.frozen and not self.switch.connections:
            monitor.forget(ForgetReason.AGE)

    # What must be so

    @invariant()
    def eventsAreTrue(self) -> None:
        """Each event is true, none is repeated, and they are in order."""
        for stored in self.broker.stored[self.checked :]:
            self.checker.message(stored)
        self.checked = len(self.broker.stored)

    @invariant()
    def nowIsTrue(self) -> None:
        """Whoever takes what is now and the events behind it knows what was told."""
        if self.broker.stored and self.checked == len(self.broker.stored):
            picture = takePicture(self.broker)
            assert picture is not None, "a gap behind the checkpoint"
            found = {row.uuid: row for row in picture.interfaces()}
            assert found == self.checker.interfaces

    def heal(self) -> None:
        """Everything works again, for long enough."""
        for monitor in self.monitors:
            if monitor.frozen:
                monitor.wake()
        for _ in range(60):
            for monitor in self.monitors:
                if monitor not in self.switch.connections and not monitor.inbox:
                    self.switch.connect(monitor)
                while monitor.inbox or monitor.streams.requests:
                    while monitor.inbox:
                        monitor.read()
                    while monitor.streams.requests:
                        monitor.streams.serve()
                monitor.pass_(0.5)

    def teardown(self) -> None:
        """In the end, events and what is now are what is so."""
        self.heal()
        self.eventsAreTrue()
        self.nowIsTrue()
        assert self.checker.interfaces == self.switch.rows
        assert sum(monitor.speaking for monitor in self.monitors) == 1


class LossyFleet(Fleet):
    """
    The broker loses what it had, too. What was told cannot be checked then; but in the
    end, events and what is now are what is so.
    """

    @rule(which=st.sampled_from(([Stream.EVENTS], [Stream.NOW], list(Stream))))
    def makeAnew(self, which: list[Stream]) -> None:
        """Streams are made anew, while the broker does not run for others."""
        self._restart()
        self.broker.makeAnew(*which)

    @rule(count=st.integers(1, 3))
    def losePower(self, count: int) -> None:
        """The last events were not on the disk."""
        self._restart()
        self.broker.losePower(count)

    def _restart(self) -> None:
        for monitor in self.monitors:
            monitor.streams.cut()

    def eventsAreTrue(self) -> None:
        """Not checked."""

    def nowIsTrue(self) -> None:
        """Not checked."""

    def teardown(self) -> None:
        """In the end, events and what is now are what is so."""
        self.heal()
        # The speaker may have lost its messages without a reason to notice it.
        self.switch.change(9)
        self.heal()
        picture = takePicture(self.broker)
        assert picture is not None
        assert {row.uuid: row for row in picture.interfaces()} == self.switch.rows


SETTINGS = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
FleetCase: Any = Fleet.TestCase
FleetCase.settings = SETTINGS
LossyCase: Any = LossyFleet.TestCase
LossyCase.settings = SETTINGS


class InterleavingTests(SynchronousTestCase):
    """
    Runs the machines.
    """

    def test_fleet(self) -> None:
        """
        Nothing false, repeated or out of order is told, whatever happens.
        """
        FleetCase("runTest").runTest()

    def test_lossy(self) -> None:
        """
        If the broker loses what it had, events add up again in the end.
        """
        LossyCase("runTest").runTest()
