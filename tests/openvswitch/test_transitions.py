# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.transitions}.
"""

from __future__ import annotations

from types import MappingProxyType

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import interface, jsonRow, plain, vm, vmRow
from twisted_ovsdb.datum import EMPTY, Datum
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.openvswitch.transitions import Transition, sameAsTold, transition

TUNNEL = interface(1, jsonRow("tap1", "vxlan", options={"remote_ip": "10.0.0.1"}))
BRIDGE = interface(1, jsonRow("tap1", ofport=65534))
BRIDGE_WITH_ID = interface(1, vmRow("tap1", ofport=65534))


def withMAC(row: OvsInterface) -> OvsInterface:
    """
    The same with one more key in C{external_ids}.
    """
    return attrs.evolve(row, external_ids={**row.external_ids, "attached-mac": "aa"})


class TransitionTests(SynchronousTestCase):
    """
    Tests for L{transition}.
    """

    def test_table(self) -> None:
        """
        Every pair of what was told and what is so has one meaning.
        """
        for told, now, expected in (
            (None, None, None),
            (None, plain(1), None),
            (None, vm(1), Transition.ONLINE),
            (vm(1), None, Transition.OFFLINE),
            (vm(1), plain(1), Transition.OFFLINE),
            (vm(1), vm(1, ofport=3), Transition.CHANGED),
            (vm(1, ofport=3), vm(1, ofport=-1), Transition.CHANGED),
            (vm(1, "a"), vm(1, "b"), Transition.OFFLINE),
            (vm(1, "a"), withMAC(vm(1, "a")), Transition.CHANGED),
            (withMAC(vm(1, "a")), vm(1, "b"), Transition.OFFLINE),
            (vm(1), TUNNEL, Transition.OFFLINE),
            (BRIDGE, BRIDGE_WITH_ID, Transition.CHANGED),
            (BRIDGE_WITH_ID, BRIDGE, Transition.CHANGED),
        ):
            self.assertIs(transition(told, now), expected, (told, now))


class SameAsToldTests(SynchronousTestCase):
    """
    Tests for L{sameAsTold}.
    """

    def test_otherColumns(self) -> None:
        """
        A column that is monitored now and was not then, or the other way round, is a
        change only if it has another value than its default.
        """

        def row(**extra: Datum) -> OvsInterface:
            return attrs.evolve(vm(1), extra=MappingProxyType(extra))

        nobody = "00000000-0000-0000-0000-000000000000"
        for value in ("", 0, 0.0, False, None, EMPTY, nobody):
            for told, now in ((row(), row(x=value)), (row(x=value), row())):
                self.assertTrue(sameAsTold(told, now), value)
        different: list[tuple[OvsInterface, OvsInterface | None]] = [
            (row(), row(x="up")),
            (row(x="up"), row()),
            (row(x=""), row(x=0, y=1)),
            (row(x=None), row(x="up")),
            (row(x=None, y="up"), row(x="up")),
            (row(x=1), row(x=2, y="")),
            (row(), attrs.evolve(row(x=""), ofport=1)),
            (row(), None),
        ]
        for told, other in different:
            self.assertFalse(sameAsTold(told, other), (told, other))
