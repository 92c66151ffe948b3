# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Addresses and endpoints as text, for log lines and for the C{source} of events.
"""

from __future__ import annotations

from typing import Final

import attrs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from zope.interface import implementer

OVSDB_PORT: Final = 6640
"""The port that IANA has assigned to OVSDB."""


def describeAddress(address: IAddress | None) -> str:
    """Write an address as Open vSwitch writes it: C{tcp:HOST:PORT} or C{unix:PATH}."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return describeHost("tcp", address.host, address.port)
    if isinstance(address, UNIXAddress):
        # The socket of a client has no name, unless the client has bound it.
        return f"unix:{address.name.decode('utf-8', 'replace')}" if address.name else "unix"
    return str(address)


def describeHost(scheme: str, host: str, port: int) -> str:
    """Write C{SCHEME:HOST:PORT}, with an IPv6 address in brackets."""
    return f"{scheme}:[{host}]:{port}" if ":" in host else f"{scheme}:{host}:{port}"


def destination(endpoint: object) -> tuple[str, str, int | None] | None:
    """
    Find out where an endpoint of Twisted's leads, or on which unix socket a
    server's endpoint listens.

    Twisted has no public way to tell it. Without it, the log would not say which
    of several servers does not answer, and mistakes in an endpoint string would
    be found only when it connects. Therefore this function, and no other, reads
    private attributes of Twisted's endpoints.

    @return: the scheme, the host and the port; or C{unix}, the path and None; or
        None if the endpoint does not have these attributes.
    """
    scheme = {"_WrapperEndpoint": "tls", "SSL4ClientEndpoint": "ssl"}.get(type(endpoint).__name__)
    endpoint = getattr(endpoint, "_wrappedEndpoint", endpoint)
    host = getattr(endpoint, "_hostText", getattr(endpoint, "_host", None))
    port = getattr(endpoint, "_port", None)
    if isinstance(host, str) and isinstance(port, int):
        return scheme or "tcp", host, port
    path = getattr(endpoint, "_path", getattr(endpoint, "_address", None))
    return ("unix", path, None) if isinstance(path, str) else None


@implementer(IAddress)
@attrs.frozen
class EndpointAddress:
    """
    Where an endpoint leads, before there is a connection that has an address.
    C{str} gives what C{str} of the endpoint gives, if its class defines that;
    otherwise its L{destination}, or what C{repr} gives, or the name of the class
    if C{repr} would only add where the object is in memory.
    """

    endpoint: IStreamClientEndpoint

    def __str__(self) -> str:
        kind = type(self.endpoint)
        if kind.__str__ is not object.__str__:
            return str(self.endpoint)
        found = destination(self.endpoint)
        if found is None:
            return kind.__name__ if kind.__repr__ is object.__repr__ else repr(self.endpoint)
        scheme, where, port = found
        return f"{scheme}:{where}" if port is None else describeHost(scheme, where, port)
