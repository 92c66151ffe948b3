# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where a server is, in one line of text: in the notation of Open vSwitch, or in
that of Twisted.

All checks are made on the text, so that a mistake is found before anything is
opened. Twisted finds several of them only when it connects.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import Any, Final

import attrs
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
)
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from twisted_ovsdb.endpoints.addresses import OVSDB_PORT, describeHost
from twisted_ovsdb.endpoints.secure import TLSClientEndpoint
from twisted_ovsdb.endpoints.tls import INSTALL, TLSOptions

EXPECTED: Final = (
    "expected tcp:HOST[:PORT], ssl:HOST[:PORT], unix:PATH such as"
    " unix:/var/run/openvswitch/db.sock, or a Twisted client endpoint string"
)

LONGEST_PATH: Final = 107
"""Bytes of the path of a unix socket; unix(7). With more, Twisted hangs."""

# [IPv6] or a host's name or address, with or without a port. Strings that only
# Twisted knows differ: they have = for keywords or \ for quoting.
_HOST_AND_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([^\[\]:=\\]*))(?::([^:=\\]*))?")

_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")

# One part of a string of Twisted's: NAME=VALUE or VALUE, up to the next colon.
# A character after a backslash has no meaning of its own.
_PART: Final = re.compile(r"(?:(?P<name>(?:\\.|[^\\:=])*)=)?(?P<value>(?:\\.|[^\\:])*):", re.DOTALL)
_QUOTED: Final = re.compile(r"\\(.)", re.DOTALL)


class _Wrong(Exception):
    """
    Says what is wrong with a remote.
    """


@implementer(IStreamClientEndpoint)
@attrs.frozen
class RemoteEndpoint:
    """
    An endpoint that knows how it is written.

    @ivar text: the remote in a short form that is always the same, such as
        C{tcp:127.0.0.1:6640}, C{ssl:[::1]:6640} or C{unix:/run/db.sock}; it is
        also what C{str} gives.
    @ivar endpoint: the endpoint that connects.
    """

    text: str
    endpoint: IStreamClientEndpoint

    def __str__(self) -> str:
        return self.text

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Connect.
        """
        result: Deferred[Any] = self.endpoint.connect(protocolFactory)
        return result


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

    Twisted's own C{ssl:} strings are refused without C{caCertsDir}, because
    without it they verify nothing. (Twisted's C{tls:} verifies names, but it
    accepts a certificate without subjectAltName for every host.)

    @param reactor: the reactor.
    @param text: the remote.
    @param tls: the files that C{ssl:} remotes of Open vSwitch's notation need.
    @return: the endpoint. Its C{str} is the remote in a short form.
    @raise ValueError: if the text is a remote in neither notation. The error's
        text begins with the remote, and says what was expected.
    """
    try:
        return _client(reactor, text, tls)
    except _Wrong as e:
        raise ValueError(f"{text}: {e}") from e.__cause__


def isOpenVSwitchTLS(text: str) -> bool:
    """
    Whether a remote is C{ssl:HOST[:PORT]}, which needs Open vSwitch's TLS
    options.
    """
    scheme, _, rest = text.partition(":")
    return scheme.lower() == "ssl" and _HOST_AND_PORT.fullmatch(rest) is not None


def _client(reactor: Any, text: str, tls: TLSOptions | None) -> RemoteEndpoint:
    scheme, _, rest = text.partition(":")
    scheme = scheme.lower()
    match = _HOST_AND_PORT.fullmatch(rest)
    if scheme in ("ssl", "tls") and not _hasTLS():
        raise _Wrong(f"TLS needs pyOpenSSL ({INSTALL})")
    if scheme == "unix":
        return _unix(reactor, text, rest)
    if scheme not in ("tcp", "ssl") or match is None:
        return _twisteds(reactor, text)
    host, port = _hostAndPort(*match.groups())
    endpoint = _tcp(reactor, host, port)
    if scheme == "ssl":
        if tls is None:
            raise _Wrong("needs --private-key, --certificate and --ca-cert (TLSOptions in Python)")
        endpoint = TLSClientEndpoint(endpoint, tls, host, reactor)
    return RemoteEndpoint(describeHost(scheme, host, port), endpoint)


