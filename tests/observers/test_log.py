# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.log}.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.observers.values import SOURCE, changed, found, interface, solved
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    Problem,
    ProblemFound,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.observers.log import LoggingObserver


class LoggingObserverTests(SynchronousTestCase):
    """
    Tests for L{LoggingObserver}.
    """

    def logged(self, event: Event, nameSource: bool = False) -> str:
        """
        The one line that is logged for an event: at the level warn if its
        interface has failed or it tells of a problem, else at the level info.
        """
        with capturedLogs() as logs:
            LoggingObserver(nameSource, logAll=True).eventReceived(event)
        [log] = logs
        failed = isinstance(event, ProblemFound)
        if isinstance(event, (InterfaceOnline, InterfaceChanged)):
            failed = event.interface.failed
        self.assertIs(log["log_level"], LogLevel.warn if failed else LogLevel.info)
        self.assertIs(log["event"], event)
        return formatEvent(log)

    def online(self, kind: InterfaceKind, **columns: Any) -> str:
        """
        The line that is logged for an interface that comes online.
        """
        return self.logged(InterfaceOnline(interface(kind, **columns), Cause.INITIAL, SOURCE))

    def test_online(self) -> None:
        """
        An online line has the kind, the name, the OpenFlow port, what only this
        kind has, and the cause.
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

    def test_problems(self) -> None:
        """
        A problem is a warning that says since when, and a problem that is over says
        how long it lasted.
        """
        vm = interface(name="tap\n1", bridge="br-int")
        self.assertEqual(
            self.logged(found(vm)),
            "vm tap\\n1 on br-int: failed since 2026-11-22 12:00:00+00:00: could not open",
        )
        self.assertEqual(
            self.logged(found(interface(None, name="eth7"))),
            "port eth7: failed since 2026-11-22 12:00:00+00:00: could not open",
        )
        self.assertEqual(
            self.logged(solved(None, Problem.NOT_APPLYING)),
            "switch: no longer not-applying, after 1:00:00",
        )

    def test_offline(self) -> None:
        """
        An offline line shows the interface as it was last known.
        """
        gone = InterfaceOffline(interface(ofport=7), Cause.RESYNC, SOURCE)
        self.assertEqual(self.logged(gone), "vm tap1 offline: ofport 7 [resync]")

    def test_changed(self) -> None:
        """
        A changed line has the old and the new value of each column that has
        changed, and nothing else.
        """
        event = changed({"ofport": None, "error": "busy"}, {"ofport": 7})
        self.assertEqual(
            self.logged(event),
            "vm tap1 changed: ofport none -> 7, error busy -> none [update]",
        )

    def test_changedMaps(self) -> None:
        """
        For a map, only the keys that have changed, were added or were removed
        are shown.
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
        Extra columns are shown like the usual ones.
        """
        event = changed({"extra": {"link_state": "up"}}, {"extra": {"link_state": None}})
        self.assertEqual(self.logged(event), "vm tap1 changed: link_state up -> none [update]")

    def test_changedSet(self) -> None:
        """
        A set is shown in sorted order, as ovs-vsctl writes it.
        """
        event = changed({"extra": {"n": frozenset((9, 10))}}, {"extra": {"n": 9}})
        self.assertEqual(self.logged(event), "vm tap1 changed: n [9, 10] -> 9 [update]")

    def test_failed(self) -> None:
        """
        A port that ovs-vswitchd could not configure is a warning; what goes
        offline is none.
        """
        for columns, level in (
            ({"ofport": -1}, LogLevel.warn),
            ({"error": "no device"}, LogLevel.warn),
            ({"ofport": None}, LogLevel.info),
            ({"ofport": 1}, LogLevel.info),
        ):
            failing = interface(**columns)
            for event, expected in (
                (InterfaceOnline(failing, Cause.INITIAL, SOURCE), level),
                (changed({"type": "x"}, columns), level),
                (InterfaceOffline(failing, Cause.UPDATE, SOURCE), LogLevel.info),
            ):
                with capturedLogs() as logs:
                    LoggingObserver(logAll=True).eventReceived(event)
                self.assertIs(logs[0]["log_level"], expected, event)

    def test_secrets(self) -> None:
        """
        The value of an option that is a secret is not in the log, when it is
        set, changed or removed; nor in the repr of the event.
        """
        for key in ("psk", "key", "PRIVATE_KEY", "password", "shared_secret", "certificate"):
            secret, none = {"options": {key: "hunter2"}}, {"options": {"a": "b"}}
            other = {"options": {key: "hunter3"}}
            for event, says in (
                (changed(none, secret), f"options:{key} none -> ***"),
                (changed(secret, other), f"options:{key} *** -> ***"),
                (changed(secret, none), f"options:{key} *** -> none"),
            ):
                text = self.logged(event)
                self.assertIn(says, text)
                self.assertNotIn("hunter", text + repr(event))

    def test_oneLine(self) -> None:
        """
        A newline in the database does not make two lines in the log.
        """
        text = self.online(InterfaceKind.VM, ofport=7, external_ids={"iface-id": "a\nb"})
        self.assertNotIn("\n", text)
        self.assertNotIn("\n", self.logged(changed({"error": None}, {"error": "a\nb"})))

    def test_long(self) -> None:
        """
        A long value in the database does not fill the log: its middle is left
        out.
        """
        text = self.online(InterfaceKind.VM, error="begin" + "x" * 100000 + "end")
        self.assertLess(len(text), 300)
        self.assertIn("error beginxx", text)
        self.assertIn("xxend [initial]", text)

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
        A disconnected line has the reason in words, on one line.
        """
        self.assertEqual(
            self.logged(Disconnected(ValueError("cut\nhere."), SOURCE)), "disconnected: cut here"
        )
        self.assertEqual(
            self.logged(Disconnected(ValueError(), SOURCE)), "disconnected: ValueError"
        )

    def test_forgotten(self) -> None:
        """
        A line says that a switch is forgotten, and which option decides that.
        """
        self.assertEqual(
            self.logged(SwitchForgotten(ForgetReason.AGE, SOURCE)),
            "forgotten: not connected for too long (--forget)",
        )
        self.assertEqual(
            self.logged(SwitchForgotten(ForgetReason.LIMIT, SOURCE), nameSource=True),
            "forgotten: another switch needed its place (--max-switches) from tcp:127.0.0.1:6640",
        )

    def test_source(self) -> None:
        """
        With several servers, each line names the server.
        """
        self.assertEqual(
            self.logged(Disconnected(ValueError("cut"), SOURCE), nameSource=True),
            "disconnected: cut from tcp:127.0.0.1:6640",
        )
