# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.openvswitch.conditions} and
L{twisted_ovsdb.openvswitch.problems}. What observers are told is in
C{tests/monitoring/test_problems.py}.
"""

from __future__ import annotations

import random
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import interface, jsonRow, uuid
from twisted_ovsdb.events import InterfaceKind, OvsInterface, Problem
from twisted_ovsdb.openvswitch.conditions import NAMED, Conditions, Key
from twisted_ovsdb.openvswitch.problems import Problems

STEPS = 3000


def wrong(rows: dict[str, OvsInterface]) -> set[Key]:
    """
    What is wrong, by the definitions and from nothing but the rows.
    """
    vms = {u: r.iface_id for u, r in rows.items() if r.kind is not InterfaceKind.BRIDGE}
    counts = Counter(ifaceId for ifaceId in vms.values() if ifaceId)
    peers = {row.name: row.peer for row in rows.values() if row.type == "patch"}
    found: set[Key] = set()
    for key, row in rows.items():
        if row.failed:
            found.add((key, Problem.FAILED))
        elif row.ofport is None:
            found.add((key, Problem.PENDING))
        if counts[vms.get(key) or ""] > 1:
            found.add((key, Problem.DUPLICATE_IFACE_ID))
        if row.type == "patch" and (row.peer is None or peers.get(row.peer) != row.name):
            found.add((key, Problem.ONE_SIDED_PATCH))
    return found


class ConditionsTests(SynchronousTestCase):
    """
    Tests for L{Conditions}.
    """

    def test_random(self) -> None:
        """
        However rows come, change and go, and in whatever order they are looked
        at, it is known what is wrong, and nothing is kept of rows that are gone.
        """
        chosen = random.Random(17)
        rows: dict[str, OvsInterface] = {}
        problems = Problems(rows, 10.0)
        for step in range(STEPS):
            for _ in range(chosen.randrange(1, 4)):
                number = chosen.randrange(6)
                if chosen.random() < 0.3:
                    rows.pop(uuid(number), None)
                else:
                    rows[uuid(number)] = interface(number, self.row(chosen, number))
                problems.note(uuid(number), None, None)
            problems.look(float(step), 10)
            self.assertEqual(set(problems._begun), wrong(rows))
        rows.clear()
        for number in range(6):
            problems.note(uuid(number), None, None)
        problems.look(float(STEPS), 10)
        self.assertEqual((problems._begun, problems.changed, problems.due), ({}, 0, None))
        conditions = problems.conditions
        indexes = [conditions._ifaceIds, conditions._having, conditions._patches, conditions._named]
        self.assertEqual(indexes, [{}, {}, {}, {}])

    def row(self, chosen: random.Random, number: int) -> dict[str, object]:
        """
        A row that may have any of the problems.
        """
        options = {"peer": f"p{chosen.randrange(6)}"} if chosen.random() < 0.8 else {}
        return jsonRow(
            f"p{number}",
            chosen.choice(["patch", "patch", ""]),
            chosen.choice([None, 1, -1, 65534]),
            chosen.choice([None, "no such device"]),
            chosen.choice([{}, {"iface-id": "a"}, {"iface-id": "b"}]),
            options,
        )

    def test_details(self) -> None:
        """
        A detail names some of many interfaces, and nothing in it can break a line.
        """
        hostile = {"iface-id": "a\nb"}
        rows = {
            uuid(n): interface(n, jsonRow(f"tap\x1b{n}", ofport=1, external_ids=hostile))
            for n in range(NAMED + 3)
        }
        problems = Problems(rows, 1.0)
        for each in rows:
            problems.note(each, None, None)
        problems.look(0.0, 100)
        detail = problems.conditions.detail((uuid(0), Problem.DUPLICATE_IFACE_ID))
        self.assertTrue(detail.isprintable(), detail)
        self.assertIn("a\\nb is also on tap\\x1b", detail)
        self.assertTrue(detail.endswith(" and 2 more"), detail)

    def test_detailOfGone(self) -> None:
        """
        A row that has gone meanwhile has a detail too.
        """
        self.assertIn("gone", Conditions({}).detail((uuid(1), Problem.FAILED)))


class ProblemsTests(SynchronousTestCase):
    """
    Tests for L{Problems}.
    """

    def test_ripen(self) -> None:
        """
        No more than a slice is found at a time, and the rest is due at once.
        """
        rows = {uuid(n): interface(n, jsonRow(f"tap{n}")) for n in range(5)}
        problems = Problems(rows, 30.0)
        for each in rows:
            problems.note(each, None, None)
        problems.look(1.0, 100)
        self.assertEqual(problems.due, 31.0)
        self.assertEqual(list(problems.ripen(30.9, 0.0, 3)), [])
        self.assertEqual(len(list(problems.ripen(31.0, 1000.0, 3))), 3)
        self.assertEqual(problems.due, 31.0)
        self.assertEqual(len(list(problems.ripen(31.0, 1000.0, 3))), 2)
        self.assertEqual({each.since for each in problems.found.values()}, {1001.0})
        self.assertIsNone(problems.due)

    def test_clear(self) -> None:
        """
        When a switch is left, its problems end.
        """
        rows = {uuid(1): interface(1, jsonRow("tap1"))}
        problems = Problems(rows, 30.0)
        problems.note(uuid(1), None, None)
        problems.look(0.0, 1)
        list(problems.ripen(30.0, 0.0, 1))
        (lasting,) = problems.found.values()
        problems.clear()
        self.assertEqual((lasting.ended, problems.found), (30.0, {}))
