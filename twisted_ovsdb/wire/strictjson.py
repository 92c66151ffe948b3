# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
JSON as in RFC 8259. Python's C{json} alone also accepts NaN, 1e999, unpaired
surrogates, and bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn, Union

from twisted_ovsdb.errors import ProtocolViolation

Buffer = Union[bytes, bytearray, memoryview]

# A \uD800 to \uDFFF escape, or the pair of them that is a character.
_SURROGATES: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _refuseConstant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finiteFloat(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large a number")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuseConstant, parse_float=_finiteFloat)

scanValue: Final = _DECODER.scan_once  # type: ignore[attr-defined]
"""
Reads the value that begins at a place of a text. Returns the value and the
place behind it; raises StopIteration, ValueError, or RecursionError for deep
nesting.
"""

scanString: Final = json.decoder.scanstring  # type: ignore[attr-defined]
"""Reads a string from behind its first quote: as L{scanValue}, but only ValueError."""


def decodeText(data: Buffer) -> str:
    """
    @raise ProtocolViolation: if the bytes are not UTF-8, or an escape in them
        is half a character.
    """
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError as e:
        raise ProtocolViolation(f"not UTF-8: {e}") from e
    # Most texts have no escapes, and to look for one character is fast.
    if "\\" in text:
        # An escaped backslash does not escape what follows.
        for match in _SURROGATES.finditer(text.replace("\\\\", "  ")):
            if len(match.group()) == 6:
                raise ProtocolViolation(f"not JSON: unpaired surrogate {match.group()}")
    return text


def readValue(text: str, position: int) -> tuple[Any, int]:
    """
    Read a value of any kind from a text.

    @return: the value, and the place behind it.
    @raise ProtocolViolation: if there is none.
    """
    try:
        value, end = scanValue(text, position)
    except StopIteration as e:
        raise ProtocolViolation(f"not JSON: no value at character {e.value}") from e
    except (ValueError, RecursionError) as e:
        raise ProtocolViolation(f"not JSON: {e}") from e
    return value, end


def parseObject(text: str) -> dict[str, Any]:
    """
    Read an object that is the whole text.

    @raise ProtocolViolation: if it is not JSON.
    """
    value, end = readValue(text, 0)
    if end != len(text):
        raise ProtocolViolation(f"not JSON: more at character {end}")
    result: dict[str, Any] = value
    return result


def decodeObject(message: Buffer) -> dict[str, Any]:
    """
    Decode one framed message, which begins with a brace.

    @raise ProtocolViolation: if it is not JSON.
    """
    return parseObject(decodeText(message))
