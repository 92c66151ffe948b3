# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The log for machines: one JSON object on each line, with the time, the level, the
logger, the message, and the fields that the message was made of.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import IO, Any, Final

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    formatEvent,
)
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from twisted.python.reflect import safe_str

from twisted_ovsdb.errors import HIDDEN, isSecret, printable
from twisted_ovsdb.events import SwitchEvent
from twisted_ovsdb.observers.jsonlines import eventToJSON, rfc3339

_OURS: Final = frozenset(("time", "level", "logger", "message", "traceback"))
"""Keys that a field cannot have."""

_LEGACY: Final = frozenset(("system", "isError", "format", "logLevel", "failure", "why"))
"""Fields that Twisted adds for its older interface."""

_NUMBERS: Final = 1 << 64
"""Numbers from here on are texts: Python does not write those of 4,300 digits and more."""


def jsonLine(event: LogEvent) -> str:
    """
    A log event as a line of JSON. It is ASCII. Whatever the event has, there is a line:
    nobody else would say that one is missing.
    """
    # Twisted adds the time. A program's own publisher may not.
    now = datetime.fromtimestamp(event.get("log_time") or time.time(), timezone.utc)
    level = event.get("log_level") or LogLevel.info
    value: dict[str, Any] = {
        "time": rfc3339(now),
        "level": level.name,
        "logger": event.get("log_namespace", ""),
        "message": formatEvent(event),
    }
    for name, field in event.items():
        if isinstance(name, str) and not _isOfTwisted(name) and name not in _OURS:
            value[name] = _plain(field, now)
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        value["traceback"] = failure.getTraceback()
    return json.dumps(value, separators=(",", ":")) + "\n"


def _isOfTwisted(name: str) -> bool:
    return name.startswith("log_") or name in _LEGACY


def _plain(field: object, now: datetime) -> Any:
    """A field as a value of JSON: an event of ours is an object, and others are text."""
    if isinstance(field, SwitchEvent):
        return _withoutSecrets(eventToJSON(field, now))  # type: ignore[arg-type]
    if field is None or (isinstance(field, int) and -_NUMBERS < field < _NUMBERS):
        return field
    if isinstance(field, float) and math.isfinite(field):
        return field
    return field if isinstance(field, str) else printable(safe_str(field))


def _withoutSecrets(value: Any) -> Any:
    """A value of JSON in which keys and passwords are hidden, as in the log for people."""
    if isinstance(value, Mapping):
        return {k: HIDDEN if isSecret(k) else _withoutSecrets(v) for k, v in value.items()}
    return [_withoutSecrets(each) for each in value] if isinstance(value, list) else value


# twistd is given the name of a function without parameters that makes its log. So
# what the command line says of the log is kept here, until twistd calls it.
_stream: Any = None
_path: str | None = None


def choose(stream: IO[str] | None, path: str | None = None) -> None:
    """
    Say where L{jsonLog} writes.

    @param stream: where to; None: nowhere.
    @param path: a file in place of it.
    """
    global _stream, _path
    _stream, _path = stream, path


def jsonLog() -> ILogObserver:
    """The log observer that C{twistd --logger} names for C{--log-format json}."""
    # Opened here: twistd has become a daemon by now, if it does.
    stream = _stream if _path is None else LogFile.fromFullPath(_path)
    return LogPublisher() if stream is None else FileLogObserver(stream, jsonLine)


def warningsOnly(observer: ILogObserver) -> ILogObserver:
    """The same observer, without what is less than a warning."""
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    return FilteringLogObserver(observer, [predicate])


def quietJSONLog() -> ILogObserver:
    """As L{jsonLog}, for C{--once}."""
    return warningsOnly(jsonLog())
