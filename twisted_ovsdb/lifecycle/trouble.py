# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the log says of connections. A trouble that lasts is logged once, and then
only what is new about it; and every ten minutes that it lasts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import product
from typing import Final

from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.logger import Logger, LogLevel

from twisted_ovsdb.connection.sparing import Sparing
from twisted_ovsdb.endpoints.addresses import OVSDB_PORT
from twisted_ovsdb.errors import (
    MonitorStopped,
    SwitchChanged,
    SwitchRefused,
    describeReason,
    printable,
)
from twisted_ovsdb.events import ForgetReason
from twisted_ovsdb.lifecycle.hook import ConnectionHook
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor

REMINDER: Final = 600.0
"""
Seconds between two lines about a trouble that lasts: few enough lines for a week
of it, and an operator who looks at the end of the log sees that it lasts.
"""

CROWD: Final = 60
"""
Lines about switches that come, go and are refused, in each minute: a thousand of
them may connect at once, and whoever can connect can do so as often as it likes.
"""

USUAL_SOCKETS: Final = ("/var/run/openvswitch/db.sock", "/run/openvswitch/db.sock")
"""Where Open vSwitch puts the socket of ovsdb-server."""

LISTEN_HINT: Final = f"ovs-vsctl set-manager ptcp:{OVSDB_PORT}:127.0.0.1 makes it listen"

TLS_HINT: Final = " (does the server expect TLS? Then use ssl:HOST:PORT)"


class ServerLog(ConnectionHook):
    """
    Logs the connections to one server: a line when it is in sync for the first
    time, a warning for the first failure, a line for each new reason and every
    L{REMINDER} seconds, and a line when the server is in sync again. There is a
    hint what to change if there was no session before.
    """

    _log = Logger()

    def __init__(self, now: Callable[[], float]) -> None:
        """@param now: tells the time, in seconds."""
        self._now = now
        self._failures = 0  # since the last session in sync
        self._since = self._said = 0.0  # when they began, and when a line said so
        self._reason: BaseException | None = None  # of the last failure
        self._hint = ""
        self._logged = ""
        self._synchronizedOnce = False

    def failed(self, source: str, reason: BaseException) -> None:
        """See L{ConnectionHook.failed}."""
        self._reason, self._hint = reason, _hint(source, reason)

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """See L{ConnectionHook.lost}."""
        self._reason, self._hint = reason, ""
        if isinstance(reason, SwitchChanged):
            # Nothing is wrong: the connection is made again for the other switch.
            self._log.info(
                "{source}: {reason}", source=printable(source), reason=describeReason(reason)
            )
            self._reason = None

    def waiting(self, source: str, seconds: float) -> None:
        """See L{ConnectionHook.waiting}."""
        if self._reason is None:
            return  # The user has called retry.
        now = self._now()
        self._failures += 1
        reason = describeReason(self._reason)
        if self._failures == 1:
            self._since = now
            self._log.warn(
                "{source}: {reason}{hint}; trying again",
                source=printable(source),
                reason=reason,
                hint=self._hint,
            )
        elif now - self._said >= REMINDER:
            self._log.warn(
                "{source}: not in sync for {minutes:.0f} minutes, {failures} failures: {reason}",
                source=printable(source),
                minutes=(now - self._since) / 60,
                failures=self._failures,
                reason=reason,
            )
        elif reason != self._logged:
            self._log.info("{source}: {reason}", source=printable(source), reason=reason)
        else:
            return
        self._logged, self._said = reason, now

    def synchronized(self, source: str, switch: str) -> None:
        """See L{ConnectionHook.synchronized}."""
        if self._failures:
            times = "1 failure" if self._failures == 1 else f"{self._failures} failures"
            self._log.info("{source}: in sync after {times}", source=printable(source), times=times)
        elif not self._synchronizedOnce:
            self._log.info("{source}: in sync", source=printable(source))
        self._failures, self._reason, self._synchronizedOnce = 0, None, True


