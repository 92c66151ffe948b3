# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.settings}.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.observers import Recorder
from twisted_ovsdb import OvsdbListenerFactory, OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.settings import Settings, timeSource

WRONG: dict[str, list[Any]] = {
    "snapshotTimeout": [-1, "5", None],
    "probeInterval": [-0.5, float("nan"), None],
    "maxLength": [0, -1, "1"],
    "extraColumns": ["link_state", [b"link_state"], [1]],
}
"""Wrong values of the parameters that the factory and the listener share."""

WRONG_TYPES: dict[str, list[Any]] = {
    "observers": [Recorder(), None],
    "database": [None, 5],
    "rules": ["dragonflow", None],
    "hook": [5],
    "lock": [5],
}
"""Values of a wrong type, for parameters that the factory and the listener share."""

FACTORY: dict[str, list[Any]] = {
    "maxDelay": [0, -1, None],
    "connectTimeout": [-1, "5"],
    "members": [0, -1],
}

LISTENER: dict[str, list[Any]] = {
    "maxSwitches": [0, -1, None],
    "fleet": [0, -1, None],
    "forgetAfter": [-1, "5", None, float("nan")],
}


class SettingsTests(SynchronousTestCase):
    """
    Tests for L{Settings}, mostly through the factory and the listener.
    """

    def test_wrong(self) -> None:
        """
        A wrong value is refused, and the error names the parameter and the
        value.
        """
        for make, cases in (
            (OvsdbMonitorFactory, WRONG | FACTORY),
            (OvsdbListenerFactory, WRONG | LISTENER),
        ):
            for keyword, values in cases.items():
                for value in values:
                    options: dict[str, Any] = {keyword: value, "clock": Clock()}
                    error = self.assertRaises(ValueError, make, **options)
                    self.assertIn(keyword, str(error))
                    self.assertIn(repr(value), str(error))

    def test_wrongTypes(self) -> None:
        """
        A value of a wrong type is refused when it is given, and not later at
        each connection.
        """
        for make in (OvsdbMonitorFactory, OvsdbListenerFactory):
            for keyword, values in WRONG_TYPES.items():
                for value in values:
                    options: dict[str, Any] = {keyword: value, "clock": Clock()}
                    error = self.assertRaises(TypeError, make, **options)
                    self.assertIn(f"{keyword} must be", str(error))
                    self.assertIn(repr(value), str(error))

    def test_F110_cluster(self) -> None:
        """
        A lock is refused for several members of a cluster: each of them would grant it.
        """
        options: dict[str, Any] = {"lock": "fleet", "members": 3, "clock": Clock()}
        error = self.assertRaises(ValueError, OvsdbMonitorFactory, **options)
        self.assertIn("each member of a cluster grants it", str(error))

    def test_zero(self) -> None:
        """
        Zero is accepted where it means that there is no limit.
        """
        OvsdbMonitorFactory(clock=Clock(), connectTimeout=0, snapshotTimeout=0, probeInterval=0)
        OvsdbListenerFactory(clock=Clock(), snapshotTimeout=0, probeInterval=0)

    def test_iterables(self) -> None:
        """
        Observers and columns may come from a generator: each monitor of a
        listener has them all.
        """
        observer = Recorder()
        listener = OvsdbListenerFactory(
            iter([observer]), extraColumns=iter(["link_state"]), clock=Clock()
        )
        settings = listener._settings
        self.assertIsInstance(settings, Settings)
        self.assertEqual(settings.observers, (observer,))
        self.assertEqual(settings.extraColumns, ("link_state",))
        for _ in range(2):
            settings.makeMonitor("", identify=False).removeObserver(observer)

    def test_timeSource(self) -> None:
        """
        If the user gives a clock, it schedules calls and measures time. Without
        one, the reactor schedules calls, and time is measured by a clock that
        never jumps.
        """
        from twisted.internet import reactor

        clock = Clock()
        self.assertEqual(timeSource(clock), (clock, clock.seconds))
        self.assertEqual(timeSource(None), (reactor, time.monotonic))
