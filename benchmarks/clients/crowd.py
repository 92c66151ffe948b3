# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many switches that dial in at the same time, played by one process that parses
almost nothing: each answers who it is, and then with the same interfaces.

    crowd dial PORT SWITCHES INTERFACES

It answers until it is ended.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import uuid

from benchmarks.clients.figures import say
from benchmarks.database import interfaceRow, newUUID

_REQUEST = re.compile(rb'"id":\s?(\d+)')


def table(count: int) -> bytes:
    """
    The rows of an Interface table, as ovsdb-server writes them.
    """
    rows = {}
    for number in range(count):
        row = interfaceRow(number)
        rows[newUUID()] = {"new": {"type": "", "error": ["set", []], "options": ["map", []], **row}}
    return json.dumps(rows, separators=(",", ":")).encode()


def dial(port: int, count: int, interfaces: int) -> None:
    """
    Connect all at once, and answer.
    """
    rows = table(interfaces)
    poll = select.epoll()
    switches: dict[int, tuple[socket.socket, bytes, bytes]] = {}
    for _ in range(count):
        each = socket.socket()
        each.setblocking(False)
        identity = b'[["map",[["system-id","%s"]]]]' % str(uuid.uuid4()).encode()
        ids = b'"external_ids":%s' % identity[1:-1]
        switches[each.fileno()] = each, ids, str(uuid.uuid4()).encode()
        poll.register(each, select.EPOLLIN)
    say(ready=True)
    for each, _, _ in switches.values():
        each.connect_ex(("127.0.0.1", port))
    while True:
        for number, _ in poll.poll():
            each, ids, row = switches[number]
            try:
                request = each.recv(65536)
            except OSError:
                request = b""
            if not request:
                poll.unregister(number)
            for part in request.replace(b"}{", b"}\n{").splitlines():
                answer(each, part, ids, row, rows)


def answer(each: socket.socket, request: bytes, ids: bytes, row: bytes, rows: bytes) -> None:
    """
    Answer a request.
    """
    found = _REQUEST.search(request)
    number = found.group(1) if found is not None else b"null"
    if b'"monitor' in request:
        result = b'{"Interface":%s,"Open_vSwitch":{"%s":{"new":{%s}}}}' % (rows, row, ids)
    elif b'"transact"' in request:
        result = b'[{"rows":[{"_uuid":["uuid","%s"],%s}]}]' % (row, ids)
    else:
        result = b"[]"
    each.setblocking(True)
    each.sendall(b'{"id":%s,"result":%s,"error":null}' % (number, result))
    each.setblocking(False)


if __name__ == "__main__":
    dial(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
