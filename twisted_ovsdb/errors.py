# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What can go wrong between us and a database server, one class for each cause,
and how values and reasons are written in errors and logs.

Callers react differently to a fault of the peer, an error reply and a lost
session, so these are different classes, and each carries its data.
"""

from __future__ import annotations

import copy
import copyreg
import re
import reprlib
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final


class OvsdbError(Exception):
    """
    The base of every error that this package raises on purpose. Its text is
    C{printable}, because it may hold text of the peer.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(printable(text))

    def __reduce__(self) -> tuple[Any, ...]:
        # pickle and copy would call the constructor with args, which hold the
        # text; here it is not called.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class ProtocolViolation(OvsdbError):
    """
    The peer sent something that RFC 7047 or JSON does not allow.

    The text names what was wrong and where (table, row, column). The
    connection is aborted: after such a fault nothing further can be trusted.
    Every request that waits for an answer fails with it.
    """


class PeerSilent(OvsdbError):
    """The peer neither answered nor made progress within the time allowed."""


class MonitorCanceled(OvsdbError):
    """The server ended a monitor: its database was removed or converted."""


class MonitorStopped(OvsdbError):
    """The application stopped the monitor; nothing is wrong."""

    def __init__(self) -> None:
        super().__init__("stopped")


class LockLost(OvsdbError):
    """
    This monitor does not have its lock (any more), or nobody knows whether it has: it
    may not speak for the switch.

    @ivar lock: the name of the lock.
    """

    def __init__(self, text: str, lock: str = "") -> None:
        super().__init__(text)
        self.lock = lock


class NotLeader(OvsdbError):
    """This member of a cluster is not its leader, or is cut off from it."""


class SwitchRefused(OvsdbError):
    """
    A switch that connected to a listener may not stay.

    @ivar system_id: the system-id of the switch, or an empty string if it is
        not known.
    """

    def __init__(self, text: str, system_id: str = "") -> None:
        super().__init__(text)
        self.system_id = system_id


class SwitchChanged(OvsdbError):
    """
    Another switch is behind the connection than before: its system-id was
    changed.

    @ivar before: the key of the switch before.
    @ivar now: the key of the switch now.
    """

    def __init__(self, before: str, now: str) -> None:
        super().__init__(f"switch {before} has become switch {now}")
        self.before = before
        self.now = now


class ReplicaWrong(OvsdbError):
    """
    An audit has found that what is known is not what the database has. The text
    names the row.
    """


class RpcError(OvsdbError):
    """
    The peer answered a request with an error (RFC 7047, section 3.1).

    @ivar error: the short error as the peer sent it, such as C{"unknown
        database"}.
    @ivar details: what the server adds to it, or an empty string.
    """

    def __init__(self, error: str, details: str = "") -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.error = error
        self.details = details


class TransactionFailed(RpcError):
    """
    The server has undone a transaction, because an operation failed or because
    all operations succeeded and the commit failed (RFC 7047, section 4.1.3).

    @ivar results: the results as the server sent them: those of the operations
        before the failure, the error, and None for each operation after it.
    @ivar index: the index of the operation that failed; the number of
        operations if the commit failed.
    """

    def __init__(self, error: str, details: str, results: list[Any], index: int) -> None:
        super().__init__(error, details)
        self.results = results
        self.index = index


class RequestNotSent(OvsdbError):
    """
    A request was not sent, because the peer does not read and too much waits to be
    sent already. The session goes on.
    """


class SessionLost(OvsdbError):
    """
    The connection ended before a request was answered, but not by a
    L{ProtocolViolation} while it waited.

    @ivar reason: the exception that ended the connection.
    """

    def __init__(self, reason: BaseException) -> None:
        super().__init__(f"session lost: {describeReason(reason)}")
        self.reason = reason


# Text for errors and logs

TEXT_LIMIT: Final = 200
"""Characters of a peer's text in an error or a line of a log. The peer could send megabytes."""


def printable(text: str) -> str:
    """
    A text of the peer or of the database for an error or a line of a log:
    characters that are not printable are escaped, and the middle of a long text
    is left out, because both ends often say what is wrong.
    """
    # An escape is longer than the character that it stands for.
    return _shortened(escaped(_shortened(text)))


