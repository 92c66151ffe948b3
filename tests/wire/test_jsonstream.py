# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.wire.jsonstream}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH, JSONStream
from twisted_ovsdb.wire.strictjson import decodeObject
from twisted_ovsdb.wire.tokens import MAX_DEPTH, Tokens

PROPERTY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)

ACCEPTED: list[tuple[str, bytes, list[Any]]] = [
    ("nothing", b"", []),
    ("white space alone", b" \t\r\n", []),
    ("an empty object", b"{}", [{}]),
    ("no separator", b'{"a":1}{"b":2}{}', [{"a": 1}, {"b": 2}, {}]),
    ("white space around", b' \t\r\n{"a":1} \t\r\n {"b":2}\n', [{"a": 1}, {"b": 2}]),
    ("white space within", b'{ "a" :\n[ 1 ,\t2 ]\r}', [{"a": [1, 2]}]),
    ("nested objects", b'{"a":{"b":{"c":[{},{"d":{}}]}}}', [{"a": {"b": {"c": [{}, {"d": {}}]}}}]),
    ("braces in a string", b'{"}{":"{{}"}', [{"}{": "{{}"}]),
    ("quotes in a string", rb'{"a\"b":"\"}\""}', [{'a"b': '"}"'}]),
    ("backslashes in a string", rb'{"a":"\\","b":"\\\\\"}"}', [{"a": "\\", "b": '\\\\"}'}]),
    ("every escape", rb'{"a":"\"\\\/\b\f\n\r\t\u00e9\u0041"}', [{"a": '"\\/\b\f\n\r\t\xe9A'}]),
    ("an escaped NUL", rb'{"a":"\u0000"}', [{"a": "\0"}]),
    ("an escaped control character", rb'{"a":"\u0001\u001F"}', [{"a": "\x01\x1f"}]),
    ("a raw DEL and a raw slash", b'{"a":"\x7f/"}', [{"a": "\x7f/"}]),
    ("raw UTF-8", '{"ключ":"é€😀"}'.encode(), [{"ключ": "é€😀"}]),
    ("a BOM as a value", b'{"a":"\xef\xbb\xbf"}', [{"a": "\ufeff"}]),
    ("Unicode's white space", '{"a":"\x85\u2028\xa0"}'.encode(), [{"a": "\x85\u2028\xa0"}]),
    ("an escaped pair", rb'{"a":"\ud83d\ude00\uD83D\uDE00"}', [{"a": "😀😀"}]),
    ("no surrogate at all", rb'{"a":"\\ud834 \\\\udd1e"}', [{"a": "\\ud834 \\\\udd1e"}]),
    ("a backslash, then a pair", rb'{"a":"\\\ud83d\ude00"}', [{"a": "\\😀"}]),
    ("the neighbours of the surrogates", rb'{"a":"\ud7ff\ue000"}', [{"a": "\ud7ff\ue000"}]),
    ("the constants", b'{"a":[true,false,null]}', [{"a": [True, False, None]}]),
    ("int64's end", b'{"a":9223372036854775807}', [{"a": 2**63 - 1}]),
    ("int64's other end", b'{"a":-9223372036854775808}', [{"a": -(2**63)}]),
    ("reals", b'{"a":[0.3,9.22e+18,1e-07,-0.0,1E5]}', [{"a": [0.3, 9.22e18, 1e-07, -0.0, 1e5]}]),
    ("a real written as an integer", b'{"r":3,"s":0,"t":-0}', [{"r": 3, "s": 0, "t": 0}]),
    ("a real too small to tell from 0", b'{"a":1e-400}', [{"a": 0.0}]),
    ("the last of a key's values", b'{"a":1,"b":{"c":1,"c":2},"a":3}', [{"a": 3, "b": {"c": 2}}]),
    ("a reply", b'{"id":1,"result":{},"error":null}', [{"id": 1, "result": {}, "error": None}]),
]
"""What it is, the bytes, the values."""

