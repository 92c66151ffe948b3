# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{ovsdb-client monitor}. Its output is read until the first table is complete,
which is one line in the format C{json}.

    ovsdb_client sync PORT
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.clients.figures import COLUMNS, peakMemory, processorTime, say

CHUNK = 1 << 20


def main(port: int) -> None:
    """
    Measure the time until the first table is printed.
    """
    start = time.monotonic()
    client = subprocess.Popen(
        [
            *("ovsdb-client", "--format=json", "monitor", f"tcp:127.0.0.1:{port}"),
            *("Open_vSwitch", "Interface", ",".join(COLUMNS)),
        ],
        stdout=subprocess.PIPE,
    )
    assert client.stdout is not None
    try:
        chunk = b""
        while not chunk.endswith(b"\n"):
            chunk = os.read(client.stdout.fileno(), CHUNK)
            if not chunk:
                raise SystemExit("ovsdb-client ended")
        wall = time.monotonic() - start
        say(wall=wall, cpu=processorTime(client.pid), memory=peakMemory(client.pid))
    finally:
        client.kill()
        client.wait()


if __name__ == "__main__":
    main(int(sys.argv[2]))
