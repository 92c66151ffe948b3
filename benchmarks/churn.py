# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Ports that come and go, one at a time and in bursts. An interface is inserted,
gets its ofport in a second transaction, as from ovs-vswitchd, and is removed.
These are three events.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.bars import ROUNDS
from benchmarks.clients.figures import LAST_MARK, MARK, SENT, processorTime
from benchmarks.connection import STAMP, Connection
from benchmarks.database import (
    assignOfports,
    deletePorts,
    fill,
    insertPorts,
    interfaceRow,
)
from benchmarks.processes import Figures, average, best, client, note, rest, server
from tools.openvswitch import PrivateOpenVSwitch

PRESENT = 1_000
"""Interfaces that exist all the time."""

VISITS = 5
"""How often each client is measured in a round. The clients take turns; the mean counts."""

SINGLES = 200
"""Ports that come and go one at a time, in each visit."""

BURSTS = 30
"""Bursts of ports that come and go, in each visit."""

BURST = 50

WARMUP = 5
"""Bursts that are not counted."""

PAUSE = 0.003
"""Seconds between two transactions, in which the client finishes its work."""

REST = 0.2
"""Seconds between two phases."""

PHASES = (
    (f"{MARK}warmup", WARMUP, BURST),
    (f"{MARK}single", SINGLES, 1),
    (f"{MARK}burst", BURSTS, BURST),
    (LAST_MARK, 0, 0),
)
"""Of each phase: the mark that begins it, the number of bursts, and the ports in each burst."""


MEASURED = (f"{MARK}single", f"{MARK}burst")
"""The phases that have figures."""


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    The figures of both clients, connected one at a time, in turns.

    @param quick: one round only.
    @param pyovs: whether there is a python-ovs to compare with.
    """
    told: dict[str, list[Figures]] = {"ours": []}
    if pyovs:
        told["pyovs"] = []
    with server() as (switch, port):
        with Connection(port) as connection:
            fill(connection, 0, PRESENT)
        for number in range(1 if quick else ROUNDS):
            visits: dict[str, list[Figures]] = {name: [] for name in told}
            for _ in range(1 if quick else VISITS):
                for name, figures in visits.items():
                    rest(switch)
                    arguments = (PRESENT,) if name == "pyovs" else ()
                    figures.append(run(switch, port, name, *arguments))
                    note(f"churn: round {number + 1}, {name}: {figures[-1]}")
            for name, figures in visits.items():
                told[name].append(average(figures))
    return {name: best(rounds) for name, rounds in told.items()}


def run(switch: PrivateOpenVSwitch, port: int, name: str, *arguments: object) -> Figures:
    """
    Let ports come and go while a client is connected.

    @param name: the client's name.
    @param arguments: its arguments behind the port.
    @return: its figures, and the CPU that the server needed for each event.
    """
    with client(name, "churn", port, *arguments) as process, Connection(port) as connection:
        process.hear()
        time.sleep(REST)
        marks, used = [], {}
        for mark, bursts, size in PHASES:
            marks.append(_mark(connection, mark))
            used[mark] = serverTime(switch, connection, bursts, size)
        phases = process.hear()["phases"]
        connection.transact(deletePorts(marks))
    for phase, bursts, size in PHASES:
        seen = phases.get(phase.removeprefix(MARK), {"events": 0})["events"]
        if seen != 3 * bursts * size:
            raise RuntimeError(f"{name} saw {seen} events of {3 * bursts * size} in {phase}")
    single, burst = phases["single"], phases["burst"]
    server = {phase.removeprefix(MARK): cpu for phase, cpu in used.items()}
    return {
        "p50": single["p50"],
        "p99": single["p99"],
        "cpuSingle": single["cpu"] / single["events"],
        "cpuBurst": burst["cpu"] / burst["events"],
        "serverSingle": server["single"] / single["events"],
        "serverBurst": server["burst"] / burst["events"],
    }


def serverTime(switch: PrivateOpenVSwitch, connection: Connection, bursts: int, size: int) -> float:
    """
    Let ports come and go, and let client and server finish their work.

    @return: the CPU time of the server.
    """
    pid = switch.pid("ovsdb-server")
    before = processorTime(pid)
    for _ in range(bursts):
        _comeAndGo(connection, size)
    # At a mark, the client also reads its CPU time.
    time.sleep(REST)
    return processorTime(pid) - before


def _comeAndGo(connection: Connection, size: int) -> None:
    """
    Ports come, get their ofports, and go: three transactions.
    """
    time.sleep(PAUSE)
    rows = [[interfaceRow(number, ofport=False, **{SENT: STAMP})] for number in range(size)]
    results = connection.transact(insertPorts(rows))
    uuids = [result["uuid"][1] for result in results[: 2 * size]]
    time.sleep(PAUSE)
    connection.transact(assignOfports(uuids[::2]))
    time.sleep(PAUSE)
    connection.transact(deletePorts(uuids[1::2]))


def _mark(connection: Connection, name: str) -> str:
    """
    Add a port with this name, which no other port has.

    @return: the UUID of the port.
    """
    results = connection.transact(insertPorts([[{**interfaceRow(0), "name": name}]]))
    time.sleep(REST)
    port: str = results[1]["uuid"][1]
    return port