UNFINISHED: list[tuple[str, bytes]] = [
    ("a brace", b"{"),
    ("within a string", b'{"a":"}}'),
    ("after an escaped quote", rb'{"a":"\"}'),
    ("after a backslash", b'{"a":"\\'),
    ("within an escape", b'{"a":"\\u00'),
    ("within a character", b'{"a":"\xc3'),
    ("one brace short", b'{"a":{"b":[1]}'),
    ("an array closed by nothing", b'{"a":[1'),
    ("nonsense that may yet be closed", b"{nonsense"),
]

WRONG_START: list[tuple[str, bytes]] = [
    ("an array", b'[{"a":1}]'),
    ("a string", b'"a"'),
    ("a number", b"5"),
    ("null", b"null"),
    ("a brace that closes", b"}"),
    ("a comma between messages", b',{"a":1}'),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("a form feed", b"\x0c{}"),
    ("a vertical tab", b"\x0b{}"),
    ("a NUL, as UTF-16 begins", '{"a":1}'.encode("utf-16-be")),
    ("white space of Unicode", "\xa0{}".encode()),
    ("a TLS record", b"\x16\x03\x01\x02\x00"),
]

WRONG_UTF8 = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3", b"\xe2\x82", b"\xf4\x90\x80\x80"]
"""What no string in UTF-8 has."""

WRONG_MEMBERS: list[bytes] = [
    *[b'"a":' + number for number in (
        b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"01", b"-01", b"+1", b".5", b"1.",
        b"-", b"1e", b"1e+", b"0x1", b"1_000", b"9" * 5000, b"-" + b"9" * 5000,
    )],
    *[b'"a":' + word for word in (b"", b"tru", b"True", b"None", b"nul", b"undefined", b"'a'")],
    *[b'"a":"' + text + b'"' for text in (
        b"\n", b"\0", b"\x1f", b"\t", rb"\x41", rb"\'", rb"\u12", rb"\u12g4", rb"\u+041",
        rb"\U0041",
    )],
    *[b'"a":"' + half + b'"' for half in (
        rb"\ud834", rb"\udd1e", rb"\uD834", rb"\uDFFF", rb"\ud834x", rb"\ud834\n", rb"\udd1e\ud834",
        rb"\ud834\ud834\udd1e", rb"\\\ud834", rb"\\\\\ud834", rb"\ud834\\udd1e", rb"\ud834\\\udd1e",
        rb"\n\\\udd1e", rb"\"\ud834\"",
    )],
    rb'"\ud834":1',
    b'"a":[1,]', b'"a":[,1]', b'"a":[1', b'"a":1]', b'"a":[1}', b'"a":(1)', b'"a":[1 2]',
    b'"a":1,', b',"a":1', b'"a"', b'"a" 1', b"a:1", b"1:1", b"null:1", b"'a':1", b'"a":1;"b":2',
    b'"a":1 // why\n', b'"a":/* why */1', b"\x0c", b'"a":\xc2\xa01', b'"a"\0:\0',
]  # fmt: skip
"""What stands between braces and makes no object."""

REFUSED: list[tuple[str, bytes, str]] = [
    *[(what, data, "begins with") for what, data in WRONG_START],
    *[(repr(text), b'{"a":"' + text + b'"}', "not UTF-8") for text in WRONG_UTF8],
    *[(repr(body[:30]), b"{" + body + b"}", "not JSON") for body in WRONG_MEMBERS],
]
"""What it is, the bytes, what the fault says."""

Outcome = tuple[str, str | None]


def outcome(chunks: Iterable[bytes], maxLength: int = DEFAULT_MAX_LENGTH) -> Outcome:
    """
    The values, in full (1 is not 1.0 and not True), and the fault, if any.
    """
    stream = JSONStream(maxLength)
    values: list[Any] = []
    try:
        for chunk in chunks:
            values.extend(stream.feed(chunk))
    except ProtocolViolation as e:
        return repr(values), str(e)
    return repr(values), None


