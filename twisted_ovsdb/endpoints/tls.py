# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What TLS needs, as Open vSwitch's public key infrastructure has it: both sides
have a certificate, and each verifies the other's against one authority.

Nothing here needs pyOpenSSL before a file is looked at: without the extra
C{twisted_ovsdb[tls]} the package works, but for TLS.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from twisted_ovsdb.errors import OvsdbError

if TYPE_CHECKING:
    from OpenSSL import SSL

INSTALL: Final = "pip install twisted_ovsdb[tls]"
"""What to do where pyOpenSSL is missing."""

_NOT_FOUND: Final = "has nothing of this kind in PEM format"

_FILE_FAULTS: Final = {
    "no start line": _NOT_FOUND,
    "no certificate or crl found": _NOT_FOUND,
    "unsupported": _NOT_FOUND,
    "key values mismatch": "does not fit the certificate",
    "key type mismatch": "does not fit the certificate",
}
"""What OpenSSL finds wrong with a file, in words."""


class TLSFailure(OvsdbError):
    """
    A connection is not secure, or cannot be made so; the text says why.
    """


@attrs.frozen
class TLSOptions:
    """
    The files that TLS needs (paths, PEM), and what is verified with them.

    They are read anew for every connection, so that those which are replaced
    count from the next one on.

    @ivar privateKey: our private key, without a passphrase.
    @ivar certificate: our certificate, before those that lead to the peer's
        authority, if there are any.
    @ivar caCert: the authority that the peer's certificate has to be of.
    @ivar verifyHostname: whether the server's certificate also has to be for
        the host that was asked for, by its subjectAltName. Those of ovs-pki
        name no hosts.
    """

    privateKey: str
    certificate: str
    caCert: str
    verifyHostname: bool = False

    def check(self) -> None:
        """
        Read the files.

        @raise TLSFailure: if they cannot be used; its text begins with Open
            vSwitch's name of the option, and the file.
        """
        self.makeContext()

    def makeContext(self) -> SSL.Context:
        """
        Read the files, and make of them what a connection of either side
        needs. A peer without a certificate of the authority is refused.

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
        # A session that is resumed would not be verified anew.
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        asked: list[bool] = []

        def passphrase(*_: object) -> bytes:
            # OpenSSL would ask on the terminal, and wait.
            asked.append(True)
            return b""

        context.set_passwd_cb(passphrase)
        # The key is compared with the certificate that is there already.
        _load("certificate", self.certificate, context.use_certificate_chain_file, asked)
        _load("private-key", self.privateKey, context.use_privatekey_file, asked)
        _load("ca-cert", self.caCert, context.load_verify_locations, asked)
        return context


def _load(option: str, path: str, load: Callable[[bytes], object], asked: list[bool]) -> None:
    """
    Have OpenSSL load a file.

    @param asked: whether it has asked for a passphrase.
    """
    from OpenSSL import SSL

    try:
        with open(path, "rb"):
            pass  # OpenSSL says less of a file that cannot be read.
        load(os.fsencode(path))
    except OSError as e:
        raise TLSFailure(f"{option} {path}: {e.strerror}") from e
    except SSL.Error as e:
        reasons = openSSLReasons(e)
        fault = next((_FILE_FAULTS[r] for r in reasons if r in _FILE_FAULTS), "; ".join(reasons))
        if asked:
            fault = "is encrypted; a key without a passphrase is needed"
        raise TLSFailure(f"{option} {path}: {fault or 'cannot be used'}") from e


def openSSLReasons(error: BaseException) -> list[str]:
    """
    The reasons in an C{OpenSSL.SSL.Error}, whose text is a list of tuples.
    """
    queue = error.args[0] if error.args else None
    if not isinstance(queue, list):
        return [str(error)] if str(error) else []
    return list(dict.fromkeys(str(entry[-1]) for entry in queue if entry and entry[-1]))
