# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.filters}.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.fakes.monitorcase import MonitorTestCase
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import jsonRow, vm, vmRow
from twisted_ovsdb import (
    Cause,
    Disconnected,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    IOvsdbEventObserver,
    Problem,
    ProblemFound,
    Synchronized,
    onlyKinds,
    withoutReplays,
)
from twisted_ovsdb.openvswitch.views import behindViews, through

BRIDGE = jsonRow("br-int", "internal")
PATCH = jsonRow("patch-ex", "patch", options={"peer": "patch-int"})


class OnlyKindsTests(MonitorTestCase):
    """
    Tests for L{onlyKinds}.
    """

    def test_interfaces(self) -> None:
        """
        The observer is told only of interfaces that have one of the kinds.
        Synchronized lists only these, and Disconnected is passed on unchanged.
        """
        wanted = Recorder()
        self.monitor.addObserver(onlyKinds(wanted, InterfaceKind.VM, InterfaceKind.PATCH))
        self.synchronize({1: vmRow("tap1"), 2: BRIDGE, 3: PATCH})
        last = wanted.events[-1]
        assert isinstance(last, Synchronized)
        self.assertEqual([row.name for row in last.interfaces], ["tap1", "patch-ex"])
        self.update({1: {"new": vmRow("tap1", ofport=1), "old": {"ofport": ["set", []]}}})
        self.update({1: {"old": vmRow("tap1", ofport=1)}, 2: {"old": BRIDGE}})
        self.lose()
        self.assertEqual(
            [told[:1] + told[2:3] for told in wanted.take()],
            [
                ("online", "tap1"),
                ("online", "patch-ex"),
                ("synchronized",),
                ("changed", "tap1"),
                ("offline", "tap1"),
                ("disconnected",),
            ],
        )
        everything = self.observer.events[3]
        assert isinstance(everything, Synchronized)
        self.assertEqual(len(everything.interfaces), 3, "others are not affected")

    def test_anotherKind(self) -> None:
        """
        An interface comes online when it gets one of the kinds, and goes
        offline when it no longer has one of them.
        """
        wanted = Recorder()
        self.monitor.addObserver(onlyKinds(wanted, InterfaceKind.VM))
        self.synchronize({1: BRIDGE})
        wanted.take()
        ids = {"external_ids": ["map", [["iface-id", "port"]]]}
        self.update({1: {"new": {**BRIDGE, **ids}, "old": {"external_ids": ["map", []]}}})
        self.update({1: {"new": BRIDGE, "old": ids}})
        self.assertEqual(
            wanted.take(),
            [("online", "vm", "br-int", "update"), ("offline", "vm", "br-int", "update")],
        )

    def test_busy(self) -> None:
        """
        An observer behind a filter may be busy. What happens meanwhile is told
        as one difference.
        """
        busy = Busy()
        self.monitor.addObserver(onlyKinds(busy, InterfaceKind.VM))
        self.synchronize({1: vmRow("tap1")})
        self.update({2: {"new": vmRow("tap2")}})
        self.update({2: {"old": vmRow("tap2")}})
        busy.freeAll()
        self.assertEqual(
            busy.take(), [("online", "vm", "tap1", "initial"), ("synchronized", "initial")]
        )

    def test_remove(self) -> None:
        """
        The filter was added, so the filter can be removed, and not the observer
        behind it.
        """
        wanted = Recorder()
        filtered = onlyKinds(wanted, InterfaceKind.VM)
        self.monitor.addObserver(filtered)
        self.assertRaises(ValueError, self.monitor.removeObserver, wanted)
        self.monitor.removeObserver(filtered)
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(wanted.events, [])


class WithoutReplaysTests(MonitorTestCase):
    """
    Tests for L{withoutReplays}.
    """

    def test_outage(self) -> None:
        """
        After an outage, the observer is told only of interfaces that are
        different. Other observers of the same monitor are also told of the
        unchanged ones.
        """
        wanted = Recorder()
        self.monitor.addObserver(withoutReplays(wanted))
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.lose()
        wanted.take()
        self.observer.take()
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2", ofport=2), 3: vmRow("tap3")})
        differences = [
            ("changed", "vm", "tap2", "resync"),
            ("online", "vm", "tap3", "resync"),
        ]
        synchronized = ("synchronized", "resync")
        self.assertEqual(wanted.take(), [*differences, synchronized])
        replay = ("online", "vm", "tap1", "replay")
        self.assertEqual(self.observer.take(), [*differences, replay, synchronized])


