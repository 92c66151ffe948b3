# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A metric of another room, such as the files of events: what it is called, and how to
ask for its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

Labels = tuple[str, ...]
"""The values of the labels of a sample."""

Samples = Iterable[tuple[Labels, float]]


@attrs.frozen
class Gauge:
    """
    One metric.

    @ivar name: its name, without C{ovsdb_monitor_}.
    @ivar help: what it means.
    @ivar labels: the names of its labels.
    @ivar samples: its values now.
    @ivar counts: whether it only grows, as a counter does; C{_total} is added to its name.
    """

    name: str
    help: str
    labels: Sequence[str]
    samples: Callable[[], Samples]
    counts: bool = False
