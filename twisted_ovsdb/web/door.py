# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Who may ask. A page of another site, open in a browser of the operator, can send
requests to the loopback address too: by its own name, if the name leads there (DNS
rebinding), or as a foreign origin. Neither passes.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import attrs

from twisted_ovsdb.errors import printable

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

TOKEN_LENGTH: Final = 16
"""Characters of a token at least: 64 bits as hexadecimal digits cannot be guessed."""

TOKEN_LIMIT: Final = 4096
"""Characters of a token at most: it is a line of each request."""

PUBLIC: Final = frozenset({"/", "/page.css", "/page.js"})
"""Paths that need no token: the page, which asks for it."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "ovsdb-monitor",
}
"""Headers of every answer."""

# Headers are read as bytes: Twisted raises an exception for text that is not UTF-8.
_HOST: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+))(?::[0-9]{1,5})?")


class Asked(Protocol):
    """What a request says of itself."""

    method: bytes
    path: bytes

    @property
    def requestHeaders(self) -> Any:
        """Twisted's C{Headers}."""


@attrs.frozen
class Refusal:
    """
    Why a request is refused.

    @ivar status: the status of HTTP.
    @ivar text: for people.
    @ivar headers: more headers of the answer.
    """

    status: int
    text: str
    headers: Mapping[str, str] = {}


class Door:
    """Lets a request in, or says why not."""

    def __init__(self, hosts: Iterable[str] = (), token: str | None = None) -> None:
        """
        @param hosts: host names by which this may be asked, beside those of the
            loopback address and the address itself.
        @param token: what a request has to know; None: nothing.
        """
        self._hosts = LOOPBACK_NAMES | {host.lower().rstrip(".") for host in hosts}
        self._token = None if token is None else token.encode()

    def refusal(self, request: Asked, address: str | None) -> Refusal | None:
        """
        @param address: the address to which the client has connected.
        @return: None if the request may pass.
        """
        if request.method not in (b"GET", b"HEAD"):
            return Refusal(405, "only GET and HEAD are understood", {"Allow": "GET, HEAD"})
        host = self._host(request, address)
        if host is not None:
            return host
        path = request.path.decode("latin-1")
        if path not in PUBLIC:
            # Browsers say which site asks. Other programs say nothing.
            site = request.requestHeaders.getRawHeaders(b"sec-fetch-site", [b"none"])[-1]
            if site not in (b"none", b"same-origin"):
                return Refusal(403, "a page of another site may not ask")
            if self._token is not None and not self._knowsToken(request, self._token):
                return Refusal(
                    401,
                    "the token of --http-token-file is needed (Authorization: Bearer TOKEN)",
                    {"WWW-Authenticate": 'Bearer realm="ovsdb-monitor"'},
                )
        return None

    def _host(self, request: Asked, address: str | None) -> Refusal | None:
        given = request.requestHeaders.getRawHeaders(b"host", [])
        match = _HOST.fullmatch(given[0].decode("utf-8", "replace")) if len(given) == 1 else None
        if match is None:
            return Refusal(400, "one header Host is needed")
        name = (match[1] or match[2]).lower().rstrip(".")
        # An address cannot be led elsewhere, as a name can.
        if name in self._hosts or (address is not None and _same(name, address)):
            return None
        return Refusal(403, f"the host {printable(name)} is not known here: see --http-host")

    def _knowsToken(self, request: Asked, token: bytes) -> bool:
        given = request.requestHeaders.getRawHeaders(b"authorization", [])
        scheme, _, credentials = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        known = hmac.compare_digest(credentials.strip(), token)
        return scheme.lower() == b"bearer" and known


def isLoopback(address: str) -> bool:
    """Whether only programs on this host can connect to an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _same(name: str, address: str) -> bool:
    try:
        return _address(name) == _address(address.partition("%")[0])
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """@raise ValueError: if it is none."""
    address = ipaddress.ip_address(text)
    # A socket for both families shows an IPv4 address so.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped
