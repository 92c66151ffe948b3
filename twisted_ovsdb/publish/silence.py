# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Finds an instance that holds a switch's lock and is frozen, where the switch does not
find it itself: on a unix socket, no server probes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twisted_ovsdb.errors import printable
from twisted_ovsdb.publish.speaker import LockedMonitor

BEAT: Final = 3.0
"""Seconds between two signs of life."""

SILENT: Final = 15.0
"""Seconds without a sign of life, after which the lock is stolen: five are missing."""

INSTANCES: Final = 10_000
"""Instances whose last sign of life is kept. Those that are silent for longest are dropped."""

_log = Logger()


class Silence:
    """
    Listens to the signs of life of all instances, and steals locks of silent ones.
    """

    def __init__(
        self,
        instance: str,
        token: str,
        standby: Callable[[], Iterable[tuple[str, LockedMonitor]]],
        speakerOf: Callable[[str], Deferred[str | None]],
        now: Callable[[], float],
    ) -> None:
        """
        @param instance: this one.
        @param token: names this process.
        @param standby: the switches on unix sockets, with their monitors.
        @param speakerOf: which instance speaks for a switch, as the broker knows it.
        @param now: the time in seconds that never jump.
        """
        self._instance = instance
        self._token = token
        self._warned = False
        self._standby = standby
        self._speakerOf = speakerOf
        self._now = now
        self._heard: dict[str, float] = {}
        # Since when signs of life come without a break; None: they do not.
        self._since: float | None = None

    @property
    def sign(self) -> str:
        """The sign of life of this instance."""
        return f"{self._token} {self._instance}"

    def heard(self, sign: str) -> None:
        """An instance is alive."""
        now = self._now()
        token, _, instance = sign.partition(" ")
        if instance == self._instance:
            if token != self._token:
                self._warn()
                return
            # As the own ones come back, those of others would come too.
            last = self._heard.get(instance)
            if self._since is None or last is None or now - last > 2 * BEAT:
                self._since = now
        self._heard.pop(instance, None)
        self._heard[instance] = now
        while len(self._heard) > INSTANCES:
            del self._heard[next(iter(self._heard))]

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warn(
                "another monitor has the name {instance} too: give each one its own --instance,"
                " because one of them that is frozen is not found",
                instance=printable(self._instance),
            )

    def isSilent(self, instance: str) -> bool:
        """Whether an instance has been silent for L{SILENT} seconds, and would have been heard."""
        now = self._now()
        own = self._heard.get(self._instance)
        if self._since is None or own is None or now - own > 2 * BEAT:
            return False
        return now - max(self._since, self._heard.get(instance, self._since)) >= SILENT

    def look(self) -> None:
        """Look whether a lock has to be stolen."""
        for switch, monitor in self._standby():
            if not monitor.speaking:
                asked = self._speakerOf(switch)
                asked.addCallback(self._found, switch, monitor).addErrback(lambda _: None)

    def _found(self, instance: str | None, switch: str, monitor: LockedMonitor) -> None:
        if instance is None or instance == self._instance or monitor.speaking:
            return
        if self.isSilent(instance):
            _log.warn(
                "switch {switch}: instance {instance} speaks for it, and has been silent for"
                " {seconds:g} s; this monitor takes its lock",
                switch=printable(switch),
                instance=printable(instance),
                seconds=SILENT,
            )
            monitor.stealLock()
