# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What it costs to know the bridge of each interface, and what C{monitor_cond}
saves. Each interface has a Port of its own here, and one bridge has all ports.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks import churn
from benchmarks.bars import ROUNDS
from benchmarks.clients.figures import LAST_MARK, MARK
from benchmarks.clients.floor import bridgesParams
from benchmarks.connection import Connection
from benchmarks.database import deletePorts, fill, insertPorts, interfaceRow
from benchmarks.processes import Figures, best, client, figuresOf, note, rest, server
from tools.openvswitch import PrivateOpenVSwitch

SMALL: Final = 10_000
LARGE: Final = 100_000

SIZES: Final = {SMALL: 2, LARGE: 1}
"""
How many ports there are, and how often each client is measured in a round.
Each size has its own server.
"""

OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "monitor": {},
    "monitor_cond": {"method": "monitor_cond"},
    "bridges": {"bridges": True},
}
"""The options of the factories that are compared."""


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    The figures with each of the options.

    @param quick: one round only.
    """
    with contextlib.ExitStack() as stack:
        servers = {size: stack.enter_context(server()) for size in SIZES}
        for size, (_, port) in servers.items():
            note(f"bridges: {size:,} ports are made")
            with Connection(port) as connection:
                fill(connection, 0, size, portSize=1)
        rounds = 1 if quick else ROUNDS
        found: dict[str, Any] = {
            "sync": {
                str(size): _sync(switch, port, size, rounds * (1 if quick else SIZES[size]))
                for size, (switch, port) in servers.items()
            }
        }
        switch, port = servers[SMALL]
        found["bytes"] = {name: _bytes(switch, port, OPTIONS[name]) for name in OPTIONS}
        found["churn"] = _churn(switch, port, rounds)
        return found


def _sync(switch: PrivateOpenVSwitch, port: int, size: int, visits: int) -> dict[str, Figures]:
    """
    The initial sync, and the bare socket with the same request as C{bridges}.
    """
    with Connection(port) as connection:
        connection.request("monitor_cond", *bridgesParams())
        length = connection.received
    runs: dict[str, Callable[[], Figures]] = {
        "floor": functools.partial(figuresOf, "floor", "sync", port, length, "bridges"),
        **{
            name: functools.partial(figuresOf, "ours", "sync", port, json.dumps(options))
            for name, options in OPTIONS.items()
        },
    }
    told: dict[str, list[Figures]] = {name: [] for name in runs}
    for number in range(visits):
        for name, run in runs.items():
            rest(switch)
            told[name].append(run())
            note(f"bridges: sync of {size:,}, {number + 1}, {name}: {told[name][-1]}")
    return {name: best(figures) for name, figures in told.items()}


def _bytes(switch: PrivateOpenVSwitch, port: int, options: Mapping[str, Any]) -> int:
    """
    The bytes that one added port costs.
    """
    rest(switch)
    with (
        client("ours", "bytes", port, json.dumps(options)) as process,
        Connection(port) as connection,
    ):
        process.hear()
        row = {**interfaceRow(0, ofport=False), "name": LAST_MARK}
        added = connection.transact(insertPorts([[row]]))[1]["uuid"][1]
        count: int = process.hear()["bytes"]
        connection.transact(deletePorts([added]))
    note(f"bridges: bytes with {options}: {count}")
    return count


def _churn(switch: PrivateOpenVSwitch, port: int, rounds: int) -> dict[str, Figures]:
    """
    Ports that come and go, with each of the options and without any client.
    """
    told: dict[str, list[Figures]] = {name: [] for name in ("nobody", *OPTIONS)}
    for number in range(rounds):
        for name, figures in told.items():
            rest(switch)
            if name == "nobody":
                figures.append(_nobody(switch, port))
            else:
                figures.append(churn.run(switch, port, "ours", json.dumps(OPTIONS[name])))
            note(f"bridges: churn, round {number + 1}, {name}: {figures[-1]}")
    return {name: best(figures) for name, figures in told.items()}


def _nobody(switch: PrivateOpenVSwitch, port: int) -> Figures:
    """
    What the server needs for the transactions alone.
    """
    with Connection(port) as connection:
        return {
            f"server{mark.removeprefix(MARK).capitalize()}": churn.serverTime(
                switch, connection, bursts, size
            )
            / (3 * bursts * size)
            for mark, bursts, size in churn.PHASES
            if mark in churn.MEASURED
        }
