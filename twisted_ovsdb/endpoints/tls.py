# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The files that TLS needs, as in Open vSwitch's public key infrastructure: each
side has a certificate, and verifies the other side's against one authority.

pyOpenSSL is imported only when a file is read. Without the extra
C{twisted_ovsdb[tls]} the rest of the package works.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from twisted_ovsdb.errors import OvsdbError, openSSLReasons

if TYPE_CHECKING:
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


class TLSFailure(OvsdbError):
    """
    A connection cannot be made secure. The text says why.
    """


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
        return context


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
