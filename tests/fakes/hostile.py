# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A server that gives a different wrong answer on each connection. When it has
given all of them, its answers are correct.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.protocol import Protocol, ServerFactory

from tests.fakes.rows import jsonRow, reply, update, uuid, vmRow

GOOD = reply(1, {1: vmRow("tap1")})


def result(value: object) -> bytes:
    """
    The reply to C{monitor} with any result.
    """
    return json.dumps({"id": 1, "result": value, "error": None}).encode()


def rows(value: object) -> bytes:
    """
    The reply with anything in the place of the table's rows.
    """
    return result({"Interface": value})


def new(**columns: object) -> bytes:
    """
    The reply with a good row, and with a row in which these columns have other
    values.
    """
    bad = {**vmRow("tap2"), **columns}
    return rows({uuid(1): {"new": vmRow("tap1")}, uuid(2): {"new": bad}})


def after(data: bytes) -> bytes:
    """
    A good reply, followed by wrong bytes.
    """
    return GOOD + data


def changed(value: object) -> bytes:
    """
    A good reply, followed by an update with any value.
    """
    return after(
        json.dumps({"id": None, "method": "update", "params": ["twisted_ovsdb", value]}).encode()
    )


# What the server answers to the monitor request, and words of the reason.
ANSWERS: list[tuple[bytes, str]] = [
    # Not JSON as RFC 8259 defines it
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "begins with b'H'"),
    (b"\x16\x03\x01\x02\x00", "begins with b'\\x16'"),
    (b"\xef\xbb\xbf" + GOOD, "begins with b'\\xef'"),
    (b"[]", "begins with b'['"),
    (b"null", "begins with b'n'"),
    (GOOD.replace(b"tap1", b"tap\xff"), "not UTF-8"),
    (GOOD.replace(b"tap1", b"tap\x01"), "not JSON"),
    (GOOD.replace(b'"error": null', b'"error": NaN'), "NaN is not JSON"),
    (GOOD.replace(b'"error": null', b'"error": 1e999'), "too large"),
    (GOOD.replace(b"tap1", b"\\ud834"), "surrogate"),
    (GOOD.replace(b'"error": null', b'"error": 01'), "not JSON"),
    (b'{"a":' + b"[" * 20000 + b"]" * 20000 + b"}", "not JSON"),
    (b'{"a":"' + b"x" * 300_000, "longer than 200000 bytes"),
    # JSON, but not a message
    (b"{}", "no method, result or error"),
    (b'{"id":1}', "no method, result or error"),
    (b'{"id":null,"result":{},"error":null}', "no id"),
    (b'{"id":1,"result":{},"error":"x"}', "both a result and an error"),
    (b'{"id":1,"method":"update","params":[],"result":{}}', "both a method and a result"),
    (b'{"id":null,"method":5,"params":[]}', "method is not a string"),
    (b'{"id":null,"method":"update","params":{}}', "not an array"),
    (b'{"id":null,"method":"update"}', "not an array"),
    (update({1: {"new": vmRow("tap1")}}), "before its reply"),
    # A reply of the wrong shape, at each level
    (result(None), "no object"),
    (result([]), "no object"),
    (result({"Port": {}}), "'Port' is not monitored"),
    (rows([]), "table Interface: no object"),
    (rows({"x": {"new": vmRow("tap1")}}), "not a UUID"),
    (rows({uuid(1): []}), "the update is no object"),
    (rows({uuid(1): {}}), "only new rows"),
    (rows({uuid(1): {"old": vmRow("tap1")}}), "only new rows"),
    (rows({uuid(1): {"new": 5}}), "new is no object"),
    (rows({uuid(1): {"new": {"name": "tap1"}}}), "column type: missing"),
    (new(name=5), "column name"),
    (new(name=["set", []]), "column name"),
    (new(ofport="1"), "column ofport"),
    (new(ofport=1.5), "column ofport"),
    (new(ofport=True), "column ofport"),
    (new(ofport=["set", [1, 2]]), "column ofport"),
    (new(error=5), "column error"),
    (new(external_ids={}), "column external_ids"),
    (new(external_ids=["map", [["iface-id"]]]), "column external_ids"),
    (new(external_ids=["map", [["iface-id", 1]]]), "column external_ids"),
    (new(options=["set", []]), "column options"),
    # An update that is wrong
    (changed(None), "no object"),
    (changed({"Port": {}}), "'Port' is not monitored"),
    (changed({"Interface": {uuid(1): {"new": vmRow("tap1")}}}), "exists already"),
    (changed({"Interface": {uuid(2): {"old": {}, "new": vmRow("x")}}}), "never inserted"),
    (changed({"Interface": {uuid(2): {"old": jsonRow("x")}}}), "never inserted"),
    (changed({"Interface": {uuid(1): {"old": 5}}}), "old is no object"),
    (changed({"Interface": {uuid(2): {}}}), "neither old nor new"),
    (
        changed({"Interface": {uuid(2): {"new": vmRow("ok")}, uuid(3): {"new": {}}}}),
        "row 00000003-0000-4000-8000-000000000000: column name: missing",
    ),
    (after(b'{"id":null,"method":"update","params":["twisted_ovsdb"]}'), "two params"),
    (
        after(b'{"id":null,"method":"monitor_canceled","params":["twisted_ovsdb"]}'),
        "canceled monitor",
    ),
    (after(b"}"), "begins with b'}'"),
]

# The same answers without white space, as ovsdb-server writes them: these are read row by row.
ANSWERS += [
    (compact, says)
    for data, says in ANSWERS
    if (compact := data.replace(b": ", b":").replace(b", ", b",")) != data
]


class HostileProtocol(Protocol):
    """
    Sends its answer when the first bytes arrive.
    """

    factory: HostileServer

    def dataReceived(self, data: bytes) -> None:
        """
        Take the first bytes for the monitor request, whatever they are.
        """
        if not self.factory.served.get(self):
            self.factory.served[self] = True
            assert self.transport is not None
            self.transport.write(self.factory.nextAnswer())


class HostileServer(ServerFactory):
    """
    Serves each wrong answer once, then good ones.
    """

    noisy = False
    protocol = HostileProtocol  # type: ignore[assignment]

    def __init__(self) -> None:
        self.answers = [data for data, _ in ANSWERS]
        self.served: dict[Any, bool] = {}

    def nextAnswer(self) -> bytes:
        """
        The answer for the next connection.
        """
        return self.answers.pop(0) if self.answers else GOOD
