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


def makeSwitch(**options: Any) -> KnownSwitch:
    """
    A switch of which nothing is known.
    """
    defaults = {
        "rules": ClassificationRules(),
        "extraColumns": (),
        "dialect": MONITOR_COND,
        "identify": False,
        "bridges": False,
        "source": "s",
        "onLeave": lambda: None,
        "configuration": False,
        "exclusive": False,
    }
    return KnownSwitch(**{**defaults, **options})


class SliceTests(SynchronousTestCase):
    """
    A snapshot is prepared in steps, between which the reactor turns.
    """

    def test_slices(self) -> None:
        """
        There is a step for each slice of ports and of interfaces, and one before all of
        them are applied, if they are more than a slice.
        """
        known = makeSwitch(bridges=True)
        count = 3 * SLICE
        rows: dict[str, dict[str, Any]] = {
            "Interface": {uuid(n): vm(n) for n in range(count)},
            "Port": {uuid(count + n): Parent("", (uuid(n),), True) for n in range(count)},
            "Bridge": {},
        }
        self.assertEqual(len(list(known.prepare(rows))), 2 * 3 + 1)
        known = makeSwitch()
        for more in (0, 1):
            rows = {"Interface": {uuid(n): vm(n) for n in range(SLICE + more)}}
            self.assertEqual(len(list(known.prepare(rows))), more)


class ForgetTests(SynchronousTestCase):
    """
    Tests for L{KnownSwitch.forget}.
    """

    def test_nothingLeft(self) -> None:
        """
        Nothing is known of a switch that was forgotten: neither who it is, nor what it
        has, nor how far it has come.
        """
        known = makeSwitch(identify=True, bridges=True, configuration=True)
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
        known = makeSwitch(identify=True)
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
        known = makeSwitch(source="", onLeave=lambda: left.append(""), configuration=True)
        rows: dict[str, dict[str, Any]] = {
            "Interface": {},
            "Open_vSwitch": {uuid(9): {"next_cfg": 1, "cur_cfg": 1}},
        }
        list(known.snapshot(rows))
        self.assertEqual((known.present.switch, left), ("", []))
