# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Say when ovs-vswitchd has restarted, from what the database tells. All flows are gone
then, and no row of the Interface table has changed.

    ovs-vsctl set Open_vSwitch . other_config:enable-statistics=true
    python examples/restarts.py [SERVER]

With this setting, ovs-vswitchd writes every 5 s for how long it has been running. It
must have been started with C{--pidfile}, as the packages of Open vSwitch do it. A
program that has an OpenFlow connection needs none of this: that connection breaks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import task
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

from twisted_ovsdb import (
    DatabaseReplica,
    OvsdbError,
    OvsdbProtocol,
    RowChange,
    clientFromRemote,
)

SERVER = "tcp:127.0.0.1:6640"

RETRY = 2.0
"""Seconds between two attempts to connect."""


class Restarts:
    """
    Compares for how long ovs-vswitchd has been running with what was known before,
    also across an outage of the database.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        """
        @param write: takes a line for each restart.
        """
        self._write = write
        self._uptime: int | None = None

    async def follow(self, protocol: OvsdbProtocol) -> None:
        """
        Follow the Open_vSwitch table on a new connection.
        """
        schema = await protocol.getSchema("Open_vSwitch")
        replica = DatabaseReplica(schema, {"Open_vSwitch": ["statistics"]})
        self._look(await protocol.follow(replica, "restarts", self._look))
        if self._uptime is None:
            self._write("not known yet: is other_config:enable-statistics=true?")

    def _look(self, changes: list[RowChange]) -> None:
        for change in changes:
            now = uptime(change.now)
            if now is not None:
                before, self._uptime = self._uptime, now
                if before is None:
                    self._write(f"ovs-vswitchd has been running for {now // 1000} s")
                elif now < before:
                    self._write("ovs-vswitchd has restarted")


def uptime(row: Mapping[str, Any] | None) -> int | None:
    """
    For how many milliseconds ovs-vswitchd has been running; None if the row does not
    say so. It is the sixth number (see ovs-vswitchd.conf.db(5)).
    """
    text = row["statistics"].get("process_ovs-vswitchd") if row else None
    return int(text.split(",")[5]) if text else None


PARSER = argparse.ArgumentParser(description="Say when ovs-vswitchd has restarted.")
PARSER.add_argument("server", metavar="SERVER", nargs="?", default=SERVER)


async def main(reactor: Any, server: str = SERVER) -> None:
    """
    Print a line after each restart, until Ctrl-C.
    """
    try:
        endpoint = clientFromRemote(reactor, server)
    except ValueError as e:
        PARSER.error(str(e))
    restarts = Restarts(lambda text: print(text, flush=True))
    while True:
        try:
            protocol = await connectProtocol(endpoint, OvsdbProtocol())
            await restarts.follow(protocol)
            reason: BaseException = await protocol.whenLost()
        except (ConnectError, OvsdbError) as e:
            reason = e
        Logger().warn("{server}: {reason}; trying again", server=server, reason=reason)
        await task.deferLater(reactor, RETRY)


if __name__ == "__main__":
    given = PARSER.parse_args()
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    task.react(lambda *args: ensureDeferred(main(*args)), [given.server])
