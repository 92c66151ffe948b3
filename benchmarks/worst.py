# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a bad server can cost: the memory and the time that it takes to read bytes that
are meant to be expensive.
"""

from __future__ import annotations

from typing import Any

from benchmarks.clients.worst import KINDS
from benchmarks.processes import figuresOf, note

MEGABYTES = 60

QUICK_MEGABYTES = 10

FEW = 1
"""Megabytes of what comes a byte at a time."""

WITHIN = {"row": 6, "update": 6, "objects": 14, "strings": 20, "deep": 8}
"""Megabytes of those kinds of which a message with more has too many values."""


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    The figures of each kind of bytes. Each runs in a process of its own.

    @param quick: fewer bytes.
    """
    found = {}
    for name, (title, large, _) in KINDS.items():
        size = FEW if not large else QUICK_MEGABYTES if quick else MEGABYTES
        size = min(size, WITHIN.get(name, size))
        figures = figuresOf("worst", name, size)
        note(f"worst: {title}: {figures}")
        found[name] = {"title": title, "large": large, **figures}
    return found
