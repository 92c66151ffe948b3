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
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT
from twisted_ovsdb.endpoints.secure import TLSServerEndpoint
from twisted_ovsdb.endpoints.tls import TLSOptions

EXPECTED: Final = (
    "expected ptcp:[PORT][:ADDRESS], pssl:[PORT][:ADDRESS], or a Twisted server endpoint string"
)

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

    Open vSwitch's notation (ovsdb(7)) is C{ptcp:[PORT][:ADDRESS]} and
    C{pssl:[PORT][:ADDRESS]}. The default port is 6640, the default address is
    every IPv4 address, and an IPv6 address stands in brackets. Any other text
    is a server endpoint string of Twisted's.

    @param reactor: the reactor.
    @param text: the place.
    @param tls: the files that C{pssl:} needs. Switches must present a
        certificate of its CA.
    @raise ValueError: if the text is a place in neither notation. The error's
        text begins with the place, and says what was expected.
    """
    if not isinstance(text, str):
        raise TypeError(f"a place to listen is a text, such as ptcp:6640, not {text!r}")
    match = _PASSIVE.fullmatch(text)
    if match is None:
        if isPassiveTLS(text) or text.lower().startswith("ptcp"):
            raise ValueError(f"{text}: {EXPECTED}")
        try:
            endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
            return endpoint
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
    endpoint = family(reactor, port, interface=address6 or address4 or "")
    if scheme.lower() == "ptcp":
        return endpoint
    if tls is None:
        raise ValueError(f"{text}: needs --private-key, --certificate and --ca-cert")
    return TLSServerEndpoint(endpoint, tls, reactor)
