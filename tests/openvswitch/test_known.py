# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.known}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid, vm
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.errors import SwitchChanged
from twisted_ovsdb.events import UNIDENTIFIED
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.known import SLICE, KnownSwitch
from twisted_ovsdb.openvswitch.topology import Parent


class SliceTests(SynchronousTestCase):
    """
    A snapshot is prepared in steps, between which the reactor turns.
    """

    def test_slices(self) -> None:
        """
        There is a step for each slice of ports and of interfaces, and few others.
        """
        known = KnownSwitch(ClassificationRules(), (), MONITOR_COND, False, True, "s", lambda: None)
        count = 3 * SLICE
        rows: dict[str, dict[str, Any]] = {
            "Interface": {uuid(n): vm(n) for n in range(count)},
            "Port": {uuid(count + n): Parent("", (uuid(n),), True) for n in range(count)},
            "Bridge": {},
        }
        steps = len(list(known.prepare(rows)))
        self.assertGreaterEqual(steps, 2 * 3)
        self.assertLessEqual(steps, 2 * 3 + 2)


class ForgetTests(SynchronousTestCase):
    """
    Tests for L{KnownSwitch.forget}.
    """

    def test_nothingLeft(self) -> None:
        """
        Nothing is known of a switch that was forgotten: neither who it is, nor what it
        has, nor how far it has come.
        """
        known = KnownSwitch(
            ClassificationRules(), (), MONITOR_COND, True, True, "s", lambda: None, True
        )
        ports = {uuid(n): Parent("p", (uuid(1),), True) for n in (2, 3)}
        bridges = {uuid(n + 2): Parent(f"br{n}", (uuid(n),), True) for n in (2, 3)}
        switch = {"external_ids": {"system-id": "a"}, "next_cfg": 2, "cur_cfg": 1}
        rows: dict[str, dict[str, Any]] = {
            "Interface": {uuid(1): vm(1)},
            "Port": ports,
            "Bridge": bridges,
            "Open_vSwitch": {uuid(9): switch},
        }
        list(known.prepare(rows))
        list(known.snapshot(rows))
        self.assertEqual((known.present.switch, known.configuration()), ("a", (2, 1)))
        self.assertEqual(known.torn, {uuid(1): ("br2", "br3")})
        list(known.forget())
        self.assertEqual((known.present.identity, known.present.switch), (UNIDENTIFIED, "s"))
        self.assertIsNone(known.configuration())
        self.assertEqual((dict(known.torn), dict(known.present.rows)), ({}, {}))

    def test_rowGone(self) -> None:
        """
        When the row that says who the switch is goes, the session has to end.
        """
        known = KnownSwitch(ClassificationRules(), (), MONITOR_COND, True, False, "s", lambda: None)
        ids = {"external_ids": {"system-id": "a"}}
        rows: dict[str, dict[str, Any]] = {"Interface": {}, "Open_vSwitch": {uuid(9): ids}}
        list(known.snapshot(rows))
        gone: dict[str, dict[str, Any]] = {"Open_vSwitch": {uuid(9): None}}
        self.assertRaises(SwitchChanged, list, known.update(gone))

    def test_notIdentified(self) -> None:
        """
        Where the identity is not asked for, a switch without a name is always the same.
        """
        left: list[str] = []
        known = KnownSwitch(
            ClassificationRules(), (), MONITOR_COND, False, False, "", lambda: left.append(""), True
        )
        rows: dict[str, dict[str, Any]] = {
            "Interface": {},
            "Open_vSwitch": {uuid(9): {"next_cfg": 1, "cur_cfg": 1}},
        }
        list(known.snapshot(rows))
        self.assertEqual((known.present.switch, left), ("", []))
