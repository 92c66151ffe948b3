# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the options of C{--http} mean. What is wrong is a C{UsageError}, whose text
begins with the option.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.usage import UsageError

from twisted_ovsdb.endpoints.passive import BACKLOG, EXPECTED, serverFromRemote
from twisted_ovsdb.errors import printable
from twisted_ovsdb.web.door import TOKEN_LENGTH, TOKEN_LIMIT, isLoopback

REPORT: Final = 30.0
"""Seconds for C{--report} with C{--http}: longer than anything healthy takes."""

_PLACE: Final = (
    "expected a port of 127.0.0.1, such as 8080, or a Twisted server endpoint string, such as"
    " tcp:8080:interface=192.0.2.1 or unix:PATH"
)

_log = Logger()


def http(
    reactor: Any, text: str | None, token: str | None, hosts: Sequence[str]
) -> IStreamServerEndpoint | None:
    """Make the endpoint of C{--http}."""
    if text is None:
        if token is not None or hosts:
            given = "--http-token-file" if token is not None else "--http-host"
            raise UsageError(f"{given}: --http must be given too")
        return None
    if text.isascii() and text.isdigit():
        if len(text) > 5 or int(text) > 65535:
            raise UsageError(f"--http {text}: is not a port")
        # A thousand clients that connect at once do not keep a browser waiting.
        text = f"tcp:{text}:interface=127.0.0.1:backlog={BACKLOG}"
    try:
        endpoint = serverFromRemote(reactor, text)
        local = _isLocal(text)
    except ValueError as e:
        raise UsageError(f"--http {str(e).replace(EXPECTED, _PLACE)}") from e
    if token is None and not local:
        raise UsageError(
            f"--http {text}: other hosts can connect to it, so --http-token-file must be given"
        )
    return endpoint


def token(path: str | None) -> str | None:
    """Read the token."""
    if path is None:
        return None
    try:
        with open(path, encoding="ascii") as file:
            found = file.read(TOKEN_LIMIT + 2).strip()
            public = os.fstat(file.fileno()).st_mode & stat.S_IROTH
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else "is not ASCII"
        raise UsageError(f"--http-token-file {path}: {reason}") from e
    rightLength = TOKEN_LENGTH <= len(found) <= TOKEN_LIMIT
    if not rightLength or not found.isprintable() or " " in found:
        raise UsageError(
            f"--http-token-file {path}: must have a token of {TOKEN_LENGTH} to {TOKEN_LIMIT}"
            " characters, without spaces: openssl rand -hex 32 makes one"
        )
    if public:
        _log.warn("http-token-file {path}: everybody can read it (chmod o-r)", path=printable(path))
    return found


def host(name: str) -> str:
    """Check the name of a host."""
    if not (re.fullmatch(r"[A-Za-z0-9._-]{1,255}", name) or isIPv6Address(name)):
        raise UsageError(f"--http-host {name!r}: must be the name of a host, without a port")
    return name


def _isLocal(text: str) -> bool:
    """Whether only programs on this host can connect to a place to listen."""
    if text.lower().startswith(("unix:", "punix:")):
        return True
    asked = _Asked()
    maybeDeferred(serverFromRemote(asked, text).listen, Factory()).addErrback(lambda _: None)
    return bool(asked.interfaces) and all(map(isLoopback, asked.interfaces))


class _Asked:
    """
    A reactor that opens nothing: an endpoint shows here where it would listen.
    """

    def __init__(self) -> None:
        self.interfaces: list[str] = []

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        """See C{IReactorTCP}."""
        self.interfaces.append(interface)

    def listenSSL(
        self, port: int, factory: Any, context: Any, backlog: int = 50, interface: str = ""
    ) -> None:
        """See C{IReactorSSL}."""
        self.interfaces.append(interface)
