# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The switches that are known, and how long: while they are connected, and after
that until their place is needed, or a long time has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_ovsdb.errors import SessionLost, SwitchRefused, printable
from twisted_ovsdb.events import ForgetReason
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks
from twisted_ovsdb.lifecycle.link import Link
from twisted_ovsdb.lifecycle.settings import ConnectionSettings
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor

DAY: Final = 24 * 3600.0
"""Seconds in a day."""

FORGET_AFTER: Final = 30 * DAY
"""
Seconds that a switch is remembered while it is not connected: longer than any
repair, and short enough that hosts that were taken away do not pile up.
"""

LASTING: Final = 60.0
"""
Seconds in sync, in one session, that make a switch one to remember: much longer than
a connection lasts that is made only to use up a place.
"""


class Places:
    """
    A place for each switch that is known. One that was never in sync loses its
    place when its connection ends. If a place is needed, one of these is taken, in
    this order:

      - of the switches that are not connected and never were in sync for
        L{LASTING} seconds, the one that is absent for longest;
      - of the others that are not connected, the same;
      - of the switches that are connected and never were in sync, the one that
        connected first.

    A switch that is in sync keeps its place.
    """

    _log = Logger()

    def __init__(
        self,
        monitors: dict[str, InterfaceMonitor],
        maximum: int,
        forgetAfter: float,
        settings: ConnectionSettings,
        hooks: Hooks,
        makeMonitor: Callable[[str], InterfaceMonitor],
    ) -> None:
        """
        @param monitors: the monitors of the switches that are known, by their keys:
            this adds and removes them.
        @param maximum: how many places there are.
        @param forgetAfter: seconds until an absent switch is forgotten; 0: never.
        @param hooks: told which switch is forgotten.
        @param makeMonitor: makes the monitor of a switch.
        """
        self._monitors = monitors
        self._maximum = maximum
        self._forgetAfter = forgetAfter
        self._settings = settings
        self._hooks = hooks
        self._makeMonitor = makeMonitor
        self._connected: dict[str, Link] = {}  # the first to connect first
        # When each of them left, the longest absent first.
        self._briefly: dict[str, float] = {}
        self._lasting: dict[str, float] = {}
        self._lasted: set[str] = set()  # once for long enough
        # Forgotten, but an observer is busy and cannot be told yet.
        self._parting: dict[str, InterfaceMonitor] = {}
        self._timer: IDelayedCall | None = None
        self._running = True

    def present(self, switch: str) -> Link | None:
        """The connection of this switch, if it is connected."""
        return self._connected.get(switch)

    def enter(self, link: Link) -> InterfaceMonitor:
        """
        A switch has connected, and no other connection has its key.

        @return: its monitor. L{leave} has to be called when the monitor knows
            that the connection is lost.
        @raise SwitchRefused: if there is no place.
        @raise SessionLost: if the connection is lost meanwhile.
        """
        switch = link.switch
        # A connection that goes may have another one that waits for its name.
        while switch not in self._monitors and len(self._monitors) >= self._maximum:
            self._makePlace(switch)
        # An observer or a hook that was told may have closed everything.
        if link.protocol.lost is not None:
            raise SessionLost(link.protocol.lost)
        if switch not in self._monitors:
            returned = switch in self._parting
            monitor = self._parting.pop(switch) if returned else self._makeMonitor(switch)
            self._monitors[switch] = monitor
        self._briefly.pop(switch, None)
        self._lasting.pop(switch, None)
        self._connected[switch] = link
        self._schedule()
        return self._monitors[switch]

    def leave(self, link: Link) -> None:
        """The connection of this switch is lost."""
        switch, monitor = link.switch, self._monitors[link.switch]
        del self._connected[switch]
        if not monitor.wasInSync:
            # Nobody was told of it, but may have to be told of an earlier life.
            self._part(switch, self._monitors.pop(switch))
            return
        if (link.inSyncFor or 0) >= LASTING:
            self._lasted.add(switch)
        absent = self._lasting if switch in self._lasted else self._briefly
        absent[switch] = self._settings.now()
        self._schedule()

    def start(self) -> None:
        """Forget what is old, also after L{stop}."""
        self._running = True
        for monitor in tuple(self._parting.values()):
            monitor._server.audience.start()  # They may not know it yet.
        self._schedule()

    def stop(self) -> None:
        """Forget nothing, and tell nothing, until L{start}."""
        self._running = False
        self._cancel()
        for monitor in (*self._monitors.values(), *self._parting.values()):
            monitor.detach()

    def _makePlace(self, newcomer: str) -> None:
        absent = next(chain(self._briefly, self._lasting), None)
        if absent is not None:
            self._forget(absent, ForgetReason.LIMIT)
            return
        for switch, link in self._connected.items():
            if not self._monitors[switch].wasInSync:
                link.protocol.abort(SwitchRefused(f"not in sync, and {self._full()}", switch))
                return
        raise SwitchRefused(self._full(), newcomer)

    def _full(self) -> str:
        return f"too many switches are connected ({len(self._monitors)}, --max-switches)"

    def _forget(self, switch: str, reason: ForgetReason) -> None:
        monitor = self._monitors.pop(switch)
        self._briefly.pop(switch, None)
        self._lasting.pop(switch, None)
        self._lasted.discard(switch)
        parted = monitor._server.forget(reason)
        self._part(switch, monitor)
        parted.addCallback(lambda _: self._parted(switch, monitor))
        self._hooks.tell(ConnectionHook.forgotten, switch, reason)

    def _part(self, switch: str, monitor: InterfaceMonitor) -> None:
        """Keep a monitor until all observers have been told that the switch is forgotten."""
        self._parting[switch] = monitor
        self._parted(switch, monitor)
        if len(self._parting) > self._maximum:
            oldest = next(iter(self._parting))
            self._log.warn(
                "observers are busy, and not told that switch {switch} is forgotten:"
                " {count} others wait too",
                switch=printable(oldest),
                count=self._maximum,
            )
            self._parting.pop(oldest)._server.close()

    def _parted(self, switch: str, monitor: InterfaceMonitor) -> None:
        # The switch may have connected, and may have been forgotten, again meanwhile.
        if self._parting.get(switch) is monitor and monitor._server.audience.parted:
            del self._parting[switch]
            monitor._server.close()

    def _schedule(self) -> None:
        """Set the timer to when the longest absent switch is to be forgotten."""
        first = min((next(iter(each.values())) for each in self._absent()), default=None)
        due = None if first is None else first + self._forgetAfter
        self._cancel()
        if due is not None and self._forgetAfter and self._running:
            wait = max(due - self._settings.now(), 0)
            self._timer = self._settings.clock.callLater(wait, self._expired)

    def _absent(self) -> list[dict[str, float]]:
        return [each for each in (self._briefly, self._lasting) if each]

    def _expired(self) -> None:
        self._timer = None
        before = self._settings.now()
        for absent in self._absent():
            # An observer that is told may stop the listener.
            while self._running and absent:
                switch, since = next(iter(absent.items()))
                # As the timer was computed: a difference may be rounded the other way.
                if before < since + self._forgetAfter:
                    break
                self._forget(switch, ForgetReason.AGE)
        self._schedule()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
