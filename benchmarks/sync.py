# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The initial sync: how long it takes until a client has all that the server has.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from benchmarks.bars import ROUNDS
from benchmarks.clients.floor import monitorParams
from benchmarks.connection import Connection
from benchmarks.database import fill
from benchmarks.processes import Figures, average, best, figuresOf, note, rest, server
from tools.openvswitch import PrivateOpenVSwitch

SIZES = {1_000: 9, 10_000: 9, 100_000: 3}
"""
How many interfaces there are, and how often each client is measured in a
round. The clients take turns; the mean counts. Each size has its own server.
"""

POLLS = ("vsctl", "select")


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    The figures of every client at every size.

    Each round measures all sizes. So all are measured at about the same time,
    and a slow minute of the machine spoils one round only.

    @param quick: one round only.
    @param pyovs: whether there is a python-ovs to compare with.
    """
    told: dict[int, dict[str, list[Figures]]] = {}
    with contextlib.ExitStack() as stack:
        servers = {size: stack.enter_context(server()) for size in SIZES}
        clients = {}
        for size, (_, port) in servers.items():
            note(f"sync: {size:,} interfaces are made")
            with Connection(port) as connection:
                fill(connection, 0, size)
            clients[size] = _clients(port, size, pyovs)
            told[size] = {name: [] for name in clients[size]}
        for number in range(1 if quick else ROUNDS):
            for size, (switch, _) in servers.items():
                visits: dict[str, list[Figures]] = {name: [] for name in clients[size]}
                for _ in range(1 if quick else SIZES[size]):
                    for name, run in clients[size].items():
                        visits[name].append(_run(switch, name, run, size, number))
                for name, figures in visits.items():
                    told[size][name].append(average(figures))
        return {
            str(size): {
                **{name: best(rounds) for name, rounds in told[size].items()},
                **_once(switch, port, size),
            }
            for size, (switch, port) in servers.items()
        }


def _clients(port: int, size: int, pyovs: bool) -> dict[str, Callable[[], Figures]]:
    with Connection(port) as connection:
        connection.request("monitor", *monitorParams())
        length = connection.received
    clients: dict[str, Callable[[], Figures]] = {
        "floor": functools.partial(figuresOf, "floor", "sync", port, length),
        "ours": functools.partial(figuresOf, "ours", "sync", port),
        "ovsdb_client": functools.partial(figuresOf, "ovsdb_client", "sync", port),
    }
    if pyovs:
        clients["pyovs"] = functools.partial(figuresOf, "pyovs", "sync", port, size)
    return clients


def _once(switch: PrivateOpenVSwitch, port: int, size: int) -> dict[str, Figures]:
    """
    What is measured once: the heap, which does not depend on the machine's
    speed, and the polls, which are slow and have no bar.
    """
    runs = {name: functools.partial(figuresOf, "polling", name, port) for name in POLLS}
    runs["heap"] = functools.partial(figuresOf, "ours", "heap", switch.unix)
    return {name: best([_run(switch, name, run, size, 0)]) for name, run in runs.items()}


def _run(
    switch: PrivateOpenVSwitch, name: str, run: Callable[[], Figures], size: int, number: int
) -> Figures:
    rest(switch)
    figures = run()
    if figures.get("interfaces", size) != size:
        raise RuntimeError(f"{name} saw {figures['interfaces']} interfaces of {size}")
    shown = ", ".join(f"{key} {value:.6g}" for key, value in figures.items() if value is not None)
    note(f"sync: {size:,}, round {number + 1}, {name}: {shown}")
    return figures
