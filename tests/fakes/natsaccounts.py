# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An operator of NATS with one account and its users, as C{nsc} makes them: JWTs that are
signed with nkeys.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import nkeys  # type: ignore[import-untyped]

ALL = -1
"""No limit."""

_LIMITS = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")

_JETSTREAM = ("mem_storage", "disk_storage", "streams", "consumer")


class Operator:
    """
    An operator with one account.

    @ivar configuration: lines for the configuration of nats-server.
    """

    def __init__(self, jetStream: bool = True) -> None:
        """@param jetStream: whether the account may use JetStream."""
        operator, system, self._account = (_key(each) for each in ("OPERATOR", *["ACCOUNT"] * 2))
        itself = _token(operator, operator, "operator", {})
        # JetStream needs it.
        itsSystem = _token(operator, system, "account", {})
        limits: dict[str, Any] = dict.fromkeys(_LIMITS, ALL)
        limits |= {"wildcards": True, **dict.fromkeys(_JETSTREAM, ALL if jetStream else 0)}
        account = _token(operator, self._account, "account", {"limits": limits})
        self.configuration = (
            f"operator: {itself}\n"
            "resolver: MEMORY\n"
            f"system_account: {_name(system)}\n"
            f"resolver_preload: {{\n"
            f"{_name(system)}: {itsSystem}\n"
            f"{_name(self._account)}: {account}\n"
            "}\n"
        )

    def credentials(self, path: Path, foreign: bool = False) -> tuple[str, str]:
        """
        Write the C{.creds} file of a new user.

        @param foreign: whether the seed is another user's.
        @return: what is secret in it: the JWT and the seed.
        """
        user = _key("USER")
        limits = {"subs": ALL, "data": ALL, "payload": ALL, "pub": {}, "sub": {}}
        jwt = _token(self._account, user, "user", limits)
        seed = _text((_key("USER") if foreign else user).seed)
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n",
            "ascii",
        )
        path.chmod(0o600)
        return jwt, seed


def _key(role: str) -> Any:
    """A new key pair."""
    prefix = getattr(nkeys, f"PREFIX_BYTE_{role}")
    raw = secrets.token_bytes(32)
    header = bytes([nkeys.PREFIX_BYTE_SEED | prefix >> 5, (prefix & 31) << 3])
    checksum = nkeys.crc16(bytearray(header + raw)).to_bytes(2, "little")
    return nkeys.from_seed(bytearray(base64.b32encode(header + raw + checksum).rstrip(b"=")))


def _token(issuer: Any, subject: Any, role: str, more: dict[str, Any]) -> str:
    """A JWT of NATS."""
    claims = {
        "jti": secrets.token_hex(16),
        "iat": 1_700_000_000,
        "iss": _name(issuer),
        "name": role,
        "sub": _name(subject),
        "nats": {**more, "type": role, "version": 2},
    }
    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_encoded(issuer.sign(signed.encode()))}"


def _name(key: Any) -> str:
    """The public key."""
    return _text(key.public_key)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _text(data: Any) -> str:
    return bytes(data).decode()
