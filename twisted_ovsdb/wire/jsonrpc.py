# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The messages of JSON-RPC 1.0 (RFC 7047, section 4).

ovsdb-server closes the connection for any member that it does not expect, so
our messages have only those that it expects. Unknown members of its messages
are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Union

import attrs

from twisted_ovsdb.errors import ProtocolViolation, RpcError, describe, printable


@attrs.frozen
class Request:
    """A request of the server, such as C{echo}."""

    id: Any
    method: str
    params: list[Any]


@attrs.frozen
class Notification:
    """A message that needs no answer, such as C{update}."""

    method: str
    params: list[Any]


@attrs.frozen
class Reply:
    """The result of one of our requests."""

    id: Any
    result: Any


@attrs.frozen
class ErrorReply:
    """The error that answers one of our requests."""

    id: Any
    error: RpcError


Message = Union[Request, Notification, Reply, ErrorReply]


def parseMessage(value: Mapping[str, Any]) -> Message:
    """
    Read a JSON object as a message.

    @raise ProtocolViolation: if it is no message.
    """
    messageId = value.get("id")
    if "method" in value:
        if value.get("result") is not None or value.get("error") is not None:
            raise ProtocolViolation("a message has both a method and a result or error")
        method = value["method"]
        if type(method) is not str:
            raise ProtocolViolation(f"a method is not a string: {describe(method)}")
        params = value.get("params")
        if type(params) is not list:
            raise ProtocolViolation(
                f"{printable(method)}: params are not an array: {describe(params)}"
            )
        if messageId is None:
            return Notification(method, params)
        return Request(messageId, method, params)
    error = value.get("error")
    result = value.get("result")
    if error is None and "result" not in value:
        raise ProtocolViolation(
            f"a message has no method, result or error: members {describe(list(value))}"
        )
    if messageId is None:
        raise ProtocolViolation("a reply has no id")
    if error is None:
        return Reply(messageId, result)
    if result is not None:
        raise ProtocolViolation("a message has both a result and an error")
    return ErrorReply(messageId, _parseError(error))


def _parseError(error: object) -> RpcError:
    """
    ovsdb-server writes an error as a string, or as an object with C{error} and
    optional C{details} and C{syntax}.
    """
    if type(error) is str:
        return RpcError(error)
    if type(error) is dict and type(error.get("error")) is str:
        details = error.get("details", "")
        return RpcError(error["error"], details if type(details) is str else describe(details))
    return RpcError(describe(error))


def _encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def encodeRequest(messageId: object, method: str, params: Sequence[object]) -> bytes:
    """
    Write a request.

    @raise ValueError: if C{params} have NaN or half a character.
    @raise TypeError: if C{params} have a type that JSON does not have.
    """
    return _encode({"method": method, "params": list(params), "id": messageId})


def encodeNotification(method: str, params: Sequence[object]) -> bytes:
    """Write a notification, which the server does not answer."""
    return encodeRequest(None, method, params)


def encodeReply(messageId: object, result: object) -> bytes:
    """
    Write the answer to a request of the server.

    @raise ProtocolViolation: if the id or the result is nested too deeply to be
        written. Both are the server's own, as in an echo.
    """
    return _encodeAnswer({"id": messageId, "result": result, "error": None})


def encodeError(messageId: object, error: object) -> bytes:
    """Write an error as the answer to a request of the server, as L{encodeReply}."""
    return _encodeAnswer({"id": messageId, "result": None, "error": error})


def _encodeAnswer(message: dict[str, Any]) -> bytes:
    try:
        return _encode(message)
    except RecursionError as e:
        raise ProtocolViolation("a request is nested too deeply to answer it") from e
