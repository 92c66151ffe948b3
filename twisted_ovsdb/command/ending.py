# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The exit status of the command, when a running service has to give up. An exception
in a running service is only logged, and twistd exits with status 0 whatever has
stopped the reactor.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import Any

from twisted.internet.error import ReactorNotRunning

_status: list[int] = []


def stopWith(reactor: Any, status: int) -> None:
    """
    Stop the reactor. When all services have stopped, the process ends with this
    status, or with the highest one of several.
    """
    _status.append(status)
    # Not now: a service may be starting, or a file may be being written to.
    reactor.callWhenRunning(reactor.callLater, 0, _stop, reactor)


def _stop(reactor: Any) -> None:
    with contextlib.suppress(ReactorNotRunning):  # it stops already
        reactor.stop()


def _exit() -> None:
    if _status:
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
        os._exit(max(_status))


# Functions that are registered later are called earlier.
atexit.register(_exit)
