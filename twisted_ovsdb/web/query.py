# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A question for interfaces: which of them, in which order, and how many. The answer is
found here and not in the browser, because all rows of a large site are 39 MB.
"""

from __future__ import annotations

import base64
import binascii
import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from twisted_ovsdb.events import ProblemFound
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.openvswitch.conditions import OF_INTERFACES
from twisted_ovsdb.ovsinterface import InterfaceKind, OvsInterface, kindOf
from twisted_ovsdb.web.encoding import encoded, shownInterface, shownProblem
from twisted_ovsdb.web.switches import Switches

LIMIT: Final = 500
"""Rows of an answer: more than anybody reads, and few enough for a browser."""

MOST: Final = 1000
"""Rows that may be asked for."""

ANSWER_BYTES: Final = 1 << 20
"""Bytes of rows of an answer. The next ones follow in the next answer."""

TEXT_LIMIT: Final = 200
"""Characters of a text that is looked for."""

SLICE: Final = 1000
"""Rows that are looked at in one turn of the reactor, in about 2 ms."""

ANY: Final = "any"
"""In a question: whatever the problem is."""

PROBLEMS: Final = (ANY, *(problem.value for problem in OF_INTERFACES))
"""What C{problem} may be in a question."""

Order = tuple[str, str, str]
"""Interfaces are in the order of switch, name and UUID."""


@attrs.frozen
class Query:
    """
    What is asked for; None: everything.

    @ivar text: a part of the name, the iface-id, or another text of the interface.
    @ivar problem: the name of a problem, or C{any}.
    @ivar after: only what comes after this one.
    """

    text: str | None = None
    kind: InterfaceKind | None = None
    switch: str | None = None
    bridge: str | None = None
    problem: str | None = None
    limit: int = LIMIT
    after: Order | None = None

    @classmethod
    def parse(cls, arguments: Mapping[str, Sequence[str]]) -> Query:
        """
        Read the arguments of an address.

        @raise ValueError: if one of them is wrong; the text says what.
        """
        given: dict[str, Any] = {}
        for name, values in arguments.items():
            if name not in _READERS:
                raise ValueError(f"{name[:40]}: there is no such argument")
            if len(values) != 1:
                raise ValueError(f"{name}: may be given once")
            if values[0]:
                given[name] = _READERS[name](values[0])
        return cls(**given)

    def wants(self, row: OvsInterface) -> bool:
        """Whether an interface is asked for, as far as its row says it."""
        if self.kind is not None and row.kind is not self.kind:
            return False
        if self.bridge is not None and row.bridge != self.bridge:
            return False
        return self.text is None or self._hasText(row)

    def _hasText(self, row: OvsInterface) -> bool:
        text = self.text or ""
        return (
            text in row.name.lower()
            or text in (row.iface_id or "").lower()
            or text in (row.error or "").lower()
            or text in (row.attached_mac or "").lower()
            or text in (row.remote_ip or "")
            or text in (row.peer or "").lower()
            or text in (row.bridge or "").lower()
            or text in row.uuid
        )


def find(query: Query, switches: Switches) -> Iterator[bytes]:
    """
    Answer a question, a slice at each step.

    @return: pieces of the answer, most of them empty.
    """
    recent = switches.watch.recent
    # Before the rows are read: events after this one may be in the answer or not.
    id = recent.id
    search = _Search(query, switches)
    for _ in search.run():
        yield b""
    yield b'{"id":"%s","matches":%d,"interfaces":[' % (id.encode(), search.matches)
    size, written, following = 0, 0, None
    for order, row in search.found():
        if written == query.limit or size > ANSWER_BYTES:
            break
        line = encoded(search.shown(order[0], row))
        yield (b",\n" if written else b"\n") + line
        size, written, following = size + len(line), written + 1, order
    more = written < search.matches
    after = json.dumps(_written(following)) if more and following is not None else "null"
    yield b'\n],"next":%s}\n' % after.encode()


class _Search:
    """
    Looks through all switches in their order. Only the rows that are first are kept,
    and those that match are counted.
    """

    def __init__(self, query: Query, switches: Switches) -> None:
        self.matches = 0
        self._query = query
        self._switches = switches
        self._problems: dict[tuple[str, str], list[ProblemFound]] = {}  # by switch and UUID
        self._best: list[tuple[Order, OvsInterface]] = []

    def run(self) -> Iterator[None]:
        """Look for everything, a slice at each step."""
        query = self._query
        monitors = self._switches.monitors()
        if query.switch is not None:
            monitors = {k: v for k, v in monitors.items() if k == query.switch}
        looked = 0
        for switch in sorted(monitors):
            if query.after is not None and switch < query.after[0]:
                continue
            problems: dict[str, list[ProblemFound]] = {}
            for problem in self._switches.problems(monitors[switch]):
                if problem.interface is not None:
                    problems.setdefault(problem.interface.uuid, []).append(problem)
                looked += 1
                if looked % SLICE == 0:
                    yield
            matching: list[tuple[Order, OvsInterface]] = []
            for row in self._rows(monitors[switch], problems):
                if query.wants(row) and self._switches.shows(row):
                    order = (switch, row.name[:TEXT_LIMIT], row.uuid)
                    if query.after is None or order > query.after:
                        self.matches += 1
                        matching.append((order, row))
                looked += 1
                if looked % SLICE == 0:
                    if len(matching) > query.limit:
                        matching = self._first(matching)
                    yield
            # Switches come in order: what is full needs no more.
            if len(self._best) < query.limit:
                found = self._first(matching)
                self._best += found
                for _, row in found:
                    self._problems[switch, row.uuid] = problems.get(row.uuid, [])

    def _rows(
        self, monitor: InterfaceMonitor, problems: dict[str, list[ProblemFound]]
    ) -> Iterator[OvsInterface]:
        """The interfaces that have a kind or a problem; if it is asked for one, that have it."""
        wanted = self._query.problem
        if wanted is None:
            yield from monitor.interfaces()
        for found in problems.values():
            row = found[0].interface
            assert row is not None
            if wanted is None and row.kind is not None:
                continue  # It is among those above.
            if wanted in (None, ANY) or any(each.problem.value == wanted for each in found):
                yield row

    def found(self) -> list[tuple[Order, OvsInterface]]:
        """The first rows that match, in order."""
        return self._best[: self._query.limit]

    def shown(self, switch: str, row: OvsInterface) -> dict[str, Any]:
        """A row of the answer."""
        return {
            "switch": switch,
            "problems": [shownProblem(each) for each in self._problems[switch, row.uuid]],
            "interface": shownInterface(row),
        }

    def _first(self, matching: list[tuple[Order, OvsInterface]]) -> list[Any]:
        return heapq.nsmallest(self._query.limit, matching, key=_orderOf)


def _orderOf(found: tuple[Order, OvsInterface]) -> Order:
    return found[0]


def _written(order: Order) -> str:
    """An order as it stands in an address."""
    return base64.urlsafe_b64encode(json.dumps(order).encode()).decode()


def _order(text: str) -> Order:
    try:
        switch, name, uuid = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
    except (ValueError, TypeError, binascii.Error, RecursionError) as e:
        raise ValueError("after: not what an answer has in next") from e
    if not all(isinstance(each, str) for each in (switch, name, uuid)):
        raise ValueError("after: not what an answer has in next")
    return switch, name, uuid


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise ValueError(f"limit: must be a whole number from 1 to {MOST}")
    return int(text)


def _kind(text: str) -> InterfaceKind:
    try:
        return kindOf(text)
    except ValueError as e:
        raise ValueError(f"kind: {e}") from e


def _problem(text: str) -> str:
    if text not in PROBLEMS:
        raise ValueError(f"problem: must be one of {', '.join(PROBLEMS)}")
    return text


def _text(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"text: has more than {TEXT_LIMIT} characters")
    return text.lower()


_READERS: Final[Mapping[str, Any]] = {
    "text": _text,
    "kind": _kind,
    "switch": str,
    "bridge": str,
    "problem": _problem,
    "limit": _limit,
    "after": _order,
}
"""How each argument is read."""