def cuttings(data: bytes) -> Iterator[list[bytes]]:
    """
    The data whole, byte by byte, the same with empty chunks, and cut in two
    at every place (where it is long, at both ends).
    """
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    yield [chunk for i in range(len(data)) for chunk in (b"", data[i : i + 1], b"")]
    middle = range(100, max(len(data) - 100, 100))
    for i in range(len(data) + 1):
        if i not in middle:
            yield [data[:i], data[i:]]


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """
    The data cut at these places.
    """
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[i:j] for i, j in pairwise(places)]


class TableTests(SynchronousTestCase):
    """
    What is JSON is read and what is not is refused, however it is cut.
    """

    def check(self, what: str, data: bytes, expected: Outcome) -> None:
        """
        Feed the data in every way; the outcome is always this.
        """
        for chunks in cuttings(data):
            self.assertEqual(outcome(chunks), expected, f"{what}: {chunks[:3]}")

    def test_accepted(self) -> None:
        """
        Every JSON object is read, as RFC 8259 has it.
        """
        for what, data, values in ACCEPTED:
            self.check(what, data, (repr(values), None))

    def test_trailingJunk(self) -> None:
        """
        Junk behind good messages is a fault, told after them.
        """
        for what, data, values in ACCEPTED:
            fault = "a message begins with b']', not with a brace"
            self.check(what, data + b']{"never":1}', (repr(values), fault))

    def test_refused(self) -> None:
        """
        What is not JSON is a fault, told after the messages before it; what
        comes behind it does not matter.
        """
        for what, data, says in REFUSED:
            values, fault = outcome([data])
            self.assertEqual(values, "[]", what)
            assert fault is not None, what
            self.assertIn(says, fault, what)
            self.check(what, b'{"before":1} ' + data + b'{"never":1}', ("[{'before': 1}]", fault))

    def test_unfinished(self) -> None:
        """
        A message that goes on is waited for, whatever it holds.
        """
        for what, data in UNFINISHED:
            self.check(what, data, ("[]", None))
            self.check(what, b'{"a":1}' + data, ("[{'a': 1}]", None))


BROKEN_OFF: list[tuple[str, bytes]] = [
    ("a brace", b"{"),
    ("a brace and a comma", b"{,"),
    ("a name", b'{"id"'),
    ("a member", b'{"id":1'),
    ("a string", b'{"id":"x"'),
    ("half a string", b'{"id":null,"meth'),
    ("half a string behind an escape", rb'{"id":"\\\"'),
    ("a bracket", b'{"a":['),
    ("an array", b'{"a":[1,[]]'),
    ("an update without its last brace", b'{"id":null,"method":"update","params":["m",{}]'),
    ("an update without its last two", b'{"id":null,"method":"update","params":["m",{}'),
    ("a colon", b'{"id":'),
    ("a comma in an array", b'{"id":[1,'),
]
"""A message that breaks off, and does not end before the next one begins."""


class SwallowTests(SynchronousTestCase):
    """
    A message that was broken off does not swallow the messages behind it.
    """

    def test_F80_nextMessages(self) -> None:
        """
        Behind a message that broke off, the next message is a fault, or the one after
        that; however the stream is cut.
        """
        whole = b'{"id":null,"method":"update","params":["m",{"T":{"U":{"new":{"n":"a:b"}}}}]}'
        for what, begun in BROKEN_OFF:
            data = begun + whole * 2
            found = outcome([data])
            assert found[1] is not None, what
            self.assertRegex(found[1], "^not JSON: .+ behind .+", what)
            for chunks in cuttings(data):
                self.assertEqual(outcome(chunks), found, f"{what}: {chunks[:3]}")

    def test_F80_atOnce(self) -> None:
        """
        A token that cannot stand where it stands is a fault when it arrives, not when the
        message ends.
        """
        for data, says in (
            (b"{,", "',' behind '{'"),
            (b"{{", "'{' behind '{'"),
            (b'{"a":1}{"b"{', "'{' behind a string"),
            (b'{"a":[}', "'}' behind '['"),
            (b'{"a":[[]}', "'}' closes no such bracket"),
            (b'{"a":{"b":{}]', "']' closes no such bracket"),
            (b'{"a":{}{', "'{' behind '}'"),
            (b'{"a":"b""', "a string behind a string"),
            (b'{"a":"b" x "', "a string behind a string"),
            (b'{"a"::', "':' behind ':'"),
            (b'{"a":1,:', "':' behind ','"),
        ):
            for chunks in cuttings(data):
                self.assertEqual(outcome(chunks)[1], f"not JSON: {says}", data)
            for chunks in cuttings(data[:-1]):
                self.assertIsNone(outcome(chunks)[1], data)


