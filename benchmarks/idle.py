# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What one session costs while nothing is sent but the probes of both sides.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.clients.figures import processorTime
from benchmarks.connection import Connection
from benchmarks.database import fill
from benchmarks.processes import client, note, rest, server

PRESENT = 1_000

SECONDS = 30

QUICK_SECONDS = 15


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    The CPU of this package's client and of the server, in a minute.
    """
    seconds = QUICK_SECONDS if quick else SECONDS
    with server() as (switch, port):
        with Connection(port) as connection:
            fill(connection, 0, PRESENT)
        rest(switch)
        with client("ours", "stay", port) as process:
            process.hear()
            rest(switch)
            pids = {"client": process.pid, "server": switch.pid("ovsdb-server")}
            note(f"idle: {seconds} s")
            before = {name: processorTime(pid) for name, pid in pids.items()}
            time.sleep(seconds)
            return {
                name: (processorTime(pid) - before[name]) / seconds * 60
                for name, pid in pids.items()
            }
