# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whose certificate the other side of a connection has presented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def peerSubject(transport: object) -> str | None:
    """
    Find the subject of the certificate with which the peer was verified.

    @param transport: of a protocol, after the TLS handshake.
    @return: the subject as RFC 4514 writes it; None if the peer has no
        certificate, or if that names no subject.
    """
    # A transport without TLS does not have this method.
    ask: Callable[[], Any] = getattr(transport, "getPeerCertificate", lambda: None)
    certificate = ask()
    if certificate is None:
        return None
    try:
        subject: str = certificate.to_cryptography().subject.rfc4514_string()
    except ValueError:  # It is not as RFC 5280 demands.
        return None
    return subject or None
