# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.base}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from tests.observers.values import SOURCE, interface
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import OvsdbEventObserver
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver
from twisted_ovsdb.observers.log import LoggingObserver


class RecordingObserver(OvsdbEventObserver):
    """
    Records which method got which event, and returns the name of the method.
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

    def fifteen(self) -> dict[str, Event]:
        """
        One event of each kind, by the method that takes it.
        """
        events: dict[str, Event] = {
            "synchronized": Synchronized(Cause.INITIAL, (), SOURCE),
            "disconnected": Disconnected(ValueError("gone"), SOURCE),
            "forgotten": SwitchForgotten(ForgetReason.AGE, SOURCE),
        }
        for kind in InterfaceKind:
            it = interface(kind)
            events[f"{kind.value}Online"] = InterfaceOnline(it, Cause.UPDATE, SOURCE)
            events[f"{kind.value}Offline"] = InterfaceOffline(it, Cause.UPDATE, SOURCE)
            events[f"{kind.value}Changed"] = InterfaceChanged(it, Cause.UPDATE, SOURCE, it)
        self.assertEqual(len(events), 15)
        return events

    def test_routes(self) -> None:
        """
        Each of the 15 kinds of events reaches the method that is named after
        it, once, and no other method. The result is what the method returns.
        """
        for method, event in self.fifteen().items():
            observer = RecordingObserver()
            result: object = observer.eventReceived(event)
            self.assertEqual(observer.calls, [(method, event)])
            self.assertEqual(result, method)

    def test_default(self) -> None:
        """
        A method that is not overridden does nothing.
        """
        observer = OvsdbEventObserver()
        for event in self.fifteen().values():
            self.assertIsNone(observer.eventReceived(event))

    def test_deferred(self) -> None:
        """
        If a method returns a Deferred, the observer is busy until it fires.
        """
        busy: Deferred[None] = Deferred()

        class Busy(OvsdbEventObserver):
            def vmOnline(self, event: InterfaceOnline) -> Deferred[None]:
                return busy

        event = InterfaceOnline(interface(), Cause.INITIAL, SOURCE)
        self.assertIs(Busy().eventReceived(event), busy)

    def test_unknown(self) -> None:
        """
        An event of an unknown class, which a later version may add, is ignored.
        """
        observer = RecordingObserver()
        unknown: Any = object()
        self.assertIsNone(observer.eventReceived(unknown))
        self.assertEqual(observer.calls, [])

    def test_interface(self) -> None:
        """
        Every observer in the package provides IOvsdbEventObserver.
        """
        for made in (
            OvsdbEventObserver(),
            RecordingObserver(),
            LoggingObserver(),
            JSONLinesObserver(lambda line: None),
        ):
            verifyObject(IOvsdbEventObserver, made)
            verifyClass(IOvsdbEventObserver, type(made))
