# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The figures of C{benchmarks.fleet} as Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.bars import significant

STALL: Final = 0.020
"""What the longest stall may be, in seconds."""

_RATES: Final = {
    "rate": ("events a second, with beginning and end", 1.0),
    "cpu": ("CPU of the monitor, an event (µs)", 1e6),
    "broker": ("CPU of nats-server, an event (µs)", 1e6),
    "eventP50": ("transaction until stored in OVSDB_EVENTS, p50 (ms)", 1e3),
    "eventWorst": ("the same, worst (ms)", 1e3),
    "nowP50": ("transaction until stored in OVSDB_NOW, p50 (ms)", 1e3),
    "nowWorst": ("the same, worst (ms)", 1e3),
    "stall": ("longest stall of the monitor's reactor (ms)", 1e3),
    "own": ("the same, without the time in which it waited for a core (ms)", 1e3),
    "work": ("most work of the reactor at once (ms of CPU)", 1e3),
    "messages": ("messages in OVSDB_EVENTS", 1.0),
    "writes": ("messages in OVSDB_NOW", 1.0),
    "lines": ("events", 1.0),
    "missing": ("events that were told as a difference with others", 1.0),
}


_LARGEST: Final = {"rate", "missing"}
"""The figures of which the largest one of all rounds counts, and not the smallest one."""


def rates(rounds: Mapping[tuple[int, int], Sequence[Mapping[str, float]]]) -> str:
    """Of each number of switches and rate, the figures of each round."""
    found = {
        which: {
            name: (max if name in _LARGEST else min)(each[name] for each in figures)
            for name in _RATES
        }
        for which, figures in rounds.items()
    }
    heads = [f"{rate:,} of {switches}" for switches, rate in found]
    lines = ["", "| events a second, of how many switches | " + " | ".join(heads) + " |"]
    lines.append("|---" + "|--:" * len(heads) + "|")
    for name, (title, factor) in _RATES.items():
        cells = [significant(each[name] * factor) for each in found.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
        if name == "stall":
            cells = [
                "; ".join(significant(each["stall"] * 1e3) for each in r) for r in rounds.values()
            ]
            lines.append("| the same, of each round (ms) | " + " | ".join(cells) + " |")
    stall = max(each["stall"] for each in found.values())
    verdict = "pass" if stall <= STALL else "**FAIL**"
    lines += ["", f"Longest stall: at most {STALL * 1e3:g} ms: {verdict}."]
    return "\n".join(lines)


def late(found: Mapping[str, float]) -> str:
    """A reader that comes late."""
    count, wall, cpu = found["interfaces"], found["wall"], found["cpu"]
    return (
        f"\nA late reader has all {count:,} interfaces after {wall:.2f} s"
        f" ({cpu:.2f} s of CPU), with the start of Python."
    )


def fleet(found: Mapping[str, Any], switches: int) -> str:
    """Several monitors."""
    killed, rest, churn = found["killed"], found["rest"], found["churn"]
    monitors = len(found["balance"])
    rows = [
        ("objects and checkpoints in OVSDB_NOW", f"{found['objects']:,}"),
        (
            "memory of nats-server for an object (kB)",
            significant(found["brokerMemory"] / found["objects"] / 1e3),
        ),
        ("from dialling in until all switches are spoken for (s)", significant(found["spoken"])),
        ("each monitor speaks for", _list(found["balance"])),
        (
            "memory of a monitor, a switch with 100 interfaces (kB)",
            _each(found["memory"], switches, 1e-3),
        ),
        ("the same after a little churn (kB)", _each(found["memoryAfter"], switches, 1e-3)),
        (
            "CPU of a monitor at rest, a switch and second (µs)",
            _each(rest["monitors"], switches * rest["seconds"], 1e6),
        ),
        (
            "CPU of nats-server at rest (ms a second)",
            significant(rest["broker"] / rest["seconds"] * 1e3),
        ),
        (
            "one event a second of each switch: CPU of a monitor (% of a core)",
            _each(churn["monitors"], churn["seconds"], 100),
        ),
        (
            "the same: CPU of nats-server (% of a core)",
            significant(churn["broker"] / churn["seconds"] * 100),
        ),
        (
            "the same: messages a second in OVSDB_EVENTS",
            significant(churn["events"] / churn["seconds"]),
        ),
        ("the same: messages a second in OVSDB_NOW", significant(churn["now"] / churn["seconds"])),
        (
            "the same: bytes of an event in OVSDB_EVENTS",
            significant(churn["eventsBytes"] / churn["made"]),
        ),
        ("kill -9 of one: switches for which it spoke", str(killed["switches"])),
        ("until another one speaks for a switch, p50 (s)", significant(killed["p50"])),
        ("the same, p99 (s)", significant(killed["p99"])),
        ("the same, worst (s)", significant(killed["worst"])),
        ("switches for which then nobody spoke", str(killed["missing"])),
        ("each of the others then speaks for", _list(found["after"])),
        ("it is started again: each speaks for", _list(found["again"])),
        ("after (s)", significant(found["balanced"])),
    ]
    lines = ["", f"| {monitors} monitors, {switches} switches | measured |", "|---|--:|"]
    return "\n".join([*lines, *(f"| {title} | {value} |" for title, value in rows)])


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))


def _each(values: list[float], divisor: float, factor: float) -> str:
    return ", ".join(significant(value / divisor * factor) for value in values)
