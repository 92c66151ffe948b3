# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Large chunks are skimmed in C instead of token by token: with the same result.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire import tokens
from twisted_ovsdb.wire.jsonstream import JSONStream

TEXTS = st.text(alphabet='a{}[]"\\é \n', max_size=6)
VALUES = st.recursive(
    st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
NEVER = 2**62


class SkimTests(SynchronousTestCase):
    """
    Every chunk counts as large.
    """

    def read(self, data: bytes, cuts: list[int], skimmed: int) -> tuple[list[Any], str]:
        """
        The values and the fault of a stream that is cut at these places, with
        chunks from this length on skimmed.
        """
        self.patch(tokens, "_SKIMMED", skimmed)
        stream = JSONStream(10**6)
        values: list[Any] = []
        places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
        try:
            for start, end in itertools.pairwise(places):
                values.extend(stream.feed(data[start:end]))
        except ProtocolViolation as e:
            return values, str(e)
        return values, ""

    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(
        objects=st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), min_size=1, max_size=3),
        cuts=st.lists(st.integers(0, 10**4), max_size=8),
        fault=st.sampled_from([b"", b"}", b"[]", b'{"a":"\\"}', b"{\\}", b'{{}"', b'{"a"}']),
        place=st.integers(0, 10**4),
    )
    def test_same(self, objects: list[Any], cuts: list[int], fault: bytes, place: int) -> None:
        """
        The same values and the same fault, also for rubbish anywhere.
        """
        data = b" ".join(json.dumps(value, ensure_ascii=False).encode() for value in objects)
        place %= len(data) + 1
        data = data[:place] + fault + data[place:]
        expected = self.read(data, cuts, NEVER)
        self.assertEqual(self.read(data, cuts, 1), expected)
        if not fault:
            self.assertEqual(expected, (objects, ""))
        self.assertEqual(self.read(data, [], NEVER)[0], expected[0])

    def test_deep(self) -> None:
        """
        Nesting beyond what is skimmed is read as well.
        """
        text = '{"a":' * 50 + "1" + "}" * 50
        data = (text * 20).encode()
        self.assertEqual(len(self.read(data, list(range(0, len(data), 97)), 1)[0]), 20)

    def test_sideBySide(self) -> None:
        """
        Two strings side by side are a fault, also behind a string with marks.
        """
        data = b'{"{":"[""x"'
        expected = self.read(data, [], NEVER)
        self.assertNotEqual(expected[1], "")
        self.assertEqual(self.read(data, [], 1), expected)

    def test_notTokenByToken(self) -> None:
        """
        What can be skimmed is not read token by token, also behind another message.
        """
        self.patch(tokens.Tokens, "check", lambda self, piece: self.fail())
        data = b'{"a":1} {"b":["c","d"]}'
        for cut in range(9, len(data)):
            self.assertEqual(self.read(data, [cut], NEVER)[0], [{"a": 1}, {"b": ["c", "d"]}])

    def test_backslash(self) -> None:
        """
        A backslash between tokens, at the end of a chunk, escapes nothing.
        """
        for data in (b'{"a":1,\\}{"b":1}', b'{"a":[\\"b"],"c":1}', b'{"a":"b"\\,"c":"d"}'):
            cut = [data.index(b"\\") + 1]
            expected = self.read(data, cut, NEVER)
            self.assertNotEqual(expected[1], "")
            self.assertEqual(self.read(data, cut, 1), expected)
