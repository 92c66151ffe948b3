# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The judge of the soak of several monitors sees what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.soak.fleetjudge import Judge
from tests.soak.truth import state


@attrs.frozen
class Message:
    """As of nats-py."""

    subject: str
    headers: dict[str, str]
    data: bytes


def seen(serial: int) -> str | None:
    """A state of C{tap}."""
    return state("tap", 1, {"iface-id": "tap", "serial": str(serial)})


def line(event: str, serial: int = 0, **more: Any) -> dict[str, Any]:
    """A line of C{tap}."""
    ids = {"iface-id": "tap", "serial": str(serial)}
    row = {"uuid": "u", "name": "tap", "ofport": 1, "external_ids": ids}
    return {"event": event, "instance": "m0", "interface": row, "changes": {"x": [1, 2]}, **more}


STARTED = {"event": "started", "instance": "m0", "resumed": False}


class JudgeTests(SynchronousTestCase):
    """
    Tests for L{Judge}.
    """

    def setUp(self) -> None:
        self.judge = Judge("nats://127.0.0.1")
        self.number = 0

    def tell(
        self, id: str, *lines: dict[str, Any], previous: int | None = None, when: float = 0.0
    ) -> None:
        """The next message."""
        headers = {
            "Ovsdb-Previous": str(self.number if previous is None else previous),
            "Nats-Msg-Id": id,
        }
        self.number += 1
        data = b"\n".join(json.dumps(each).encode("ascii") for each in lines)
        self.judge.add(self.number, when, Message("ovsdb.event.s", headers, data))

    def violations(self, *history: str | None, times: Sequence[float] = ()) -> list[str]:
        """The sorts of violations, given the true states, and when they were committed."""
        self.judge.match("s", {"u": list(zip(times or [0.0] * len(history), history, strict=True))})
        return sorted(self.judge.violations)

    def test_right(self) -> None:
        """
        Nothing is wrong with states that are told in order, if some are left out; also
        if one comes again.
        """
        self.tell("a-0", STARTED, line("online", 1), line("changed", 3), line("offline"))
        self.tell("b-0", {**STARTED, "resumed": True}, line("online", 1))
        history = (None, seen(1), seen(2), seen(3), None, seen(1))
        self.assertEqual(self.violations(*history), [])

    def test_false(self) -> None:
        """
        Each is false: online twice, changed without a difference, offline of what is not
        online.
        """
        self.tell("a-0", STARTED, line("online", 1), line("online", 1), line("changed", 1))
        self.tell("a-1", line("offline"), line("offline"))
        self.violations(None, seen(1), None)
        self.assertEqual(len(self.judge.violations["false"]), 3)

    def test_stale(self) -> None:
        """
        A state that was so before what was told is out of order.
        """
        self.tell("a-0", STARTED, line("online", 1), line("changed", 3), line("changed", 2))
        self.assertEqual(self.violations(None, seen(1), seen(2), seen(3)), ["order"])

    def test_reverted(self) -> None:
        """
        A state that comes again later, but was told before that, is out of order.
        """
        self.tell("a-0", STARTED, line("online", 1), line("changed", 2), when=3.0)
        self.tell("b-0", {**STARTED, "resumed": True}, line("changed", 1), when=4.0)
        history = (None, seen(1), seen(2), seen(1))
        self.assertEqual(self.violations(*history, times=(0.0, 1.0, 2.0, 3.5)), [])
        self.assertEqual(self.violations(*history, times=(0.0, 1.0, 2.0, 5.0)), ["order"])

    def test_gap(self) -> None:
        """
        A predecessor that is not the message before is a gap.
        """
        self.tell("a-0", STARTED, line("online", 1))
        self.tell("a-1", line("offline"), previous=0)
        self.assertEqual(self.violations(None, seen(1), None), ["gap"])

    def test_speaksAgain(self) -> None:
        """
        Whoever speaks again after another one, without taking over, is out of order.
        """
        self.tell("a-0", STARTED, line("online", 1))
        self.tell("b-0", {**STARTED, "resumed": True})
        self.tell("a-1", line("offline"))
        self.assertEqual(self.violations(None, seen(1), None), ["order"])
