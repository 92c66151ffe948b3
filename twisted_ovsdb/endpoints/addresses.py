# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Addresses and endpoints as text, for log lines and for the C{source} of events.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint

OVSDB_PORT: Final = 6640
"""The port that IANA has assigned to OVSDB."""


def describeAddress(address: IAddress | None) -> str:
    """
    Write an address as Open vSwitch writes it: C{tcp:HOST:PORT} or
    C{unix:PATH}.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return describeHost("tcp", address.host, address.port)
    if isinstance(address, HostnameAddress):
        return describeHost("tcp", address.hostname.decode("ascii", "replace"), address.port)
    if isinstance(address, UNIXAddress) and address.name:
        return f"unix:{address.name.decode('utf-8', 'replace')}"
    return str(address)


def describeHost(scheme: str, host: str, port: int) -> str:
    """
    Write C{SCHEME:HOST:PORT}, with an IPv6 address in brackets.
    """
    return f"{scheme}:[{host}]:{port}" if ":" in host else f"{scheme}:{host}:{port}"


def describeEndpoint(endpoint: IStreamClientEndpoint) -> str:
    """
    Say where an endpoint leads, before there is a connection that has an
    address.

    An endpoint of this package says so itself, with C{str}; so may any other.
    Twisted's endpoints have no public way to say it, and without it the log
    would not tell which of several servers does not answer. Therefore this
    function, and no other, reads their private attributes. Where those are
    missing, it returns what C{repr} gives, or the name of the class if
    C{repr} would only add where the object is in memory.
    """
    kind = type(endpoint)
    if kind.__str__ is not object.__str__:
        return str(endpoint)
    host = getattr(endpoint, "_hostText", None) or getattr(endpoint, "_host", None)
    port = getattr(endpoint, "_port", None)
    if isinstance(host, str) and isinstance(port, int):
        return describeHost("tcp", host, port)
    path = getattr(endpoint, "_path", None)
    if isinstance(path, str):
        return f"unix:{path}"
    return kind.__name__ if kind.__repr__ is object.__repr__ else repr(endpoint)
