# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is wrong with interfaces. A monitor that finds problems has them; this is the one
place where the web asks for them. What a row says of itself is told in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.ovsinterface import OvsInterface

FAILED: Final = "failed"
PENDING: Final = "pending"

ANY: Final = "any"
"""In a question: whatever the problem is."""


@attrs.frozen
class Problem:
    """
    Something that is wrong for longer than it may be.

    @ivar problem: its name, such as C{failed}.
    @ivar since: since when, in seconds since the epoch.
    @ivar detail: more for people.
    @ivar interface: the interface; None if it is the whole switch.
    """

    problem: str
    since: float
    detail: str = ""
    interface: OvsInterface | None = None


def problemsOf(monitor: InterfaceMonitor) -> Iterable[Problem]:
    """The problems that a monitor has found: none, because no monitor looks for them yet."""
    return ()


def stateOf(interface: OvsInterface) -> str | None:
    """
    What is wrong with an interface, as its row says it: C{failed}, C{pending} while
    it has no OpenFlow port, or None. It may be so for a moment only.
    """
    if interface.failed:
        return FAILED
    return PENDING if interface.ofport is None else None