def escaped(text: str) -> str:
    """A text, however long, in which characters that are not printable are escaped."""
    return text if text.isprintable() else repr(text)[1:-1]


def _shortened(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    end = (TEXT_LIMIT - 3) // 2
    return f"{text[:end]}...{text[-end:]}"


HIDDEN: Final = "***"
"""What stands in the place of a secret."""

_SECRET: Final = re.compile("psk|key|password|secret|certificate", re.IGNORECASE)


def isSecret(key: object) -> bool:
    """Whether the name of an option says that its value is a secret."""
    return isinstance(key, str) and _SECRET.search(key) is not None


def withoutSecrets(value: Any) -> Any:
    """A value of a column, in which the values of secrets are hidden."""
    if not isinstance(value, Mapping):
        return value
    return {key: HIDDEN if isSecret(key) else withoutSecrets(item) for key, item in value.items()}


class _Shown(reprlib.Repr):
    """Hides secrets, also in the pairs of OVSDB's notation for maps."""

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        first = dict(islice(value.items(), self.maxdict + 1))
        hidden = {key: HIDDEN if isSecret(key) else item for key, item in first.items()}
        return super().repr_dict(hidden, level)

    def repr_list(self, value: list[Any], level: int) -> str:
        if len(value) == 2 and isSecret(value[0]):
            value = [value[0], HIDDEN]
        return super().repr_list(value, level)


def describe(value: object) -> str:
    """A value for an error, in at most 60 printable characters, without secrets."""
    # Not repr: the value may be huge, and nested deeper than repr can go.
    text = _Shown().repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def describeReason(reason: BaseException) -> str:
    """Why a session ended or could not begin, in one line."""
    if _openSSLQueue(reason) is not None:
        return printable("TLS: " + ("; ".join(openSSLReasons(reason)) or "no reason given"))
    return printable(" ".join(str(reason).split()).rstrip(".") or type(reason).__name__)


_MANY: Final = 100
"""Elements of a list in an exception that is kept. OpenSSL's lists have one or two."""

_DEEP: Final = 4
"""Levels of what an exception carries that are looked at; OpenSSL's lists have two."""


def asReason(error: BaseException) -> BaseException:
    """
    An exception that may be kept for as long as anybody likes, because it keeps
    nothing else: no frames, whose variables are messages, and no long text of the peer.

    @return: the exception itself, changed. If it carries more than L{TEXT_LIMIT}
        characters of a text, a short copy, or an L{OvsdbError} that names its class.
    """
    if _isSmall(error):
        return error
    if not isinstance(error, OvsdbError):
        return OvsdbError(f"{type(error).__name__}: {error}")
    short = copy.copy(error)
    for name, value in vars(error).items():
        if isinstance(value, str):
            setattr(short, name, printable(value))
        elif isinstance(value, BaseException):
            setattr(short, name, asReason(value))
        elif not _isSmall(value):
            setattr(short, name, None)
    return short


def _isSmall(value: object, depth: int = _DEEP) -> bool:
    if isinstance(value, (str, bytes, bytearray)):
        return len(value) <= TEXT_LIMIT
    if isinstance(value, BaseException):
        value.__traceback__ = value.__cause__ = value.__context__ = None
        if isinstance(value, AttributeError):
            value.obj = None
        inner = [*value.args, *vars(value).values()]
    elif isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = [*value]
    else:
        return True
    return len(inner) <= _MANY and depth > 0 and all(_isSmall(each, depth - 1) for each in inner)


def openSSLReasons(error: BaseException) -> list[str]:
    """The reasons in an C{OpenSSL.SSL.Error}, whose text is a list of tuples."""
    queue = _openSSLQueue(error)
    if queue is None:
        return [str(error)] if str(error) else []
    return list(dict.fromkeys(str(entry[-1]) for entry in queue if entry[-1]))


def _openSSLQueue(error: BaseException) -> list[tuple[object, ...]] | None:
    """OpenSSL's errors in an exception (library, function, reason), None if it has none."""
    queue = error.args[0] if error.args else None
    if isinstance(queue, list) and all(isinstance(entry, tuple) and entry for entry in queue):
        return queue
    return None
