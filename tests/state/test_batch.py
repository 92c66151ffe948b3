# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.state.batch} and L{twisted_ovsdb.state.storedrow}.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import interface, jsonRow, uuid, vm
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchForgotten,
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.observers.jsonlines import eventToJSON, lineOf
from twisted_ovsdb.state.batch import Batch, SwitchChanges
from twisted_ovsdb.state.storedrow import checksum, rowOf, textOf

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)

DIALLED = SwitchIdentity("sw1", address="tcp:192.0.2.1:5000")

EVENTS: list[Event] = [
    InterfaceOnline(vm(1), Cause.INITIAL, "tcp:a"),
    InterfaceOnline(vm(2), Cause.INITIAL, "tcp:a"),
    Synchronized(Cause.INITIAL, (vm(1), vm(2)), "tcp:a"),
    InterfaceChanged(vm(1, ofport=1), Cause.UPDATE, "tcp:a", vm(1)),
    InterfaceOffline(vm(2), Cause.UPDATE, "tcp:a"),
    InterfaceOnline(vm(1), Cause.INITIAL, "sw1", identity=DIALLED),
    Disconnected(MonitorStopped(), "tcp:a"),
]


def line(event: Event) -> bytes:
    """
    The line of an event.
    """
    return lineOf(eventToJSON(event, NOW))


def started(resumed: bool) -> bytes:
    """
    The first line of a run.
    """
    return lineOf({"event": "started", "resumed": resumed})


def online(interface: OvsInterface) -> Event:
    """
    An interface comes online.
    """
    return InterfaceOnline(interface, Cause.UPDATE, "s")


def offline(interface: OvsInterface) -> Event:
    """
    An interface goes offline.
    """
    return InterfaceOffline(interface, Cause.UPDATE, "s")


FORGOTTEN = SwitchForgotten(ForgetReason.AGE, "s")


class BatchTests(SynchronousTestCase):
    """
    Tests for L{Batch}.
    """

    def noted(self, *events: Event) -> Batch:
        """
        A batch with these events.
        """
        batch = Batch()
        for event in events:
            batch.note(event)
        return batch

    def read(self, *lines: bytes) -> Batch:
        """
        A batch with these lines.
        """
        batch = Batch()
        batch.noteLines(lines)
        return batch

    def test_events(self) -> None:
        """
        The last state of each interface is kept, by switch, and where the switch
        is.
        """
        found = self.noted(*EVENTS)
        self.assertEqual(
            found.switches,
            {
                "tcp:a": SwitchChanges(
                    rows={uuid(1): vm(1, ofport=1), uuid(2): None},
                    source="tcp:a",
                    known=True,
                    absent=0,
                ),
                "sw1": SwitchChanges(rows={uuid(1): vm(1)}, source=None, known=True),
            },
        )
        self.assertEqual(found.events, len(EVENTS))
        self.assertTrue(found)
        self.assertFalse(Batch())

    def test_lines(self) -> None:
        """
        Lines add up to the same as the events that they were written for.
        """
        self.assertEqual(self.read(*map(line, EVENTS)).switches, self.noted(*EVENTS).switches)

    def test_replay(self) -> None:
        """
        What is replayed was told before: the event changes nothing. A line does no
        harm.
        """
        replay = InterfaceOnline(vm(1), Cause.REPLAY, "tcp:a")
        self.assertEqual(self.noted(replay).switches["tcp:a"].rows, {})
        self.assertEqual(self.read(line(replay)).switches["tcp:a"].rows, {uuid(1): vm(1)})

    def test_started(self) -> None:
        """
        A run that did not go on from what was told makes everything before it
        void. One that did changes nothing.
        """
        online = InterfaceOnline(vm(1), Cause.INITIAL, "tcp:a")
        self.assertFalse(self.read(started(True)))
        self.assertFalse(self.read(line(online), started(True)).emptied)
        found = self.read(line(EVENTS[1]), started(False), line(online))
        self.assertTrue(found.emptied)
        self.assertEqual(found.switches["tcp:a"].rows, {uuid(1): vm(1)})

    def test_forgotten(self) -> None:
        """
        A switch that is forgotten is void, until it is told of again.
        """
        forgotten = lineOf({"event": "forgotten", "switch": "tcp:a", "reason": "x"})
        found = self.read(line(EVENTS[0]), forgotten)
        self.assertEqual(found.switches, {"tcp:a": SwitchChanges(emptied=True, forgotten=True)})
        found = self.read(line(EVENTS[0]), forgotten, line(EVENTS[1]))
        changes = found.switches["tcp:a"]
        self.assertEqual((changes.emptied, changes.forgotten), (True, False))
        self.assertEqual(changes.rows, {uuid(2): vm(2)})

    def test_noEvents(self) -> None:
        """
        Lines that are no events change nothing, and neither do events that are not
        known, and keys that are not.
        """
        lines = [
            b"",
            b'{"event":"onl',
            b"\xff",
            b"5",
            b"[]",
            b"{}",
            b'{"event":"started"}',
            b'{"event":["online"]}',
            b'{"event":"online","switch":"s","source":"s","interface":{"name":"x"}}',
            b'{"event":"online","switch":5,"source":"s","interface":{"name":"x","uuid":"u"}}',
            b'{"event":"problem","switch":"s"}',
            b"[" * 100_000,
        ]
        # The first line of all: what it says of a run is not known, so nothing is void.
        self.assertFalse(self.read(*lines))
        more = {**json.loads(line(EVENTS[0])), "new": 1}
        self.assertEqual(self.read(lineOf(more)).switches["tcp:a"].rows, {uuid(1): vm(1)})