class EachFilterTests(SynchronousTestCase):
    """
    Tests for both filters.
    """

    def test_contract(self) -> None:
        """
        A filter is an observer, and its repr shows the observer behind it.
        """
        for observer in (
            onlyKinds(Recorder(), InterfaceKind.VM),
            withoutReplays(Recorder()),
        ):
            verifyObject(IOvsdbEventObserver, observer)
            self.assertIn("Recorder", repr(observer))

    def test_composed(self) -> None:
        """
        A filter can be put around another filter.
        """
        wanted = Recorder()
        observer = withoutReplays(onlyKinds(wanted, InterfaceKind.VM))
        told: list[Any] = [
            InterfaceOnline(vm(1), Cause.REPLAY, "tcp:test"),
            InterfaceOnline(vm(2), Cause.RESYNC, "tcp:test"),
            Disconnected(ConnectionLost("gone"), "tcp:test"),
            object(),
        ]
        for event in told:
            observer.eventReceived(event)
        self.assertEqual(wanted.events, told[1:], "events that are not known are passed on")

    def test_synchronized(self) -> None:
        """
        An observer that passes on to a filter tells it Synchronized with everything:
        what is behind the filter is told only of what it wants.
        """
        wanted = Recorder()
        tunnel = attrs.evolve(vm(2), kind=InterfaceKind.TUNNEL)
        everything = Synchronized(Cause.INITIAL, (vm(1), tunnel), "tcp:test")
        onlyKinds(wanted, InterfaceKind.VM).eventReceived(everything)
        self.assertEqual(wanted.events, [attrs.evolve(everything, interfaces=(vm(1),))])

    def test_noLimit(self) -> None:
        """
        A monitor asks no filter about each interface that wants all of them.
        """
        self.assertIsNone(through(withoutReplays(Recorder())).wants)
        self.assertIsNotNone(through(onlyKinds(Recorder(), "vm")).wants)

    def test_unwanted(self) -> None:
        """
        An observer that passes on to a filter: nothing is told of what it does not want.
        """
        wanted = Recorder()
        observer = onlyKinds(wanted, InterfaceKind.VM)
        tunnel = attrs.evolve(vm(2), kind=InterfaceKind.TUNNEL)
        for event in (
            InterfaceOnline(tunnel, Cause.UPDATE, "tcp:test"),
            InterfaceOffline(tunnel, Cause.UPDATE, "tcp:test"),
            InterfaceChanged(tunnel, Cause.UPDATE, "tcp:test", tunnel),
        ):
            observer.eventReceived(event)
        self.assertEqual(wanted.events, [])
        told = InterfaceChanged(vm(2), Cause.UPDATE, "tcp:test", vm(2))
        observer.eventReceived(told)
        self.assertEqual(wanted.events, [told])

    def test_behind(self) -> None:
        """
        What is put in front of an observer stands behind its filters, and is told what
        they let through.
        """
        first, second = Recorder(), Recorder()
        observer = behindViews(
            withoutReplays(onlyKinds(first, InterfaceKind.VM)), lambda inner: second
        )
        tunnel = attrs.evolve(vm(2), kind=InterfaceKind.TUNNEL)
        told = InterfaceOnline(vm(1), Cause.UPDATE, "tcp:test")
        for event in (
            InterfaceOnline(tunnel, Cause.UPDATE, "tcp:test"),
            InterfaceOnline(vm(1), Cause.REPLAY, "tcp:test"),
            told,
        ):
            observer.eventReceived(event)
        self.assertEqual((first.events, second.events), ([], [told]))
        self.assertIs(behindViews(first, lambda inner: second), second)

    def test_problems(self) -> None:
        """
        A filter passes on the problems of what it wants, and of the switch.
        """
        wanted = Recorder()
        tunnel = attrs.evolve(vm(2), kind=InterfaceKind.TUNNEL)
        told = [ProblemFound(Problem.FAILED, row, 1.0, "", "tcp:test") for row in (vm(1), None)]
        others = [ProblemFound(Problem.FAILED, tunnel, 1.0, "", "tcp:test")]
        for event in (*others, *told):
            onlyKinds(wanted, InterfaceKind.VM).eventReceived(event)
        self.assertEqual(wanted.events, told)

    def test_result(self) -> None:
        """
        A filter returns what its observer returns.
        """
        result: Any = object()
        event = InterfaceOnline(vm(1), Cause.UPDATE, "tcp:test")
        self.assertIs(onlyKinds(Recorder([result]), InterfaceKind.VM).eventReceived(event), result)
        self.assertIs(withoutReplays(Recorder([result])).eventReceived(event), result)

    def test_refused(self) -> None:
        """
        An object that is not an observer, a value that is not a kind, and a
        call without a kind are refused at once.
        """
        nobody: Any = object()
        nothing: Any = "switch"
        self.assertRaises(TypeError, onlyKinds, nobody, InterfaceKind.VM)
        self.assertRaises(TypeError, withoutReplays, nobody)
        self.assertRaises(ValueError, onlyKinds, Recorder())
        self.assertRaises(ValueError, onlyKinds, Recorder(), nothing)
