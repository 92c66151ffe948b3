# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.base}.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import JSONLinesObserver, LoggingObserver, OvsdbEventObserver

SOURCE = "tcp:127.0.0.1:6640"
NOW = datetime(2026, 11, 22, 6, 0, 0, 123456, timezone.utc)
TIME = '"time":"2026-11-22T06:00:00.123456Z","source":"tcp:127.0.0.1:6640"'


def interface(kind: InterfaceKind = InterfaceKind.VM, **columns: Any) -> OvsInterface:
    """
    An interface, a VM's unless told otherwise.
    """
    return OvsInterface(**{"uuid": "u1", "name": "tap1", "kind": kind, **columns})


def changed(old: dict[str, Any], new: dict[str, Any]) -> InterfaceChanged:
    """
    The event of a VM's interface that had columns and has others.
    """
    return InterfaceChanged(interface(**new), Cause.UPDATE, SOURCE, previous=interface(**old))


class RecordingObserver(OvsdbEventObserver):
    """
    Notes which method got which event, and answers with the method's name.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in ("eventReceived", "calls") or name.startswith("__"):
            return value

        def record(event: object) -> str:
            self.calls.append((name, event))
            return name

        return record


class OvsdbEventObserverTests(SynchronousTestCase):
    """
    Tests for L{OvsdbEventObserver}.
    """

    def fourteen(self) -> dict[str, Event]:
        """
        One event of each kind, by the method that takes it.
        """
        events: dict[str, Event] = {
            "synchronized": Synchronized(Cause.INITIAL, (), SOURCE),
            "disconnected": Disconnected(ValueError("gone"), SOURCE),
        }
        for kind in InterfaceKind:
            it = interface(kind)
            events[f"{kind.value}Online"] = InterfaceOnline(it, Cause.UPDATE, SOURCE)
            events[f"{kind.value}Offline"] = InterfaceOffline(it, Cause.UPDATE, SOURCE)
            events[f"{kind.value}Changed"] = InterfaceChanged(it, Cause.UPDATE, SOURCE, it)
        self.assertEqual(len(events), 14)
        return events

    def test_routes(self) -> None:
        """
        Each of the 14 kinds of events reaches the method named after it,
        once, and no other; what the method returns is the result.
        """
        for method, event in self.fourteen().items():
            observer = RecordingObserver()
            result: object = observer.eventReceived(event)
            self.assertEqual(observer.calls, [(method, event)])
            self.assertEqual(result, method)

    def test_default(self) -> None:
        """
        What is not overridden does nothing.
        """
        observer = OvsdbEventObserver()
        for event in self.fourteen().values():
            self.assertIsNone(observer.eventReceived(event))

    def test_deferred(self) -> None:
        """
        A Deferred of a method is the observer's answer: it makes it busy.
        """
        busy: Deferred[None] = Deferred()

        class Busy(OvsdbEventObserver):
            def vmOnline(self, event: InterfaceOnline) -> Deferred[None]:
                return busy

        event = InterfaceOnline(interface(), Cause.INITIAL, SOURCE)
        self.assertIs(Busy().eventReceived(event), busy)

    def test_unknown(self) -> None:
        """
        A kind of event that a later version may add breaks nobody.
        """
        observer = RecordingObserver()
        unknown: Any = object()
        self.assertIsNone(observer.eventReceived(unknown))
        self.assertEqual(observer.calls, [])

    def test_interface(self) -> None:
        """
        Every observer that ships keeps the contract of observers.
        """
        for made in (
            OvsdbEventObserver(),
            RecordingObserver(),
            LoggingObserver(),
            JSONLinesObserver(lambda line: None),
        ):
            verifyObject(IOvsdbEventObserver, made)
            verifyClass(IOvsdbEventObserver, type(made))


class LoggingObserverTests(SynchronousTestCase):
    """
    Tests for L{LoggingObserver}.
    """

    def logged(self, event: Event, nameSource: bool = False) -> str:
        """
        The one line that is logged, at the level info.
        """
        with capturedLogs() as logs:
            LoggingObserver(nameSource).eventReceived(event)
        [log] = logs
        self.assertIs(log["log_level"], LogLevel.info)
        self.assertIs(log["event"], event)
        return formatEvent(log)

    def online(self, kind: InterfaceKind, **columns: Any) -> str:
        """
        What is logged of an interface that comes online.
        """
        return self.logged(InterfaceOnline(interface(kind, **columns), Cause.INITIAL, SOURCE))

    def test_online(self) -> None:
        """
        An online line tells kind, name, port, what marks its class, and the
        cause.
        """
        self.assertEqual(
            self.online(InterfaceKind.VM, ofport=7, external_ids={"iface-id": "vm-1"}),
            "vm tap1 online: ofport 7, iface-id vm-1 [initial]",
        )
        self.assertEqual(
            self.online(InterfaceKind.TUNNEL, name="df1", options={"remote_ip": "192.0.2.1"}),
            "tunnel df1 online: ofport none yet, remote-ip 192.0.2.1 [initial]",
        )
        self.assertEqual(
            self.online(InterfaceKind.PATCH, name="p1", ofport=2, options={"peer": "p2"}),
            "patch p1 online: ofport 2, peer p2 [initial]",
        )
        self.assertEqual(
            self.online(InterfaceKind.BRIDGE, name="br-int", ofport=-1, error="no {device}"),
            "bridge br-int online: ofport -1, error no {device} [initial]",
        )

    def test_offline(self) -> None:
        """
        An offline line tells the interface as it was last known.
        """
        gone = InterfaceOffline(interface(ofport=7), Cause.RESYNC, SOURCE)
        self.assertEqual(self.logged(gone), "vm tap1 offline: ofport 7 [resync]")

    def test_changed(self) -> None:
        """
        A changed line tells old -> new of what differs, and nothing else.
        """
        event = changed({"ofport": None, "error": "busy"}, {"ofport": 7})
        self.assertEqual(
            self.logged(event),
            "vm tap1 changed: ofport none -> 7, error busy -> none [update]",
        )

    def test_changedMaps(self) -> None:
        """
        Of a map only the keys that differ are told: changed, added, removed.
        """
        event = changed(
            {"external_ids": {"iface-id": "a", "same": "x", "old": "1", "empty": ""}},
            {"external_ids": {"iface-id": "a", "same": "y", "new": "2", "empty": "3"}},
        )
        self.assertEqual(
            self.logged(event),
            "vm tap1 changed: external_ids:same x -> y, external_ids:old 1 -> none,"
            " external_ids:empty '' -> 3, external_ids:new none -> 2 [update]",
        )

    def test_changedExtra(self) -> None:
        """
        Columns that were asked for are told like the usual ones.
        """
        event = changed({"extra": {"link_state": "up"}}, {"extra": {"link_state": None}})
        self.assertEqual(self.logged(event), "vm tap1 changed: link_state up -> none [update]")

    def test_oneLine(self) -> None:
        """
        Text of the database cannot break an event's line in two.
        """
        text = self.online(InterfaceKind.VM, ofport=7, external_ids={"iface-id": "a\nb"})
        self.assertNotIn("\n", text)
        self.assertNotIn("\n", self.logged(changed({"error": None}, {"error": "a\nb"})))

    def test_synchronized(self) -> None:
        """
        A synchronized line counts the interfaces of every kind.
        """
        interfaces = (interface(), interface(uuid="u2"), interface(InterfaceKind.PATCH))
        self.assertEqual(
            self.logged(Synchronized(Cause.RESYNC, interfaces, SOURCE)),
            "synchronized: 0 bridge, 2 vm, 0 tunnel, 1 patch [resync]",
        )

    def test_disconnected(self) -> None:
        """
        A disconnected line tells the reason in words, on one line.
        """
        self.assertEqual(
            self.logged(Disconnected(ValueError("cut\nhere."), SOURCE)), "disconnected: cut here"
        )
        self.assertEqual(
            self.logged(Disconnected(ValueError(), SOURCE)), "disconnected: ValueError"
        )

    def test_source(self) -> None:
        """
        Who monitors several servers sees which one it was.
        """
        self.assertEqual(
            self.logged(Disconnected(ValueError("cut"), SOURCE), nameSource=True),
            "disconnected: cut from tcp:127.0.0.1:6640",
        )


class JSONLinesObserverTests(SynchronousTestCase):
    """
    Tests for L{JSONLinesObserver}: whole lines, because other programs read
    them.
    """

    def line(self, event: Event) -> str:
        """
        What is written of an event, without the newline at its end.
        """
        lines: list[bytes] = []
        JSONLinesObserver(lines.append, lambda: NOW).eventReceived(event)
        [line] = lines
        self.assertEqual(line.count(b"\n"), 1)
        self.assertTrue(line.endswith(b"\n"))
        return line.decode()[:-1]

    def test_online(self) -> None:
        """
        An online line has exactly the keys that are promised, in their order.
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
            '{"uuid":"u1","name":"tap1","type":"","ofport":1,"ready":true,"error":null,'
            '"iface_id":"4aa6","attached_mac":"52:54","remote_ip":null,"peer":null,'
            '"external_ids":{"iface-id":"4aa6","attached-mac":"52:54"},"options":{},"extra":{}}}',
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
            '{"uuid":"u1","name":"tap1","type":"vxlan","ofport":null,"ready":false,"error":"e",'
            '"iface_id":null,"attached_mac":null,"remote_ip":"::1","peer":"p",'
            '"external_ids":{},"options":{"remote_ip":"::1","peer":"p"},"extra":{}}}',
        )

    def test_changed(self) -> None:
        """
        A changed line has C{changes} beside the rest: columns only, whole,
        extra columns among them, each with its old and new value.
        """
        event = changed(
            {"ofport": None, "extra": {"mtu": 1500}},
            {"ofport": 1, "external_ids": {"iface-id": "a"}, "extra": {"mtu": 9000}},
        )
        self.assertEqual(
            self.line(event),
            '{"event":"changed","kind":"vm","cause":"update",' + TIME + ',"interface":'
            '{"uuid":"u1","name":"tap1","type":"","ofport":1,"ready":true,"error":null,'
            '"iface_id":"a","attached_mac":null,"remote_ip":null,"peer":null,'
            '"external_ids":{"iface-id":"a"},"options":{},"extra":{"mtu":9000}},'
            '"changes":{"ofport":[null,1],"external_ids":[{},{"iface-id":"a"}],"mtu":[1500,9000]}}',
        )

    def test_synchronized(self) -> None:
        """
        A synchronized line counts every kind, those that are absent too.
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

    def test_text(self) -> None:
        """
        Text is UTF-8 as it is; newlines and quotes are escaped.
        """
        event = InterfaceOnline(interface(name='tâp\n"\U0001f680"'), Cause.UPDATE, SOURCE)
        line = self.line(event)
        self.assertIn('"name":"tâp\\n\\"\U0001f680\\""', line)
        self.assertEqual(json.loads(line)["interface"]["name"], 'tâp\n"\U0001f680"')

    def test_extra(self) -> None:
        """
        Extra columns: an atom as it is, nothing as null, a set as an array, a
        map as an object, also with keys that are numbers.
        """
        extra = {
            "link_state": None,
            "mtu": 1500,
            "lldp": ("a", "b"),
            "statistics": MappingProxyType({"rx": 1}),
            "queues": MappingProxyType({0: "q"}),
        }
        event = InterfaceOnline(interface(extra=MappingProxyType(extra)), Cause.UPDATE, SOURCE)
        self.assertIn(
            '"extra":{"link_state":null,"mtu":1500,"lldp":["a","b"],'
            '"statistics":{"rx":1},"queues":{"0":"q"}}',
            self.line(event),
        )

    def test_result(self) -> None:
        """
        While a line is not out, the observer is busy: the Deferred of
        C{write} is its answer.
        """
        event = Synchronized(Cause.INITIAL, (), SOURCE)
        out: Deferred[None] = Deferred()
        self.assertIs(JSONLinesObserver(lambda line: out).eventReceived(event), out)
        self.assertIsNone(JSONLinesObserver(lambda line: None).eventReceived(event))

    def test_clock(self) -> None:
        """
        The time is that of the writing, in UTC, always with microseconds.
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
