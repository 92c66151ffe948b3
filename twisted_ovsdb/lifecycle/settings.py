# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The settings that a factory and a listener have in common. Both take them as
keyword parameters, check them here once, and pass them on as one value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.classify import ClassificationRules


def timeSource(clock: IReactorTime | None) -> tuple[IReactorTime, Callable[[], float]]:
    """
    Choose what schedules calls, and what measures time.

    The reactor's own time is the wall clock. Somebody may set that clock, and
    what is measured must not jump with it.

    @param clock: serves for both; None: the reactor, and a clock that never
        jumps.
    """
    if clock is not None:
        return clock, clock.seconds
    from twisted.internet import reactor

    return reactor, time.monotonic


def checkPositive(keyword: str, value: float) -> None:
    """
    @raise ValueError: if this is not a number above zero. The text names the
        keyword.
    """
    if not (isinstance(value, (int, float)) and value > 0):
        raise ValueError(f"{keyword} must be above zero, not {value!r}")


def checkNotNegative(keyword: str, value: float) -> None:
    """
    @raise ValueError: if this is not a number from zero up. The text names
        the keyword.
    """
    if not (isinstance(value, (int, float)) and value >= 0):
        raise ValueError(f"{keyword} must not be below zero, but is {value!r}")


def _observers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    return tuple(observers)


def _columns(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ValueError(f"extraColumns must be several names, not the text {names!r}")
    return tuple(names)


def _positive(settings: Settings, field: attrs.Attribute[Any], value: float) -> None:
    checkPositive(field.name, value)


def _notNegative(settings: Settings, field: attrs.Attribute[Any], value: float) -> None:
    checkNotNegative(field.name, value)


@attrs.frozen(kw_only=True, eq=False)
class Settings:
    """
    How servers are monitored.

    @ivar observers: the observers of every monitor.
    @ivar database: the name of the database.
    @ivar rules: which kind an interface has.
    @ivar replay: whether interfaces that an outage left unchanged are told
        once more.
    @ivar extraColumns: columns of the Interface table to monitor beside the
        usual six.
    @ivar snapshotTimeout: seconds without a byte while the initial reply is
        awaited; 0: no limit.
    @ivar probeInterval: seconds without a byte until a probe is sent, and as
        many until the connection is given up; 0: no probe.
    @ivar maxLength: bytes that one message may have.
    @ivar clock: schedules calls.
    @ivar now: tells the time, in seconds that never jump.
    """

    observers: tuple[Observer, ...] = attrs.field(converter=_observers)
    database: str
    rules: ClassificationRules
    replay: bool
    extraColumns: tuple[str, ...] = attrs.field(converter=_columns)
    snapshotTimeout: float = attrs.field(validator=_notNegative)
    probeInterval: float = attrs.field(validator=_notNegative)
    maxLength: int = attrs.field(validator=_positive)
    clock: IReactorTime
    now: Callable[[], float]

    def makeMonitor(self, source: str = "") -> InterfaceMonitor:
        """
        Make the monitor of one server.

        @param source: what events name as their source.
        """
        return InterfaceMonitor(
            self.observers, self.rules, self.replay, self.extraColumns, source, self.clock
        )
