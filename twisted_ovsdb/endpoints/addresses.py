# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Addresses as users write them.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

OVSDB_PORT: Final = 6640
"""The port that IANA has assigned to OVSDB."""


def describeAddress(address: IAddress | None) -> str:
    """
    An address as its endpoint is written.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"tcp:{host}:{address.port}"
    if isinstance(address, HostnameAddress):
        return f"tcp:{address.hostname.decode('ascii', 'replace')}:{address.port}"
    if isinstance(address, UNIXAddress) and address.name:
        return f"unix:{address.name.decode('utf-8', 'replace')}"
    return str(address)
