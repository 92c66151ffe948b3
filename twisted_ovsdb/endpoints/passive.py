# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where to listen for switches that dial in, in one line of text: in the notation
of Open vSwitch, or in that of Twisted.
"""

from __future__ import annotations

import re
from typing import Any, Final

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)
from twisted.internet.interfaces import IStreamServerEndpoint

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT, destination
from twisted_ovsdb.endpoints.longpath import LongPathReactor, isLong
from twisted_ovsdb.endpoints.tls import TLSOptions, checkTLS

EXPECTED: Final = (
    "expected ptcp:[PORT][:ADDRESS], pssl:[PORT][:ADDRESS], punix:PATH, or a Twisted server"
    " endpoint string"
)

SOCKET_MODE: Final = 0o660
"""Of the socket of C{punix:}: whatever can connect can claim to be a switch."""

BACKLOG: Final = 1024
"""
Connections that the kernel keeps until they are accepted: a thousand switches connect
at once when their controller comes back. With Twisted's 50, most of them are turned
away, and try again seconds later. (net.core.somaxconn is the limit, by default 4096.)
"""

# ptcp:6640, ptcp:6640:127.0.0.1, ptcp:6640:[::1], ptcp:, ptcp::127.0.0.1
_PASSIVE: Final = re.compile(
    r"(ptcp|pssl)(?::(\d*)(?::(?:\[([^\]]+)\]|([\d.]+)))?)?", re.IGNORECASE
)


def isPassiveTLS(text: str) -> bool:
    """Whether a place to listen is C{pssl:}, which needs L{TLSOptions}."""
    return text.lower().startswith("pssl")


def serverFromRemote(
    reactor: Any, text: str, tls: TLSOptions | None = None
) -> IStreamServerEndpoint:
    """
    Make an endpoint of a place to listen. Nothing is opened yet.

    Open vSwitch's notation (ovsdb(7)) is C{ptcp:[PORT][:ADDRESS]},
    C{pssl:[PORT][:ADDRESS]} and C{punix:PATH}. The default port is 6640, the
    default address is every IPv4 address, and an IPv6 address stands in
    brackets. Any other text is a server endpoint string of Twisted's.

    The socket of C{punix:} is for its owner and group, and one that an earlier
    process has left is replaced.

    @param reactor: the reactor.
    @param text: the place.
    @param tls: the files that C{pssl:} needs. Switches must present a
        certificate of its CA.
    @raise ValueError: if the text is a place in neither notation. The error's
        text begins with the place, and says what was expected.
    @raise TypeError: if a parameter is of another type.
    """
    if not isinstance(text, str):
        raise TypeError(f"a place to listen is a text, such as ptcp:6640, not {text!r}")
    checkTLS(tls)
    match = _PASSIVE.fullmatch(text)
    if match is None:
        if isPassiveTLS(text) or text.lower().startswith("ptcp"):
            raise ValueError(f"{text}: {EXPECTED}")
        try:
            return _twisteds(reactor, text)
        # For some strings Twisted reads files, and a plugin may raise anything.
        except Exception as e:
            reason = " ".join(str(e).split()) or type(e).__name__
            raise ValueError(f"{text}: {reason}; {EXPECTED}") from e
    scheme, digits, address6, address4 = match.groups()
    port = int(digits) if digits else OVSDB_PORT
    if not 0 < port < 65536:
        raise ValueError(f"{text}: {port} is not a port from 1 to 65535; {EXPECTED}")
    if address6 and not isIPv6Address(address6):
        raise ValueError(f"{text}: {address6} is not an IPv6 address; {EXPECTED}")
    if address4 and not isIPAddress(address4):
        raise ValueError(f"{text}: {address4} is not an IPv4 address; {EXPECTED}")
    family = TCP6ServerEndpoint if address6 else TCP4ServerEndpoint
    address = address6 or address4 or ""
    endpoint: IStreamServerEndpoint = family(reactor, port, BACKLOG, address)
    if scheme.lower() == "ptcp":
        return endpoint
    if tls is None:
        raise ValueError(f"{text}: needs --private-key, --certificate and --ca-cert")
    # Imported only where it is needed: a command should start soon.
    from twisted_ovsdb.endpoints.secure import TLSServerEndpoint

    return TLSServerEndpoint(endpoint, tls, reactor)


def _twisteds(reactor: Any, text: str) -> IStreamServerEndpoint:
    scheme, _, path = text.partition(":")
    scheme = scheme.lower()
    if scheme not in ("unix", "punix"):
        other: IStreamServerEndpoint = serverFromString(reactor, text)
        return other
    unix: Any = LongPathReactor(reactor)
    if scheme == "punix":
        endpoint = UNIXServerEndpoint(unix, path, mode=SOCKET_MODE, wantPID=True)
    else:
        endpoint = serverFromString(unix, text)
    found = destination(endpoint)
    if found is not None:
        _, where, _ = found
        if not where:
            raise ValueError("has no path")
        isLong(where)  # Its last part may be too long.
    return endpoint
