# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the log says of a server that cannot be monitored: once, and then only
what is new, however long it takes.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.logger import Logger

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT
from twisted_ovsdb.errors import describeReason

LISTEN_HINT: Final = (
    f" (does ovsdb-server listen there? If not: ovs-vsctl set-manager ptcp:{OVSDB_PORT}:127.0.0.1)"
)

TLS_HINT: Final = " (is it TLS that is spoken there? Then ssl:HOST:PORT)"


class TroubleLog:
    """
    One server's troubles.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._failures = 0
        self._last = ""

    def failed(self, source: str, reason: BaseException, hadSession: bool) -> None:
        """
        An attempt or a session has failed: a warning for the first, with a
        hint if there never was a session, then a line for each new reason.
        """
        self._failures += 1
        text = describeReason(reason)
        if self._failures == 1:
            hint = "" if hadSession else _hint(source, reason)
            self._log.warn(
                "{source}: {reason}{hint}; trying again until it answers",
                source=source,
                reason=text,
                hint=hint,
            )
        elif text != self._last:
            self._log.info("{source}: {reason}", source=source, reason=text)
        self._last = text

    def over(self, source: str) -> None:
        """
        The server is monitored: say so if it was not.
        """
        if self._failures:
            times = "1 failure" if self._failures == 1 else f"{self._failures} failures"
            self._log.info("{source}: in sync after {times}", source=source, times=times)
        self._failures = 0


def _hint(source: str, reason: BaseException) -> str:
    if isinstance(reason, ConnectError) and source.endswith(f":{OVSDB_PORT}"):
        return LISTEN_HINT.replace("ptcp", "pssl") if source.startswith("ssl:") else LISTEN_HINT
    if isinstance(reason, (ConnectionDone, ConnectionLost)) and source.startswith("tcp:"):
        return TLS_HINT
    return ""
