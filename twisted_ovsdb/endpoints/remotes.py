# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where a server is, in one line of text: in the notation of Open vSwitch, or in
that of Twisted.

A mistake is found before anything is opened. Twisted alone would find several
of them only when it connects.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any, Final

from twisted.internet import endpoints
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IStreamClientEndpoint

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT, destination
from twisted_ovsdb.endpoints.longpath import LongPathEndpoint, isLong
from twisted_ovsdb.endpoints.tls import INSTALL, TLSOptions, checkTLS

EXPECTED: Final = (
    "expected tcp:HOST[:PORT], ssl:HOST[:PORT], unix:PATH such as"
    " unix:/var/run/openvswitch/db.sock, or a Twisted client endpoint string"
)

# [IPv6] or a host's name or address, with or without a port. Strings that only
# Twisted knows differ: they have = for keywords or \ for quoting.
_HOST_AND_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([^\[\]:=\\]*))(?::([^:=\\]*))?")

_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")


def clientFromRemote(
    reactor: Any, text: str, tls: TLSOptions | None = None
) -> IStreamClientEndpoint:
    """
    Make an endpoint of a remote. Nothing is opened or looked up yet.

    Open vSwitch's notation (ovsdb(7)) is C{tcp:HOST[:PORT]},
    C{ssl:HOST[:PORT]} and C{unix:PATH}. The default port is 6640, and an IPv6
    address stands in brackets. Any other text is a client endpoint string of
    Twisted's.

    Texts that belong to both notations mean the same in both, with three
    exceptions:

      - a name may lead to IPv4 and to IPv6 addresses;
      - a relative path starts at the current directory, as in Twisted;
      - C{ssl:HOST[:PORT]} is Open vSwitch's: it needs C{tls}, with which the
        server is verified.

    Twisted's own C{ssl:} strings are refused without C{caCertsDir}, because they
    then verify nothing. (Twisted's C{tls:} verifies names, but it accepts a
    certificate without subjectAltName for every host.)

    @param reactor: the reactor.
    @param text: the remote.
    @param tls: the files that C{ssl:} remotes of Open vSwitch's notation need.
    @raise ValueError: if the text is a remote in neither notation. The error's
        text begins with the remote, and says what was expected.
    @raise TypeError: if a parameter is of another type.
    """
    if not isinstance(text, str):
        raise TypeError(f"a remote is a text, such as tcp:127.0.0.1:6640, not {text!r}")
    checkTLS(tls)
    try:
        return _client(reactor, text, tls)
    except ValueError as e:
        raise ValueError(f"{text}: {e}") from e.__cause__


def isOpenVSwitchTLS(text: str) -> bool:
    """Whether a remote is C{ssl:HOST[:PORT]}, which needs L{TLSOptions}."""
    scheme, _, rest = text.partition(":")
    return scheme.lower() == "ssl" and _HOST_AND_PORT.fullmatch(rest) is not None


def _client(reactor: Any, text: str, tls: TLSOptions | None) -> IStreamClientEndpoint:
    scheme, _, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme in ("ssl", "tls") and not all(map(find_spec, ("OpenSSL", "service_identity"))):
        raise ValueError(f"TLS needs pyOpenSSL ({INSTALL})")
    match = _HOST_AND_PORT.fullmatch(rest)
    if scheme not in ("tcp", "ssl") or match is None:
        return _twisteds(reactor, text)
    host, port = _hostAndPort(*match.groups())
    endpoint = _tcp(reactor, host, port)
    if scheme == "tcp":
        return endpoint
    if tls is None:
        raise ValueError("needs --private-key, --certificate and --ca-cert (TLSOptions in Python)")
    # Imported only where it is needed: a command should start soon.
    from twisted_ovsdb.endpoints.secure import TLSClientEndpoint

    return TLSClientEndpoint(endpoint, tls, host, reactor)


def _hostAndPort(address: str | None, name: str | None, port: str | None) -> tuple[str, int]:
    if address is not None and not isIPv6Address(address):
        raise ValueError(f"{address!r} in brackets is not an IPv6 address; {EXPECTED}")
    host = address or name or ""
    if not host:
        raise ValueError(f"has no host; {EXPECTED}")
    if address is None and not _isHost(host):
        raise ValueError(f"{host!r} is neither a host name nor an address; {EXPECTED}")
    return host, OVSDB_PORT if port is None else _port(port)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f"{text!r} is not a port from 1 to 65535; {EXPECTED}")
    return int(text)


def _isHost(text: str) -> bool:
    if re.fullmatch(r"[\d.]+", text):
        return isIPAddress(text)
    labels = text.removesuffix(".").split(".")
    return len(text) < 256 and all(_LABEL.fullmatch(label) for label in labels)


def _tcp(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    if isIPv6Address(host):
        return endpoints.TCP6ClientEndpoint(reactor, host, port)
    # Names of containers may have underscores, which HostnameEndpoint refuses.
    if isIPAddress(host) or "_" in host:
        return endpoints.TCP4ClientEndpoint(reactor, host, port)
    return endpoints.HostnameEndpoint(reactor, host, port)


def _twisteds(reactor: Any, text: str) -> IStreamClientEndpoint:
    scheme, _, rest = text.partition(":")
    isUnix = scheme.lower() == "unix"
    if isIPv6Address(rest) and not isUnix:
        raise ValueError(f"an IPv6 address needs brackets, such as tcp:[{rest}]; {EXPECTED}")
    try:
        endpoint: IStreamClientEndpoint = endpoints.clientFromString(reactor, text)
    except TypeError as e:
        if not isUnix:
            raise ValueError(f"has too few parts, too many or unknown ones; {EXPECTED}") from e
        # Twisted knows no such parameters: the colons belong to the path.
        endpoint = endpoints.UNIXClientEndpoint(reactor, rest)
    # For some strings Twisted reads files, and a plugin may raise anything.
    except Exception as e:
        raise ValueError(f"{' '.join(str(e).split()) or type(e).__name__}; {EXPECTED}") from e
    if isinstance(endpoint, endpoints.SSL4ClientEndpoint) and ":caCertsDir=" not in text:
        raise ValueError(
            "without caCertsDir it verifies nothing; use tls:HOST:PORT, or ssl:HOST[:PORT] with"
            " --private-key, --certificate and --ca-cert"
        )
    return _checked(reactor, endpoint)


def _checked(reactor: Any, endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
    """Find the mistakes that Twisted finds only when it connects."""
    found = destination(endpoint)
    if found is None:
        return endpoint
    _, where, port = found
    if not where:
        raise ValueError(f"has no {'path' if port is None else 'host'}; {EXPECTED}")
    if port is not None:
        _port(str(port))
    elif isLong(where):
        return LongPathEndpoint(reactor, where)
    return endpoint