class ValuesTests(SynchronousTestCase):
    """
    What a message becomes when it is parsed has a limit too.
    """

    def test_F81_values(self) -> None:
        """
        A message has at most so many values, in one chunk and in several; one more is a
        fault before it is parsed.
        """
        for count, fault in ((9_997, None), (9_998, "a message has more than 10000 values")):
            # The braces and brackets of the message, and the first element.
            data = b'{"a":[' + b"1," * count + b'1],"b":"' + b"x" * 9000 + b'"}'
            decoded: list[int] = []

            def decode(message: bytes | bytearray, decoded: list[int] = decoded) -> Any:
                decoded.append(len(message))
                return {}

            for size in (len(data), 997):
                decoded.clear()
                stream = JSONStream(10**5, decode)
                found = None
                try:
                    for chunk in pieces(data, range(0, len(data), size)):
                        list(stream.feed(chunk))
                except ProtocolViolation as e:
                    found = str(e)
                self.assertEqual((found, bool(decoded)), (fault, fault is None))
            # The next message has its own.
            if fault is None:
                self.assertIsNone(outcome([data] * 3, 10**5)[1])

    def test_F81_default(self) -> None:
        """
        By default a message has four million values: what 200,000 interfaces need.
        """
        self.assertEqual(JSONStream().maxValues, 4 * 2**20)


class DepthTests(SynchronousTestCase):
    """
    Deep nesting is read or refused, and never breaks the reader.
    """

    def test_F82_limit(self) -> None:
        """
        So many brackets may be open at once, and one more is refused when it arrives,
        wherever the stream is cut.
        """
        for begin, end in ((b"[", b"]"), (b'{"a":', b"}")):
            for depth, fault in ((MAX_DEPTH, None), (MAX_DEPTH + 1, "nested more than 64 deep")):
                deep = begin * (depth - 2) + b"[]" + end * (depth - 2)
                data = b'{"a":1}{"b":' + deep + b"}"
                for chunks in ([data], pieces(data, range(0, len(data), 7)), [data[:9], data[9:]]):
                    values, found = outcome(chunks)
                    self.assertEqual(values.startswith("[{'a': 1}"), True)
                    if fault is None:
                        self.assertIsNone(found)
                    else:
                        self.assertEqual((values, found), ("[{'a': 1}]", f"not JSON: {fault}"))

    def test_F82_wide(self) -> None:
        """
        Many brackets that are not open at once are no depth.
        """
        data = b'{"a":[' + b"[[]]," * 500 + b"[]]}"
        for chunks in ([data], [b'{"a":1}' + data], pieces(data, range(0, len(data), 100))):
            self.assertIsNone(outcome(chunks)[1])

    def test_legal(self) -> None:
        """
        What a server really sends, some levels deep, is read.
        """
        data = b'{"a":' * 60 + b"[]" + b"}" * 60
        self.assertIsNone(outcome([data])[1])

    def test_bomb(self) -> None:
        """
        Nesting is read or is a fault; it is never any other exception.
        """
        for depth in (900, 995, 1000, 100000):
            for begin, end in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
                data = b'{"a":' + begin * depth + b"1" + end * depth + b"}"
                try:
                    (value,) = JSONStream().feed(data)
                except ProtocolViolation as e:
                    self.assertIn("not JSON", str(e))
                else:
                    self.assertEqual(list(value), ["a"])


