# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the log says of interfaces without a kind, because no observer is told of
them.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel

from twisted_ovsdb.connection.sparing import Sparing
from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.openvswitch.classify import ClassificationRules

EXPLAINED: Final = 10
"""
Interfaces of one message for which a debug line says why they have no kind.
twistd writes debug lines too, and a snapshot may hold thousands of these
interfaces.
"""

FAILURES: Final = 10
"""
Failed ports that are logged in each L{FAILURES_TIME}: a script may make failing
ports for as long as it runs. The others are counted.
"""

FAILURES_TIME: Final = 600.0
"""Seconds."""


class KindlessLog:
    """Logs why interfaces have no kind, and which of them ovs-vswitchd could not configure."""

    _log = Logger()

    def __init__(self, rules: ClassificationRules, clock: IReactorTime) -> None:
        self._rules = rules
        self._unexplained: list[OvsInterface] = []  # of the present message
        more = "{count} more ports without a kind failed"
        self._failures = Sparing(more, FAILURES, FAILURES_TIME, clock.seconds)

    def note(self, before: OvsInterface | None, now: OvsInterface) -> None:
        """Note that a row has changed, and has no kind now."""
        if before is None or before.kind is not None:
            self._unexplained.append(now)
        if now.failed and (before is None or before.error != now.error or not before.failed):
            self._failed(now)

    def explain(self) -> None:
        """Say why the interfaces that were noted since the last call have no kind."""
        rows, self._unexplained = self._unexplained, []
        for row in rows[:EXPLAINED]:
            why = self._rules.explain(row.name, row.type, row.external_ids)
            self._log.debug("no kind: {why}", why=why)
        if len(rows) > EXPLAINED:
            self._log.debug("no kind: {count} more", count=len(rows) - EXPLAINED)

    def _failed(self, row: OvsInterface) -> None:
        self._failures.say(
            self._log,
            LogLevel.info,
            "port {name} failed, and has no kind: {error}",
            name=printable(row.name),
            error=printable(row.error or f"ofport {row.ofport}"),
        )
