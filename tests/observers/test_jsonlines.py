# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.jsonlines}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timezone
from types import MappingProxyType

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.observers.values import SOURCE, changed, found, interface, solved
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    Problem,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver

NOW = datetime(2026, 11, 22, 6, 0, 0, 123456, timezone.utc)
TIME = (
    '"time":"2026-11-22T06:00:00.123456Z","timestamp":1795327200.123456,'
    '"switch":"tcp:127.0.0.1:6640","source":"tcp:127.0.0.1:6640"'
)


class JSONLinesObserverTests(SynchronousTestCase):
    """
    Tests for L{JSONLinesObserver}. They compare whole lines, because other
    programs read these.
    """

    def line(self, event: Event) -> str:
        """
        The line that is written for an event, without the newline at its end.
        """
        lines: list[bytes] = []
        JSONLinesObserver(lines.append, lambda: NOW).eventReceived(event)
        [line] = lines
        self.assertEqual(line.count(b"\n"), 1)
        self.assertTrue(line.endswith(b"\n"))
        return line.decode()[:-1]

    def test_online(self) -> None:
        """
        An online line has exactly the documented keys, in their order.
        """
        event = InterfaceOnline(
            interface(
                ofport=1,
                external_ids=MappingProxyType({"iface-id": "4aa6", "attached-mac": "52:54"}),
            ),
            Cause.INITIAL,
            SOURCE,
        )
        self.assertEqual(
            self.line(event),
            '{"event":"online","kind":"vm","cause":"initial",' + TIME + ',"interface":'
            '{"uuid":"u1","name":"tap1","type":"","kind":"vm","ofport":1,"local_port":false,"bridge":null,"ready":true,"error":null,'
            '"iface_id":"4aa6","attached_mac":"52:54","remote_ip":null,"peer":null,'
            '"external_ids":{"iface-id":"4aa6","attached-mac":"52:54"},"options":{},"extra":{}},"became_ready":true}',
        )

    def test_offline(self) -> None:
        """
        An offline line has the keys of an online one.
        """
        columns = {"type": "vxlan", "error": "e", "options": {"remote_ip": "::1", "peer": "p"}}
        event = InterfaceOffline(interface(InterfaceKind.TUNNEL, **columns), Cause.RESYNC, SOURCE)
        self.assertEqual(
            self.line(event),
            '{"event":"offline","kind":"tunnel","cause":"resync",' + TIME + ',"interface":'
            '{"uuid":"u1","name":"tap1","type":"vxlan","kind":"tunnel","ofport":null,"local_port":false,"bridge":null,"ready":false,"error":"e",'
            '"iface_id":null,"attached_mac":null,"remote_ip":"::1","peer":"p",'
            '"external_ids":{},"options":{"remote_ip":"::1","peer":"p"},"extra":{}}}',
        )

    def test_changed(self) -> None:
        """
        A changed line also has the key C{changes}: each column that has
        changed, extra columns too, with its whole old value and its whole new
        value.
        """
        event = changed(
            {"ofport": None, "extra": {"mtu": 1500}},
            {"ofport": 1, "external_ids": {"iface-id": "a"}, "extra": {"mtu": 9000}},
        )
        self.assertEqual(
            self.line(event),
            '{"event":"changed","kind":"vm","cause":"update",' + TIME + ',"interface":'
            '{"uuid":"u1","name":"tap1","type":"","kind":"vm","ofport":1,"local_port":false,"bridge":null,"ready":true,"error":null,'
            '"iface_id":"a","attached_mac":null,"remote_ip":null,"peer":null,'
            '"external_ids":{"iface-id":"a"},"options":{},"extra":{"mtu":9000}},"became_ready":true,'
            '"changes":{"ofport":[null,1],"external_ids":[{},{"iface-id":"a"}],"mtu":[1500,9000]}}',
        )

    def test_problem(self) -> None:
        """
        A problem has its name, when it began, and its interface.
        """
        self.assertEqual(
            self.line(found(interface(ofport=-1))),
            '{"event":"problem","problem":"failed","kind":"vm","since":"2026-11-22T12:00:00.000000Z",'
            '"detail":"could not open",' + TIME + ',"interface":'
            '{"uuid":"u1","name":"tap1","type":"","kind":"vm","ofport":-1,"local_port":false,"bridge":null,"ready":false,"error":null,'
            '"iface_id":null,"attached_mac":null,"remote_ip":null,"peer":null,'
            '"external_ids":{},"options":{},"extra":{}}}',
        )

    def test_solved(self) -> None:
        """
        A problem that is over also has how long it lasted. A problem of the switch
        has no interface.
        """
        self.assertEqual(
            self.line(solved(None, Problem.NOT_APPLYING)),
            '{"event":"solved","problem":"not-applying","kind":null,'
            '"since":"2026-11-22T12:00:00.000000Z","lasted":3600.0,"detail":"could not open",'
            + TIME
            + ',"interface":null}',
        )

    def test_becameReady(self) -> None:
        """
        C{became_ready} is there once for each port that becomes ready or stops
        being so, and never on a replay.
        """
        ready, unready = interface(ofport=1), interface(ofport=None)
        for event, expected in (
            (InterfaceOnline(ready, Cause.INITIAL, SOURCE), True),
            (InterfaceOnline(ready, Cause.REPLAY, SOURCE), None),
            (InterfaceOnline(unready, Cause.UPDATE, SOURCE), None),
            (changed({"ofport": None}, {"ofport": 1}), True),
            (changed({"ofport": 1}, {"ofport": -1}), False),
            (changed({"ofport": 1}, {"ofport": 1, "error": "x"}), False),
            (changed({"ofport": 1}, {"ofport": 2}), None),
            (InterfaceOffline(ready, Cause.UPDATE, SOURCE), None),
        ):
            self.assertIs(json.loads(self.line(event)).get("became_ready"), expected, event)

    def test_synchronized(self) -> None:
        """
        A synchronized line has the number of interfaces of every kind, also if
        it is 0.
        """
        self.assertEqual(
            self.line(Synchronized(Cause.INITIAL, (interface(),), SOURCE)),
            '{"event":"synchronized","cause":"initial",'
            '"counts":{"bridge":0,"vm":1,"tunnel":0,"patch":0},' + TIME + "}",
        )

    def test_disconnected(self) -> None:
        """
        A disconnected line tells the reason in words.
        """
        self.assertEqual(
            self.line(Disconnected(ValueError("cut"), SOURCE)),
            '{"event":"disconnected","reason":"cut",' + TIME + "}",
        )

    def test_forgotten(self) -> None:
        """
        A forgotten line says of which switch nothing is known any more, and why.
        """
        self.assertEqual(
            self.line(SwitchForgotten(ForgetReason.AGE, SOURCE)),
            '{"event":"forgotten","reason":"age",' + TIME + "}",
        )
        self.assertEqual(
            self.line(SwitchForgotten(ForgetReason.LIMIT, SOURCE)),
            '{"event":"forgotten","reason":"limit",' + TIME + "}",
        )

    def test_text(self) -> None:
        """
        Text is written in ASCII: everything else is escaped.
        """
        event = InterfaceOnline(interface(name='tâp\n"\U0001f680"'), Cause.UPDATE, SOURCE)
        line = self.line(event)
        self.assertIn(r'"name":"t\u00e2p\n\"\ud83d\ude80\""', line)
        self.assertEqual(json.loads(line)["interface"]["name"], 'tâp\n"\U0001f680"')

    def test_pathOfBytes(self) -> None:
        """
        The path of a unix socket may be any bytes. Those that are not UTF-8 are
        escaped, and a reader in Python gets the path.
        """
        source = os.fsdecode(b"unix:/run/\xff.sock")
        line = self.line(Synchronized(Cause.INITIAL, (), source))
        self.assertIn(r'"source":"unix:/run/\udcff.sock"', line)
        self.assertEqual(os.fsencode(json.loads(line)["source"]), b"unix:/run/\xff.sock")

    def test_extra(self) -> None:
        """
        In extra columns, an atom is written unchanged, an empty value as null,
        a set as a sorted array, and a map as an object, or as an array of pairs
        if its keys are numbers.
        """
        extra = {
            "link_state": None,
            "mtu": 1500,
            "lldp": frozenset(("b", "a")),
            "statistics": MappingProxyType({"rx": 1}),
            "queues": MappingProxyType({0: "q"}),
        }
        event = InterfaceOnline(interface(extra=MappingProxyType(extra)), Cause.UPDATE, SOURCE)
        self.assertIn(
            '"extra":{"link_state":null,"mtu":1500,"lldp":["a","b"],'
            '"statistics":{"rx":1},"queues":[[0,"q"]]}',
            self.line(event),
        )

    def test_changedExtra(self) -> None:
        """
        Changes of extra columns are written in the same form as the columns.
        """
        event = changed(
            {"extra": {"ips": frozenset(("b", "a")), "queues": {}}},
            {"extra": {"ips": None, "queues": MappingProxyType({1: "q"})}},
        )
        self.assertIn(
            '"changes":{"ips":[["a","b"],null],"queues":[{},[[1,"q"]]]}}', self.line(event)
        )

    def test_result(self) -> None:
        """
        The observer is busy until its line is written: it returns the Deferred
        of C{write}.
        """
        event = Synchronized(Cause.INITIAL, (), SOURCE)
        out: Deferred[None] = Deferred()
        self.assertIs(JSONLinesObserver(lambda line: out).eventReceived(event), out)
        self.assertIsNone(JSONLinesObserver(lambda line: None).eventReceived(event))

    def test_clock(self) -> None:
        """
        The time in a line is when the line was written, in UTC and always with
        microseconds.
        """
        times = iter([NOW.replace(microsecond=0), NOW])
        lines: list[bytes] = []
        now: Callable[[], datetime] = times.__next__
        observer = JSONLinesObserver(lines.append, now)
        event = Synchronized(Cause.INITIAL, (), SOURCE)
        observer.eventReceived(event)
        observer.eventReceived(event)
        self.assertEqual(
            [json.loads(line)["time"] for line in lines],
            ["2026-11-22T06:00:00.000000Z", "2026-11-22T06:00:00.123456Z"],
        )
        lines.clear()
        before = datetime.now(timezone.utc)
        JSONLinesObserver(lines.append).eventReceived(event)
        [line] = lines
        time = datetime.fromisoformat(json.loads(line)["time"].replace("Z", "+00:00"))
        self.assertTrue(before <= time <= datetime.now(timezone.utc))