class LimitTests(SynchronousTestCase):
    """
    A message has no more than C{maxLength} bytes.
    """

    message = rb'{"a":{"b":"\"\\}"}}'

    def test_atTheLimit(self) -> None:
        """
        Messages of exactly so many bytes are read, and the white space
        between them does not count.
        """
        data = self.message + b" " * 50 + self.message * 2
        expected = repr([{"a": {"b": '"\\}'}}] * 3)
        for chunks in cuttings(data):
            self.assertEqual(outcome(chunks, len(self.message)), (expected, None), chunks)

    def test_onePast(self) -> None:
        """
        One byte more is a fault, told after the messages before it.
        """
        limit = len(self.message) - 1
        expected = "[{'a': 1}]", f"a message is longer than {limit} bytes"
        for chunks in cuttings(b'{"a":1}' + self.message):
            self.assertEqual(outcome(chunks, limit), expected, chunks)

    def test_unframedGrowth(self) -> None:
        """
        A message without an end is a fault as soon as it is too long.
        """
        for begin in (b'{"a":"', b'{"a":[', b"{", b'{"a":"\\"'):
            stream = JSONStream(100)
            self.assertEqual(list(stream.feed(begin)), [])
            for _ in range(100 - len(begin)):
                self.assertEqual(list(stream.feed(b"1")), [])
            self.assertRaises(ProtocolViolation, list, stream.feed(b"1"))
            self.assertRaises(ProtocolViolation, list, JSONStream(100).feed(begin + b"1" * 200))

    def test_largeMessage(self) -> None:
        """
        A message of some MB is there when its last byte is, and not before.
        """
        row = '{"é":"\\"{"},' * 1000
        data = ('{"a":[' + row * 200 + "{}]}").encode()
        stream = JSONStream()
        for i in range(0, len(data) - 1, 65536):
            self.assertEqual(list(stream.feed(data[i : min(i + 65536, len(data) - 1)])), [])
        (value,) = stream.feed(data[-1:])
        self.assertEqual(len(value["a"]), 200001)

    def test_manyMessages(self) -> None:
        """
        A chunk of many messages is not looked over anew for each of them:
        that would stall the reactor for seconds.
        """
        searched = 0
        findEnd, skim = Tokens._findEnd, Tokens._skim

        def finding(tokens: Tokens, chunk: bytes, start: int) -> int | None:
            nonlocal searched
            end = findEnd(tokens, chunk, start)
            searched += (len(chunk) if end is None else end) - start
            return end

        def skimming(tokens: Tokens, chunk: bytes) -> bool | None:
            nonlocal searched
            searched += len(chunk)
            return skim(tokens, chunk)

        self.patch(Tokens, "_findEnd", finding)
        self.patch(Tokens, "_skim", skimming)
        data = b'{"id":null,"method":"update","params":["x",{}]}' * 1000
        self.assertEqual(len(list(JSONStream().feed(data))), 1000)
        self.assertLessEqual(searched, 2 * len(data))


class DecodeTests(SynchronousTestCase):
    """
    Tests for L{decodeObject}, for callers that frame messages in another way.
    """

    def test_noValue(self) -> None:
        """
        Nothing at all is no message either.
        """
        for data in (b"", b" {}", b"x", b"{} x"):
            self.assertRaises(ProtocolViolation, decodeObject, data)


