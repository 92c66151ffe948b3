# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What can go wrong between us and a database server, one class for each cause.

A fault of the peer, an error reply and a lost session are different things
to whoever has to react to them, so they are different classes, and each
carries its data.
"""

from __future__ import annotations

import reprlib


class OvsdbError(Exception):
    """
    The base of every error that this package raises on purpose.
    """


class ProtocolViolation(OvsdbError):
    """
    The peer sent something that RFC 7047 or JSON does not allow.

    The text names what was wrong and where (table, row, column). The
    connection is aborted: after such a fault nothing further can be trusted.
    """


class PeerSilent(OvsdbError):
    """
    The peer neither answered nor made progress within the time allowed.
    """


class MonitorCanceled(OvsdbError):
    """
    The server ended a monitor: its database was removed or converted.
    """


class MonitorStopped(OvsdbError):
    """
    The user stopped the monitor; nothing is wrong.
    """

    def __init__(self) -> None:
        super().__init__("stopped")


class NotLeader(OvsdbError):
    """
    This member of a cluster does not lead it, or is cut off from it.
    """


class SwitchRefused(OvsdbError):
    """
    A switch that connected to a listener may not stay.

    @ivar system_id: the system-id of the switch, or an empty string if it is
        not known.
    """

    def __init__(self, text: str, system_id: str = "") -> None:
        super().__init__(text)
        self.system_id = system_id


class RpcError(OvsdbError):
    """
    The peer answered a request with an error (RFC 7047, section 3.1).

    @ivar error: the short error, such as C{"unknown database"}.
    @ivar details: what the server adds to it, or an empty string.
    """

    def __init__(self, error: str, details: str = "") -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.error = error
        self.details = details


class SessionLost(OvsdbError):
    """
    The connection went before a request was answered.

    @ivar reason: the exception that ended the connection.
    """

    def __init__(self, reason: BaseException) -> None:
        super().__init__(f"session lost: {reason}")
        self.reason = reason


def describeReason(reason: BaseException) -> str:
    """
    Why a session ended or could not begin, in one line.
    """
    queue = reason.args[0] if reason.args else None
    if isinstance(queue, list) and all(isinstance(entry, tuple) and entry for entry in queue):
        # OpenSSL's: library, function and reason of each error, or nothing.
        return "TLS: " + ("; ".join(str(entry[-1]) for entry in queue) or "no reason given")
    return " ".join(str(reason).split()).rstrip(".") or type(reason).__name__


def describe(value: object) -> str:
    """
    A value for an error message: what it is, and not much of it.
    """
    # Not repr: the value may be huge, and nested deeper than repr can go.
    text = reprlib.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
