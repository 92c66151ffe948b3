# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{--once}: what exists now, as JSON Lines or as a table for people, and the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.command.ending import stopWith
from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import Cause, InterfaceOnline, OvsInterface, Synchronized
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.observers.jsonlines import eventToJSON, lineOf

FORMATS: Final = ("table", "json")
"""What C{--format} may be."""

HEADINGS: Final = ("BRIDGE", "PORT", "KIND", "OFPORT", "STATE", "WHAT")
"""Of the table; with several switches, the switch is first."""


class OnceService(Service):
    """Waits until all servers are in sync, shows what they have, and ends the process."""

    _log = Logger()

    def __init__(
        self,
        servers: Sequence[tuple[str, OvsdbMonitorFactory]],
        timeout: float,
        form: str,
        bridges: Sequence[str] = (),
    ) -> None:
        """
        @param servers: each server as it was written, with its factory.
        @param timeout: seconds until the servers that are in sync are shown, and the
            status is 1.
        @param form: one of L{FORMATS}.
        @param bridges: patterns: only interfaces on these bridges are shown; all, if
            there are none.
        """
        self._servers = servers
        self._timeout = timeout
        self._form = form
        self._bridges = bridges

    def startService(self) -> None:
        """Begin to wait."""
        Service.startService(self)
        reactor = _reactor()
        waiting: list[Deferred[Any]] = [
            factory.whenSynchronized().addTimeout(self._timeout, reactor)
            for _, factory in self._servers
        ]
        settled = DeferredList(waiting, consumeErrors=True).addCallback(self._settled)
        settled.addErrback(self._failed)

    def _settled(self, results: list[tuple[bool, Any]]) -> None:
        if not self.running:
            return  # Ctrl-C
        known: list[Known] = []
        for (text, factory), (inSync, _) in zip(self._servers, results, strict=True):
            if inSync:
                known.append((factory.monitor, tuple(filter(self._wants, factory.interfaces()))))
            else:
                self._log.error(
                    "{source}: not in sync within {timeout:g} s (--timeout)",
                    source=printable(text),
                    timeout=self._timeout,
                )
        status = 0 if len(known) == len(results) else 1
        if known:
            several = len(self._servers) > 1
            try:
                _write(jsonOf(known) if self._form == "json" else tableOf(known, several))
            except OSError as e:
                self._log.error("standard output: {reason}", reason=e.strerror)
                status = 1
        stopWith(_reactor(), status)

    def _failed(self, failure: Failure) -> None:
        self._log.failure("a bug in --once", failure)
        stopWith(_reactor(), 1)

    def _wants(self, row: OvsInterface) -> bool:
        bridge = row.bridge or ""
        return not self._bridges or any(fnmatchcase(bridge, each) for each in self._bridges)


Known = tuple[InterfaceMonitor, tuple[OvsInterface, ...]]
"""A switch, and the interfaces of it that are shown."""


def jsonOf(known: Iterable[Known]) -> bytes:
    """What is known, as the lines of a first snapshot."""
    now = datetime.now(timezone.utc)
    lines = []
    for monitor, found in known:
        source, identity = monitor.source, monitor.identity
        for row in found:
            online = InterfaceOnline(row, Cause.INITIAL, source, identity=identity)
            lines.append(lineOf(eventToJSON(online, now)))
        synchronized = Synchronized(Cause.INITIAL, found, source, identity=identity)
        lines.append(lineOf(eventToJSON(synchronized, now)))
    return b"".join(lines)


def tableOf(known: Iterable[Known], several: bool) -> bytes:
    """
    What is known, as a table.

    @param several: whether the switch of each interface is shown too.
    """
    rows = [
        (monitor.switch, row.bridge or "", row.name, row)
        for monitor, found in known
        for row in found
    ]
    rows.sort(key=lambda each: each[:3])
    cells = [("SWITCH", *HEADINGS), *((switch, *_cells(row)) for switch, *_, row in rows)]
    shown = [[printable(cell) for cell in (line if several else line[1:])] for line in cells]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in shown)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _cells(row: OvsInterface) -> tuple[str, ...]:
    state = "failed" if row.failed else "ready" if row.ready else "pending"
    if row.local_port and not row.failed:
        state = "ready"
    named = (
        ("iface-id", row.iface_id),
        ("remote-ip", row.remote_ip),
        ("peer", row.peer),
        ("error", row.error),
    )
    what = ", ".join(f"{name} {value}" for name, value in named if value is not None)
    ofport = "-" if row.ofport is None else str(row.ofport)
    kind = "" if row.kind is None else row.kind.value
    return row.bridge or "-", row.name, kind, ofport, state, what


def _write(text: bytes) -> None:
    """
    Write to standard output, all of it; a reader that goes away has seen enough.

    @raise OSError: if it cannot be written to, such as a file on a full disk.
    """
    if sys.__stdout__ is None:
        return
    # A program that has it too may have made it non-blocking.
    with suppress(OSError, ValueError):
        os.set_blocking(sys.__stdout__.fileno(), True)
    try:
        sys.__stdout__.buffer.write(text)
        sys.__stdout__.buffer.flush()
    except OSError as e:
        # Otherwise it fails again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(e, BrokenPipeError):
            raise


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
