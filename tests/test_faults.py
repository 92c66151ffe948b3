# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for docs/faults.rst. The page is the only list of the faults and
of the tests that show what happens then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.documented import CHECKOUT

PAGE = CHECKOUT / "docs" / "faults.rst"

TESTS = CHECKOUT / "tests"

NOT_HANDLED = {41}
"""F41 has no test, because it is not handled: very old servers forget their monitors."""

_FAULT = re.compile(r"^F(\d+)\. (.+)\n((?:    .+\n|\n)+)", re.MULTILINE)
"""A fault of the page: its number, what it is, and what happens then."""

_NAMED = re.compile(r"^    - ``(tests\.[\w.]+)``$", re.MULTILINE)
"""A test of the page."""


def faults() -> Iterator[tuple[int, str]]:
    """
    The number of each fault on the page, in order, and the text that says what
    happens then.
    """
    for match in _FAULT.finditer(PAGE.read_text("utf-8")):
        yield int(match.group(1)), match.group(3)


def numbered() -> Iterator[tuple[str, set[int]]]:
    """
    Each test that is named after faults, as C{Class.method}, and the numbers of
    these faults.
    """
    for path in sorted(TESTS.rglob("test_*.py")):
        case = ""
        for line in path.read_text("utf-8").splitlines():
            if opened := re.match(r"class (\w+)", line):
                case = opened.group(1)
            elif named := re.match(r"    (?:async )?def (test_((?:F\d+_)+)\w+)", line):
                yield f"{case}.{named.group(1)}", set(map(int, re.findall(r"\d+", named.group(2))))


class FaultTests(SynchronousTestCase):
    """
    Tests for the page of faults.
    """

    def test_complete(self) -> None:
        """
        Every fault is explained once, in the order of the numbers. Every fault
        that is handled has tests, and these tests exist.
        """
        numbers = [number for number, _ in faults()]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLessEqual(set(range(1, 60)) | set(range(80, 87)), set(numbers))
        for number, text in faults():
            names = _NAMED.findall(text)
            self.assertEqual(bool(names), number not in NOT_HANDLED, f"F{number}")
            self.assertEqual(len(names), text.count("``tests."), f"F{number}")
            for name in names:
                self.assertTrue(callable(namedAny(name)), f"F{number}: {name}")

    def test_numbered(self) -> None:
        """
        A test that is named after a fault stands on the page with that fault.
        """
        shown = {number: _NAMED.findall(text) for number, text in faults()}
        for name, numbers in numbered():
            for number in numbers:
                found = [each for each in shown[number] if each.endswith(f".{name}")]
                self.assertEqual(len(found), 1, f"F{number}: {name}")
