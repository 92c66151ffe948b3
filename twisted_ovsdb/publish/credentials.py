# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where the broker is, and who we are for it: from the URL, the environment or a file. A
password never becomes part of what is shown.
"""

from __future__ import annotations

import base64
import importlib.util
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import attrs

PORT: Final = 4222

_URL: Final = (
    "must be nats://HOST[:PORT] or tls://HOST[:PORT]; in a user, a password or a token, write"
    " other characters than letters and digits as %XX"
)

_HOST: Final = re.compile(r"[\w.:-]+(%[\w.-]+)?")

_JWT: Final = "NATS USER JWT"

_SEED: Final = "USER NKEY SEED"


@attrs.frozen
class Broker:
    """
    Where a broker is.

    @ivar servers: URLs without credentials; of a cluster several.
    @ivar options: more for the client: credentials and TLS.
    """

    servers: tuple[str, ...]
    options: Mapping[str, Any] = attrs.field(repr=False)

    @property
    def shown(self) -> str:
        """For people."""
        return ",".join(self.servers)


def brokerOf(text: str, path: str | None, environment: Mapping[str, str]) -> Broker:
    """
    @param text: one URL, or several with commas between them:
        C{nats://[USER:PASSWORD@]HOST[:PORT]}, or C{tls://} in place of C{nats://}.
    @param path: a file with C{USER:PASSWORD} or a token, or a C{.creds} file of NATS.
    @param environment: C{NATS_USER} and C{NATS_PASSWORD}, or C{NATS_TOKEN}, if there is
        no file, and nothing in the URL.
    @raise ValueError: if a URL is none.
    @raise OSError: if the file cannot be read.
    """
    servers: list[str] = []
    options: dict[str, Any] = {}
    for each in text.split(","):
        # Errors show nothing of the URL, which may have a password in any place.
        try:
            url = urlsplit(each)
        except ValueError:
            raise ValueError(_URL) from None
        try:
            port = PORT if url.port is None else url.port
        except ValueError:
            port = 0
        if not port:
            raise ValueError("has a wrong port")
        rest = url.path.strip("/") + url.query + url.fragment
        hostname = url.hostname or ""
        if url.scheme not in ("nats", "tls") or rest or not _HOST.fullmatch(hostname):
            raise ValueError(_URL)
        host = f"[{hostname}]" if ":" in hostname else hostname
        servers.append(f"{url.scheme}://{host}:{port}")
        if url.username is not None:
            if url.password is None:
                options = {"token": unquote(url.username)}
            else:
                options = {"user": unquote(url.username), "password": unquote(url.password)}
        if url.scheme == "tls":
            options = {**options, "tls": ssl.create_default_context()}
    if path is not None:
        options = {**options, **_fromFile(path)}
    elif not options.keys() & {"user", "token"}:
        options = {**options, **_fromEnvironment(environment)}
    return Broker(tuple(servers), options)


def _fromFile(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(65536)
    except UnicodeDecodeError as e:
        raise ValueError("is no text in UTF-8") from e
    if f"-----BEGIN {_JWT}" in text:
        return _fromCreds(path)
    user, mark, password = text.strip().partition(":")
    if not user or "\n" in text.strip():
        raise ValueError("must have one line, USER:PASSWORD or a token, or be a .creds file")
    return {"user": user, "password": password} if mark else {"token": user}


def _fromCreds(path: str) -> dict[str, Any]:
    """
    The JWT of a user, and the key that signs for it. The file is read for each connection:
    it may have been replaced by one that is valid for longer. (The client would read a
    file without a JWT for ever.)
    """
    if importlib.util.find_spec("nkeys") is None:
        raise ValueError("a .creds file needs nkeys: pip install 'twisted_ovsdb[nats]'")

    def jwt() -> bytearray:
        """The JWT that is in the file now."""
        return bytearray(_section(path, _JWT), "ascii")

    def signature(nonce: str) -> bytes:
        """Sign with the key that is in the file now."""
        import nkeys  # type: ignore[import-untyped]

        seed = bytearray(_section(path, _SEED), "ascii")
        try:
            key = nkeys.from_seed(seed)
        except (nkeys.NkeysError, IndexError, ValueError) as e:
            raise ValueError(f"the {_SEED} is damaged") from e
        return base64.b64encode(key.sign(nonce.encode()))

    jwt()
    signature("")
    return {"user_jwt_cb": jwt, "signature_cb": signature}


def _section(path: str, name: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        found = re.search(rf"-----BEGIN {name}-----\s+([\w.-]+)\s+-+END {name}-", file.read(65536))
    if found is None:
        raise ValueError(f"it has no {name}")
    return found.group(1)


def _fromEnvironment(environment: Mapping[str, str]) -> dict[str, Any]:
    if "NATS_TOKEN" in environment:
        return {"token": environment["NATS_TOKEN"]}
    if "NATS_USER" in environment:
        password = environment.get("NATS_PASSWORD", "")
        return {"user": environment["NATS_USER"], "password": password}
    return {}
