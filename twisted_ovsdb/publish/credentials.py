# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where the broker is, and who we are for it: from the URL, the environment or a file. A
password never becomes part of what is shown.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import attrs

PORT: Final = 4222

_JWT: Final = "-----BEGIN NATS USER JWT-----"


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
        url = urlsplit(each)
        try:
            port = url.port or PORT
        except ValueError as e:
            raise ValueError("has a wrong port") from e
        if url.scheme not in ("nats", "tls") or not url.hostname or url.path not in ("", "/"):
            raise ValueError("must be nats://HOST[:PORT] or tls://HOST[:PORT]")
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
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
    with open(path, encoding="utf-8") as file:
        text = file.read(65536)
    if _JWT in text:
        if importlib.util.find_spec("nkeys") is None:
            raise ValueError("a .creds file needs nkeys: pip install nkeys")
        return {"user_credentials": path}
    user, mark, password = text.strip().partition(":")
    if not user or "\n" in text.strip():
        raise ValueError("must have one line, USER:PASSWORD or a token, or be a .creds file")
    return {"user": user, "password": password} if mark else {"token": user}


def _fromEnvironment(environment: Mapping[str, str]) -> dict[str, Any]:
    if "NATS_TOKEN" in environment:
        return {"token": environment["NATS_TOKEN"]}
    if "NATS_USER" in environment:
        password = environment.get("NATS_PASSWORD", "")
        return {"user": environment["NATS_USER"], "password": password}
    return {}
