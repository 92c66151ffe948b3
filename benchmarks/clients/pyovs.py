# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The IDL of python-ovs. Changes are counted in C{Idl.notify}. /usr/bin/python3
runs this module, because Debian's python3-openvswitch is made for it.

    pyovs parser                  which JSON parser it has
    pyovs sync PORT INTERFACES    until that many interfaces are there
    pyovs churn PORT INTERFACES   the same, then counts events between marks
"""

from __future__ import annotations

import sys
import time
from typing import Any

import ovs.db.idl  # type: ignore[import-not-found]
import ovs.json  # type: ignore[import-not-found]
import ovs.poller  # type: ignore[import-not-found]

from benchmarks.clients.figures import COLUMNS, MARK, SENT, Phases, peakMemory, say

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class CountingIdl(ovs.db.idl.Idl):  # type: ignore[misc]
    """
    Counts changes. Unlike L{ours <benchmarks.clients.ours>}, it reads only the
    fields that it needs: none for a sync, the name and the time of sending for
    the churn.

    @ivar longestRun: the longest time that C{run} has taken. For so long, the
        whole program does nothing else.
    """

    def __init__(self, port: int) -> None:
        helper = ovs.db.idl.SchemaHelper(location=SCHEMA)
        helper.register_columns("Interface", list(COLUMNS))
        self.phases = Phases()
        self.longestRun = 0.0
        self.marking = False
        self.ended = False
        super().__init__(f"tcp:127.0.0.1:{port}", helper)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        """
        Count one change of one row.
        """
        if row._table is not self.tables["Interface"]:
            return  # the IDL watches the server's own database, too
        if self.marking and event == ovs.db.idl.ROW_CREATE:
            if row.name.startswith(MARK):
                self.ended = self.phases.mark(row.name) or self.ended
                return
            sent = row.external_ids.get(SENT)
            if sent is not None:
                self.phases.sent(sent)
        self.phases.events += 1

    def turn(self) -> None:
        """
        One turn of the loop that its documentation shows.
        """
        start = time.monotonic()
        self.run()
        self.longestRun = max(self.longestRun, time.monotonic() - start)

    def waitForMore(self) -> None:
        """
        Wait until there is something to do.
        """
        poller = ovs.poller.Poller()
        self.wait(poller)
        poller.block()


def synchronize(port: int, interfaces: int) -> tuple[CountingIdl, float, float]:
    """
    Connect and wait for this many interfaces.

    @return: the IDL, and the seconds of clock and of CPU that this took.
    """
    start, cpu = time.monotonic(), time.process_time()
    idl = CountingIdl(port)
    while True:
        idl.turn()
        if idl.phases.events >= interfaces:
            return idl, time.monotonic() - start, time.process_time() - cpu
        idl.waitForMore()


def main(mode: str, port: int = 0, interfaces: int = 0) -> None:
    """
    Do what the module's docstring says.
    """
    if mode == "parser":
        say(parser=ovs.json.PARSER)
        return
    idl, wall, cpu = synchronize(port, interfaces)
    if mode == "sync":
        say(
            interfaces=idl.phases.events,
            wall=wall,
            cpu=cpu,
            memory=peakMemory(),
            stall=idl.longestRun,
        )
        return
    idl.phases.events, idl.marking = 0, True
    say(ready=True)
    while not idl.ended:
        idl.waitForMore()
        idl.turn()
    idl.phases.tell()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
