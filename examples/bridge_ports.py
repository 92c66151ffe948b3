# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Print which port comes to which bridge of a switch, and which leaves it. A replica of
the tables Bridge and Port survives restarts of the server: after an outage, only what
differs is printed.

    python examples/bridge_ports.py [SERVER]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import (
    Cause,
    OvsdbReplicaFactory,
    OvsdbReplicaService,
    RowChange,
    clientFromRemote,
)

SERVER = "tcp:127.0.0.1:6640"

TABLES = {"Bridge": ["name", "ports"], "Port": ["name"]}


class Ports:
    """
    The ports of each bridge, by the names of both.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self._write = write
        self._known: set[tuple[str, str]] = set()
        self.factory: OvsdbReplicaFactory = OvsdbReplicaFactory(
            "Open_vSwitch", TABLES, self.changed
        )

    def changed(self, changes: tuple[RowChange, ...], cause: Cause) -> None:
        """
        Compare the ports with those that were known. The transactions of ovs-vsctl
        change Bridge and Port together, and so both are in one step.
        """
        replica: Any = self.factory.replica
        present = {
            (bridge["name"], replica["Port"][port]["name"])
            for bridge in replica["Bridge"].values()
            for port in bridge["ports"]
        }
        for bridge, port in sorted(self._known - present):
            self._write(f"{cause.value}: {port} leaves {bridge}")
        for bridge, port in sorted(present - self._known):
            self._write(f"{cause.value}: {port} comes to {bridge}")
        self._known = present


PARSER = argparse.ArgumentParser(description="Print the ports that come to bridges and leave them.")
PARSER.add_argument("server", metavar="SERVER", nargs="?", default=SERVER)


async def main(reactor: Any, server: str = SERVER) -> None:
    """
    Print until the program is ended.
    """
    try:
        endpoint = clientFromRemote(reactor, server)
    except ValueError as e:
        PARSER.error(str(e))
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    ports = Ports(lambda line: print(line, flush=True))
    service = OvsdbReplicaService(endpoint, ports.factory)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    await Deferred()


if __name__ == "__main__":
    given = PARSER.parse_args()
    task.react(lambda *args: ensureDeferred(main(*args)), [given.server])
