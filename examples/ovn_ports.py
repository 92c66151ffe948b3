# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Print when a logical port of OVN goes up or down: the table Port_Binding of the
Southbound database. A cluster is given as A,B,C; after a move to another member, the
server sends only what has happened meanwhile (monitor_cond_since).

    python examples/ovn_ports.py [SERVER]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import (
    Cause,
    ClusterEndpoint,
    OvsdbReplicaFactory,
    OvsdbReplicaService,
    RowChange,
    Rows,
    clientFromRemote,
)

SERVER = "unix:/var/run/ovn/ovnsb_db.sock"

VIFS = Rows(columns=["logical_port", "up", "chassis"], where=[["type", "==", ""]])
"""The ports of VMs and containers. Ports of other types, such as patch, are not sent."""


def isUp(row: Mapping[str, Any] | None) -> bool:
    """
    Whether a port is bound and all its flows are there.
    """
    return row is not None and row["up"] is True


class LogicalPorts:
    """
    Says what becomes of the ports.
    """

    def __init__(self, write: Callable[[str], object] = print, members: int = 1) -> None:
        self._write = write
        self.factory = OvsdbReplicaFactory(
            "OVN_Southbound", {"Port_Binding": VIFS}, self.changed, members=members
        )

    def changed(self, changes: tuple[RowChange, ...], cause: Cause) -> None:
        """
        Say which ports went down, and then which went up.
        """
        for change in changes:
            if isUp(change.before) and not isUp(change.now):
                self._write(f"{cause.value}: {self._name(change)} down")
        for change in changes:
            if isUp(change.now) and not isUp(change.before):
                self._write(f"{cause.value}: {self._name(change)} up")

    def _name(self, change: RowChange) -> Any:
        row: Any = change.now or change.before
        return row["logical_port"]


PARSER = argparse.ArgumentParser(description="Print when a logical port of OVN goes up or down.")
PARSER.add_argument("server", metavar="SERVER", nargs="?", default=SERVER)


async def main(reactor: Any, server: str = SERVER) -> None:
    """
    Print until the program is ended.
    """
    try:
        members = [clientFromRemote(reactor, member) for member in server.split(",")]
    except ValueError as e:
        PARSER.error(str(e))
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    ports = LogicalPorts(lambda line: print(line, flush=True), len(members))
    service = OvsdbReplicaService(ClusterEndpoint(members), ports.factory)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    await Deferred()


if __name__ == "__main__":
    given = PARSER.parse_args()
    task.react(lambda *args: ensureDeferred(main(*args)), [given.server])
