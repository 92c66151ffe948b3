# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The metrics of the files of events, of what C{--state} keeps and of C{--publish}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from twisted_ovsdb.command.keptevents import KeptEvents
from twisted_ovsdb.command.output import EventsService
from twisted_ovsdb.web.gauge import Gauge, Samples

if TYPE_CHECKING:
    from twisted_ovsdb.publish.observer import PublishingObserver


def ofFiles(files: Sequence[EventsService]) -> list[Gauge]:
    """Make the metrics of these files."""
    kept = [each for each in files if isinstance(each, KeptEvents)]
    found = [
        _gauge(
            "events_file_waiting_bytes",
            "Bytes of lines that are not written to the file yet.",
            lambda: ((each.shown, each.waiting) for each in files),
        ),
        _gauge(
            "events_file_trouble",
            "Whether no lines can be written to the file now (1).",
            lambda: ((each.shown, each.missing() is not None) for each in files),
        ),
    ]
    if kept:
        found += [
            _gauge(
                "state_waiting_events",
                "Events in the file that the state does not have yet.",
                lambda: ((each.shown, each.uncommitted) for each in kept),
            ),
            _gauge(
                "state_last_commit_timestamp_seconds",
                "When the state was written last.",
                lambda: ((each.shown, each.lastCommit) for each in kept if each.lastCommit),
            ),
        ]
    return found if files else []


def ofPublishing(observer: PublishingObserver) -> list[Gauge]:
    """Make the metrics of what is published."""
    # Only now: it takes a while to import, and few need it.
    from twisted_ovsdb.publish.observer import RESULTS

    return [
        Gauge(
            "published",
            "Lines by what became of them.",
            ["result"],
            lambda: (((result,), observer.published[result]) for result in RESULTS),
            counts=True,
        ),
        Gauge(
            "fenced",
            "Lines that were refused, because another instance had taken over.",
            [],
            lambda: [((), observer.fenced)],
            counts=True,
        ),
        Gauge(
            "publish_lag_seconds",
            "Since when the oldest line waits that the broker does not have; 0: it has all.",
            [],
            lambda: [((), observer.lag)],
        ),
    ]


def ofBroker(missing: Callable[[], str | None]) -> Gauge:
    """
    Make the metric that says whether something can be published.

    @param missing: why nothing can be published now; None if it can.
    """
    return Gauge(
        "publish_trouble",
        "Whether nothing can be published to the broker now (1).",
        [],
        lambda: [((), missing() is not None)],
    )


def _gauge(name: str, help: str, values: Callable[[], Iterable[tuple[str, float]]]) -> Gauge:
    def samples() -> Samples:
        return (((file,), value) for file, value in values())

    return Gauge(name, help, ["file"], samples)
