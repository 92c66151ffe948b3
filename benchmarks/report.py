# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The results as Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.bars import BARS, Results, significant

SYNC_CLIENTS = {
    "ours": "this package",
    "floor": "bare socket",
    "pyovs": "python-ovs",
    "ovsdb_client": "ovsdb-client monitor",
    "vsctl": "ovs-vsctl list (once)",
    "select": "select (once)",
}

SYNC_FIGURES = {
    "wall": ("wall, connect to in sync (s)", 1.0),
    "cpu": ("client CPU (s)", 1.0),
    "memory": ("peak RSS (MB)", 1e-6),
    "stall": ("longest stall (s)", 1.0),
}
"""The title of each figure, and the factor by which it is multiplied."""

CHURN_FIGURES = {
    "p50": ("latency of a single port, p50 (ms)", 1e3),
    "p99": ("latency of a single port, p99 (ms)", 1e3),
    "cpuSingle": ("CPU an event, single ports (µs)", 1e6),
    "cpuBurst": ("CPU an event, bursts of 50 (µs)", 1e6),
    "serverSingle": ("the server's CPU an event, single ports (µs)", 1e6),
    "serverBurst": ("the server's CPU an event, bursts of 50 (µs)", 1e6),
}

BRIDGES_CLIENTS = {
    "nobody": "nobody",
    "monitor": "the default",
    "monitor_cond": 'method="monitor_cond"',
    "bridges": "bridges=True",
    "floor": "bare socket, as bridges=True",
}

COMMAND_PROGRAMS = {
    "events": "--events -",
    "events_tls": "the same, with pyOpenSSL",
    "log": "the log",
    "ovsdb_client": "ovsdb-client monitor",
    "nothing": "twistd that does nothing",
}

STATISTICS_CLIENTS = {
    "nobody": "nobody",
    "ours": "this package",
    "vsctl": "ovs-vsctl list, once a second",
    "select": "select, once a second",
}


def markdown(results: Results) -> str:
    """
    All tables.
    """
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    for name, value in results["run"].items():
        yield f"- {name}: {value}"
    for size, clients in results.get("sync", {}).items():
        yield from _sync(int(size), clients)
    if "churn" in results:
        yield from _churn(results["churn"])
    if "bridges" in results:
        yield from _bridges(results["bridges"])
    if "statistics" in results:
        yield from _statistics(results["statistics"])
    if "idle" in results:
        idle = results["idle"]
        yield from ("", "### Idle, one session in sync", "")
        yield from _table(
            ["CPU in a minute (ms)", "this package"],
            [[name, significant(value * 1e3)] for name, value in idle.items()],
        )
    if "worst" in results:
        yield from _worst(results["worst"])
    if "command" in results:
        yield from _command(results["command"])
    rows = [bar.row(results) for bar in BARS]
    yield from ("", "### What has to be shown", "")
    yield from _table(["figure", "measured", "at most", "verdict", "by each round"], rows)


