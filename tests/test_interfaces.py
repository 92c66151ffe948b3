# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.interfaces}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.observers import Recorder
from twisted_ovsdb import InterfaceKind, InterfaceMonitor, onlyKinds, withoutReplays
from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver, asObserver


class Undeclared:
    """
    Has the method of an observer, and does not declare the interface.
    """

    def eventReceived(self, event: Event) -> None:
        """
        Receive an event.
        """


class Adaptable:
    """
    Can be adapted to an observer.
    """

    def __init__(self) -> None:
        self.recorder = Recorder()

    def __conform__(self, interface: object) -> Recorder | None:
        return self.recorder if interface is IOvsdbEventObserver else None


class AsObserverTests(SynchronousTestCase):
    """
    Tests for L{asObserver}: what can be an observer.
    """

    def test_declared(self) -> None:
        """
        An object that provides the interface is an observer.
        """
        recorder = Recorder()
        self.assertIs(asObserver(recorder), recorder)

    def test_undeclared(self) -> None:
        """
        An object that has the method is an observer, also if it does not
        declare the interface.
        """
        observer = Undeclared()
        self.assertIs(asObserver(observer), observer)
        self.assertFalse(IOvsdbEventObserver.providedBy(observer))

    def test_adapted(self) -> None:
        """
        If an object can be adapted to an observer, the adapter is the observer.
        """
        adaptable: Any = Adaptable()
        self.assertIs(asObserver(adaptable), adaptable.recorder)

    def test_class(self) -> None:
        """
        If a class is given in place of an object, the error says what to pass,
        whether or not the class declares the interface.
        """
        for kind in (Undeclared, Recorder, Adaptable):
            wrong: Any = kind
            error = self.assertRaises(TypeError, asObserver, wrong)
            self.assertEqual(
                str(error), f"an observer is an object, not a class: pass {kind.__name__}(...)"
            )

    def test_nothing(self) -> None:
        """
        An object without the method is refused, and the error names the method.
        """
        attribute: Any = Undeclared()
        attribute.eventReceived = None
        for nothing in (None, "x", object(), lambda event: None, attribute):
            wrong: Any = nothing
            error = self.assertRaises(TypeError, asObserver, wrong)
            self.assertEqual(
                str(error),
                f"an observer has a method eventReceived, and this has none: {nothing!r}",
            )

    def test_everywhere(self) -> None:
        """
        All functions that take an observer accept and refuse the same objects.
        """

        def filtered(observer: Any) -> object:
            return onlyKinds(observer, InterfaceKind.VM)

        wrong: Any = Undeclared
        for take in (
            filtered,
            withoutReplays,
            InterfaceMonitor().addObserver,
            lambda observer: InterfaceMonitor([observer]),
        ):
            take(Undeclared())
            error = self.assertRaises(TypeError, take, wrong)
            self.assertIn("an observer is an object, not a class", str(error))
