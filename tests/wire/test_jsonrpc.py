# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.jsonrpc}.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import OvsdbError, ProtocolViolation
from twisted_ovsdb.wire.jsonrpc import (
    ErrorReply,
    Message,
    Notification,
    Reply,
    Request,
    encodeError,
    encodeNotification,
    encodeReply,
    encodeRequest,
    parseMessage,
)
from twisted_ovsdb.wire.jsonstream import JSONStream

PROPERTY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)

ACCEPTED: list[tuple[str, Message]] = [
    (
        '{"id":"echo","method":"echo","params":[]}',
        Request("echo", "echo", []),
    ),
    ('{"method":"echo","params":["x"],"id":7}', Request(7, "echo", ["x"])),
    ('{"id":false,"method":"x","params":[]}', Request(False, "x", [])),
    ('{"id":[1,{"a":2}],"method":"x","params":[]}', Request([1, {"a": 2}], "x", [])),
    (
        '{"id":null,"method":"update","params":["m1",{"A":{}}]}',
        Notification("update", ["m1", {"A": {}}]),
    ),
    ('{"method":"locked","params":["l"]}', Notification("locked", ["l"])),
    (
        '{"id":null,"method":"monitor_canceled","params":["m1"],"result":null,"error":null}',
        Notification("monitor_canceled", ["m1"]),
    ),
    ('{"id":1,"method":"","params":[],"more":1}', Request(1, "", [])),
    ('{"id":1,"result":["T","_Server"],"error":null}', Reply(1, ["T", "_Server"])),
    ('{"id":1,"result":{},"error":null}', Reply(1, {})),
    ('{"id":1,"result":{}}', Reply(1, {})),
    ('{"id":1,"result":null,"error":null}', Reply(1, None)),
    ('{"id":"abc","result":false,"error":null,"more":1}', Reply("abc", False)),
    ('{"id":0,"result":0}', Reply(0, 0)),
]
"""A message, and what it means."""

REFUSED: list[tuple[str, str]] = [
    ("{}", "no method, result or error"),
    ('{"id":1}', "no method, result or error"),
    ('{"id":1,"error":null}', "members ['id', 'error']"),
    ('{"id":1,"params":[]}', "members ['id', 'params']"),
    ('{"id":1,"method":null,"params":[]}', "method is not a string: None"),
    ('{"id":1,"method":null,"result":1}', "both a method and a result"),
    ('{"id":1,"method":5,"params":[]}', "method is not a string: 5"),
    ('{"id":1,"method":["echo"],"params":[]}', "method is not a string: ['echo']"),
    ('{"id":1,"method":"echo"}', "echo: params are not an array: None"),
    ('{"id":1,"method":"echo","params":null}', "echo: params are not an array: None"),
    ('{"id":1,"method":"echo","params":{}}', "echo: params are not an array: {}"),
    ('{"id":null,"method":"update","params":"m1"}', "update: params are not an array: 'm1'"),
    ('{"id":1,"method":"echo","params":[],"result":[]}', "both a method and a result or error"),
    ('{"id":1,"method":"echo","params":[],"error":"x"}', "both a method and a result or error"),
    ('{"id":1,"method":"echo","params":[],"result":false}', "both a method and a result or error"),
    ('{"id":null,"result":{},"error":null}', "reply has no id"),
    ('{"result":{}}', "reply has no id"),
    ('{"error":"unknown method"}', "reply has no id"),
    ('{"id":1,"result":{},"error":"x"}', "both a result and an error"),
    ('{"id":1,"result":0,"error":{"error":"x"}}', "both a result and an error"),
]
"""A message, and what its fault says."""

ERRORS: list[tuple[str, str, str]] = [
    ('"unknown method"', "unknown method", ""),
    ('"database not available"', "database not available", ""),
    (
        '{"details":"no table named Zed","error":"syntax error"}',
        "syntax error",
        "no table named Zed",
    ),
    (
        r'{"syntax":"\"m1\"","details":"duplicate monitor ID","error":"syntax error"}',
        "syntax error",
        "duplicate monitor ID",
    ),
    ('{"error":"unknown database"}', "unknown database", ""),
    ('{"error":"x","details":["a",1]}', "x", "['a', 1]"),
    ('{"error":"x","details":null}', "x", "None"),
    ('""', "", ""),
    ("5", "5", ""),
    ("false", "False", ""),
    ("[]", "[]", ""),
    ("{}", "{}", ""),
    ('{"error":5}', "{'error': 5}", ""),
]
"""An error, what is short in it, and its details."""


