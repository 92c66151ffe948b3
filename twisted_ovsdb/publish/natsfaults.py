# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What goes wrong with NATS, and what it means, for people.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from twisted_ovsdb.errors import printable

WRONG_LAST: Final = 10071  # JSStreamWrongLastSequenceErrF
NO_MESSAGE: Final = 10037  # JSNoMessageFoundErr
NO_STREAM: Final = 10059  # JSStreamNotFoundErr

_MEANINGS: Final[Mapping[str, str]] = {
    "no responders": "it has no JetStream, or the stream was removed",
    "authorization violation": "it refuses us: the credentials are missing or wrong",
    "expecting info": "what answers there is no NATS server, or closes the connection",
    "json parse error": "what answers there is no NATS server",
}
"""What errors mean, by a part of their text."""

_ENLARGE: Final[Mapping[str, str]] = {
    "maximum bytes exceeded": "the stream is full: enlarge its max_bytes",
    "maximum messages exceeded": "the stream is full: enlarge its max_msgs",
    "message size exceeds maximum allowed": "enlarge the stream's max_msg_size",
    "insufficient resources": "the server's store is full: enlarge its max_file_store, or the disk",
    "resource limits exceeded for account": "enlarge max_file of the account",
    "maximum number of streams reached": "enlarge max_streams of the account; two are needed",
}
"""What is too small, by a part of an error's text, which says where."""


class ApiError(Exception):
    """
    The server refused a request of JetStream's API.

    @ivar code: the number of the error; None if it has none.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("description", "an error")))
        self.code = error.get("err_code")


class TooLarge(Exception):
    """A message is larger than the broker allows."""


def reasonOf(fault: BaseException | None) -> str:
    """One line for people."""
    if isinstance(fault, ssl.SSLError):
        return f"TLS: {printable(getattr(fault, 'verify_message', '') or fault.reason or 'failed')}"
    if isinstance(fault, (asyncio.TimeoutError, TimeoutError)):
        return "it does not answer"
    if isinstance(fault, socket.gaierror):
        return f"the name of the host cannot be resolved: {fault.strerror}"
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    text = str(fault).removeprefix("nats: ") or type(fault).__name__
    for known, meaning in _MEANINGS.items():
        if known in text.lower():
            return meaning
    for known, remedy in _ENLARGE.items():
        if known in text.lower():
            return printable(f"{text}: {remedy}")
    # The name of an inbox is another one each time; one line is enough.
    return printable(re.sub(r"_inbox\.[\w.*]+", "_INBOX.>", text, flags=re.IGNORECASE))
