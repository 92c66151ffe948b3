# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.questions}, through a factory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import jsonRow, update, vm, vmRow
from twisted_ovsdb import InterfaceKind, InterfaceMonitor

BRIDGE = jsonRow("br-int", "internal")


class LookupTests(FactoryTestCase):
    """
    Tests for C{interfaces}, C{interfaceByName} and C{interfacesByIfaceId}.
    """

    def test_interfaces(self) -> None:
        """
        interfaces returns the interfaces that have a kind, or those of one
        kind.
        """
        self.assertEqual(self.factory.interfaces(), ())
        self.synchronize({1: vmRow("tap1"), 2: BRIDGE, 3: jsonRow("eth0")})
        self.assertEqual([row.name for row in self.factory.interfaces()], ["tap1", "br-int"])
        self.assertEqual(self.factory.interfaces(InterfaceKind.VM), (vm(1),))
        self.assertEqual(self.factory.interfaces(InterfaceKind.TUNNEL), ())

    def test_byName(self) -> None:
        """
        interfaceByName returns the interface with this name, if it has a kind.
        """
        self.synchronize({1: vmRow("tap1"), 2: jsonRow("eth0")})
        self.assertEqual(self.factory.interfaceByName("tap1"), vm(1))
        self.assertIsNone(self.factory.interfaceByName("eth0"))
        self.assertIsNone(self.factory.interfaceByName("tap2"))

    def test_byIfaceId(self) -> None:
        """
        interfacesByIfaceId returns all interfaces with this iface-id, even if
        there are two.
        """
        self.synchronize({1: vmRow("tap1", "a"), 2: vmRow("tap2", "a"), 3: vmRow("tap3", "b")})
        self.assertEqual(self.factory.interfacesByIfaceId("a"), (vm(1, "a"), vm(2, "a")))
        self.assertEqual(self.factory.interfacesByIfaceId("c"), ())

    def test_nameAgain(self) -> None:
        """
        If one update deletes a row and inserts another one with the same name,
        the name leads to the new row, whichever of the two comes first in the
        update.
        """
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(self.factory.interfaceByName("tap1"), vm(1))
        for old, new in ((1, 2), (2, 1)):
            changes: dict[int, Any] = {1: {}, 2: {}}
            changes[old], changes[new] = {"old": vmRow("tap1")}, {"new": vmRow("tap1")}
            self.receive(update(changes))
            found = self.factory.interfaceByName("tap1")
            assert found is not None
            self.assertEqual(found.uuid, vm(new).uuid)
            self.assertEqual(self.factory.interfacesByIfaceId("port"), (found,))

    def test_now(self) -> None:
        """
        Answers are right after each update, also if an observer is busy. In an
        outage they are what was last known.
        """
        self.factory.addObserver(Busy())
        self.synchronize({1: vmRow("tap1")})
        self.receive(update({1: {"old": vmRow("tap1")}, 2: {"new": vmRow("tap2")}}))
        self.assertEqual(self.factory.interfaces(), (vm(2),))
        self.lose()
        self.assertEqual(self.factory.interfaceByName("tap2"), vm(2))
        self.factory.stop()
        self.assertEqual(self.factory.interfacesByIfaceId("port"), (vm(2),))

    def test_monitorAlone(self) -> None:
        """
        A monitor without a factory answers too.
        """
        monitor = InterfaceMonitor(clock=Clock())
        self.assertEqual(monitor.interfaces(), ())
        self.assertNoResult(monitor.whenReady("port"))

    def test_wrongArguments(self) -> None:
        """
        A question that could never be answered is refused, and so is what is told
        before and is no interface.
        """
        monitor = InterfaceMonitor(clock=Clock())
        wrong: Any = 5
        for ask in (monitor.interfaceByName, monitor.interfacesByIfaceId, monitor.whenReady):
            self.assertIn("must be a text", str(self.assertRaises(TypeError, ask, wrong)))
        wrong = Recorder
        error = self.assertRaises(TypeError, monitor.addObserver, Recorder(), wrong)
        self.assertIn("not a class", str(error))
        wrong = object()
        error = self.assertRaises(TypeError, monitor.attach, wrong)
        self.assertIn("must be an OvsdbProtocol", str(error))
