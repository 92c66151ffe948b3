# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.rowreader.RowReader}: rows that are read while a
reply arrives are those of the whole reply, and what is wrong in it is found
all the same.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.messages import ANY_ROWS, OLD, ROWS, WRITING, plainRow, write
from tests.fakes.observers import Recorder
from tests.fakes.rows import uuid
from tests.wire.test_jsonstream import pieces
from twisted_ovsdb import (
    ClassificationRules,
    InterfaceMonitor,
    OvsdbProtocol,
    ProtocolViolation,
)
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.tableset import MonitoredTable, Replica, TableSet
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.wire import rowreader, tableupdates
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.rowreader import arrivingReply
from twisted_ovsdb.wire.strictjson import decodeObject, scanValue
from twisted_ovsdb.wire.tableupdates import MAX_UNASKED, decodeMessage

SECOND = "Second"
"""A second table, with rows of the same kind."""

UUIDS = [uuid(number) for number in range(9)]
REPLY_ROWS = st.dictionaries(
    st.sampled_from(UUIDS),
    st.fixed_dictionaries({"new": ANY_ROWS})
    | st.fixed_dictionaries({"new": ROWS, "old": st.just({})}),
    max_size=8,
)
REPLIES = st.dictionaries(st.sampled_from([TABLE, TABLE, SECOND, "Other"]), REPLY_ROWS, max_size=3)
CUTS = st.lists(st.integers(0, 10**4), max_size=12)

KNOWN = [uuid(number) for number in range(4)]
UPDATES = st.dictionaries(
    st.sampled_from([*UUIDS, "no-uuid", uuid(9).upper()]),
    st.one_of(
        st.fixed_dictionaries({"new": ANY_ROWS}),
        st.fixed_dictionaries({"new": ANY_ROWS, "old": OLD}),
        st.fixed_dictionaries({"old": ANY_ROWS}),
        st.just({}),
    ),
    max_size=6,
)


def unnumbered(fault: object) -> str:
    """
    A fault without the places that it names, which are counted from elsewhere.
    """
    return re.sub(r"\d+", "N", re.sub(r"^behind \d+ (bytes|rows): ", "", str(fault)))


def tableSet() -> TableSet:
    """
    Two tables with rows of interfaces, both empty.
    """
    rows = InterfaceRows(ClassificationRules())
    return TableSet(
        MONITOR, {name: MonitoredTable(rows, Replica[Any]()) for name in (TABLE, SECOND)}
    )


