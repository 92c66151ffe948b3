# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.events}.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.test_ovsinterface import FULL, PLAIN, VM
from twisted_ovsdb.errors import MonitorStopped, ProtocolViolation, SessionLost
from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    SwitchForgotten,
    SwitchIdentity,
    Synchronized,
    makeChanged,
    makeEvent,
)

SOURCE = "tcp:127.0.0.1:6640"
IDENTITY = SwitchIdentity("s1", "h1")

EVENTS: list[Event] = [
    InterfaceOnline(VM, Cause.INITIAL, SOURCE),
    InterfaceOffline(VM, Cause.INITIAL, SOURCE),
    InterfaceChanged(VM, Cause.INITIAL, SOURCE, PLAIN),
    Synchronized(Cause.INITIAL, (VM,), SOURCE),
    Disconnected(ValueError("gone"), SOURCE),
    SwitchForgotten(ForgetReason.AGE, SOURCE),
    SwitchForgotten(ForgetReason.LIMIT, SOURCE),
]


class EventTests(SynchronousTestCase):
    """
    Events as values.
    """

    def test_values(self) -> None:
        """
        Two events are equal if all their attributes are equal, and only then.
        Events can be hashed, and cannot be changed.
        """
        self.assertEqual(len(set(EVENTS)), len(EVENTS))
        for event in EVENTS:
            self.assertEqual(event, attrs.evolve(event))
            self.assertEqual([other for other in EVENTS if other == event], [event])
            self.assertRaises(AttributeError, setattr, event, "source", "")
            self.assertEqual(event.source, SOURCE)

    def test_kind(self) -> None:
        """
        The kind of an event is the kind that its interface has now.
        """
        changed = InterfaceChanged(VM, Cause.UPDATE, SOURCE, previous=PLAIN)
        online = InterfaceOnline(VM, Cause.UPDATE, SOURCE)
        offline = InterfaceOffline(VM, Cause.UPDATE, SOURCE)
        for kind in (online.kind, offline.kind, changed.kind):
            self.assertEqual(kind, InterfaceKind.VM)
        self.assertEqual(changed.previous, PLAIN)

    def test_synchronizedIsShort(self) -> None:
        """
        In a log, Synchronized shows the number of interfaces and does not list
        them.
        """
        text = repr(Synchronized(Cause.RESYNC, (VM,) * 1000, SOURCE))
        self.assertIn("interfaces=<1000>", text)
        self.assertNotIn("tap1", text)

    def test_names(self) -> None:
        """
        Kinds and causes have the names that other programs read.
        """
        self.assertEqual(
            [kind.value for kind in InterfaceKind], ["bridge", "vm", "tunnel", "patch"]
        )
        causes = ["initial", "update", "resync", "replay"]
        self.assertEqual([cause.value for cause in Cause], causes)
        self.assertEqual([reason.value for reason in ForgetReason], ["age", "limit", "endpoint"])

    def test_frozen(self) -> None:
        """
        No attribute of an event can be set, deleted or added.
        """
        for event in EVENTS:
            for attribute in ("source", "identity", "unknown"):
                self.assertRaises(AttributeError, setattr, event, attribute, None)
                self.assertRaises(AttributeError, delattr, event, attribute)

    def test_makers(self) -> None:
        """
        The fast makers take the arguments of the constructors, and make equal
        events, which are frozen too.
        """
        rest = (Cause.UPDATE, SOURCE)
        online = InterfaceOnline(VM, *rest, identity=IDENTITY)
        offline = InterfaceOffline(VM, *rest, identity=IDENTITY)
        changed = InterfaceChanged(VM, *rest, previous=PLAIN, identity=IDENTITY)
        pairs: list[tuple[InterfaceEvent, InterfaceEvent]] = [
            (makeEvent(InterfaceOnline, VM, *rest, IDENTITY), online),
            (makeEvent(InterfaceOffline, VM, *rest, IDENTITY), offline),
            (makeChanged(VM, *rest, PLAIN, IDENTITY), changed),
        ]
        for made, expected in pairs:
            self.assertIs(type(made), type(expected))
            self.assertEqual(made, expected)
            self.assertEqual((hash(made), repr(made)), (hash(expected), repr(expected)))
            for attribute in ("source", "unknown"):
                self.assertRaises(AttributeError, setattr, made, attribute, "")
        for maker, kind, own in [
            (makeEvent, InterfaceOnline, {"kind"}),
            (makeChanged, InterfaceChanged, set()),
        ]:
            names = {field.name for field in attrs.fields(kind)}
            make: Any = maker
            self.assertEqual(set(inspect.signature(make).parameters), names | own)

    def test_copies(self) -> None:
        """
        Events can be pickled and copied, with the interfaces and errors that
        they hold.
        """
        for event in (
            InterfaceOnline(FULL, Cause.INITIAL, SOURCE, identity=IDENTITY),
            InterfaceOffline(FULL, Cause.RESYNC, SOURCE),
            makeChanged(FULL, Cause.UPDATE, SOURCE, VM, UNIDENTIFIED),
            Synchronized(Cause.INITIAL, (FULL, VM), SOURCE),
            SwitchForgotten(ForgetReason.LIMIT, SOURCE, identity=IDENTITY),
        ):
            copies = [copy.copy(event), copy.deepcopy(event)]
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                copies.append(pickle.loads(pickle.dumps(event, protocol)))
            for copied in copies:
                self.assertEqual(copied, event)
        for reason in (MonitorStopped(), SessionLost(ProtocolViolation("not JSON"))):
            disconnected = Disconnected(reason, SOURCE)
            for again in (
                copy.deepcopy(disconnected),
                pickle.loads(pickle.dumps(disconnected)),
            ):
                self.assertEqual(repr(again.reason), repr(reason))
                self.assertEqual(again.source, SOURCE)
