# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where a server is, in one line of text: as Open vSwitch writes it, or as
Twisted does.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import Any, Final

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT
from twisted_ovsdb.endpoints.secure import TLSClientEndpoint
from twisted_ovsdb.endpoints.tls import INSTALL, TLSOptions

EXPECTED: Final = (
    "expected tcp:HOST[:PORT], ssl:HOST[:PORT], unix:PATH such as"
    " unix:/var/run/openvswitch/db.sock, or a Twisted client endpoint string"
)

LONGEST_PATH: Final = 107
"""Bytes of the path of a unix socket; unix(7). With more, Twisted hangs."""

# [IPv6], or what may be a host, and perhaps a port. Twisted's strings that are
# not of this form have = for keywords or \ for quoting.
_HOST_AND_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([^\[\]:=\\]*))(?::([^:=\\]*))?")

_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")


class _Wrong(Exception):
    """
    What is wrong with a remote, in words.
    """


def clientFromRemote(
    reactor: Any, text: str, tls: TLSOptions | None = None
) -> IStreamClientEndpoint:
    """
    Make an endpoint of a remote. Nothing is opened or looked up yet.

    Open vSwitch's notation (ovsdb(7)) is C{tcp:HOST[:PORT]},
    C{ssl:HOST[:PORT]} with an IPv6 address in brackets and a port of 6640 by
    default, and C{unix:PATH}. Where it is Twisted's too, both mean the same,
    except that a name may lead to IPv4 and IPv6 addresses, that a relative
    path starts at the current directory, as in Twisted, and that C{ssl:} is
    Open vSwitch's: it needs C{tls}, and verifies the server with that.
    Twisted's own C{ssl:} strings are refused without C{caCertsDir}, because
    they verify nothing. (Its C{tls:} verifies names, but takes a certificate
    without subjectAltName for one of any host.)

    @param reactor: the reactor.
    @param text: the remote.
    @param tls: what C{ssl:} remotes of Open vSwitch's notation are secured
        with.
    @raise ValueError: if it is a remote in neither notation. The text begins
        with the remote, and says what was expected.
    """
    try:
        return _client(reactor, text, tls)
    except _Wrong as e:
        raise ValueError(f"{text}: {e}") from e.__cause__


def isOpenVSwitchTLS(text: str) -> bool:
    """
    Whether a remote is one that Open vSwitch's TLS options are for.
    """
    scheme, _, rest = text.partition(":")
    return scheme.lower() == "ssl" and _HOST_AND_PORT.fullmatch(rest) is not None


def _client(reactor: Any, text: str, tls: TLSOptions | None) -> IStreamClientEndpoint:
    scheme, _, rest = text.partition(":")
    match = _HOST_AND_PORT.fullmatch(rest)
    if scheme.lower() in ("ssl", "tls") and not _hasTLS():
        raise _Wrong(f"TLS needs pyOpenSSL ({INSTALL})")
    if scheme.lower() == "unix":
        return _unix(reactor, text, rest)
    if scheme.lower() not in ("tcp", "ssl") or match is None:
        return _twisteds(reactor, text)
    host, port = _hostAndPort(*match.groups())
    endpoint = _tcp(reactor, host, port)
    if scheme.lower() == "tcp":
        return endpoint
    if tls is None:
        raise _Wrong("needs --private-key, --certificate and --ca-cert (TLSOptions in Python)")
    return TLSClientEndpoint(reactor, endpoint, tls, host)


def _hasTLS() -> bool:
    return all(find_spec(name) for name in ("OpenSSL", "service_identity"))


def _hostAndPort(address: str | None, name: str | None, port: str | None) -> tuple[str, int]:
    if address is not None and not isIPv6Address(address):
        raise _Wrong(f"{address!r} in brackets is no IPv6 address; {EXPECTED}")
    host = address or name or ""
    if not host:
        raise _Wrong(f"has no host; {EXPECTED}")
    if address is None and not _isHost(host):
        raise _Wrong(f"{host!r} is neither a host's name nor an address; {EXPECTED}")
    if port is None:
        return host, OVSDB_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _Wrong(f"{port!r} is no port from 1 to 65535; {EXPECTED}")
    return host, int(port)


def _isHost(text: str) -> bool:
    if re.fullmatch(r"[\d.]+", text):
        return isIPAddress(text)
    labels = text.removesuffix(".").split(".")
    return len(text) < 256 and all(_LABEL.fullmatch(label) for label in labels)


def _tcp(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port)
    # HostnameEndpoint refuses underscores, which names of containers have.
    if isIPAddress(host) or "_" in host:
        return TCP4ClientEndpoint(reactor, host, port)
    return HostnameEndpoint(reactor, host, port)


def _unix(reactor: Any, text: str, rest: str) -> IStreamClientEndpoint:
    endpoint: Any
    try:
        endpoint = clientFromString(reactor, text)
    except TypeError:
        # Colons and equals signs that are none of Twisted's are of the path.
        endpoint = UNIXClientEndpoint(reactor, rest)
    except ValueError as e:
        raise _Wrong(f"{e}; {EXPECTED}") from e
    path = os.fsencode(getattr(endpoint, "_path", rest))
    if not path:
        raise _Wrong(f"has no path; {EXPECTED}")
    if len(path) > LONGEST_PATH:
        raise _Wrong(f"a unix socket's path has at most {LONGEST_PATH} bytes, this {len(path)}")
    found: IStreamClientEndpoint = endpoint
    return found


def _twisteds(reactor: Any, text: str) -> IStreamClientEndpoint:
    rest = text.partition(":")[2]
    if isIPv6Address(rest):
        raise _Wrong(f"an IPv6 address needs brackets, such as tcp:[{rest}]; {EXPECTED}")
    try:
        endpoint = clientFromString(reactor, text)
    except TypeError as e:
        raise _Wrong(f"has too few parts, too many or unknown ones; {EXPECTED}") from e
    # Twisted reads files for some, and a plugin may raise anything.
    except Exception as e:
        raise _Wrong(f"{' '.join(str(e).split()) or type(e).__name__}; {EXPECTED}") from e
    if isinstance(endpoint, SSL4ClientEndpoint) and ":caCertsDir=" not in text:
        raise _Wrong(
            "without caCertsDir it verifies nothing; use tls:HOST:PORT, or ssl:HOST[:PORT] with"
            " --private-key, --certificate and --ca-cert"
        )
    # What Twisted finds out when it connects, for as far as it can be seen.
    wrapped: Any = getattr(endpoint, "_wrappedEndpoint", endpoint)
    if not getattr(wrapped, "_host", "?"):
        raise _Wrong(f"has no host; {EXPECTED}")
    if not 0 < getattr(wrapped, "_port", 1) < 65536:
        raise _Wrong(f"{wrapped._port} is no port from 1 to 65535; {EXPECTED}")
    found: IStreamClientEndpoint = endpoint
    return found
