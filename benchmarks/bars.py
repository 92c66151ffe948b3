# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The bars: limits for figures. Many of these are ratios to the figures of
another client in the same run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs

Results = dict[str, Any]

ROUNDS = 3
"""Rounds of the whole measurement. Of each figure, the best round counts."""


@attrs.frozen
class Bar:
    """
    One figure and what it may be at most.

    @ivar title: the figure's name.
    @ivar limit: what the figure may be at most.
    @ivar unit: the unit of figure and limit; empty for a ratio.
    @ivar of: takes the figure from the results. It raises KeyError if the
        figure was not measured, or the other client's figure that it is
        compared with.
    """

    title: str
    limit: float
    unit: str
    of: Callable[[Results], float]

    def row(self, results: Results) -> tuple[str, ...]:
        """
        The bar's row in the table: the figure's name, the measured value, the
        limit, the verdict, and the value of each round alone.
        """
        limit = f"{self.limit:g} {self.unit}".strip()
        try:
            value = self.of(results)
        except KeyError:
            return (self.title, "", limit, "not measured", "")
        verdict = "pass" if value <= self.limit else "**FAIL**"
        rounds = [significant(self.of(_ofRound(results, number))) for number in range(ROUNDS)]
        return (
            self.title,
            f"{significant(value)} {self.unit}".strip(),
            limit,
            verdict,
            "; ".join(rounds) if len(set(rounds)) > 1 else "",
        )


def _ofRound(results: Any, number: int) -> Any:
    """
    The results of this round alone.
    """
    if not isinstance(results, dict):
        return results
    rounds = results.get("rounds")
    if isinstance(rounds, list):
        return {**results, **rounds[min(number, len(rounds) - 1)]}
    return {name: _ofRound(value, number) for name, value in results.items()}


def significant(value: float) -> str:
    """
    A value with three significant digits.
    """
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def _sync(size: int, figure: str, peer: str) -> Callable[[Results], float]:
    def of(results: Results) -> float:
        clients = results["sync"][str(size)]
        return float(clients["ours"][figure] / clients[peer][figure])

    return of


def _stall(size: int) -> Callable[[Results], float]:
    return lambda results: float(results["sync"][str(size)]["ours"]["stall"])


def _churn(figure: str) -> Callable[[Results], float]:
    return lambda results: float(
        results["churn"]["ours"][figure] / results["churn"]["pyovs"][figure]
    )


def _bridges(size: int) -> Callable[[Results], float]:
    def of(results: Results) -> float:
        clients = results["bridges"]["sync"][str(size)]
        return float(clients["bridges"]["wall"] / clients["floor"]["wall"])

    return of


def _bridgesStall(size: int) -> Callable[[Results], float]:
    return lambda results: float(results["bridges"]["sync"][str(size)]["bridges"]["stall"])


def _linear(results: Results) -> float:
    large, small = (results["sync"][size]["ours"]["cpu"] for size in ("100000", "10000"))
    return float(large / 10 / small)


def _heap(results: Results) -> float:
    return float(results["sync"]["100000"]["heap"]["heap"] / 100_000 / 1000)


def _bytes(results: Results) -> float:
    counted = results["statistics"]["bytes"]
    return float(counted["default"] / counted["all"])


def _worstMemory(results: Results) -> float:
    return float(max(figures["memory"] for figures in results["worst"].values()) / 1e6)


def _worstProcessor(results: Results) -> float:
    large = [figures["cpu"] for figures in results["worst"].values() if figures["large"]]
    return float(max(large) * 1e6)


def _command(size: int, program: str, peer: str = "ovsdb_client") -> Callable[[Results], float]:
    def of(results: Results) -> float:
        programs = results["command"]["start"][str(size)]
        return float(programs[program]["wall"] / programs[peer]["wall"])

    return of


def _part(part: str, figure: str) -> Callable[[Results], float]:
    return lambda results: float(results["command"][part][figure])


def _waiters(results: Results) -> float:
    steps = results["command"]["steps"]
    return float(steps["waited"] / steps["alone"])


def _lines(results: Results) -> float:
    lines = results["command"]["lines"]
    return float(lines["lines"]["cpuBurst"] / lines["without"]["cpuBurst"])


BARS = (
    Bar("sync of 10,000: wall / bare socket", 2.0, "", _sync(10_000, "wall", "floor")),
    Bar("sync of 100,000: wall / bare socket", 1.7, "", _sync(100_000, "wall", "floor")),
    Bar("sync of 100,000: wall / python-ovs", 0.30, "", _sync(100_000, "wall", "pyovs")),
    Bar("peak RSS at 100,000 / python-ovs", 0.35, "", _sync(100_000, "memory", "pyovs")),
    Bar("live heap an interface afterwards, at 100,000", 1.2, "kB", _heap),
    Bar("longest reactor stall at 10,000", 0.05, "s", _stall(10_000)),
    Bar("longest reactor stall at 100,000", 0.25, "s", _stall(100_000)),
    Bar("CPU an event, bursts of 50 / python-ovs", 0.45, "", _churn("cpuBurst")),
    Bar("latency p50 / python-ovs", 1.0, "", _churn("p50")),
    Bar("CPU an interface from the first byte on, at 100,000 / at 10,000", 1.2, "", _linear),
    Bar(
        "bytes for one added port among 10,000, with bridges",
        1000,
        "B",
        lambda results: float(results["bridges"]["bytes"]["bridges"]),
    ),
    Bar("with bridges: sync of 10,000: wall / bare socket", 3.0, "", _bridges(10_000)),
    Bar("with bridges: sync of 100,000: wall / bare socket", 2.5, "", _bridges(100_000)),
    Bar("with bridges: longest reactor stall at 10,000", 0.05, "s", _bridgesStall(10_000)),
    Bar("with bridges: longest reactor stall at 100,000", 0.25, "s", _bridgesStall(100_000)),
    Bar("memory for 60 MB of the worst input", 600, "MB", _worstMemory),
    Bar("CPU a byte of the worst input, in large chunks", 2.0, "µs", _worstProcessor),
    Bar("bytes in a minute with statistics, default / all columns", 0.01, "", _bytes),
    Bar("--events - of 100,000 / ovsdb-client monitor", 1.4, "", _command(100_000, "events")),
    Bar("--events - of 10,000 / ovsdb-client monitor", 2.2, "", _command(10_000, "events")),
    Bar("default log of 100,000 / ovsdb-client monitor", 1.3, "", _command(100_000, "log")),
    Bar(
        "--events - of 10 interfaces, with start-up / twistd that does nothing",
        1.5,
        "",
        _command(10, "events", "nothing"),
    ),
    Bar("update with 10,000 callers in whenReady / with none", 2.0, "", _waiters),
    Bar("1,000 switches dial in at once: not in sync", 0, "", _part("crowd", "missing")),
    Bar("1,000 switches dial in at once: all in sync", 3.0, "s", _part("crowd", "wall")),
    Bar("1,000 switches dial in at once: longest stall", 0.05, "s", _part("crowd", "stall")),
    Bar("first snapshot of 100,000: longest step", 0.05, "s", _part("steps", "first")),
    Bar("resync of 100,000, 1,000 differ: longest step", 0.05, "s", _part("steps", "resync")),
    Bar("first question among 100,000", 0.05, "s", _part("steps", "question")),
    Bar("CPU an event, bursts of 50, with JSON Lines / without", 1.6, "", _lines),
)
"""All bars. A change to code that runs for each row or each byte must keep them."""
