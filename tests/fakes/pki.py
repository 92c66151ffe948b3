# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A public key infrastructure for one test.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet.abstract import isIPAddress, isIPv6Address

from twisted_ovsdb.endpoints.tls import TLSOptions

DAY = timedelta(days=1)


@attrs.frozen
class KeyPair:
    """
    The files of a private key and its certificate.
    """

    privateKey: str
    certificate: str


class Authority:
    """
    A certificate authority with a new key.

    @ivar caCert: the file of its own certificate.
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        """
        @param folder: where the files are written; it is made if it does not
            exist.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.absolute()
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._name, self._name, self._key.public_key(), expired=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.caCert = self._write("cacert", builder.sign(self._key, hashes.SHA256()))

    def issue(
        self,
        name: str,
        hosts: Sequence[str] = (),
        expired: bool = False,
        passphrase: bytes | None = None,
    ) -> KeyPair:
        """
        Make a key and its certificate. They replace earlier ones of this name.

        @param hosts: the names in the subjectAltName; without names, the
            certificate has no subjectAltName.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._name, key.public_key(), expired)
        if hosts:
            builder = builder.add_extension(_alternatives(hosts), False)
        locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        path = self._folder / f"{name}-privkey.pem"
        path.touch(0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
        return KeyPair(str(path), self._write(f"{name}-cert", builder.sign(self._key, _HASH)))

    def options(self, pair: KeyPair, verifyHostname: bool = False) -> TLSOptions:
        """
        The options for a side that has this certificate and trusts this
        authority.
        """
        return TLSOptions(pair.privateKey, pair.certificate, self.caCert, verifyHostname)

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        path = self._folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return str(path)


_HASH = hashes.SHA256()


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, expired: bool
) -> x509.CertificateBuilder:
    end = datetime.now(timezone.utc) + (-DAY if expired else DAY)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 9 * DAY)
        .not_valid_after(end)
    )


def _alternatives(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.IPAddress(ip_address(host))
            if isIPAddress(host) or isIPv6Address(host)
            else x509.DNSName(host)
            for host in hosts
        ]
    )