class SwitchLog(ConnectionHook):
    """
    Logs the switches that connect to a listener: a line when one is in sync
    and when it is gone, and a warning for a connection that may not stay. A
    switch that is refused connects again and again: this is logged once for its
    system-id or its host, then every L{REMINDER} seconds with how often it was
    refused, and again after it was in sync. Of a crowd, L{CROWD} lines are said in
    each minute, and the others are counted.
    """

    _log = Logger()

    def __init__(
        self,
        monitors: Mapping[str, InterfaceMonitor],
        maxRefused: int,
        now: Callable[[], float],
    ) -> None:
        """
        @param monitors: the monitors by the keys of the switches, for the names
            of the hosts.
        @param maxRefused: how many refused switches and hosts to remember.
        @param now: tells the time, in seconds.
        """
        self._monitors = monitors
        self._maxRefused = maxRefused
        self._now = now
        # By what happened, and system-id or host: when a line said so, and how
        # often since.
        self._refused: dict[tuple[str, str], tuple[float, int]] = {}
        self._nameless: set[str] = set()  # keys that are no system-id
        # When a line said that places are needed, and how many were since.
        self._needed: tuple[float | None, int] = (None, 0)
        self._lines = Sparing("... and {count} more such lines about switches", CROWD, now=now)

    def failed(self, source: str, reason: BaseException) -> None:
        """See L{ConnectionHook.failed}."""
        if not isinstance(reason, MonitorStopped):
            self._repeated(source, _host(source), "dropped", reason)

    def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
        """See L{ConnectionHook.refused}."""
        self._repeated(source, reason.system_id or _host(source), "refused", reason)

    def synchronized(self, source: str, switch: str) -> None:
        """See L{ConnectionHook.synchronized}."""
        for key in product(("refused", "dropped"), (switch, _host(source))):
            self._refused.pop(key, None)
        identity = self._monitors[switch].identity
        self._lines.say(
            self._log,
            LogLevel.info,
            "{source}: in sync with switch {switch} ({hostname})",
            source=printable(source),
            switch=printable(switch),
            hostname=printable(identity.hostname or "no host name"),
        )
        if identity.system_id is None and switch not in self._nameless:
            self._nameless.add(switch)
            self._lines.say(
                self._log,
                LogLevel.warn,
                "{source}: switch {switch} has no external_ids:system-id; it is known by the"
                " UUID of its Open_vSwitch row",
                source=printable(source),
                switch=printable(switch),
            )

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """See L{ConnectionHook.lost}."""
        if not isinstance(reason, MonitorStopped):
            hostname = self._monitors[switch].identity.hostname
            self._lines.say(
                self._log,
                LogLevel.info,
                "{source}: switch {switch} ({hostname}) is gone: {reason}",
                source=printable(source),
                switch=printable(switch),
                hostname=printable(hostname or "no host name"),
                reason=describeReason(reason),
            )

    def forgotten(self, switch: str, reason: ForgetReason) -> None:
        """See L{ConnectionHook.forgotten}."""
        self._nameless.discard(switch)
        if reason is ForgetReason.AGE:
            self._lines.say(
                self._log,
                LogLevel.info,
                "switch {switch} is forgotten: not connected for too long (--forget)",
                switch=printable(switch),
            )
            return
        # Whatever makes up names can repeat this.
        now, (said, count) = self._now(), self._needed
        if said is not None and now - said < REMINDER:
            self._needed = said, count + 1
            return
        self._needed = now, 0
        self._log.warn(
            "switch {switch} is forgotten: another one needed its place (--max-switches){again}",
            switch=printable(switch),
            again=f" (and {count} others since the last such line)" if count else "",
        )

    def _repeated(self, source: str, who: str, what: str, reason: BaseException) -> None:
        key = (what, who)
        said, count = self._refused.get(key, (None, 0))
        now = self._now()
        if said is not None and now - said < REMINDER:
            self._refused[key] = said, count + 1
            return
        if said is None and len(self._refused) >= self._maxRefused:
            self._refused.clear()
        self._refused[key] = now, 0
        self._lines.say(
            self._log,
            LogLevel.warn,
            "{source}: {what}: {reason}{again}",
            source=printable(source),
            what=what,
            reason=describeReason(reason),
            again=f" (and {count} times since the last such line)" if count else "",
        )


def _host(source: str) -> str:
    """The address without the port, which is another one at each connection."""
    return source.rpartition(":")[0] or source


def _hint(source: str, reason: BaseException) -> str:
    if isinstance(reason, ConnectError) and source.endswith(f":{OVSDB_PORT}"):
        listen = LISTEN_HINT.replace("ptcp", "pssl") if source.startswith("ssl:") else LISTEN_HINT
        found = next(filter(os.path.exists, USUAL_SOCKETS), None)
        socket = f"unix:{USUAL_SOCKETS[0]} does not exist here"
        if found is not None:
            socket = f"unix:{found} exists here"
        return f" (does ovsdb-server listen there? {listen}; {socket})"
    if isinstance(reason, (ConnectionDone, ConnectionLost)) and source.startswith("tcp:"):
        return TLS_HINT
    return ""
