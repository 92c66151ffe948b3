# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What this package replaces: polling.

    polling vsctl PORT           one C{ovs-vsctl list Interface}
    polling select PORT          one C{select} over a fresh connection
    polling vsctl PORT SECONDS   the same once a second
    polling select PORT SECONDS
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.clients.figures import COLUMNS, peakMemory, say
from benchmarks.connection import Connection


def vsctl(port: int) -> None:
    """
    C{ovs-vsctl list Interface}.
    """
    subprocess.run(
        ["ovs-vsctl", f"--db=tcp:127.0.0.1:{port}", "--no-wait", "list", "Interface"],
        stdout=subprocess.DEVNULL,
        check=True,
    )


def select(port: int) -> None:
    """
    C{select} of six columns over a fresh connection.
    """
    with Connection(port) as server:
        server.transact(
            [{"op": "select", "table": "Interface", "where": [], "columns": list(COLUMNS)}]
        )


def cpuTime(who: int) -> float:
    """
    Seconds of CPU of this process, or of its children that have ended.
    """
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def main(poll: Callable[[int], None], port: int, seconds: int = 0) -> None:
    """
    Poll once, or once a second.
    """
    # For ovs-vsctl, the CPU of the program counts, and not the CPU to start it.
    who = resource.RUSAGE_CHILDREN if poll is vsctl else resource.RUSAGE_SELF
    say(ready=True)
    start, cpu = time.monotonic(), cpuTime(who)
    for number in range(max(1, seconds)):
        time.sleep(max(0.0, start + number - time.monotonic()))
        poll(port)
    wall = time.monotonic() - start
    say(
        wall=wall,
        cpu=cpuTime(who) - cpu,
        polls=max(1, seconds),
        # A child's peak could be that of this process, from before the exec.
        memory=peakMemory() if poll is select else None,
    )


if __name__ == "__main__":
    main({"vsctl": vsctl, "select": select}[sys.argv[1]], *map(int, sys.argv[2:]))
