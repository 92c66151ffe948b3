# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The metrics, for Prometheus. They are read in the reactor, one family at a time: the
library's own resource would read them in a thread, while they change. A healthy
interface has no series: a large site has a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Final

import attrs

from twisted_ovsdb._version import __version__
from twisted_ovsdb.monitoring.audit import AuditCounts
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.web.counted import CountedObserver
from twisted_ovsdb.web.gauge import Gauge, Labels, Samples
from twisted_ovsdb.web.lag import Lag
from twisted_ovsdb.web.switches import Switches
from twisted_ovsdb.web.unready import BUCKETS

try:
    from prometheus_client import generate_latest
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
except ImportError:  # the extra is not installed
    INSTALLED = False
else:
    INSTALLED = True

MISSING: Final = (
    "the metrics need prometheus_client 0.26 or newer: pip install 'twisted_ovsdb[metrics]'\n"
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

PROBLEMS: Final = 1000
"""Problems that have a series of their own. When a whole site fails, the counts say enough."""

SLICE: Final = 200
"""Samples that are written in one turn of the reactor, in about 2 ms."""

LABEL_LIMIT: Final = 200
"""Characters of a label that a switch has chosen."""


@attrs.frozen
class Watched:
    """
    What the metrics are made of.

    @ivar observers: the other observers.
    @ivar more: the metrics of other parts.
    """

    switches: Switches
    lag: Lag
    observers: Sequence[CountedObserver] = ()
    more: Sequence[Gauge] = ()


def exposition(watched: Watched) -> Iterator[bytes]:
    """All metrics as text, a slice at each step."""
    for family in _families(watched):
        yield from family
    for each in watched.more:
        made = _counter if each.counts else _gauge
        yield from made(each.name, each.help, each.labels, each.samples())


def _families(watched: Watched) -> Iterator[Iterator[bytes]]:
    switches = watched.switches
    monitors = switches.monitors()
    seen = {
        switch: switches.watch.seen(switch, monitor.source) for switch, monitor in monitors.items()
    }

    def each(value: Callable[[str, InterfaceMonitor], float | None]) -> Samples:
        for switch, monitor in monitors.items():
            found = value(switch, monitor)
            if found is not None:
                yield (switch,), found

    yield _gauge("build_info", "The version.", ["version"], [((__version__,), 1)])
    yield _gauge(
        "switch_in_sync",
        "Whether all is known of the switch (1) or what is known may be old (0).",
        ["switch"],
        each(lambda switch, monitor: monitor.inSync),
    )
    yield _gauge(
        "switch_speaking",
        "With a lock, whether this monitor speaks for the switch (1) or stands by (0).",
        ["switch"],
        each(lambda switch, monitor: None if monitor.lock is None else monitor.speaking),
    )
    yield _gauge(
        "switch_info",
        "Names of the switch.",
        ["switch", "hostname", "source"],
        (
            ((switch, monitor.identity.hostname or "", monitor.source), 1)
            for switch, monitor in monitors.items()
        ),
    )
    yield _gauge(
        "interfaces",
        "How many interfaces there are; in an outage, as last known. None while standing by.",
        ["switch", "kind"],
        (
            ((switch, kind), count)
            for switch, each in seen.items()
            if monitors[switch].lock is None or monitors[switch].speaking
            for kind, count in each.counts.items()
        ),
    )
    yield from _ofProblems(switches, {switch: each.problems for switch, each in seen.items()})
    yield _counter(
        "disconnects",
        "Sessions that were in sync and have ended.",
        ["switch"],
        each(lambda switch, monitor: switches.disconnects(monitor)),
    )
    yield _gauge(
        "last_sync_timestamp_seconds",
        "When the switch was in sync last after a connection.",
        ["switch"],
        each(lambda switch, monitor: switches.lastSync(monitor)),
    )
    yield _gauge(
        "last_message_timestamp_seconds",
        "When the switch has sent something last; it is asked when it is silent.",
        ["switch"],
        each(lambda switch, monitor: switches.lastMessage(monitor)),
    )
    yield _counter(
        "events",
        "What was told to observers.",
        ["event", "kind", "cause"],
        sorted(switches.watch.events.items()),
    )
    yield _timeToReady(watched)
    yield from _ofAudits(switches.audits())
    yield from _ofOurselves(watched)


def _ofProblems(
    switches: Switches, counts: Mapping[str, Mapping[str, int]]
) -> Iterator[Iterator[bytes]]:
    yield _gauge(
        "problems",
        "How many problems there are now.",
        ["switch", "problem"],
        (((switch, name), n) for switch, each in counts.items() for name, n in each.items()),
    )
    yield _gauge(
        "problem_info",
        f"Each problem, the first {PROBLEMS} of them.",
        ["switch", "problem", "bridge", "interface", "iface_id"],
        _named(switches),
    )
    yield _gauge(
        "problems_omitted",
        "How many problems have no problem_info.",
        [],
        [((), max(sum(sum(each.values()) for each in counts.values()) - PROBLEMS, 0))],
    )


def _ofAudits(audits: Mapping[str, AuditCounts]) -> Iterator[Iterator[bytes]]:
    for name, help, count in (
        ("rounds", "How often the audit has read all rows.", attrgetter("rounds")),
        ("rows", "How many rows the audit has compared.", attrgetter("rows")),
        ("mismatches", "How many rows the audit has found wrong.", attrgetter("mismatches")),
    ):
        if audits:
            samples = [((switch,), count(each)) for switch, each in audits.items()]
            yield _counter(f"audit_{name}", help, ["switch"], samples)


def _ofOurselves(watched: Watched) -> Iterator[Iterator[bytes]]:
    yield _counter(
        "observer_failures",
        "Events on which an observer has failed.",
        ["observer"],
        [((each.name,), each.failures) for each in watched.observers],
    )
    yield _gauge(
        "observer_busy_seconds",
        "Since when an observer has been busy; 0: it is not.",
        ["observer"],
        [((each.name,), each.busyFor) for each in watched.observers],
    )
    yield _gauge(
        "reactor_lag_seconds",
        "How late this program was, at most, in the last 30 to 60 seconds.",
        [],
        [((), watched.lag.seconds)],
    )


def _named(switches: Switches) -> Samples:
    problems = (
        (switch, problem)
        for switch, monitor in switches.monitors().items()
        for problem in switches.problems(monitor)
    )
    # Two problems may differ in what is no label.
    found: set[Labels] = set()
    for switch, problem in islice(problems, PROBLEMS):
        row = problem.interface
        where = ("", "", "") if row is None else (row.bridge or "", row.name, row.iface_id or "")
        texts = (switch, problem.problem.value, *where)
        labels = tuple(text[:LABEL_LIMIT] for text in texts)
        if labels not in found:
            found.add(labels)
            yield labels, 1


def _timeToReady(watched: Watched) -> Iterator[bytes]:
    unready = watched.switches.watch.unready
    buckets, sum = [], 0
    for limit, count in zip((*map(str, BUCKETS), "+Inf"), unready.counts, strict=True):
        sum += count
        buckets.append((limit, float(sum)))
    family = HistogramMetricFamily(
        "ovsdb_monitor_time_to_ready_seconds",
        "From a port's online to its OpenFlow port.",
        buckets=buckets,
        sum_value=unready.total,
    )
    yield _text(family)


def _gauge(name: str, help: str, labels: Sequence[str], samples: Samples) -> Iterator[bytes]:
    return _sliced(GaugeMetricFamily, name, help, labels, samples)


def _counter(name: str, help: str, labels: Sequence[str], samples: Samples) -> Iterator[bytes]:
    """The library adds _total to the name."""
    return _sliced(CounterMetricFamily, name, help, labels, samples)


def _sliced(
    make: Any, name: str, help: str, labels: Sequence[str], samples: Samples
) -> Iterator[bytes]:
    """Write a family in several parts. Only the first one has the header."""
    remaining = iter(samples)
    first = True
    while part := list(islice(remaining, SLICE)) or first:
        family = make(f"ovsdb_monitor_{name}", help, labels=labels)
        for values, value in part if isinstance(part, list) else ():
            family.add_metric([each[:LABEL_LIMIT] for each in values], value)
        text = _text(family)
        yield text if first else b"".join(_withoutHeader(text))
        first = False


def _withoutHeader(text: bytes) -> Iterator[bytes]:
    return (line for line in text.splitlines(True) if not line.startswith(b"#"))


def _text(metric: Metric) -> bytes:
    one = _One(metric)
    return generate_latest(one)


class _One:
    """A registry of one family: all that the library asks of a registry."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        """The family."""
        return (self._metric,)