class ParseTests(SynchronousTestCase):
    """
    What the server's messages mean.
    """

    def test_accepted(self) -> None:
        """
        Requests, notifications and results are told apart as RFC 7047 has
        it; members that we do not know do not matter.
        """
        for text, expected in ACCEPTED:
            message = parseMessage(json.loads(text))
            self.assertEqual(message, expected, text)
            self.assertIs(type(message), type(expected), text)

    def test_idsKeepTheirType(self) -> None:
        """
        An id comes back as it was sent: 1, true and 1.0 are three ids.
        """
        for messageId in (1, True, 1.0, "1", [1], {"1": 1}):
            for members in ('"result":{}', '"error":"x"', '"method":"echo","params":[]'):
                value = json.loads(f'{{"id":{json.dumps(messageId)},{members}}}')
                message = parseMessage(value)
                assert not isinstance(message, Notification)
                self.assertEqual(repr(message.id), repr(messageId))

    def test_refused(self) -> None:
        """
        What is no message is a fault that says why.
        """
        for text, says in REFUSED:
            fault = self.assertRaises(ProtocolViolation, parseMessage, json.loads(text))
            self.assertIn(says, str(fault), text)

    def test_errors(self) -> None:
        """
        A server's refusal is read in each of its two shapes, and something
        is made of any other.
        """
        for text, error, details in ERRORS:
            for result in ("", ',"result":null'):
                message = parseMessage(json.loads(f'{{"id":3,"error":{text}{result}}}'))
                assert isinstance(message, ErrorReply), text
                self.assertEqual(message.id, 3, text)
                self.assertEqual((message.error.error, message.error.details), (error, details))

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from(["id", "method", "params", "result", "error", "x"]),
            st.none()
            | st.booleans()
            | st.integers(0, 2)
            | st.sampled_from(["echo", [], ["x"], {}, {"error": "x"}, {"error": 1}, 0.5]),
        )
    )
    def test_anyObject(self, value: dict[str, Any]) -> None:
        """
        Any JSON object is a message or a fault, and never anything else.
        """
        try:
            message = parseMessage(value)
        except ProtocolViolation:
            return
        self.assertIn(type(message), (Request, Notification, Reply, ErrorReply))


class EncodeTests(SynchronousTestCase):
    """
    What we write: ovsdb-server drops a client for a member too many.
    """

    def test_request(self) -> None:
        """
        A request has a method, params and an id, and nothing else.
        """
        self.assertEqual(
            encodeRequest(1, "monitor", ("T", "m", {"A": [{"columns": ["a"]}]})),
            b'{"method":"monitor","params":["T","m",{"A":[{"columns":["a"]}]}],"id":1}',
        )
        self.assertEqual(encodeRequest(2, "x", ()), b'{"method":"x","params":[],"id":2}')

    def test_notification(self) -> None:
        """
        A notification is a request whose id is null.
        """
        expected = b'{"method":"cancel","params":[7],"id":null}'
        self.assertEqual(encodeNotification("cancel", [7]), expected)

    def test_reply(self) -> None:
        """
        An echo is answered with its own params and id, exactly.
        """
        expected = b'{"id":"echo","result":[],"error":null}'
        self.assertEqual(encodeReply("echo", []), expected)
        expected = b'{"id":[1,{"a":false}],"result":[{"x":1e+18},null],"error":null}'
        self.assertEqual(encodeReply([1, {"a": False}], [{"x": 1e18}, None]), expected)

    def test_error(self) -> None:
        """
        A request that we do not know is refused with a string.
        """
        expected = b'{"id":5,"result":null,"error":"unknown method"}'
        self.assertEqual(encodeError(5, "unknown method"), expected)

    def test_text(self) -> None:
        """
        Text is UTF-8, and what JSON wants escaped is.
        """
        expected = b'{"method":"x","params":["\xc3\xa9\xf0\x9f\x98\x80\\"\\\\\\n\x7f/"],"id":1}'
        self.assertEqual(encodeRequest(1, "x", ['é😀"\\\n\x7f/']), expected)

    def test_notJSON(self) -> None:
        """
        What JSON cannot say is the caller's error, told at once.
        """
        for value in (float("nan"), float("inf"), "\ud834"):
            self.assertRaises(ValueError, encodeRequest, 1, "x", [value])
            self.assertRaises(ValueError, encodeNotification, "x", [value])
        for wrong in (b"bytes", object(), {1, 2}, {(1, 2): 3}):
            self.assertRaises(TypeError, encodeRequest, 1, "x", [wrong])

    def test_roundTrip(self) -> None:
        """
        What we write is what a strict reader reads.
        """
        stream = JSONStream()
        data = encodeRequest("é", "x", [2**63 - 1]) + encodeNotification("y", [])
        data += encodeReply(1, {"a": None}) + encodeError(2, "no")
        messages = [parseMessage(value) for value in stream.feed(data)]
        self.assertEqual(
            messages[:3],
            [Request("é", "x", [2**63 - 1]), Notification("y", []), Reply(1, {"a": None})],
        )
        (refusal,) = messages[3:]
        assert isinstance(refusal, ErrorReply)
        self.assertEqual((refusal.id, refusal.error.error), (2, "no"))

    def test_deep(self) -> None:
        """
        A request nested as deep as we can read is answered, or is a fault of
        the peer, also where our own calls stand deeper than at its reading. So
        it is with an echo, and with an id of a request that is not known.
        """

        def deeper(calls: int, answer: Callable[[], bytes]) -> bytes:
            return deeper(calls - 1, answer) if calls else answer()

        answers: dict[str, Callable[[object], bytes]] = {
            "params": lambda deep: encodeReply("echo", deep),
            "id": lambda deep: encodeError(deep, "unknown method"),
        }
        for member, answer in answers.items():
            for depth in (*range(100, 800, 100), *range(800, 1100)):
                data = f'{{"method":"x","{member}":{"[" * depth}{"]" * depth}}}'.encode()
                stream = JSONStream()
                try:
                    (value,) = stream.feed(data)
                    deep = value[member]
                    self.assertIn(b"[" * depth, deeper(20, partial(answer, deep)))
                except OvsdbError:
                    continue
                except RecursionError as e:
                    self.fail(f"{member} {depth} deep: {type(e).__name__}")
