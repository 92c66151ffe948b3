# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The metrics of the observer that publishes, for Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from twisted_ovsdb.publish.observer import PublishingObserver

RESULTS: Final = ("acknowledged", "fenced", "refused", "unacknowledged")
"""
What becomes of a line: the broker has it; another instance had taken over; the broker
does not take it; this monitor gave up before it knew.
"""


def families(observer: PublishingObserver) -> Iterator[Any]:
    """Make the families of metrics. prometheus_client has to be there."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    published = CounterMetricFamily(
        "ovsdb_monitor_published", "Lines by what became of them.", labels=["result"]
    )
    for result in RESULTS:
        published.add_metric([result], observer.published[result])
    yield published
    yield CounterMetricFamily(
        "ovsdb_monitor_fenced",
        "Lines that were refused, because another instance had taken over.",
        value=observer.fenced,
    )
    yield GaugeMetricFamily(
        "ovsdb_monitor_publish_lag_seconds",
        "Since when the oldest line waits that the broker does not have; 0: it has all.",
        value=observer.lag,
    )
    speaking = sum(speaker.speaking for speaker in observer.speakers.values())
    yield GaugeMetricFamily(
        "ovsdb_monitor_speaking",
        "For how many switches this instance speaks.",
        value=speaking,
    )
