# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.tableupdates}: what is read of a message row by row
is what a JSON parser reads of it as a whole.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.jsonrpc import parseMessage
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.strictjson import decodeObject
from twisted_ovsdb.wire.tableupdates import TableUpdates, decodeMessage, parsed, rowUpdates

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
TABLES = ["A", "Interface", "\u00e4\n"]
UUIDS = ["0000000a-0000-4000-8000-00000000000b", "0000000C-0000-4000-8000-000000000000"]
ROWS = st.dictionaries(st.sampled_from(UUIDS), st.dictionaries(st.text(max_size=5), JSON))
RESULTS = st.dictionaries(
    st.sampled_from(TABLES),
    ROWS | ROWS | st.dictionaries(st.text(max_size=5), JSON, max_size=2) | JSON,
)


def unfold(value: Any) -> Any:
    """
    What reading a message row by row gives.
    """
    found: Any = {}
    for table, uuid, update in rowUpdates(value, [*TABLES, "a"]):
        found.setdefault(table, {})[uuid] = update
    return found


def outcome(value: Any) -> Any:
    """
    The same, or the fault.
    """
    try:
        return unfold(value)
    except ProtocolViolation as e:
        return str(e)


class TableUpdatesTests(SynchronousTestCase):
    """
    Tests for L{decodeMessage}.
    """

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(
        result=RESULTS,
        indent=st.sampled_from([None, 1]),
        compact=st.booleans(),
        ascii=st.booleans(),
        order=st.permutations(["id", "result", "error"]),
        whole=st.booleans(),
    )
    def test_same(
        self,
        result: Any,
        indent: int | None,
        compact: bool,
        ascii: bool,
        order: list[str],
        whole: bool,
    ) -> None:
        """
        Whatever the result, the white space and the order of the members, it
        is what a JSON parser makes of it.
        """
        message = {"id": 1, "result": result, "error": None}
        separators = (",", ":") if compact else None
        inOrder = {key: message[key] for key in order}
        text = json.dumps(inOrder, indent=indent, ensure_ascii=ascii, separators=separators)
        data = bytearray(text.encode())
        decoded = decodeMessage(data)
        self.assertEqual(data, b"")
        self.assertEqual(decoded["id"], 1)
        found = decoded["result"]
        self.assertIs(isinstance(found, TableUpdates), type(result) is dict)
        if whole:
            found = found.whole()
            self.assertEqual(found, result)
        self.assertEqual(outcome(found), outcome(result))

    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(result=RESULTS, place=st.integers(0, 10**4), byte=st.sampled_from(b'{}[]",:\\x0 \n\x01'))
    def test_sameFaults(self, result: Any, place: int, byte: int) -> None:
        """
        With one byte changed, it is refused if and only if a JSON parser
        refuses it; what is no reply any more may be refused besides.
        """
        message = {"id": 1, "result": result, "error": None}
        data = bytearray(json.dumps(message, separators=(",", ":")).encode())
        data[place % len(data)] = byte
        # What is decoded was framed before: it ends with its outermost brace.
        try:
            stream = JSONStream(10**6, lambda message: {"message": message})
            data = next(stream.feed(bytes(data)))["message"]
        except (ProtocolViolation, StopIteration):
            return
        try:
            expected: Any = decodeObject(bytes(data))
        except ProtocolViolation:
            expected = None
        try:
            decoded = decodeMessage(bytearray(data))
        except ProtocolViolation:
            self.assertIsNone(expected)
            return
        if "result" not in decoded:
            return
        found = outcome(decoded["result"])
        if expected is None:
            self.assertIsInstance(found, str)
        elif found != outcome(expected["result"]):
            self.assertRegex(found, "and an error|behind them")

    def test_behindTheResult(self) -> None:
        """
        What stands behind the result counts too.
        """
        for text, wrong in (
            ('{"id":1,"result":{"a":{}},"error":"x"}', "both a result and an error"),
            ('{"id":1,"result":{"a":{}},"result":{}}', "has the member 'result' twice"),
            ('{"id":1,"result":{"a":{}},"result":null}', "has the member 'result' twice"),
            ('{"id":1,"result":{"a":{}},"id":2}', "has the member 'id' twice"),
            ('{"id":1,"result":{"a":{}},"method":"x"}', "has method behind them"),
            ('{"id":1,"result":{"a":{}},}', "not JSON"),
            ('{"id":1,"result":{"a":{}} x}', "not JSON"),
            ('{"id":1,"result":{"a":{}}"b":1}', "not JSON"),
            ('{"id":1,"result":{"a":{},}}', "not JSON"),
            ('{"id":1,"result":{"a" {}}}', "not JSON"),
            ('{"id":1,"result":{"a\\x":{}}}', "not JSON"),
            ('{"id":1,"result":{"a":}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":}}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":{},}}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":{} "N":{}}}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":{}{"N":{}}}}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":{},"N" {}}}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":{},"N":{x}}}}', "not JSON"),
            ('{"id":1,"result":{"a":{"N":{"x":1e999}}}}', "not JSON"),
            ('{"id":null,"method":"update","params":["m",{"a":{}},2]}', "update: not two params"),
            ('{"id":null,"method":"update2","params":["m",{"a":{}} , 2,3 ]}', "not two params"),
            ('{"id":null,"method":"update","params":["m",{"a":{}},]}', "not JSON"),
            ('{"id":null,"method":"update","params":["m",{"a":{}},2}', "not JSON"),
            ('{"id":null,"method":"update","params":["m",{"a":{}}}', "not JSON"),
            (
                '{"id":null,"method":"update","params":["m",{"a":{}}],"params":[]}',
                "has the member 'params' twice",
            ),
        ):
            for read in (unfold, TableUpdates.whole):
                message = decodeMessage(text.replace("N", UUIDS[0]).encode())
                tables = message["result"] if "result" in message else message["params"][1]
                error = self.assertRaises(ProtocolViolation, read, tables)
                self.assertIn(wrong, str(error), text)

    def test_moreBehind(self) -> None:
        """
        A reply that looks like one to C{monitor_cond_since} and goes on is no table
        updates. As plain JSON, it is what it is.
        """
        text = f'{{"id":1,"result":[true,"{UUIDS[0]}",{{"a":{{}}}},[5] , "x" ],"error":null}}'
        read = decodeMessage(text.encode())["result"]
        error = self.assertRaises(ProtocolViolation, unfold, read[-1])
        self.assertEqual(str(error), "more behind table updates: [[5], 'x']")
        read = parsed(decodeMessage(text.encode())["result"])
        self.assertEqual(read, json.loads(text)["result"])

    def test_sameInEachForm(self) -> None:
        """
        What is accepted of a message does not depend on its white space.
        """
        for text, accepted in (
            ('{"id":01,"result":{},"error":null}', False),
            ('{"id":0,"result":{},"error":null}', True),
            ('{"id":null,"method":"update","params":["m",{}],"result":null,"error":null}', True),
            ('{"id":null,"method":"update","params":["m",{}],"result":{},"error":null}', False),
            ('{"id":null,"method":"update","params":["m",{}],"error":"x"}', False),
        ):
            for form in (text, text.replace(":", ": ").replace(",", ", ")):
                try:
                    message = decodeMessage(form.encode())
                    parseMessage(message)
                    tables = message["params"][1] if "params" in message else message["result"]
                    unfold(tables)
                except ProtocolViolation:
                    self.assertFalse(accepted, form)
                else:
                    self.assertTrue(accepted, form)

    def test_withoutTables(self) -> None:
        """
        A message without table updates is parsed as a whole.
        """
        for text in (
            '{"id":null,"method":"update","params":[]}',
            '{"id":null,"method":"locked","params":["a"]}',
            "{}",
            '{"id":1,"result":[1]}',
            '{"id":1,"result":[true,[5]]}',
            '{"id":1,"result":[true]}',
            '{"id":1,"result":[]}',
            '{"params":[1],"method":"update","id":null}',
            '{"params":[],"method":"echo","id":null}',
            '{"id":"echo","method":"echo","params":[]}',
        ):
            self.assertEqual(decodeMessage(bytearray(text.encode())), json.loads(text))

    def test_asAMessage(self) -> None:
        """
        As messages they are the reply and the notification that they are.
        """
        reply: Any = parseMessage(decodeMessage(b'{"id":1,"result":{"a":{}}}'))
        self.assertEqual(reply.result.whole(), {"a": {}})
        text = b'{"id":null,"method":"update2","params":["m",{"a":{}}]}'
        update: Any = parseMessage(decodeMessage(text))
        self.assertEqual((update.method, update.params[0]), ("update2", "m"))
        self.assertEqual(update.params[1].whole(), {"a": {}})

    def test_noTableUpdates(self) -> None:
        """
        What is no table updates is refused in the same words, whether it was
        parsed as a whole or not.
        """
        cases: list[tuple[Any, str]] = [
            ({"A": {"x": {}}}, "table A: not a UUID: 'x'"),
            ({"A": []}, r"table A: no object: \[\]"),
            ({"A": "x"}, "table A: no object: 'x'"),
            ({"B": {}}, "table 'B' is not monitored"),
            ({"A": {"00000001-0000-4000-8000-000000000000": 5}}, "the update is no object: 5"),
        ]
        for tables, says in cases:
            text = json.dumps({"id": 1, "result": tables}, separators=(",", ":")).encode()
            for form in (tables, decodeMessage(text)["result"]):
                with self.assertRaisesRegex(ProtocolViolation, says):
                    list(rowUpdates(form, {"A"}))
        values: list[Any] = [None, [], "x", 5]
        for value in values:
            with self.assertRaisesRegex(ProtocolViolation, "table updates are no object"):
                list(rowUpdates(value, {"A"}))