def _hasTLS() -> bool:
    return all(find_spec(name) for name in ("OpenSSL", "service_identity"))


def _hostAndPort(address: str | None, name: str | None, port: str | None) -> tuple[str, int]:
    if address is not None and not isIPv6Address(address):
        raise _Wrong(f"{address!r} in brackets is not an IPv6 address; {EXPECTED}")
    host = address or name or ""
    if not host:
        raise _Wrong(f"has no host; {EXPECTED}")
    if address is None and not _isHost(host):
        raise _Wrong(f"{host!r} is neither a host name nor an address; {EXPECTED}")
    return host, OVSDB_PORT if port is None else _port(port)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise _Wrong(f"{text!r} is not a port from 1 to 65535; {EXPECTED}")
    return int(text)


def _isHost(text: str) -> bool:
    if re.fullmatch(r"[\d.]+", text):
        return isIPAddress(text)
    labels = text.removesuffix(".").split(".")
    return len(text) < 256 and all(_LABEL.fullmatch(label) for label in labels)


def _tcp(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port)
    # Names of containers may have underscores, which HostnameEndpoint refuses.
    if isIPAddress(host) or "_" in host:
        return TCP4ClientEndpoint(reactor, host, port)
    return HostnameEndpoint(reactor, host, port)


def _unix(reactor: Any, text: str, rest: str) -> RemoteEndpoint:
    try:
        endpoint = _fromString(reactor, text)
        [path] = _parameters(text, "path")
    except TypeError:
        # Twisted knows no such parameters: the colons belong to the path.
        endpoint, path = UNIXClientEndpoint(reactor, rest), rest
    length = len(os.fsencode(path))
    if not length:
        raise _Wrong(f"has no path; {EXPECTED}")
    if length > LONGEST_PATH:
        raise _Wrong(f"the path of a unix socket has at most {LONGEST_PATH} bytes, not {length}")
    return RemoteEndpoint(f"unix:{path}", endpoint)


def _twisteds(reactor: Any, text: str) -> RemoteEndpoint:
    scheme, _, rest = text.partition(":")
    scheme = scheme.lower()
    if isIPv6Address(rest):
        raise _Wrong(f"an IPv6 address needs brackets, such as tcp:[{rest}]; {EXPECTED}")
    try:
        endpoint = _fromString(reactor, text)
    except TypeError as e:
        raise _Wrong(f"has too few parts, too many or unknown ones; {EXPECTED}") from e
    if isinstance(endpoint, SSL4ClientEndpoint) and ":caCertsDir=" not in text:
        raise _Wrong(
            "without caCertsDir it verifies nothing; use tls:HOST:PORT, or ssl:HOST[:PORT] with"
            " --private-key, --certificate and --ca-cert"
        )
    if scheme not in ("tcp", "ssl", "tls"):
        return RemoteEndpoint(text, endpoint)
    # Twisted would find these mistakes only when it connects.
    host, port = _parameters(text, "host", "port")
    if not host:
        raise _Wrong(f"has no host; {EXPECTED}")
    return RemoteEndpoint(describeHost(scheme, host, _port(port)), endpoint)


def _fromString(reactor: Any, text: str) -> IStreamClientEndpoint:
    """
    Make an endpoint of a string of Twisted's.

    @raise TypeError: if Twisted knows no such parameters.
    """
    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
    except TypeError:
        raise
    # For some strings Twisted reads files, and a plugin may raise anything.
    except Exception as e:
        raise _Wrong(f"{' '.join(str(e).split()) or type(e).__name__}; {EXPECTED}") from e
    return endpoint


def _parameters(text: str, *names: str) -> list[str]:
    """
    Find parameters in a string of Twisted's: each by its name, or else as the
    next of those that have no name.

    @return: their values; an empty text for one that is not there.
    """
    named = {}
    unnamed = []
    for part in _PART.finditer(text + ":"):
        name, value = (_QUOTED.sub(r"\1", part[key] or "") for key in ("name", "value"))
        if part["name"] is None:
            unnamed.append(value)
        else:
            named[name] = value
    # The first of them is the scheme.
    rest = iter(unnamed[1:])
    return [named[name] if name in named else next(rest, "") for name in names]