def _sync(size: int, clients: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    names = [name for name in SYNC_CLIENTS if name in clients]
    peers = [name for name in ("floor", "pyovs") if name in clients]
    rows = []
    for figure, (title, factor) in SYNC_FIGURES.items():
        values = {name: clients[name].get(figure) for name in names}
        rows.append(
            [
                title,
                *(_cell(value, factor) for value in values.values()),
                *(_ratio(values["ours"], values[peer]) for peer in peers),
            ]
        )
    heap = clients["heap"]["heap"] / size
    rows.append(["live heap an interface (B)", significant(heap)])
    yield from ("", f"### Initial sync, {size:,} interfaces", "")
    yield from _table(
        [
            "figure",
            *(SYNC_CLIENTS[name] for name in names),
            *(f"/ {SYNC_CLIENTS[name]}" for name in peers),
        ],
        rows,
    )


def _churn(clients: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield from ("", "### Churn", "")
    peer = clients.get("pyovs", {})
    yield from _table(
        ["figure", "this package", "python-ovs", "/ python-ovs"],
        [
            [
                title,
                _cell(clients["ours"][figure], factor),
                _cell(peer.get(figure), factor),
                _ratio(clients["ours"][figure], peer.get(figure)),
            ]
            for figure, (title, factor) in CHURN_FIGURES.items()
        ],
    )


def _bridges(found: Mapping[str, Any]) -> Iterator[str]:
    for size, clients in found["sync"].items():
        yield from ("", f"### Bridges: initial sync, {int(size):,} ports on one bridge", "")
        yield from _options(clients, SYNC_FIGURES)
    yield from ("", "### Bridges: 10,000 ports on one bridge, and one more", "")
    yield from _table(
        ["received for one added port", *(BRIDGES_CLIENTS[name] for name in found["bytes"])],
        [["bytes", *(f"{count:,}" for count in found["bytes"].values())]],
    )
    yield from ("", "### Bridges: churn at 10,000 ports on one bridge", "")
    yield from _options(found["churn"], CHURN_FIGURES)


def _options(
    clients: Mapping[str, Mapping[str, float]], figures: Mapping[str, tuple[str, float]]
) -> Iterator[str]:
    """
    The figures with each option, and their ratios to those of the default.
    """
    names = [name for name in BRIDGES_CLIENTS if name in clients]
    compared = [name for name in ("monitor_cond", "bridges") if name in clients]
    rows = [
        [
            title,
            *(_cell(clients[name].get(figure), factor) for name in names),
            *(_ratio(clients[name][figure], clients["monitor"][figure]) for name in compared),
        ]
        for figure, (title, factor) in figures.items()
    ]
    heads = [BRIDGES_CLIENTS[name] for name in names]
    ratios = [f"{BRIDGES_CLIENTS[name]} / default" for name in compared]
    yield from _table(["figure", *heads, *ratios], rows)


def _statistics(found: Mapping[str, Any]) -> Iterator[str]:
    counted = found["bytes"]
    yield from ("", "### 100 ports with traffic", "")
    yield from _table(
        ["received in a minute", "default columns", "all columns", "default / all"],
        [
            [
                "bytes",
                *(f"{counted[name]:,.0f}" for name in ("default", "all")),
                _ratio(counted["default"], counted["all"]),
            ]
        ],
    )
    yield ""
    clients = found["cpu"]
    yield from _table(
        ["CPU in a minute (ms)", *(STATISTICS_CLIENTS[name] for name in clients)],
        [
            [name, *(_cell(figures[name], 1e3) for figures in clients.values())]
            for name in ("client", "server")
        ],
    )


def _worst(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", "### What a bad server can cost", "")
    heads = ["bytes", "read (MB)", "and then", "CPU a byte (µs)", "memory (MB)", "bytes a byte"]
    rows = [
        [
            figures["title"],
            significant(figures["sent"] / 1e6),
            "refused" if figures["refused"] else "",
            significant(figures["cpu"] * 1e6),
            significant(figures["memory"] / 1e6),
            significant(figures["memory"] / figures["sent"]),
            significant(figures["stall"]),
        ]
        for figures in found.values()
    ]
    yield from _table([*heads, "longest stall (s)"], rows)


def _command(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "### The command, from the start of its process", "")
    yield from _table(
        ["wall; CPU (s)", *COMMAND_PROGRAMS.values()],
        [
            [
                f"{int(size):,} interfaces",
                *(
                    f"{significant(programs[name]['wall'])}; {significant(programs[name]['cpu'])}"
                    for name in COMMAND_PROGRAMS
                ),
            ]
            for size, programs in found["start"].items()
        ],
    )


def _cell(value: float | None, factor: float) -> str:
    return "" if value is None else significant(value * factor)


def _ratio(value: float | None, peer: float | None) -> str:
    return "" if value is None or not peer else significant(value / peer)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|---" + "|--:" * (len(heads) - 1) + "|"
    for row in rows:
        cells = [*row, *[""] * (len(heads) - len(row))]
        yield "| " + " | ".join(cells) + " |"
