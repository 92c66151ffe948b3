# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
JSON-RPC over a plain blocking socket, for filling and changing a database.
"""

from __future__ import annotations

import json
import select
import socket
import time
from types import TracebackType
from typing import Any

STAMP = "@the time of sending@"
"""In requests, stands for the time (CLOCK_MONOTONIC) at which the request is sent."""

ENDS = (b'"error":null}', b'"params":[]}')
"""
How replies and echo requests end. When the received bytes end so, decoding is
tried. Other text cannot look like this: in a string, the quotes would be
escaped, and no column has null.
"""

SILENCE = 0.05
"""Seconds without new bytes after which decoding is tried with any other end."""

CHUNK = 1 << 18

PATIENCE = 120.0
"""Seconds to wait for a reply."""


class Connection:
    """
    One connection to ovsdb-server.

    @ivar received: the bytes received so far.
    """

    def __init__(self, port: int) -> None:
        self.received = 0
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._latestId = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def request(self, method: str, *params: object) -> Any:
        """
        Send a request and wait for its result.
        """
        self._latestId += 1
        message = {"method": method, "params": params, "id": self._latestId}
        self._send(message)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            reply = self._receive(deadline)
            if reply is not None and reply.get("id") == self._latestId:
                if reply.get("error") is not None:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]
        raise TimeoutError(method)

    def transact(self, operations: list[dict[str, object]]) -> list[Any]:
        """
        Run a transaction on Open_vSwitch and return the results of its
        operations.
        """
        results: list[Any] = self.request("transact", "Open_vSwitch", *operations)
        for result in results:
            if result is None or "error" in result:
                raise RuntimeError(f"transact: {result}")
        return results

    def listen(self, seconds: float) -> None:
        """
        Receive messages for this many seconds, and count their bytes.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._receive(deadline)

    def _send(self, message: dict[str, object]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode()
        stamp = STAMP.encode()
        if stamp in data:
            data = data.replace(stamp, repr(time.monotonic()).encode())
        self._socket.sendall(data)

    def _receive(self, deadline: float) -> dict[str, Any] | None:
        """
        Wait for one message. Echo requests are answered here.

        @return: the message, or None if there is none until the deadline.
        """
        while True:
            message = self._decode() if self._worthTrying(deadline) else None
            if message is not None:
                if message.get("method") != "echo":
                    return message
                self._send({"id": message["id"], "result": message["params"], "error": None})
            if not self._readable(deadline - time.monotonic()):
                return None
            data = self._socket.recv(CHUNK)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.received += len(data)
            self._buffer += data

    def _worthTrying(self, deadline: float) -> bool:
        if not self._buffer:
            return False
        return self._buffer.endswith(ENDS) or not self._readable(SILENCE)

    def _decode(self) -> dict[str, Any] | None:
        text = self._buffer.decode()
        try:
            message: dict[str, Any]
            message, end = json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError:
            return None
        self._buffer = bytearray(text[end:].encode())
        return message

    def _readable(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._socket], [], [], max(0.0, seconds))
        return bool(ready)
