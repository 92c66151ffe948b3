# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.early}: rows that are taken while a reply arrives are
those of the whole reply, and what is wrong in it is found all the same.
"""

from __future__ import annotations

import gc
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.support import Recorder, uuid
from tests.wire.test_jsonstream import pieces
from tests.wire.test_rowtext import ALIKE, ODD_ROWS, ROWS, WRITING, plainRow, write
from twisted_ovsdb import (
    ClassificationRules,
    InterfaceMonitor,
    OvsdbProtocol,
    OvsInterface,
    ProtocolViolation,
    SessionLost,
    jsonstream,
    members,
    rowtext,
)
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.wire.early import EarlyRows
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.members import decodeMessage

RESULT = '{"id":1,"result":'

REPLIES = st.dictionaries(
    st.sampled_from([uuid(number) for number in range(9)]),
    st.fixed_dictionaries({"new": st.one_of(ALIKE, ALIKE, ALIKE, ROWS, ODD_ROWS)})
    | st.fixed_dictionaries({"new": ALIKE, "old": st.just({})}),
    max_size=8,
)
CUTS = st.lists(st.integers(0, 10**4), max_size=12)


def unnumbered(fault: object) -> str:
    """
    A fault without the places that it names, which are counted from elsewhere.
    """
    return re.sub(r"\d+", "N", re.sub(r"^behind \d+ bytes: ", "", str(fault)))


class EarlyRowsTests(SynchronousTestCase):
    """
    Replies in chunks, of which something is taken whenever it can be.
    """

    def setUp(self) -> None:
        self.patch(jsonstream, "EARLY", 1)
        self.patch(members, "LARGE", 0)
        self.patch(rowtext, "LEARNED", 1)
        self.rows = InterfaceRows(ClassificationRules())
        self.decoded: list[bytes] = []

    def outcome(self, chunks: list[bytes], early: EarlyRows | None, maxLength: int = 10**6) -> Any:
        """
        The rows of a reply that comes in these chunks, or its fault.
        """
        replica: Replica[OvsInterface] = Replica(TABLE, self.rows.decode)
        stream: JSONStream[dict[str, Any]] = JSONStream(maxLength, self.decode)
        if early is not None:
            stream.takeEarly = lambda message: early.takeFrom(message, len(RESULT))
        try:
            for chunk in chunks:
                for message in stream.feed(chunk):
                    rows = {} if early is None else early.rows
                    return {**rows, **replica.readWholeSnapshot(message["result"])}
        except ProtocolViolation as e:
            return unnumbered(e)
        return None

    def decode(self, message: bytes | bytearray) -> dict[str, Any]:
        """
        Decode a message, and note it.
        """
        self.decoded.append(bytes(message))
        return decodeMessage(message)

    def early(self) -> EarlyRows:
        """
        What takes the rows.
        """
        return EarlyRows(TABLE, self.rows.text.take)

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(rows=REPLIES, form=WRITING, cuts=CUTS)
    def test_same(self, rows: dict[str, Any], form: dict[str, Any], cuts: list[int]) -> None:
        """
        However a reply is written and cut, its rows are the same, or its
        fault.
        """
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}, **form).encode()
        whole = self.outcome([message], None)
        self.assertIsNotNone(whole)
        self.assertEqual(self.outcome(pieces(message, cuts), self.early()), whole)

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
        text = write({"id": 1, "result": {TABLE: rows}, "error": None})
        start = text.index(uuid(1))
        place = start + place % (len(text) - start)
        data = (text[:place] + new + text[place + 1 :]).encode("latin-1") + b"}"
        whole = self.outcome([data], None)
        chunks = self.outcome(pieces(data, cuts), self.early())
        if isinstance(whole, str):
            # Where there are two faults, another of them may be the first.
            self.assertIsInstance(chunks, str)
        else:
            self.assertEqual(chunks, whole)

    def test_taken(self) -> None:
        """
        What ovsdb-server writes is gone when it has been taken: the message
        that is decoded in the end has only the last rows.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 100)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        found = self.outcome(pieces(message, range(0, len(message), 500)), self.early())
        self.assertEqual([row.name for row in found.values()], [f"tap{n}" for n in range(1, 100)])
        self.assertEqual(len(self.decoded), 1)
        self.assertLess(len(self.decoded[0]), 1000)

    def test_unusual(self) -> None:
        """
        Behind a row in another form nothing is taken any more, nor looked at
        for it: a reply of such rows takes no longer than it would.
        """
        looked = []

        def take(text: str, *args: Any) -> int:
            looked.append(len(text))
            return self.rows.text.take(text, *args)

        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        rows[uuid(20)]["new"]["external_ids"] = ["map", [["name", 'a "b"']]]
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        early = EarlyRows(TABLE, take)
        found = self.outcome(pieces(message, range(0, len(message), 700)), early)
        self.assertEqual(len(found), 59)
        self.assertEqual(found[uuid(20)].external_ids, {"name": 'a "b"'})
        self.assertLess(sum(looked), len(message) / 2)
        self.assertGreater(len(self.decoded[0]), len(message) / 2)
        # No row is both taken and left.
        self.assertGreater(len(early.rows), 0)
        self.assertEqual([name for name in early.rows if name.encode() in self.decoded[0]], [])

    def test_flood(self) -> None:
        """
        What was taken counts too for how long a message may be.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        chunks = pieces(message, range(0, len(message), 300))
        self.assertEqual(len(self.outcome(chunks, self.early(), len(message))), 59)
        fault = self.outcome(chunks, self.early(), len(message) - 1)
        self.assertEqual(fault, "a message is longer than N bytes")

    def test_floodCountsAnew(self) -> None:
        """
        What was taken of one message does not count for the next one.
        """
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {TABLE: rows}, "error": None}).encode()
        early = self.early()
        stream: JSONStream[dict[str, Any]] = JSONStream(len(message), decodeMessage)
        stream.takeEarly = lambda message: early.takeFrom(message, len(RESULT))
        found = [
            value
            for chunk in pieces(message * 2, range(0, 2 * len(message), 300))
            for value in stream.feed(chunk)
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
            found = self.outcome([message[:size], message[size:]], self.early())
            self.assertIn("not JSON", found)

    def test_otherTable(self) -> None:
        """
        Of another table nothing is taken, though its name be as long.
        """
        other = "X" * len(TABLE)
        rows = {uuid(n): {"new": plainRow(n)} for n in range(1, 60)}
        message = write({"id": 1, "result": {other: rows}, "error": None}).encode()
        early = self.early()
        found = self.outcome(pieces(message, range(0, len(message), 300)), early)
        self.assertEqual(found, f"table {other!r} is not monitored")
        self.assertEqual(early.rows, {})


class EarlySessionTests(SynchronousTestCase):
    """
    A monitor that gets its first reply in chunks.
    """

    def setUp(self) -> None:
        self.patch(jsonstream, "EARLY", 1)
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
        self.assertRegex(str(self.protocol.lost), r"^behind \d\d rows: .*column name")
        self.assertEqual(self.observer.events, [])
        self.assertEqual(self.monitor.interfaces(), ())

    def test_notJSONAtTheEnd(self) -> None:
        """
        So it is with a reply that is no JSON at its end.
        """
        attached = self.monitor.attach(self.protocol)
        self.receive(self.reply(1, self.rows)[:-2] + b"!}")
        self.failureResultOf(attached, SessionLost)
        self.assertRegex(str(self.protocol.lost), r"^behind \d+ bytes: not JSON")
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
