# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How messages look on the wire of NATS: those that are stored, and those that are read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from twisted_ovsdb.publish.natsfaults import NO_MESSAGE, WRONG_LAST, ApiError
from twisted_ovsdb.publish.natsrequests import Request
from twisted_ovsdb.publish.streams import Fenced, Stored, Stream, Write

PREVIOUS: Final = "Ovsdb-Previous"
"""The header that names the event before."""

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_ID: Final = "Nats-Msg-Id"
_STREAM: Final = "Nats-Expected-Stream"

_NUMBER: Final = re.compile("[0-9]{1,20}")


def requestOf(write: Write) -> Request:
    """The request that stores a message."""
    headers = {_EXPECTED: str(write.expected), _STREAM: write.stream.value}
    if write.id:
        headers[_ID] = write.id
    if write.stream is Stream.EVENTS:
        headers[PREVIOUS] = str(write.expected)
    return Request(write.subject, write.payload, headers)


def numberIn(write: Write, reply: bytes) -> int | Fenced:
    """
    What the reply to L{requestOf} says: the message's number.

    @raise ApiError: the stream is full, for example.
    """
    # Of bytes, json would guess the encoding first.
    answer = json.loads(str(reply, "utf-8"))
    error = answer.get("error")
    if error is None:
        return int(answer["seq"])
    if error.get("err_code") == WRONG_LAST:
        return Fenced(str(error.get("description")))
    raise ApiError({**error, "description": f"{write.stream.value}: {error['description']}"})


def storedOf(subject: str, number: int, payload: bytes, headers: Mapping[str, str]) -> Stored:
    """A message of a stream."""
    previous = headers.get(PREVIOUS, "0")
    return Stored(
        subject,
        number,
        payload,
        headers.get(_ID, ""),
        int(previous) if _NUMBER.fullmatch(previous) else 0,
    )


def gotten(answer: Mapping[str, Any]) -> Stored | None:
    """What was asked for by C{STREAM.MSG.GET}; None if there is no such message."""
    if "error" in answer:
        if answer["error"].get("err_code") == NO_MESSAGE:
            return None
        raise ApiError(answer["error"])
    message = answer["message"]
    headers = _headersIn(base64.b64decode(message.get("hdrs", "")))
    payload = base64.b64decode(message.get("data", ""))
    return storedOf(message["subject"], message["seq"], payload, headers)


def _headersIn(raw: bytes) -> dict[str, str]:
    lines = raw.decode("utf-8", "replace").split("\r\n")[1:]
    pairs = [line.partition(":") for line in lines if ":" in line]
    return {name.strip(): value.strip() for name, _, value in pairs}
