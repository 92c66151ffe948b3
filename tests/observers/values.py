# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Interfaces and events for the tests of observers.
"""

from __future__ import annotations

from typing import Any

from twisted_ovsdb.events import (
    Cause,
    InterfaceChanged,
    InterfaceKind,
    OvsInterface,
    Problem,
    ProblemFound,
    ProblemSolved,
)

SOURCE = "tcp:127.0.0.1:6640"

NOON = 1795348800.0
"""2026-11-22 12:00 UTC, in seconds since the epoch."""


def interface(kind: InterfaceKind | None = InterfaceKind.VM, **columns: Any) -> OvsInterface:
    """
    An interface: that of a VM, if no other kind is given.
    """
    return OvsInterface(**{"uuid": "u1", "name": "tap1", "kind": kind, **columns})


def changed(old: dict[str, Any], new: dict[str, Any]) -> InterfaceChanged:
    """
    The event for a VM's interface that had the old columns and has the new
    ones.
    """
    return InterfaceChanged(interface(**new), Cause.UPDATE, SOURCE, previous=interface(**old))


def found(interface: OvsInterface | None, problem: Problem = Problem.FAILED) -> ProblemFound:
    """
    A problem that began at noon.
    """
    return ProblemFound(problem, interface, NOON, "could not open", SOURCE)


def solved(interface: OvsInterface | None, problem: Problem = Problem.FAILED) -> ProblemSolved:
    """
    The same, which has lasted for an hour.
    """
    return ProblemSolved(problem, interface, NOON, "could not open", SOURCE, 3600.0004)
