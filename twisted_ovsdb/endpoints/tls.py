# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The files that TLS needs, as in Open vSwitch's public key infrastructure: each
side has a certificate, and verifies the other side's against one authority
during the handshake. A peer that is refused gets a TLS alert only.

pyOpenSSL is imported only when a file is read. Without the extra
C{twisted_ovsdb[tls]} the rest of the package works.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
from twisted.internet import interfaces
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.logger import Logger
from zope.interface import implementer

from twisted_ovsdb.errors import OvsdbError, openSSLReasons, printable
from twisted_ovsdb.parameters import checkFlags

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from OpenSSL import SSL

INSTALL: Final = "pip install twisted_ovsdb[tls]"
"""The command that installs pyOpenSSL where it is missing."""

_NOT_FOUND: Final = "has no such thing in PEM format"

_FILE_FAULTS: Final = {
    "no start line": _NOT_FOUND,
    "no certificate or crl found": _NOT_FOUND,
    "unsupported": _NOT_FOUND,
    "key values mismatch": "does not belong to the certificate",
    "key type mismatch": "does not belong to the certificate",
}
"""What is wrong with a file, by OpenSSL's text for it."""

_MANY: Final = 5
"""Names of a certificate that an error lists."""


_log = Logger()

_warned: set[str] = set()
"""The keys that were warned of; each is read for each connection."""


class TLSFailure(OvsdbError):
    """A connection cannot be made secure. The text says why."""


@attrs.frozen
class TLSOptions:
    """
    The paths of the PEM files that TLS needs, and what is verified with them. A
    file that is replaced is used from the next connection on.

    @ivar privateKey: our private key, without a passphrase.
    @ivar certificate: our certificate. Certificates that lead from it to the
        peer's authority follow it in the file.
    @ivar caCert: the authority that must have signed the peer's certificate.
    @ivar verifyHostname: whether the server's certificate must also name, in
        its subjectAltName, the host that the connection is for. Certificates
        that ovs-pki makes name no hosts.
    """

    privateKey: str
    certificate: str
    caCert: str
    verifyHostname: bool = False

    def __attrs_post_init__(self) -> None:
        checkFlags(verifyHostname=self.verifyHostname)
        for keyword in ("privateKey", "certificate", "caCert"):
            path = getattr(self, keyword)
            if not isinstance(path, (str, os.PathLike)):
                raise TypeError(f"{keyword} must be a path, not {path!r}")

    def check(self) -> None:
        """
        Read the files.

        @raise TLSFailure: if they cannot be used. The text begins with Open
            vSwitch's name of the option, and the file.
        """
        self.makeContext()

    def makeContext(self) -> SSL.Context:
        """
        Read the files, and make the context for connections of either side.
        It refuses a peer that has no certificate of the authority.

        @raise TLSFailure: as L{check}.
        """
        try:
            from OpenSSL import SSL
        except ImportError as e:
            raise TLSFailure(
                f"private-key {self.privateKey}: TLS needs pyOpenSSL ({INSTALL})"
            ) from e
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # A resumed session would not be verified again.
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        # Without this, OpenSSL would ask on the terminal and wait.
        context.set_passwd_cb(_refusePassphrase)
        # The certificate comes first: the key is compared with it.
        _load("certificate", self.certificate, context.use_certificate_chain_file)
        _load("private-key", self.privateKey, context.use_privatekey_file)
        _load("ca-cert", self.caCert, context.load_verify_locations)
        _warnIfReadable(os.fspath(self.privateKey))
        return context


def _warnIfReadable(path: str) -> None:
    """A group may have the right to read a key, as Debian's ssl-cert; the world has none."""
    if path not in _warned and os.stat(path).st_mode & stat.S_IROTH:
        _warned.add(path)
        _log.warn("private-key {path}: everybody can read it (chmod o-r)", path=printable(path))


def _refusePassphrase(*_: object) -> bytes:
    raise TLSFailure("is encrypted; a key without a passphrase is needed")


def _load(option: str, path: str, load: Callable[[bytes], object]) -> None:
    from OpenSSL import SSL

    try:
        with open(path, "rb"):
            pass  # OpenSSL's own error for an unreadable file says less.
        load(os.fsencode(path))
    except OSError as e:
        raise TLSFailure(f"{option} {path}: {e.strerror}") from e
    except TLSFailure as e:
        raise TLSFailure(f"{option} {path}: {e}") from e
    except SSL.Error as e:
        reasons = openSSLReasons(e)
        fault = next((_FILE_FAULTS[r] for r in reasons if r in _FILE_FAULTS), "; ".join(reasons))
        raise TLSFailure(f"{option} {path}: {fault or 'cannot be used'}") from e


@implementer(interfaces.IOpenSSLClientConnectionCreator, interfaces.IOpenSSLServerConnectionCreator)
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
            """@return: whether this certificate is accepted."""
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


def checkTLS(tls: TLSOptions | None) -> None:
    """@raise TypeError: if these are neither L{TLSOptions} nor None."""
    if tls is not None and not isinstance(tls, TLSOptions):
        raise TypeError(f"tls must be TLSOptions(...), not {tls!r}")


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