class AddTests(SynchronousTestCase):
    """
    Tests for L{Batch.add}.
    """

    def test_add(self) -> None:
        """
        What was told later counts: of interfaces, of a switch that was forgotten, and of
        one that came back.
        """
        for first, then, rows, forgotten in (
            ([online(vm(1))], [online(vm(2))], {1: True, 2: True}, False),
            ([online(vm(1))], [offline(vm(1))], {1: False}, False),
            ([online(vm(1))], [FORGOTTEN], {}, True),
            ([FORGOTTEN], [online(vm(1))], {1: True}, False),
            ([], [online(vm(1))], {1: True}, False),
        ):
            batch, later = Batch(), Batch()
            for event in first:
                batch.note(event)
            for event in then:
                later.note(event)
            batch.add(later)
            changes = batch.switches["s"]
            found = {int(uuid[:8], 16): row is not None for uuid, row in changes.rows.items()}
            self.assertEqual((found, changes.forgotten), (rows, forgotten))
            self.assertEqual(changes.emptied, FORGOTTEN in first + then)
            self.assertEqual(batch.events, len(first + then))


class StoredRowTests(SynchronousTestCase):
    """
    Tests for L{textOf}.
    """

    def test_roundTrip(self) -> None:
        """
        What is read is equal to what was written, for every column.
        """
        extra: Any = {
            "n": 0,
            "s": "",
            "set": frozenset((1, 2)),
            "none": None,
            "no": False,
            "map": MappingProxyType({1: "x"}),
        }
        rows = [
            vm(1),
            interface(2, jsonRow("br0", "internal", 65534, "x", {"a": "\u2028"}, {"b": "c"})),
            interface(3, jsonRow("zero", ofport=0, external_ids={"iface-id": "x"})),
            OvsInterface("u", "n", extra=MappingProxyType(extra), local_port=True, bridge="br0"),
        ]
        for row in rows:
            self.assertEqual(rowOf(row.uuid, textOf(row)), row)

    def test_small(self) -> None:
        """
        What is empty, and what can be derived, takes no room.
        """
        self.assertEqual(list(json.loads(textOf(vm(1)))), ["name", "kind", "external_ids"])

    def test_mistakes(self) -> None:
        """
        What is no interface is a ValueError.
        """
        for text in ("", "5", "{}", '{"name":"n","kind":"x"}', '{"name":"n","external_ids":5}'):
            self.assertRaises(ValueError, rowOf, "u", text)

    def test_checksum(self) -> None:
        """
        The checksum is another one for other values, also if they read alike.
        """
        sums = {checksum(*v) for v in (("a", "b"), ("ab",), ("a", "b", 0), ("a", "c"), ("a", None))}
        self.assertEqual(len(sums), 5)
