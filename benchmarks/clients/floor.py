# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The bare socket: it sends the same request as this package, and parses nothing.

    floor sync PORT BYTES [bridges]   until this many bytes have come; with bridges, of all that
                                      is asked for with that option
    floor count PORT COLUMNS SECONDS  the bytes that come after the initial reply;
                                      COLUMNS is default or all
"""

from __future__ import annotations

import json
import socket
import sys
import time

from benchmarks.clients.figures import COLUMNS, peakMemory, say
from benchmarks.connection import Connection

BUFFER = 1 << 18


def monitorParams(columns: bool = True) -> list[object]:
    """
    The params of C{monitor}: six columns, or all.
    """
    request = {"columns": list(COLUMNS)} if columns else {}
    return ["Open_vSwitch", "bench", {"Interface": [request]}]


def bridgesParams() -> list[object]:
    """
    The params of C{monitor_cond} that also show the bridge of each interface.
    """
    requests = {
        "Interface": [{"columns": list(COLUMNS)}],
        "Port": [{"columns": ["interfaces"]}],
        "Bridge": [{"columns": ["name", "ports"]}],
    }
    return ["Open_vSwitch", "bench", requests]


def sync(port: int, expected: int, bridges: bool = False) -> None:
    """
    Measure the time until the last byte.
    """
    method = "monitor_cond" if bridges else "monitor"
    params = bridgesParams() if bridges else monitorParams()
    request = json.dumps({"method": method, "params": params, "id": 1}).encode()
    buffer = bytearray(BUFFER)
    received = 0
    start, cpu = time.monotonic(), time.process_time()
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(request)
        while received < expected:
            count = server.recv_into(buffer)
            if not count:
                raise SystemExit(f"the server closed the connection after {received} bytes")
            received += count
        end = time.monotonic()
        say(
            bytes=received,
            wall=end - start,
            cpu=time.process_time() - cpu,
            memory=peakMemory(),
        )


def count(port: int, columns: str, seconds: float) -> None:
    """
    Count the bytes that come in this many seconds after the initial reply.
    """
    with Connection(port) as server:
        server.request("monitor", *monitorParams(columns == "default"))
        say(ready=True)
        before = server.received
        server.listen(seconds)
        say(bytes=server.received - before)


if __name__ == "__main__":
    if sys.argv[1] == "sync":
        sync(int(sys.argv[2]), int(sys.argv[3]), "bridges" in sys.argv[4:])
    else:
        count(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
