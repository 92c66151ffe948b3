# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The text of JSON Lines for usual events, made in a quarter of the time that json
needs. Everything else is left to json.

No key is named here: the texts around the values come from the objects that are
made for json. Values that are not of the usual types are refused with a
C{KeyError} or a C{TypeError}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from json.encoder import encode_basestring_ascii as _quoted
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

from twisted_ovsdb.ovsinterface import OvsInterface

textOf: Final = json.JSONEncoder(separators=(",", ":")).encode
"""Makes JSON of a value, without spaces and in ASCII."""


def membersOf(value: Mapping[str, Any]) -> str:
    """The members of an object, with a comma before each."""
    return "," + textOf(value)[1:-1] if value else ""


def _mapText(value: Mapping[str, str]) -> str:
    if not value:
        return "{}"
    members = [_quoted(key) + ":" + _quoted(item) for key, item in value.items()]
    return f"{{{','.join(members)}}}"


_TEXTS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: _quoted,
    int: repr,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
    dict: _mapText,
    MappingProxyType: _mapText,
}
"""How a value of each usual type is written."""


def valueText(value: Any) -> str:
    """
    What L{textOf} makes of a value of a usual type, but faster.

    @raise KeyError: if it is not of a usual type.
    @raise TypeError: the same, in a map.
    """
    return _TEXTS[type(value)](value)


# The text of an interface

_MARK: Final = "\0"


class _Marks:
    """Has a mark in place of each attribute of an interface: the name of that attribute."""

    # Not C{value}: CPython 3.11 computes that in Python.
    kind = SimpleNamespace(value=_MARK + "kind._value_")
    external_ids: Final = {_MARK + "external_ids": ""}
    options: Final = {_MARK + "options": ""}
    extra: Final = {_MARK + "extra": ""}

    def __getattr__(self, name: str) -> str:
        return _MARK + name


_MARKED: Final = re.compile(r'\{\{"\\u0000(\w+)":""\}\}|"\\u0000([\w.]+)"')
"""A mark in the text that json makes, with doubled braces."""

_WAYS: Final = {
    "str": "quoted({0})",
    "str | None": "null if (it := {0}) is None else quoted(it)",
    "int | None": "null if (it := {0}) is None else str(it) if type(it) is int else text(it)",
    "bool": "true if (it := {0}) is True else false if it is False else text(it)",
}
"""How attributes of each type are written, in Python. The text of any other type depends on it."""


def _expression(match: re.Match[str]) -> str:
    """How the value in place of a mark is written, in an f-string."""
    name = match[1] or match[2]
    attribute = getattr(OvsInterface, name, None)
    if isinstance(attribute, property):
        declared = attribute.fget.__annotations__["return"]
    else:
        declared = OvsInterface.__annotations__.get(name, "str")
    way = "maps(it) if (it := {0}) else nothing" if match[1] else _WAYS.get(declared, "text({0})")
    return "{" + way.format(f"row.{name}") + "}"


def _compiled() -> Callable[[OvsInterface], str]:
    """Make a function of what json makes of an interface with marks."""
    marks: Any = _Marks()
    text = textOf(OvsInterface.toJSON(marks)).replace("{", "{{").replace("}", "}}")
    source = f"lambda row: f'''{_MARKED.sub(_expression, text)}'''"
    ways = {"quoted": _quoted, "text": valueText, "maps": _mapText}
    texts = {"null": "null", "true": "true", "false": "false", "nothing": "{}"}
    made: Callable[[OvsInterface], str] = eval(source, {**ways, **texts})
    return made


interfaceText: Final = _compiled()
"""
What L{textOf} makes of C{interface.toJSON()}. It raises C{KeyError} and C{TypeError}
as L{valueText}. It is compiled once, from the text that json makes: a loop over the
values would take twice as long.
"""


# The text of the time


class TimeText:
    """
    The members that say when a line is written. The text of the latest second is kept,
    and that of the latest time: often it is that of many lines.
    """

    def __init__(self, timesOf: Callable[[datetime], dict[str, Any]]) -> None:
        """@param timesOf: makes the members for json."""
        self._timesOf = timesOf
        self._now: datetime | None = None  # of the text
        self._text = ""
        self._keep(datetime.fromtimestamp(0, timezone.utc))

    def at(self, now: datetime) -> str:
        """
        What L{membersOf} makes of the members of this time.

        @param now: the time in UTC.
        """
        if now is self._now:
            return self._text
        passed = now - self._second
        if passed.seconds or passed.days:
            self._keep(now.replace(microsecond=0))
        micro = f"{now.microsecond:06d}"
        before, between, behind = self._parts
        # A float of this size is written with the digits that it needs, which are these.
        self._text = f"{before}{micro}{between}{micro.rstrip('0') or '0'}{behind}"
        self._now = now
        return self._text

    def _keep(self, second: datetime) -> None:
        text = membersOf(self._timesOf(second))
        stamp = repr(second.timestamp())
        before, _, rest = text.partition("000000Z")
        between, _, behind = rest.partition(stamp)
        self._second = second
        self._parts = before, f"Z{between}{stamp.removesuffix('0')}", behind
