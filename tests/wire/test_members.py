# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.members}: a large message is read as a small one.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire import members
from twisted_ovsdb.wire.jsonrpc import parseMessage
from twisted_ovsdb.wire.jsonstream import JSONStream, decodeObject
from twisted_ovsdb.wire.members import JSONMembers, TableUpdates, decodeMessage
from twisted_ovsdb.wire.members import members as membersOf

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
RESULTS = st.dictionaries(
    st.text(max_size=5), st.dictionaries(st.text(max_size=5), JSON, max_size=4) | JSON, max_size=4
)


def unfold(value: Any) -> Any:
    """
    What iterating over all members gives.
    """
    items = membersOf(value) if isinstance(value, JSONMembers) else None
    return value if items is None else {key: unfold(item) for key, item in items}


class MembersTestCase(SynchronousTestCase):
    """
    Every message is large here.
    """

    def setUp(self) -> None:
        self.patch(members, "LARGE", 0)
        self.patch(members, "ROWS", 0)


class LargeTests(MembersTestCase):
    """
    Tests for L{decodeMessage}.
    """

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(
        result=RESULTS,
        indent=st.sampled_from([None, 1]),
        ascii=st.booleans(),
        order=st.permutations(["id", "result", "error"]),
        whole=st.booleans(),
    )
    def test_same(
        self, result: Any, indent: int | None, ascii: bool, order: list[str], whole: bool
    ) -> None:
        """
        Whatever the result, the white space and the order of the members, it
        is what a JSON parser makes of it.
        """
        message = {"id": 1, "result": result, "error": None}
        text = json.dumps({key: message[key] for key in order}, indent=indent, ensure_ascii=ascii)
        data = bytearray(text.encode())
        decoded = decodeMessage(data)
        self.assertEqual(decoded["id"], 1)
        large = decoded["result"]
        if order.index("id") < order.index("result"):
            self.assertIsInstance(large, TableUpdates)
            self.assertEqual(data, b"")
            self.assertEqual(large.whole() if whole else unfold(large), result)
        else:
            self.assertEqual(large, result)

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(result=RESULTS, place=st.integers(0, 10**4), byte=st.sampled_from(b'{}[]",:\\x0 \n\x01'))
    def test_sameFaults(self, result: Any, place: int, byte: int) -> None:
        """
        With one byte changed, it is refused if and only if a JSON parser
        refuses it; what is no reply any more may be refused besides.
        """
        data = bytearray(json.dumps({"id": 1, "result": result, "error": None}).encode())
        data[place % len(data)] = byte
        # What is decoded was framed before: it ends with its outermost brace.
        try:
            data = next(JSONStream(10**6, bytearray).feed(bytes(data)), bytearray())
        except ProtocolViolation:
            return
        if not data:
            return
        try:
            expected: Any = decodeObject(bytes(data))
        except ProtocolViolation:
            expected = None
        try:
            decoded = decodeMessage(bytearray(data))
            found: Any = {key: unfold(value) for key, value in decoded.items()}
        except ProtocolViolation as e:
            if expected is not None:
                self.assertRegex(str(e), "and an error|behind them")
        else:
            self.assertIsNotNone(expected)
            self.assertEqual(found["result"], expected["result"]) if "result" in found else None

    def test_rest(self) -> None:
        """
        What stands behind the result counts too.
        """
        for text, wrong in (
            ('{"id":1,"result":{"a":1},"error":"x"}', "both table updates and an error"),
            ('{"id":1,"result":{"a":1},"result":{}}', "has result behind them"),
            ('{"id":1,"result":{"a":1},"id":2}', "has id behind them"),
            ('{"id":1,"result":{"a":1},"method":"x"}', "has method behind them"),
            ('{"id":1,"result":{"a":1},}', "not JSON"),
            ('{"id":1,"result":{"a":1} x}', "not JSON"),
            ('{"id":1,"result":{"a":1}"b":1}', "not JSON"),
            ('{"id":1,"result":{"a":1,}}', "not JSON"),
            ('{"id":1,"result":{"a" 1}}', "not JSON"),
            ('{"id":1,"result":{"a\\x":1}}', "not JSON"),
            ('{"id":1,"result":{"a":}}', "not JSON"),
            ('{"id":1,"result":{"a":1e999}}', "not JSON"),
        ):
            for read in (unfold, TableUpdates.whole):
                result = decodeMessage(bytearray(text.encode()))["result"]
                error = self.assertRaises(ProtocolViolation, read, result)
                self.assertIn(wrong, str(error), text)

    def test_noResult(self) -> None:
        """
        A message that is no reply is decoded whole.
        """
        for text in ('{"id":null,"method":"update","params":[]}', "{}", '{"id":1,"result":[1]}'):
            self.assertEqual(decodeMessage(bytearray(text.encode())), json.loads(text))

    def test_asAReply(self) -> None:
        """
        As a message it is the reply that it is.
        """
        reply: Any = parseMessage(decodeMessage(bytearray(b'{"id":1,"result":{"a":{}}}')))
        self.assertEqual(unfold(reply.result), {"a": {}})

    def test_members(self) -> None:
        """
        A dict has members, and what was no object has none.
        """
        items = membersOf({"a": 1})
        assert items is not None
        self.assertEqual(list(items), [("a", 1)])
        values: list[Any] = [None, [], "x", 1]
        for value in values:
            self.assertIsNone(membersOf(value))
