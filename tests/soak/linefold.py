# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Adds up the lines of an events file, and notes each line that contradicts those
before it. It shares no code with the package.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

Key = tuple[str, str]
"""The key of a switch, and a UUID."""

_COLUMNS = ("name", "type", "kind", "ofport", "error", "bridge", "external_ids", "options")


class LineFold:
    """
    What lines add up to.

    @ivar online: the interfaces that are online.
    @ivar told: when each interface was told of last, in seconds since the epoch.
    @ivar wrong: the lines that contradict those before them, each with what it
        contradicts, and the time of that.
    @ivar counts: counts lines by event and cause.
    """

    def __init__(self) -> None:
        self.online: dict[Key, Any] = {}
        self.told: dict[Key, float] = {}
        self.wrong: list[tuple[str, Any, float]] = []
        self.counts: Counter[str] = Counter()
        self.lines = 0

    def add(self, lines: Iterable[str]) -> None:
        """
        Add lines. An unfinished one is an error: this is used where none may be.
        """
        for text in lines:
            if not text:
                continue
            self.lines += 1
            try:
                line = json.loads(text)
            except ValueError:
                # A process was killed while it wrote; the next one has ended it.
                self.counts["torn"] += 1
                continue
            self.counts[" ".join(line[k] for k in ("event", "cause") if k in line)] += 1
            self._add(line)

    def _add(self, line: dict[str, Any]) -> None:
        event = line["event"]
        if event == "started":
            self.counts["resumed"] += line["resumed"]
            if not line["resumed"]:
                self.online.clear()
        elif event == "forgotten":
            self.online = {k: v for k, v in self.online.items() if k[0] != line["switch"]}
        elif "interface" in line:
            self._addInterface(event, line)

    def _addInterface(self, event: str, line: dict[str, Any]) -> None:
        row = line["interface"]
        key = line["switch"], row["uuid"]
        known = self.online.get(key)
        problem = self._problem(event, line, row, known)
        if problem:
            self.wrong.append((f"{problem}: {line}", known, self.told.get(key, 0)))
        if event == "offline":
            self.online.pop(key, None)
        else:
            self.online[key] = row
        self.told[key] = line["timestamp"]

    def _problem(self, event: str, line: dict[str, Any], row: Any, known: Any) -> str:
        if event == "online" and line["cause"] != "replay":
            return "online twice" if known is not None else ""
        if known is None:
            return f"{event} of what is not online"
        before = {column: row[column] for column in _COLUMNS}
        if event == "changed":
            changes = {c: old for c, (old, _) in line["changes"].items() if c in _COLUMNS}
            before.update(changes)
        different = [c for c in _COLUMNS if before[c] != known[c]]
        return f"{event} with another {different}" if different else ""
