# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Each problem, made on a real Open vSwitch, found and solved.
"""

from __future__ import annotations

import time
from signal import SIGCONT, SIGSTOP
from typing import Any

from tests.fakes.fold import Fold
from tests.live.support import LiveTestCase, summaries
from twisted_ovsdb.events import (
    Disconnected,
    Event,
    Problem,
    ProblemEvent,
    ProblemFound,
    ProblemSolved,
)

AFTER = 1.0
"""Seconds: longer than anything healthy takes here, also on a busy machine."""

SLACK = 2.5
"""Seconds that a busy machine may add."""

ADD_TAP = "add-port br-int tap1 -- set Interface tap1 external_ids:iface-id=vm-1"


class ProblemTests(LiveTestCase):
    """
    Tests for a factory with C{problemsAfter}.
    """

    timeout = 60

    async def begin(self, commands: str = "add-br br-int -- add-br br-ex") -> None:
        """
        Make a scene, and watch it.
        """
        await self.vsctl(commands)
        self.factory = self.watch(problemsAfter=AFTER)
        await self.observer.untilSynchronized()

    def freeze(self) -> None:
        """
        Stop ovs-vswitchd, as a debugger does.
        """
        self.ovs.signal("ovs-vswitchd", SIGSTOP)

    def thaw(self) -> None:
        """
        Let it go on.
        """
        self.ovs.signal("ovs-vswitchd", SIGCONT)

    async def found(self, *expected: tuple[Problem, str], since: float) -> list[ProblemFound]:
        """
        Assert that these problems are found, in any order, not before they have
        lasted and soon after.
        """
        found = await self.told(ProblemFound, expected)
        for event in found:
            age = time.time() - event.since
            self.assertTrue(-0.1 < event.since - since < SLACK, event.since - since)
            self.assertTrue(AFTER - 0.1 <= age < AFTER + SLACK, age)
        return found

    async def solved(self, *expected: tuple[Problem, str]) -> list[ProblemSolved]:
        """
        Assert that these problems are solved, in any order.
        """
        return await self.told(ProblemSolved, expected)

    async def told(self, kind: type[Any], expected: tuple[tuple[Problem, str], ...]) -> list[Any]:
        """
        Take events until so many problems were told.
        """
        told: list[Any] = []
        while len(told) < len(expected):
            events: list[Event] = await self.observer.until(lambda e: isinstance(e, ProblemEvent))
            told.append(events[-1])
        names = [(each.problem, each.interface.name if each.interface else "") for each in told]
        self.assertCountEqual(names, expected)
        self.assertEqual({type(each) for each in told}, {kind})
        return told

    async def assertEnd(self) -> None:
        """
        Assert that nothing is wrong any more, and that all events add up.
        """
        await self.assertFoldEqualsTable()
        self.assertEqual(self.factory.problems(), ())
        fold = Fold()
        for event in self.observer.everything:
            fold.receive(event)
        self.assertEqual(fold.problems, {})

    async def test_ports(self) -> None:
        """
        A port whose device cannot be made has failed, with or without a kind; two ports
        have one iface-id; a patch port has no peer yet. All are solved.
        """
        await self.begin()
        since = time.time()
        await self.vsctl(f"--no-wait {ADD_TAP} -- set Interface tap1 type=nonsense")
        await self.vsctl("--no-wait add-port br-int eth7 -- set Interface eth7 type=nonsense")
        await self.vsctl("add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=vm-1")
        await self.vsctl(
            "add-port br-int patch-ex -- set Interface patch-ex type=patch options:peer=patch-int"
        )
        expected = (
            (Problem.FAILED, "tap1"),
            (Problem.FAILED, "eth7"),
            (Problem.DUPLICATE_IFACE_ID, "tap1"),
            (Problem.DUPLICATE_IFACE_ID, "tap2"),
            (Problem.ONE_SIDED_PATCH, "patch-ex"),
            # ovs-vswitchd says so too, of the same port.
            (Problem.FAILED, "patch-ex"),
        )
        found = await self.found(*expected, since=since)
        kinds = {e.interface.name: e.kind and e.kind.value for e in found if e.interface}
        self.assertEqual(kinds, {"tap1": "vm", "tap2": "vm", "eth7": None, "patch-ex": "patch"})
        self.assertTrue(all(event.detail for event in found))
        await self.vsctl(
            "set Interface tap1 type=dummy -- del-port eth7"
            " -- set Interface tap2 external_ids:iface-id=vm-2"
            " -- add-port br-ex patch-int -- set Interface patch-int type=patch"
            " options:peer=patch-ex"
        )
        solved = await self.solved(*expected)
        self.assertTrue(all(event.lasted >= AFTER for event in solved), solved)
        await self.assertEnd()

    async def test_frozen(self) -> None:
        """
        While ovs-vswitchd is frozen, a new port waits for its OpenFlow port, and a
        configuration is not applied.
        """
        await self.begin()
        self.freeze()
        since = time.time()
        await self.vsctl(f"--no-wait {ADD_TAP} -- set Open_vSwitch . next_cfg=1000")
        expected = (Problem.PENDING, "tap1"), (Problem.NOT_APPLYING, "")
        found = await self.found(*expected, since=since)
        self.assertCountEqual(self.factory.problems(), found)
        self.assertIn("behind next_cfg 1000", " ".join(event.detail for event in found))
        self.thaw()
        solved = await self.solved(*expected)
        rows = [event.interface for event in solved if event.interface is not None]
        self.assertEqual([row.ready for row in rows], [True])
        await self.assertEnd()

    async def test_flaps(self) -> None:
        """
        ovs-vswitchd tries a failed port anew at each reconfiguration. However often
        that happens, the problem is found once, and a port that is pending for a
        moment is no problem.
        """
        await self.begin()
        await self.vsctl("--no-wait add-port br-int eth7 -- set Interface eth7 type=nonsense")
        for number in range(12):
            await self.vsctl(f"add-port br-int tap{number}")
        (_,) = await self.told(ProblemFound, ((Problem.FAILED, "eth7"),))
        for number in range(12):
            await self.vsctl(f"del-port br-int tap{number}")
        problems = [event for event in self.observer.everything if isinstance(event, ProblemEvent)]
        self.assertEqual(len(problems), 1, summaries(problems))
        await self.vsctl("del-port eth7")
        await self.solved((Problem.FAILED, "eth7"))
        await self.assertEnd()

    async def test_outage(self) -> None:
        """
        Nothing is found while ovsdb-server is dead. A problem that was told and that
        goes on after its restart is not told again.
        """
        await self.begin()
        self.freeze()
        await self.vsctl(f"--no-wait {ADD_TAP}")
        await self.told(ProblemFound, ((Problem.PENDING, "tap1"),))
        self.ovs.kill("ovsdb-server")
        await self.observer.until(lambda e: isinstance(e, Disconnected))
        self.assertEqual(self.factory.problems(), ())
        self.ovs.startServer()
        await self.observer.untilSynchronized()
        self.assertEqual([e.problem for e in self.factory.problems()], [Problem.PENDING])
        self.thaw()
        (solved,) = await self.solved((Problem.PENDING, "tap1"))
        self.assertTrue(solved.lasted > AFTER)
        await self.assertEnd()
