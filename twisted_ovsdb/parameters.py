# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Checks of the parameters that an application passes, one function for each kind
of value. A wrong value would otherwise be noticed much later, or never: the text
C{"no"}, for example, counts as true.

Each function takes the parameters by their names, which its errors say.
"""

from __future__ import annotations


def checkPositive(**values: float) -> None:
    """@raise ValueError: if one of these is not a number above zero."""
    for keyword, value in values.items():
        if not (isinstance(value, (int, float)) and value > 0):
            raise ValueError(f"{keyword} must be a number above zero, not {value!r}")


def checkNotNegative(**values: float) -> None:
    """@raise ValueError: if one of these is not a number from zero up."""
    for keyword, value in values.items():
        if not (isinstance(value, (int, float)) and value >= 0):
            raise ValueError(f"{keyword} must be a number from zero up, not {value!r}")


def checkCounts(**values: int) -> None:
    """@raise ValueError: if one of these is not a whole number above zero."""
    for keyword, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{keyword} must be a whole number above zero, not {value!r}")


def checkIntegers(**values: int) -> None:
    """@raise TypeError: if one of these is not an integer."""
    for keyword, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{keyword} must be an integer, not {value!r}")


def checkFlags(**values: bool) -> None:
    """@raise TypeError: if one of these is neither True nor False."""
    for keyword, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"{keyword} must be True or False, not {value!r}")


def checkTexts(**values: str) -> None:
    """@raise TypeError: if one of these is not a text."""
    for keyword, value in values.items():
        if not isinstance(value, str):
            raise TypeError(f"{keyword} must be a text, not {value!r}")


def checkCallables(**values: object) -> None:
    """@raise TypeError: if one of these is not a function, or something like it."""
    for keyword, value in values.items():
        if not callable(value):
            raise TypeError(f"{keyword} must be a function, not {value!r}")


def checkClock(clock: object) -> None:
    """@raise TypeError: if this does not schedule calls, or is a class of clocks."""
    if isinstance(clock, type) or not callable(getattr(clock, "callLater", None)):
        raise TypeError(f"clock must be a reactor or a Clock(), not {clock!r}")
