# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What systemd is told of this process (sd_notify(3)), if it has started it with
C{Type=notify}.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall

from twisted_ovsdb.monitoring.monitor import InterfaceMonitor

STATUS_INTERVAL: Final = 5.0
"""Seconds between two looks whether the status is another one."""


def notify(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell systemd this, if it wants to know; never wait for it."""
    path = environment.get("NOTIFY_SOCKET", "")
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        if path:
            peer.sendto(text.encode(), "\0" + path[1:] if path[0] == "@" else path)


def watchdogInterval(environment: Mapping[str, str] = os.environ) -> float | None:
    """How often systemd wants a sign of life, in seconds (sd_watchdog_enabled(3))."""
    try:
        pid, microseconds = (int(environment[f"WATCHDOG_{k}"]) for k in ("PID", "USEC"))
    except (KeyError, ValueError):
        return None
    # As systemd advises: twice in the time that is allowed.
    return microseconds / 2e6 if pid == os.getpid() and microseconds > 0 else None


def statusOf(monitors: Iterable[InterfaceMonitor]) -> str:
    """What is monitored, in a few words."""
    known = list(monitors)
    inSync = sum(monitor.inSync for monitor in known)
    interfaces = sum(len(monitor._present.rows) for monitor in known)
    text = f"{inSync} of {len(known)} switches in sync, {interfaces} interfaces"
    watches = [monitor._watch for monitor in known if monitor._watch is not None]
    if watches:
        text += f", {sum(len(watch.problems.found) for watch in watches)} problems"
    return text


class SystemdService(Service):
    """
    Tells systemd READY when everything is open, STATUS when it changes, WATCHDOG
    while the reactor turns, and STOPPING. To be started as the last service.
    """

    def __init__(
        self,
        opening: Callable[[], Iterable[Deferred[Any]]],
        monitors: Callable[[], Iterable[InterfaceMonitor]],
        notify: Callable[[str], object] = notify,
        reactor: Any = None,
    ) -> None:
        """
        @param opening: what has to be open first, as Deferreds that fail if it
            cannot be.
        @param monitors: every monitor that there is.
        """
        self._opening = opening
        self._monitors = monitors
        self._notify = notify
        self._reactor = reactor
        self._status = ""
        self._calls: dict[str, IDelayedCall] = {}

    def startService(self) -> None:
        """Begin, and be ready when everything is open."""
        Service.startService(self)
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        interval = watchdogInterval()
        if interval is not None:
            self._beat(interval)
        opened = gatherResults(list(self._opening()), consumeErrors=True)
        # If something cannot be opened, the process does not start.
        opened.addCallbacks(lambda _: self._ready(), lambda _: None)

    def stopService(self) -> None:
        """Tell that this is the end. The watchdog goes on until then."""
        Service.stopService(self)
        self._notify("STOPPING=1")
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()

    def _ready(self) -> None:
        if self.running:
            self._notify("READY=1")
            self._look()

    def _look(self) -> None:
        self._calls["status"] = self._reactor.callLater(STATUS_INTERVAL, self._look)
        status = statusOf(self._monitors())
        if status != self._status:
            self._status = status
            self._notify(f"STATUS={status}")

    def _beat(self, interval: float) -> None:
        self._calls["watchdog"] = self._reactor.callLater(interval, self._beat, interval)
        self._notify("WATCHDOG=1")
