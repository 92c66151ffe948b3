# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The results of a soak: figures, and the limits that they must keep.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs


@attrs.frozen
class Figure:
    """
    One figure.

    @ivar section: the part of the soak that measured it.
    @ivar what: what was measured.
    @ivar value: the result, with its unit.
    @ivar wanted: the limit or the required value; empty if there is none.
    @ivar holds: whether the value is as wanted.
    """

    section: str
    what: str
    value: str
    wanted: str = ""
    holds: bool = True


@attrs.define
class Figures:
    """
    The figures of one section.
    """

    section: str
    all: list[Figure] = attrs.Factory(list)

    def tell(self, what: str, value: object) -> None:
        """
        Add a figure without a limit.
        """
        self.all.append(Figure(self.section, what, _text(value)))

    def atMost(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """
        Add a figure with an upper limit.
        """
        wanted = f"<= {_text(limit)}{unit}"
        self.all.append(Figure(self.section, what, f"{_text(value)}{unit}", wanted, value <= limit))

    def atLeast(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """
        Add a figure with a lower limit.
        """
        wanted = f">= {_text(limit)}{unit}"
        self.all.append(Figure(self.section, what, f"{_text(value)}{unit}", wanted, value >= limit))

    def equal(self, what: str, value: object, wanted: object) -> None:
        """
        Add a figure that must be exactly as wanted.
        """
        self.all.append(Figure(self.section, what, _text(value), _text(wanted), value == wanted))


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,}" if type(value) is int else str(value)


def markdown(figures: Iterable[Figure]) -> str:
    """
    A table of figures.
    """
    lines = ["| section | figure | value | wanted | |", "|---|---|---|---|---|"]
    for figure in figures:
        verdict = "" if not figure.wanted else "ok" if figure.holds else "**FAILS**"
        lines.append(
            f"| {figure.section} | {figure.what} | {figure.value} | {figure.wanted} | {verdict} |"
        )
    return "\n".join(lines)
