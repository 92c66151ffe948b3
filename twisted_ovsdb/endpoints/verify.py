# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Verifies the other side of a TLS connection, during the handshake. A peer that
is refused gets a TLS alert, and nothing else from us.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from zope.interface import implementer

from twisted_ovsdb.endpoints.tls import TLSOptions

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from OpenSSL import SSL

_MANY: Final = 5
"""Names of a certificate that an error lists."""


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class VerifyingCreator:
    """
    Makes TLS connections that refuse a peer without a certificate of the
    authority. The protocol that TLS wraps must have a method C{refused}, which
    is called with the reason.
    """

    def __init__(self, options: TLSOptions, host: str = "") -> None:
        """
        @param options: the files.
        @param host: on a client, the server's name or address.
        @raise TLSFailure: if the files cannot be used.
        """
        self._options = options
        self._context = options.makeContext()
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Make a connection to a server."""
        expected = self._host if self._options.verifyHostname else None
        connection = self._connection(tlsProtocol, expected)
        if not isAddress(self._host):
            connection.set_tlsext_host_name(asciiName(self._host).encode("ascii"))
        return connection

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Make a connection to a client."""
        return self._connection(tlsProtocol, None)

    def _connection(self, tlsProtocol: Any, expected: str | None) -> SSL.Connection:
        from OpenSSL import SSL

        # OpenSSL calls this for each certificate, from the authority's to the peer's.
        def judge(_: object, certificate: Any, code: int, depth: int, ok: int) -> bool:
            trouble = None
            if not ok:
                trouble = _describeCode(code)
            elif depth == 0 and expected is not None:
                trouble = nameTrouble(certificate.to_cryptography(), expected)
            if trouble is not None:
                tlsProtocol.wrappedProtocol.refused(f"certificate verify failed: {trouble}")
            return trouble is None

        connection = SSL.Connection(self._context, None)
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, judge)
        return connection


def _describeCode(code: int) -> str:
    from OpenSSL import SSL

    names = {value: name for name, value in vars(SSL.X509VerificationCodes).items()}
    words = names.get(code, f"error {code}").removeprefix("ERR_").replace("_", " ").lower()
    return re.sub(r"\bcert\b", "certificate", words)


def nameTrouble(certificate: Certificate, host: str) -> str | None:
    """
    Say why a certificate is not for this host (RFC 6125). A certificate
    without subjectAltName is for no host, whatever its subject says.

    @return: None if it is for this host.
    """
    from cryptography import x509
    from service_identity import CertificateError, VerificationError
    from service_identity.cryptography import (
        verify_certificate_hostname,
        verify_certificate_ip_address,
    )

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        if isAddress(host):
            # The zone of an IPv6 address has a meaning on this machine only.
            verify_certificate_ip_address(certificate, host.partition("%")[0])
        else:
            verify_certificate_hostname(certificate, asciiName(host))
    except x509.ExtensionNotFound:
        return f"the certificate has no subjectAltName, so it is not for {host}"
    except (CertificateError, VerificationError):
        names = [str(name.value) for name in extension.value]
        more = ", ..." if len(names) > _MANY else ""
        return f"the certificate is for {', '.join(names[:_MANY])}{more}, not for {host}"
    except (ValueError, x509.DuplicateExtension) as e:
        return f"the certificate cannot be read: {e}"
    return None


def isAddress(host: str) -> bool:
    """Whether this is an IP address, and not a name."""
    return isIPAddress(host) or isIPv6Address(host)


def asciiName(host: str) -> str:
    """A host's name in the form that certificates and TLS use."""
    name = host.rstrip(".")
    if name.isascii():
        return name
    import idna

    return idna.encode(name).decode("ascii")
