# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Read the lines of C{twistd ovsdb-monitor --events}, and print the interfaces that
are online at their end, by switch.

    python examples/fold_events.py FILE ...

Give the parts of a file that was rotated in their order, the oldest first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

Interfaces = dict[tuple[str, str], Any]
"""The interfaces that are online, by the key of their switch and their UUID."""


def fold(lines: Iterable[str]) -> Interfaces:
    """
    Add up the lines.

    A line that is not JSON is the unfinished line of a process that was killed.
    """
    online: Interfaces = {}
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        name = event["event"]
        if name == "started" and not event["resumed"]:
            online.clear()  # this process knows nothing of what was before
        elif name == "forgotten":
            online = {key: row for key, row in online.items() if key[0] != event["switch"]}
        elif name in ("online", "changed"):
            online[event["switch"], event["interface"]["uuid"]] = event["interface"]
        elif name == "offline":
            online.pop((event["switch"], event["interface"]["uuid"]), None)
    return online


def main(paths: list[str]) -> None:
    """
    Print what is online at the end of these files.
    """
    lines: list[str] = []
    for path in paths:
        with open(path, encoding="ascii") as file:
            lines += file.read().split("\n")
    for (switch, _), interface in sorted(fold(lines).items()):
        # With --bridges: a port number means nothing without its bridge.
        place = [interface["bridge"]] if interface.get("bridge") else []
        print(switch, interface["kind"], interface["name"], *place, interface["ofport"])


if __name__ == "__main__":
    main(sys.argv[1:])
