# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The initial sync: everything that the server has, once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from benchmarks.bars import ROUNDS
from benchmarks.clients.floor import monitorParams
from benchmarks.connection import Connection
from benchmarks.database import fill
from benchmarks.processes import Figures, best, figuresOf, note, rest, server, typical
from tools.openvswitch import PrivateOpenVSwitch

SIZES = {1_000: 3, 10_000: 3, 100_000: 1}
"""
How many interfaces, and how many syncs make a round: what takes a fifth of a
second may fall into a bad one, so of several the median counts.
"""


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    The figures of every client at every size.

    @param quick: one round only.
    @param pyovs: whether there is a python-ovs to compare with.
    """
    sizes: dict[str, Any] = {}
    present = 0
    with server() as (switch, port):
        for size, syncs in SIZES.items():
            note(f"sync: filling up to {size:,} interfaces")
            with Connection(port) as connection:
                fill(connection, present, size)
            present = size
            rounds, syncs = (1, 1) if quick else (ROUNDS, syncs)
            sizes[str(size)] = _measureSize(switch, port, size, rounds, syncs, pyovs)
    return sizes


def _measureSize(
    switch: PrivateOpenVSwitch, port: int, size: int, rounds: int, syncs: int, pyovs: bool
) -> dict[str, Figures]:
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
    told: dict[str, list[Figures]] = {}
    for number in range(rounds):
        runs: dict[str, list[Figures]] = {name: [] for name in clients}
        for _ in range(syncs):
            # One after another, so that what else the machine does at a time
            # is felt by all.
            for name, run in clients.items():
                runs[name].append(_run(switch, name, run, size, number))
        for name, figures in runs.items():
            told.setdefault(name, []).append(typical(figures))
    for name in ("vsctl", "select"):
        # No bar is about them, and they are slow: once.
        poll = functools.partial(figuresOf, "polling", name, port)
        told[name] = [_run(switch, name, poll, size, 0)]
    bests = {name: best(rounds) for name, rounds in told.items()}
    heap = functools.partial(figuresOf, "ours", "heap", switch.unix)
    bests["ours"]["heap"] = _run(switch, "ours (heap)", heap, size, 0)["heap"]
    return bests


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
