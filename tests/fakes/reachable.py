# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an object keeps alive.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)
"""What every program has anyway; from there everything can be reached."""


def reachable(root: object) -> Iterator[Any]:
    """
    All objects that live as long as this one does.
    """
    seen = {id(root)}
    waiting = [root]
    while waiting:
        found = waiting.pop()
        yield found
        for each in gc.get_referents(found):
            if id(each) not in seen and not isinstance(each, _SHARED):
                seen.add(id(each))
                waiting.append(each)


def largest(root: object) -> int:
    """
    The length of the longest text that lives as long as this object does.
    """
    return max(
        (len(each) for each in reachable(root) if isinstance(each, (str, bytes, bytearray))),
        default=0,
    )