class ArrivingTests(SynchronousTestCase):
    """
    Replies in chunks. What can be read of a chunk is read at once.
    """

    def setUp(self) -> None:
        self.patch(rowreader, "ARRIVED", 1)
        self.decoded: list[bytes] = []
        self.reader = tableSet().reader()

    def outcome(self, chunks: Iterable[bytes], maxLength: int = 10**6) -> Any:
        """
        The rows of a reply that comes in these chunks, or its fault.
        """
        self.reader = reader = tableSet().reader()

        def readArrived(message: bytearray) -> int:
            arriving = arrivingReply(message)
            return 0 if arriving is None else reader.readArrived(message, arriving[1])

        stream = JSONStream(maxLength, self.decode)
        stream.readArrived = readArrived
        try:
            for chunk in chunks:
                for message in stream.feed(chunk):
                    return reader.readAll(message["result"])
        except ProtocolViolation as e:
            return unnumbered(e)
        return None

    def decode(self, message: bytes | bytearray) -> dict[str, Any]:
        """
        Decode a message, and note it.
        """
        self.decoded.append(bytes(message))
        return decodeMessage(message)

    def parsed(self, message: bytes) -> Any:
        """
        What comes of a reply that a JSON parser parses as a whole.
        """
        try:
            return tableSet().reader().readAll(decodeObject(message)["result"])
        except ProtocolViolation as e:
            return unnumbered(e)

    @settings(max_examples=700, deadline=None, derandomize=True, database=None)
    @given(tables=REPLIES, form=WRITING, cuts=CUTS)
    def test_same(self, tables: dict[str, Any], form: dict[str, Any], cuts: list[int]) -> None:
        """
        However a reply is written and cut, its rows are the same, or its
        fault.
        """
        message = write({"id": 1, "result": tables, "error": None}, **form).encode()
        whole = self.parsed(message)
        self.assertIsNotNone(whole)
        self.assertEqual(self.outcome([message]), whole)
        self.assertEqual(self.outcome(pieces(message, cuts)), whole)

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(
        place=st.integers(0, 10**4),
        new=st.sampled_from(['"', ",", "}", "{", "]", "\\", ":", "x", " ", "\n", "\x80", ""]),
        cuts=CUTS,
    )
    def test_damage(self, place: int, new: str, cuts: list[int]) -> None:
        """
        A reply that is damaged in one place is refused as if it had come
        whole, or read as if it had.
        """
        ids = ["map", [["iface-id", "x"]]]
        rows = {uuid(n): {"new": plainRow(n, external_ids=ids)} for n in range(1, 7)}
        text = write({"id": 1, "result": {TABLE: rows, SECOND: rows}, "error": None})
        start = text.index(uuid(1))
        place = start + place % (len(text) - start)
        data = (text[:place] + new + text[place + 1 :]).encode("latin-1") + b"}"
        whole = self.outcome([data])
        chunks = self.outcome(pieces(data, cuts))
        if isinstance(whole, str):
            # Where there are two faults, another of them may be the first.
            self.assertIsInstance(chunks, str)
        else:
            self.assertEqual(chunks, whole)

    def test_removed(self) -> None:
        """
        What has been read is not kept: the message that is decoded in the end
        has only the last rows. So it is with rows that hold anything.
        """
        odd = {"external_ids": ["map", [["}},", '}},"'], ["ü", "\\"], ["a", '"b"']]]}
        for columns in ({}, odd):
            rows = {uuid(n): {"new": plainRow(n, **columns)} for n in range(1, 100)}
            tables = {TABLE: rows, SECOND: rows}
            message = write({"id": 1, "result": tables, "error": None}).encode()
            self.decoded.clear()
            found = self.outcome(pieces(message, range(0, len(message), 500)))
            names = [f"tap{n}" for n in range(1, 100)]
            for table in (TABLE, SECOND):
                self.assertEqual([row.name for row in found[table].values()], names)
            self.assertEqual(len(self.decoded), 1)
            self.assertLess(len(self.decoded[0]), 1000)
            self.assertEqual(list(decodeObject(self.decoded[0])["result"]), [SECOND])

    def test_onlyLarge(self) -> None:
        """
        Nothing is looked for before there is a slice of rows.
        """
        self.patch(rowreader, "ARRIVED", 2000)
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        reader = tableSet().reader()
        for size, removed in ((1999, 0), (2000, 1000)):
            part = bytearray(message[:size])
            self.assertGreaterEqual(reader.readArrived(part, 17), removed)
            self.assertEqual(len(part) < size, removed > 0)

    def test_oneEnormousRow(self) -> None:
        """
        A row that does not come to its end is looked at ever more seldom: the
        time stays linear.
        """
        pairs = [[f"key{n}", "}},"] for n in range(2000)]
        rows = {uuid(1): {"new": plainRow(1, external_ids=["map", pairs])}}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        looked = []
        scan = scanValue

        def counting(text: str, place: int) -> Any:
            looked.append(len(text))
            return scan(text, place)

        self.patch(tableupdates, "scanValue", counting)
        found = self.outcome(pieces(message, range(0, len(message), 100)))
        self.assertEqual(len(found[TABLE][uuid(1)].external_ids), 2000)
        self.assertLess(sum(looked), 4 * len(message))
        self.assertGreater(len(looked), 3)

    def test_whiteSpace(self) -> None:
        """
        So it is with white space between the parts of a reply.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 100)}
        reply = {"id": 1, "result": {TABLE: rows, SECOND: rows}, "error": None}
        forms: list[dict[str, Any]] = [{"separators": (", ", ": ")}, {"indent": 1}]
        for form in forms:
            message = write(reply, **form).encode()
            self.decoded.clear()
            found = self.outcome(pieces(message, range(0, len(message), 500)))
            self.assertEqual(found, self.parsed(message))
            self.assertLess(len(self.decoded[0]), 1200)

    def test_anotherOrder(self) -> None:
        """
        A reply in another order than ovsdb-server's is left as it is until it
        is there, and then it is right.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"error": None, "id": 1, "result": {TABLE: rows}}).encode()
        found = self.outcome(pieces(message, range(0, len(message), 300)))
        self.assertEqual(len(found[TABLE]), 59)
        self.assertEqual(len(self.decoded[0]), len(message))

    def test_flood(self) -> None:
        """
        What was removed counts too for how long a message may be.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        chunks = pieces(message, range(0, len(message), 300))
        self.assertEqual(len(self.outcome(chunks, len(message))[TABLE]), 59)
        fault = self.outcome(chunks, len(message) - 1)
        self.assertEqual(fault, "a message is longer than N bytes")

    def test_floodCountsAnew(self) -> None:
        """
        What was removed from one message does not count for the next one.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        readers = [tableSet().reader(), tableSet().reader()]
        stream = JSONStream(len(message), decodeMessage)
        stream.readArrived = lambda message: readers[0].readArrived(message, 17)
        found = [
            value
            for chunk in pieces(message * 2, range(0, 2 * len(message), 300))
            for value in stream.feed(chunk)
            if readers.pop(0)
        ]
        self.assertEqual(len(found), 2)

    def test_trailingComma(self) -> None:
        """
        A comma behind the last row is a fault, wherever the reply is cut.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 4)}
        text = write({"id": 1, "result": {TABLE: rows}, "error": None})
        message = text.replace("]}}}}", "]}},}}").encode()
        for size in range(len(message) - 40, len(message)):
            found = self.outcome([message[:size], message[size:]])
            self.assertIn("not JSON", found)

    def test_F83_twice(self) -> None:
        """
        A row or a table that stands in a reply twice is a fault, however the reply is
        written and cut. Among the columns of a row the last one counts.
        """

        def table(name: str, *numbers: int) -> str:
            rows = (f'"{uuid(n)}":{{"new":{write(plainRow(n))}}}' for n in numbers)
            return f'"{name}":{{{",".join(rows)}}}'

        first = table(TABLE, 1, 2, 3)
        row, other = "a row stands there twice", f"table {TABLE} stands there twice"
        for tables, says in (
            (table(TABLE, 1, 1), row),
            (table(TABLE, 1, 2, 3, 1), row),
            (f"{table(SECOND, 1)},{table(TABLE, 1, 2, 3, 4, 5, 5)}", row),
            (f"{first},{table(SECOND, 1, 2)},{table(TABLE, 4, 5)}", other),
            (f"{first},{table(TABLE, 4)}", other),
            (f"{first},{table(TABLE)}", other),
            (f"{table(TABLE)},{first}", other),
            (first.replace('"name"', '"name":5,"name"'), None),
            (f"{first},{table(SECOND, 1, 2, 3)}", None),
        ):
            usual = f'{{"id":1,"result":{{{tables}}},"error":null}}'
            odd = f'{{"error":null,"result":{{{tables}}},"id":1}}'
            for text in (usual, odd):
                for form in (text, text.replace(":", ": ").replace(",", ", ")):
                    data = form.encode()
                    for size in (7, 50, 150, len(data)):
                        found = self.outcome(pieces(data, range(0, len(data), size)))
                        if says is None:
                            self.assertEqual(found[TABLE][uuid(1)].name, "tap1")
                            self.assertEqual(len(found[TABLE]), 3)
                        else:
                            self.assertEqual(found, says, (form, size))
                    for cut in range(0, len(data), 3):
                        found = self.outcome([data[:cut], data[cut:]])
                        self.assertEqual(type(found) is str, says is not None, (form, cut))

    def test_F83_memberTwice(self) -> None:
        """
        A member that a message has twice is a fault, however the message is written and
        cut, and whatever the second one says.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 9)}
        result = write({TABLE: rows})
        for members in (
            ['"id":1', f'"result":{result}', '"result":{}'],
            ['"id":1', '"result":{}', f'"result":{result}'],
            ['"id":1', '"id":1', f'"result":{result}'],
            ['"id":1', f'"result":{result}', '"id":2'],
            ['"id":1', f'"result":{result}', '"error":null', '"error":null'],
            ['"id":1', '"x":1', f'"result":{result}', '"x":1'],
            ['"id":1', f'"result":{result}', '"x":1', '"x":1'],
        ):
            for text in ("{" + ",".join(members) + "}", "{ " + ",\n".join(members) + "}"):
                data = text.encode()
                for size in (7, 150, len(data)):
                    found = self.outcome(pieces(data, range(0, len(data), size)))
                    self.assertRegex(str(found), "has the member '.+' twice", text)

    def test_otherTable(self) -> None:
        """
        Of a table that was not asked for nothing is read.
        """
        other = "X" * len(TABLE)
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {other: rows}, "error": None}).encode()
        found = self.outcome(pieces(message, range(0, len(message), 300)))
        self.assertEqual(found, f"table {other!r} is not monitored")
        self.assertEqual(self.reader.rows, {TABLE: {}, SECOND: {}})

    def test_wrongRow(self) -> None:
        """
        A row that is wrong is a fault as soon as it is there, in the same
        words as at the end.
        """
        rows: dict[str, Any] = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        rows[uuid(20)] = {"new": {"name": 5}}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        whole = self.outcome([message])
        self.assertIn("table Interface, row", whole)
        half = pieces(message[: len(message) // 2], range(0, len(message), 300))
        self.assertEqual(self.outcome(half), whole)

    def test_notUTF8(self) -> None:
        """
        Bytes that are not UTF-8 are a fault as soon as they are there.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        message = message.replace(b"tap7", b"tap\xff")
        half = pieces(message[: len(message) // 2], range(0, len(message), 300))
        self.assertIn("not UTF-N", self.outcome(half))


class UpdateTests(SynchronousTestCase):
    """
    Table updates of notifications.
    """

    def outcome(self, tables: Any) -> Any:
        """
        The rows in their order, or the fault.
        """
        known = tableSet()
        rows = {name: plainRow(number) for number, name in enumerate(KNOWN)}
        snapshot = known.reader().readAll({TABLE: {n: {"new": row} for n, row in rows.items()}})
        list(known.tables[TABLE].replica.replace(snapshot[TABLE]))
        try:
            return [(table, list(rows.items())) for table, rows in known.readUpdate(tables).items()]
        except ProtocolViolation as e:
            return str(e)

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(rows=UPDATES, form=WRITING)
    def test_same(self, rows: dict[str, Any], form: dict[str, Any]) -> None:
        """
        The same rows come of an update, or the same fault, whether it is read
        row by row or parsed as a whole.
        """
        message = {"id": None, "method": "update", "params": ["m", {TABLE: rows}]}
        text = write(message, **form).encode()
        whole = self.outcome(decodeObject(text)["params"][1])
        self.assertEqual(self.outcome(decodeMessage(text)["params"][1]), whole)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(place=st.integers(0, 10**4), byte=st.sampled_from('{}[]",:\\x0 -9\n\x01'))
    def test_damage(self, place: int, byte: str) -> None:
        """
        With one character changed, a message is refused if a JSON parser
        refuses it, and read as it reads it.
        """
        ids = ["map", [["iface-id", "x"]]]
        rows = {
            uuid(5): {"new": plainRow(5, external_ids=ids)},
            uuid(1): {"new": plainRow(1, ofport=2), "old": {"ofport": 1}},
            uuid(2): {"old": plainRow(2)},
            uuid(6): {"new": plainRow(6, error="bad", options=ids)},
        }
        text = write({"id": None, "method": "update", "params": ["m", {TABLE: rows}]})
        start = text.index(TABLE)
        place = start + place % (len(text) - 3 - start)
        data = (text[:place] + byte + text[place + 1 :]).encode()
        try:
            whole = self.outcome(decodeObject(data)["params"][1])
        except ProtocolViolation:
            whole = "not JSON"
        except IndexError:
            return
        try:
            found = self.outcome(decodeMessage(data)["params"][1])
        except ProtocolViolation as e:
            found = str(e)
        if isinstance(whole, str):
            # Of two faults the first one is told.
            self.assertIsInstance(found, str)
        else:
            self.assertEqual(found, whole)

    def test_F83_twice(self) -> None:
        """
        A row or a table that stands in an update twice is a fault, in whatever form.
        """
        row = write({"new": plainRow(7)})
        twice = f'"{uuid(7)}":{row},"{uuid(7)}":{row}'
        for tables, says in (
            (f'"{TABLE}":{{{twice}}}', "a row stands there twice"),
            (f'"{TABLE}":{{"{uuid(7)}":{row}}},"{TABLE}":{{}}', "stands there twice"),
        ):
            for text in (
                f'{{"id":null,"method":"update","params":["m",{{{tables}}}]}}',
                f'{{"params":["m",{{{tables}}}],"id":null,"method":"update"}}',
                f'{{"params":[ "\\u006d" , {{{tables}}} ],"method":"update","id":null}}',
            ):
                for form in (text, text.replace(":", ": ")):
                    params = decodeMessage(form.encode())["params"]
                    self.assertEqual(params[0], "m")
                    self.assertIn(says, self.outcome(params[1]))

    def test_F81_unasked(self) -> None:
        """
        What is neither a reply nor an update has a smaller limit, and is refused before it
        is parsed.
        """
        for size, accepted in ((MAX_UNASKED, True), (MAX_UNASKED + 1, False)):
            for text in (
                '{"id":"x","method":"echo","params":["_"]}',
                '{"id":null,"method":"what","params":["_"]}',
                '{"id":null,"params":["_"],"method":"what"}',
                '{"id":null,"x":["_"],"method":"update4","params":[]}',
            ):
                data = text.replace("_", "x" * (size - len(text) + 1)).encode()
                self.assertEqual(len(data), size)
                if accepted:
                    self.assertIn("method", decodeMessage(data))
                else:
                    fault = self.assertRaises(ProtocolViolation, decodeMessage, data)
                    self.assertIn(f"no reply and no update has {size} characters", str(fault))
        reply = b'{"id":1,"error":null,"result":["' + b"x" * MAX_UNASKED + b'"]}'
        self.assertEqual(len(decodeMessage(reply)["result"][0]), MAX_UNASKED)


class ArrivingSessionTests(SynchronousTestCase):
    """
    A monitor that gets its initial reply in chunks.
    """

    def setUp(self) -> None:
        self.patch(rowreader, "ARRIVED", 1)
        self.observer = Recorder()
        self.monitor = InterfaceMonitor([self.observer], clock=Clock())
        self.protocol = OvsdbProtocol()
        self.protocol.makeConnection(StringTransport())
        ids = ["map", [["iface-id", "x"]]]
        self.rows = {n: plainRow(n, external_ids=ids) for n in range(1, 40)}

    def reply(self, messageId: int, rows: dict[int, Any]) -> bytes:
        """
        A reply as ovsdb-server writes it.
        """
        tables = {TABLE: {uuid(number): {"new": row} for number, row in rows.items()}}
        return write({"id": messageId, "result": tables, "error": None}).encode()

    def receive(self, data: bytes) -> None:
        """
        The server sends.
        """
        for chunk in pieces(data, range(0, len(data), 400)):
            self.protocol.dataReceived(chunk)

    def test_told(self) -> None:
        """
        Nothing is told before the reply is there; then everything, in its
        order, once.
        """
        self.monitor.attach(self.protocol)
        data = self.reply(1, self.rows)
        self.receive(data[:-1])
        self.assertEqual(self.observer.events, [])
        self.assertEqual(self.monitor.interfaces(), ())
        self.receive(data[-1:])
        self.assertEqual(
            self.observer.take(),
            [("online", "vm", f"tap{n}", "initial") for n in self.rows]
            + [("synchronized", "initial")],
        )

    def test_wrongAtTheEnd(self) -> None:
        """
        A reply whose last row is wrong is worth nothing; the fault says that
        rows came before it.
        """
        attached = self.monitor.attach(self.protocol)
        self.receive(self.reply(1, {**self.rows, 50: {"name": 5}}))
        self.failureResultOf(attached, ProtocolViolation)
        self.assertIsInstance(self.protocol.lost, ProtocolViolation)
        self.assertRegex(str(self.protocol.lost), r"^behind \d\d rows: .*column type: missing")
        self.assertEqual(self.observer.events, [])
        self.assertEqual(self.monitor.interfaces(), ())

    def test_wrongInTheMiddle(self) -> None:
        """
        A row that is wrong ends the session when it arrives, whatever would
        follow.
        """
        attached = self.monitor.attach(self.protocol)
        data = self.reply(1, {50: {"name": 5}, **self.rows})
        self.receive(data[: len(data) // 2])
        self.failureResultOf(attached, ProtocolViolation)
        self.assertIn("table Interface, row", str(self.protocol.lost))
        self.assertEqual(self.observer.events, [])

    def test_notJSONAtTheEnd(self) -> None:
        """
        So it is with a reply that is no JSON at its end.
        """
        attached = self.monitor.attach(self.protocol)
        self.receive(self.reply(1, self.rows)[:-2] + b"!}")
        self.failureResultOf(attached, ProtocolViolation)
        self.assertRegex(str(self.protocol.lost), r"^behind \d+ rows: not JSON")
        self.assertEqual(self.observer.events, [])

    def test_refusedAtTheEnd(self) -> None:
        """
        A reply that has an error behind its rows is none.
        """
        self.monitor.attach(self.protocol).addErrback(lambda _: None)
        self.receive(self.reply(1, self.rows).replace(b'"error":null', b'"error":"no"'))
        self.assertIn("both a result and an error", str(self.protocol.lost))
        self.assertEqual(self.observer.events, [])

    def test_lost(self) -> None:
        """
        Of a reply that does not come to its end nothing stays.
        """
        self.monitor.attach(self.protocol).addErrback(lambda _: None)
        self.receive(self.reply(1, self.rows)[:-100])
        self.protocol.abort(ConnectionLost())
        self.protocol = OvsdbProtocol()
        self.protocol.makeConnection(StringTransport())
        self.monitor.attach(self.protocol)
        self.receive(self.reply(1, {1: self.rows[1]}))
        self.assertEqual(
            self.observer.take(),
            [("online", "vm", "tap1", "initial"), ("synchronized", "initial")],
        )

    def test_ofAnother(self) -> None:
        """
        The reply to another request on this connection stays whole, also one
        that looks the same.
        """
        other = self.protocol.monitor("db", "other", {TABLE: [{}]}, lambda tables: None)
        self.monitor.attach(self.protocol)
        self.receive(self.reply(1, self.rows))
        self.assertEqual(len(self.successResultOf(other)[TABLE]), len(self.rows))
        self.assertEqual(self.observer.events, [])
        self.receive(self.reply(2, {1: self.rows[1]}))
        self.assertEqual(len(self.observer.events), 2)

    def test_collector(self) -> None:
        """
        Afterwards the collector of cycles is as the application has it.
        """
        self.addCleanup(gc.enable)
        self.monitor.attach(self.protocol)
        data = self.reply(1, self.rows)
        for set, enabled in ((gc.enable, True), (gc.disable, False)):
            set()
            self.receive(data[:2000])
            data = data[2000:]
            self.assertIs(gc.isenabled(), enabled)
