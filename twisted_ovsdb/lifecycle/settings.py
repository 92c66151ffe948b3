# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The settings that factories and the listener have in common. They take them as
keyword parameters, check them here once, and pass them on as one value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import attrs
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.interfaces import Observer, asObservers
from twisted_ovsdb.monitoring.audit import checkAudit
from twisted_ovsdb.monitoring.lockterms import LockTerms, checkLock
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor, checkMethod
from twisted_ovsdb.monitoring.problemwatch import checkProblemsAfter
from twisted_ovsdb.openvswitch.classify import ClassificationRules, checkRules
from twisted_ovsdb.openvswitch.views import checkBridges
from twisted_ovsdb.parameters import (
    checkClock,
    checkFlags,
    checkNotNegative,
    checkPositive,
    checkTexts,
)


def timeSource(clock: IReactorTime | None) -> tuple[IReactorTime, Callable[[], float]]:
    """
    Choose what schedules calls, and what measures time: by default the reactor,
    and a clock that never jumps. The reactor's own time is the wall clock,
    which an operator may set.

    @raise TypeError: if it is no clock.
    """
    if clock is not None:
        checkClock(clock)
        return clock, clock.seconds
    from twisted.internet import reactor

    return reactor, time.monotonic


def lockTerms(
    lock: str | LockTerms | None, instance: str | None, now: Callable[[], float]
) -> LockTerms | None:
    """
    @return: the terms of the lock of a factory or a listener; None if it has none.
    @raise ValueError: as L{checkLock}.
    """
    if isinstance(lock, LockTerms):
        return lock
    checkLock(lock, instance)
    return None if lock is None else LockTerms(lock, instance, now)


def _names(extraColumns: Iterable[str]) -> tuple[str, ...]:
    names = () if isinstance(extraColumns, str) else tuple(extraColumns)
    if isinstance(extraColumns, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"extraColumns must be a list of names, not {extraColumns!r}")
    return names


@attrs.frozen(eq=False, kw_only=True)
class ConnectionSettings:
    """
    How connections are watched, and how much is read: parameters of
    L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>}, by their names
    there.

    @ivar now: tells the time, in seconds that never jump.
    """

    database: str
    snapshotTimeout: float
    probeInterval: float
    maxLength: int
    clock: IReactorTime
    now: Callable[[], float]

    def __attrs_post_init__(self) -> None:
        checkNotNegative(snapshotTimeout=self.snapshotTimeout, probeInterval=self.probeInterval)
        checkPositive(maxLength=self.maxLength)
        checkTexts(database=self.database)


@attrs.frozen(eq=False, kw_only=True)
class Settings(ConnectionSettings):
    """How interfaces are monitored, and how their connections are watched."""

    observers: tuple[Observer, ...] = attrs.field(converter=asObservers)
    rules: ClassificationRules
    replay: bool
    extraColumns: tuple[str, ...] = attrs.field(converter=_names)
    bridges: bool = False
    method: str | None = None
    problemsAfter: float | None = None
    audit: float | None = None
    lock: LockTerms | None = None

    def __attrs_post_init__(self) -> None:
        ConnectionSettings.__attrs_post_init__(self)
        checkFlags(replay=self.replay, bridges=self.bridges)
        checkRules(self.rules)
        checkMethod(self.method)
        checkProblemsAfter(self.problemsAfter)
        checkAudit(self.audit)
        for observer in self.observers:
            checkBridges(observer, self.bridges)

    def makeMonitor(self, source: str, identify: bool) -> InterfaceMonitor:
        """Make the monitor of one server."""
        return InterfaceMonitor(
            self.observers,
            self.rules,
            self.replay,
            self.extraColumns,
            source,
            # With the reactor's clock, the monitor measures time as these settings do.
            None if self.now is time.monotonic else self.clock,
            identify,
            self.bridges,
            self.method,
            self.problemsAfter,
            self.audit,
            self.lock,
        )