class StreamTests(SynchronousTestCase):
    """
    How the stream behaves between calls.
    """

    def test_sameFaultAgain(self) -> None:
        """
        After a fault the stream says the same again, whatever comes.
        """
        for bad in (b'{"a":NaN}', b"[", b'{"a":"' + b"x" * 100):
            stream = JSONStream(50)
            first = self.assertRaises(ProtocolViolation, list, stream.feed(bad))
            for data in (b"", b'{"a":1}', bad):
                again = self.assertRaises(ProtocolViolation, list, stream.feed(data))
                self.assertEqual(str(again), str(first))

    def test_goOnLater(self) -> None:
        """
        A caller may stop after a value; the rest is there later, in order.
        """
        stream = JSONStream()
        self.assertEqual(next(stream.feed(b'{"a":1}{"a":2}{"a":3}[')), {"a": 1})
        self.assertEqual(next(stream.feed(b"")), {"a": 2})
        self.assertEqual(next(stream.feed(b'{"a":4}')), {"a": 3})
        self.assertRaises(ProtocolViolation, next, stream.feed(b""))

    def test_notIterated(self) -> None:
        """
        A chunk counts from when it was fed, not from when it was looked at.
        """
        stream = JSONStream()
        stream.feed(b'{"a":')
        stream.feed(b'"\\')
        self.assertEqual(list(stream.feed(b'""}')), [{"a": '"'}])

    def test_decode(self) -> None:
        """
        A user's own decoder gets each message's bytes, without the white
        space between them; its L{ProtocolViolation} is the stream's fault.
        """

        def decode(message: bytes | bytearray) -> dict[str, Any]:
            if message == b"{bad}":
                raise ProtocolViolation("I do not like it")
            return {"message": bytes(message)}

        stream = JSONStream(decode=decode)
        messages = [value["message"] for value in stream.feed(b' {NaN}\n{"a" : {}} ')]
        self.assertEqual(messages, [b"{NaN}", b'{"a" : {}}'])
        values = stream.feed(b"{}{bad}{}")
        self.assertEqual(next(values), {"message": b"{}"})
        fault = self.assertRaises(ProtocolViolation, next, values)
        self.assertEqual(str(fault), "I do not like it")


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.text('"\\{}u/', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
STYLES = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")]),
        "indent": st.sampled_from([None, 0, 2, "\t"]),
    }
)
MESSAGES = st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=5)
CUTS = st.lists(st.integers(0, 10000), max_size=8)
SPACE = st.text(" \t\r\n", max_size=2)


class PropertyTests(SynchronousTestCase):
    """
    What holds for any stream and any cuts.
    """

    @PROPERTY
    @given(MESSAGES, STYLES, SPACE, CUTS)
    def test_anyMessages(
        self, values: list[Any], style: dict[str, Any], space: str, cuts: list[int]
    ) -> None:
        """
        Whatever objects a server writes, however it writes them and however
        they are cut, are read as they were written.
        """
        data = space.join([*(json.dumps(value, **style) for value in values), ""]).encode()
        self.assertEqual(outcome(pieces(data, cuts)), (repr(values), None))

    @PROPERTY
    @given(MESSAGES, STYLES, st.sampled_from(REFUSED), CUTS)
    def test_anyFault(
        self,
        before: list[Any],
        style: dict[str, Any],
        refused: tuple[str, bytes, str],
        cuts: list[int],
    ) -> None:
        """
        A fault in the middle is the same fault, after the same values,
        however the stream is cut.
        """
        good = "".join(json.dumps(value, **style) for value in before).encode()
        fault = outcome([refused[1]])[1]
        assert fault is not None
        data = good + refused[1] + good
        self.assertEqual(outcome(pieces(data, cuts)), (repr(before), fault))

    @PROPERTY
    @given(st.binary(max_size=60), st.binary(max_size=60), CUTS, st.integers(0, 40))
    def test_anyBytes(self, first: bytes, second: bytes, cuts: list[int], limit: int) -> None:
        """
        Any bytes are values or a L{ProtocolViolation}, the same for any cuts.
        """
        for data in (first, b"{" + first + b"}" + second, b'{"a":"' + first + b'"}{}' + second):
            self.assertEqual(outcome(pieces(data, cuts), limit), outcome([data], limit))
