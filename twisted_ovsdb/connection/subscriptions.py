# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a client has asked the server to report: the updates of its monitors, and
what happens to its locks. Notifications are passed to the callbacks here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import attrs
from twisted.logger import Logger, LogLevel

from twisted_ovsdb.connection.sparing import Sparing
from twisted_ovsdb.errors import MonitorCanceled, ProtocolViolation, describe, printable
from twisted_ovsdb.wire.jsonrpc import Notification
from twisted_ovsdb.wire.tableupdates import parsed, wrongCount

OnUpdate = Callable[[Any], object]
"""
Called with the C{<table-updates>} of each update notification; for C{update3}
with a list of the transaction id and the C{<table-updates2>}. A
L{ProtocolViolation} that it raises aborts the connection.
"""

OnLock = Callable[[bool], object]
"""Called whenever a lock has become ours (True), or was stolen from us (False)."""


@attrs.define(eq=False)
class Monitor:
    """
    A monitor that was asked for.

    @cvar END: the request that ends it.
    @ivar notification: the method of its updates.
    @ivar byRows: whether C{onUpdate} gets updates as they were received, for
        L{rowUpdates <twisted_ovsdb.wire.tableupdates.rowUpdates>}.
    @ivar replied: whether the initial reply has come.
    @ivar canceled: whether the client wants no more updates.
    """

    END: ClassVar[str] = "monitor_cancel"

    name: str
    onUpdate: OnUpdate
    notification: str
    byRows: bool = False
    replied: bool = False
    canceled: bool = False


@attrs.define(eq=False)
class Lock:
    """
    A lock that was asked for.

    @cvar END: the request that ends it.
    @ivar canceled: whether the client has given it back.
    """

    END: ClassVar[str] = "unlock"

    name: str
    onChange: OnLock
    canceled: bool = False


Subscription = TypeVar("Subscription", Monitor, Lock)


class Subscriptions:
    """The monitors and locks of one connection, by name."""

    _log = Logger()

    def __init__(self, odd: Sparing) -> None:
        """@param odd: says what means nothing."""
        self._odd = odd
        self.monitors: dict[str, Monitor] = {}
        self.locks: dict[str, Lock] = {}

    def received(self, notification: Notification) -> None:
        """
        Pass a notification to the callback of its monitor or lock.

        @raise ProtocolViolation: if the notification is wrong.
        @raise MonitorCanceled: if the server has ended a monitor
            (ovsdb-server(7)).
        """
        method, params = notification.method, notification.params
        if method in ("update", "update2", "update3"):
            self._updated(method, params)
        elif method in ("locked", "stolen"):
            lock = _named(self.locks, params)
            if lock is None:
                self._odd.say(self._log, LogLevel.debug, "{method}: no lock of ours", method=method)
            else:
                lock.onChange(method == "locked")
        elif method == "monitor_canceled" and _named(self.monitors, params) is not None:
            raise MonitorCanceled(f"the server canceled monitor {params[0]!r}")
        else:
            unknown = "unknown notification {method}"
            self._odd.say(self._log, LogLevel.debug, unknown, method=printable(method))

    def _updated(self, method: str, params: list[Any]) -> None:
        since = method == "update3"
        if len(params) != (3 if since else 2):
            raise ProtocolViolation(wrongCount(method, params))
        monitor = _named(self.monitors, params)
        tables = params[1:] if since else params[1]
        if monitor is None or not monitor.byRows:
            tables = parsed(tables)
        if monitor is None:
            self._odd.say(
                self._log, LogLevel.debug, "update of no monitor: {id}", id=describe(params[0])
            )
        elif not monitor.replied:
            raise ProtocolViolation(f"{method} of monitor {params[0]!r} before its reply")
        elif method != monitor.notification:
            raise ProtocolViolation(
                f"{method} of monitor {params[0]!r}, which has {monitor.notification}"
            )
        else:
            monitor.onUpdate(tables)


def _named(things: dict[str, Subscription], params: list[Any]) -> Subscription | None:
    """The one that a notification names; None if the client wants no more of it."""
    thing = things.get(params[0]) if params and type(params[0]) is str else None
    return None if thing is None or thing.canceled else thing
