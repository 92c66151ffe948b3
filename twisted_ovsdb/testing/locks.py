# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The locks of a server (RFC 7047, section 4.1.8), for L{twisted_ovsdb.testing}: who has
each of them, and who waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted_ovsdb.errors import RpcError
from twisted_ovsdb.testing.operations import isId

Notify = Callable[[str, str], object]
"""
Sends a notification to a client: its method, and the name of the lock. It stands for the
client, too.
"""


class Locks:
    """The locks of all clients."""

    def __init__(self) -> None:
        self._clients: dict[str, list[Notify]] = {}  # the first one has the lock

    def holds(self, client: Notify, name: str) -> bool:
        """Whether this client has this lock."""
        return self._clients.get(name, [])[:1] == [client]

    def lock(self, client: Notify, method: str, params: list[Any]) -> dict[str, bool]:
        """C{lock} or C{steal}, as C{method} says."""
        clients = self._clients.setdefault(_name(method, params), [])
        if client in clients:
            raise RpcError("syntax error", f'must issue "unlock" before new "{method}"')
        if method == "steal" and clients:
            clients[0]("stolen", params[0])
            clients.insert(0, client)
        else:
            clients.append(client)
        return {"locked": clients[0] == client}

    def unlock(self, client: Notify, params: list[Any]) -> dict[str, bool]:
        """C{unlock}."""
        name = _name("unlock", params)
        if client not in self._clients.get(name, []):
            raise RpcError("syntax error", 'unlock: "unlock" without "lock" or "steal"')
        self._remove(client, name)
        return {}

    def drop(self, client: Notify) -> None:
        """The client has gone."""
        for name, clients in tuple(self._clients.items()):
            if client in clients:
                self._remove(client, name)

    def _remove(self, client: Notify, name: str) -> None:
        clients = self._clients[name]
        clients.remove(client)
        if clients:
            # As from ovsdb-server, also if this one had the lock before.
            clients[0]("locked", name)


def _name(method: str, params: list[Any]) -> str:
    if len(params) != 1 or not isId(params[0]):
        raise RpcError("syntax error", f"{method} request params must be <id>")
    name: str = params[0]
    return name
