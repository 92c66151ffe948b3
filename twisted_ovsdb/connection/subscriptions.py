# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a connection has asked to be told of, and who is told: the updates of its
monitors, and what becomes of its locks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs
from twisted.logger import Logger

from twisted_ovsdb.errors import MonitorCanceled, ProtocolViolation, describe, printable
from twisted_ovsdb.wire.jsonrpc import Notification
from twisted_ovsdb.wire.tableupdates import TableUpdates

OnUpdate = Callable[[Any], object]
"""
Called with the C{<table-updates>} of each update notification. A
L{ProtocolViolation} that it raises aborts the connection.
"""

OnLock = Callable[[bool], object]
"""
Called whenever a lock has become ours (True), or was stolen from us (False).
"""

MONITOR_CANCELED: Final = "monitor_canceled"
"""
A notification of ovsdb-server(7) to clients that follow database changes;
after it, nothing more comes for that monitor.
"""


@attrs.define(eq=False)
class Monitor:
    """
    A monitor that was asked for.

    @ivar notification: the method of its updates.
    @ivar byRows: whether updates are given as they were received, to be read
        by L{rowUpdates <twisted_ovsdb.wire.tableupdates.rowUpdates>}.
    @ivar replied: whether the initial reply has come.
    @ivar canceled: whether nobody wants its updates any more.
    """

    onUpdate: OnUpdate
    notification: str
    byRows: bool = False
    replied: bool = False
    canceled: bool = False


@attrs.define(eq=False)
class Lock:
    """
    A lock that was asked for.

    @ivar canceled: whether it has been given back.
    """

    onChange: OnLock
    canceled: bool = False


Subscribed = TypeVar("Subscribed", Monitor, Lock)


class Subscriptions:
    """
    The monitors and locks of one connection, by their names.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.monitors: dict[str, Monitor] = {}
        self.locks: dict[str, Lock] = {}

    def clear(self) -> None:
        """
        The connection is over.
        """
        self.monitors.clear()
        self.locks.clear()

    def notified(self, message: Notification) -> None:
        """
        Tell whom it concerns.

        @raise ProtocolViolation: if it is not as it should be.
        @raise MonitorCanceled: if a monitor is over, of which nothing more
            would ever come.
        """
        method, params = message.method, message.params
        if method in ("update", "update2"):
            self._updated(method, params)
        elif method in ("locked", "stolen"):
            lock = _named(self.locks, params)
            if lock is None:
                self._log.debug("{method}: no lock of ours", method=method)
            elif not lock.canceled:
                lock.onChange(method == "locked")
        elif method == MONITOR_CANCELED and _named(self.monitors, params) is not None:
            raise MonitorCanceled(f"the server canceled monitor {params[0]!r}")
        else:
            self._log.debug("unknown notification {method}", method=printable(method))

    def _updated(self, method: str, params: list[Any]) -> None:
        if len(params) != 2:
            raise ProtocolViolation(f"{method}: not two params: {describe(params)}")
        monitor = _named(self.monitors, params)
        tables = params[1]
        if isinstance(tables, TableUpdates) and (
            monitor is None or monitor.canceled or not monitor.byRows
        ):
            tables = tables.whole()
        if monitor is None or monitor.canceled:
            self._log.debug("update of no monitor: {id}", id=describe(params[0]))
        elif not monitor.replied:
            raise ProtocolViolation(f"{method} of monitor {params[0]!r} before its reply")
        elif method != monitor.notification:
            raise ProtocolViolation(
                f"{method} of monitor {params[0]!r}, which has {monitor.notification}"
            )
        else:
            monitor.onUpdate(tables)


def _named(things: dict[str, Subscribed], params: list[Any]) -> Subscribed | None:
    return things.get(params[0]) if params and type(params[0]) is str else None
