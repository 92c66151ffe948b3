# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the log says of connections. A trouble that lasts is logged once, and then
only what is new about it, however long it lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.logger import Logger

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT
from twisted_ovsdb.errors import MonitorStopped, SwitchRefused, describeReason
from twisted_ovsdb.lifecycle.hook import ConnectionHook
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor

LISTEN_HINT: Final = (
    f" (does ovsdb-server listen there? If not: ovs-vsctl set-manager ptcp:{OVSDB_PORT}:127.0.0.1)"
)

TLS_HINT: Final = " (does the server expect TLS? Then use ssl:HOST:PORT)"


class ServerLog(ConnectionHook):
    """
    Logs the connections to one server: a warning for the first failure, a line
    for each new reason, and a line when the server is in sync again. There is a
    hint what to change if there was no session before.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._failures = 0  # since the last session in sync
        self._reason: BaseException | None = None  # of the last failure
        self._hint = ""
        self._logged = ""

    def failed(self, source: str, reason: BaseException) -> None:
        """See L{ConnectionHook.failed}."""
        self._reason, self._hint = reason, _hint(source, reason)

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """See L{ConnectionHook.lost}."""
        self._reason, self._hint = reason, ""

    def waiting(self, source: str, seconds: float) -> None:
        """See L{ConnectionHook.waiting}."""
        if self._reason is None:
            return  # The user has called retry.
        self._failures += 1
        reason = describeReason(self._reason)
        if self._failures == 1:
            self._log.warn(
                "{source}: {reason}{hint}; trying again until it answers",
                source=source,
                reason=reason,
                hint=self._hint,
            )
        elif reason != self._logged:
            self._log.info("{source}: {reason}", source=source, reason=reason)
        self._logged = reason

    def synchronized(self, source: str, switch: str) -> None:
        """See L{ConnectionHook.synchronized}."""
        if self._failures:
            times = "1 failure" if self._failures == 1 else f"{self._failures} failures"
            self._log.info("{source}: in sync after {times}", source=source, times=times)
        self._failures, self._reason = 0, None


class SwitchLog(ConnectionHook):
    """
    Logs the switches that connect to a listener: a line when one is in sync
    and when it is gone, and a warning for a connection that may not stay. A
    switch that is refused connects again and again. If its system-id is known,
    it is logged once, and again after it was in sync.
    """

    _log = Logger()

    def __init__(self, monitors: Mapping[str, InterfaceMonitor], maxRefused: int) -> None:
        """
        @param monitors: the monitors by system-id, for the names of the hosts.
        @param maxRefused: how many refused switches to remember.
        """
        self._monitors = monitors
        self._maxRefused = maxRefused
        self._refused: set[str] = set()  # by system-id

    def failed(self, source: str, reason: BaseException) -> None:
        """See L{ConnectionHook.failed}."""
        if not isinstance(reason, MonitorStopped):
            self._log.warn(
                "{source}: dropped: {reason}", source=source, reason=describeReason(reason)
            )

    def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
        """See L{ConnectionHook.refused}."""
        if reason.system_id:
            if reason.system_id in self._refused:
                return
            if len(self._refused) >= self._maxRefused:
                self._refused.clear()
            self._refused.add(reason.system_id)
        self._log.warn("{source}: refused: {reason}", source=source, reason=describeReason(reason))

    def synchronized(self, source: str, switch: str) -> None:
        """See L{ConnectionHook.synchronized}."""
        self._refused.discard(switch)
        self._log.info(
            "{source}: in sync with switch {switch} ({hostname})",
            source=source,
            switch=switch,
            hostname=self._monitors[switch].identity.hostname or "no host name",
        )

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """See L{ConnectionHook.lost}."""
        if not isinstance(reason, MonitorStopped):
            self._log.info(
                "{source}: switch {switch} is gone: {reason}",
                source=source,
                switch=switch,
                reason=describeReason(reason),
            )


def _hint(source: str, reason: BaseException) -> str:
    if isinstance(reason, ConnectError) and source.endswith(f":{OVSDB_PORT}"):
        return LISTEN_HINT.replace("ptcp", "pssl") if source.startswith("ssl:") else LISTEN_HINT
    if isinstance(reason, (ConnectionDone, ConnectionLost)) and source.startswith("tcp:"):
        return TLS_HINT
    return ""
