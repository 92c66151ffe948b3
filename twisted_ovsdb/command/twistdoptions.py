# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The options of twistd itself, around those of the command: whether it becomes a daemon,
and where its log goes. Where they leave the log open, it is chosen here.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Final

from twisted.python import usage

LOG_FORMATS: Final = ("text", "json")

_STANDARD_ERROR_LOGS: Final = (
    "twisted_ovsdb.command.output.standardErrorLog",
    "twisted_ovsdb.command.output.quietErrorLog",
)


def isDaemon(twistd: Any) -> bool:
    """
    Whether twistd goes into the background. Twisted's other runner, twist, never does.

    @param twistd: here and below the options of twistd or twist; None: there are none.
    """
    return twistd is not None and not twistd.get("nodaemon", True)


def escapeOnStandardOutput() -> None:
    """
    The log goes to standard output. A line with a character that its encoding
    does not have would be lost.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def reserveStandardOutput(twistd: Any, once: bool) -> None:
    """
    Standard output has something else: the log goes to standard error, unless it goes
    elsewhere already.

    @param once: whether C{--once} needs it, which logs only warnings.
    @raise usage.UsageError: if standard output is closed.
    """
    if sys.__stdout__ is None:
        given = "--once" if once else "--events -"
        raise usage.UsageError(f"{given}: standard output is closed")
    if twistd is None:
        return
    if "logFile" in twistd:  # twist
        if twistd["logFile"] is sys.stdout:
            twistd["logFile"] = sys.stderr
        return
    if not (twistd["logger"] or twistd["syslog"] or _logsToFile(twistd)):
        twistd["logger"] = _STANDARD_ERROR_LOGS[1 if once else 0]


def logJSON(twistd: Any, once: bool) -> None:
    """
    Choose the log for machines, after L{reserveStandardOutput}.

    @param once: whether the log has only warnings, because of C{--once}.
    @raise usage.UsageError: if the log is chosen otherwise already.
    """
    if twistd is None:
        return
    if "logFile" in twistd:
        raise usage.UsageError("--log-format json: twist has this option itself")
    if twistd["syslog"] or (twistd["logger"] and twistd["logger"] not in _STANDARD_ERROR_LOGS):
        raise usage.UsageError("--log-format json: not with --syslog or --logger")
    toFile = _logsToFile(twistd)
    if isDaemon(twistd) and not toFile:
        raise usage.UsageError("--log-format json: a daemon needs twistd --logfile")
    # Only now: few need it.
    from twisted_ovsdb.command import jsonlog

    path = os.path.abspath(twistd["logfile"]) if toFile else None
    jsonlog.choose(sys.__stderr__ if twistd["logger"] else sys.__stdout__, path)
    name = "quietJSONLog" if once and not toFile else "jsonLog"
    twistd["logger"] = f"twisted_ovsdb.command.jsonlog.{name}"


def _logsToFile(twistd: Any) -> bool:
    return twistd["logfile"] not in (None, "", "-")
