# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.linetext}: whatever the event, the line is the
one that json makes.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.observers.values import SOURCE, interface
from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchForgotten,
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.observers.jsonlines import EventLines, eventToJSON, timesOf
from twisted_ovsdb.observers.linetext import TimeText, interfaceText, membersOf, valueText


class Text(str):
    """
    A text of a class of its own.
    """

    def __str__(self) -> str:
        return "another"


class Number(int):
    """
    A number of a class of its own.
    """

    def __repr__(self) -> str:
        return "another"


# Lone surrogates too: a path may be any bytes.
CHARACTERS = st.characters(codec=None) | st.sampled_from(list("\"\\\0\x1f\x7f\u2028\ud800{}%'"))
TEXTS = st.text(CHARACTERS, max_size=6)
ODD_TEXTS = TEXTS | TEXTS.map(Text)
NUMBERS = st.integers() | st.sampled_from([-1, 0, 1, 65534, 2**63, True, False])
MAPS = st.dictionaries(ODD_TEXTS | st.sampled_from(["iface-id", "remote_ip", "peer"]), ODD_TEXTS)
ATOMS = TEXTS | NUMBERS | st.floats() | NUMBERS.map(Number)
DATA = (
    ATOMS
    | st.none()
    | st.frozensets(st.integers() | TEXTS, min_size=2, max_size=3)
    | st.dictionaries(TEXTS | st.integers(), ATOMS, max_size=3).map(MappingProxyType)
)
COLUMNS: dict[str, Any] = {
    "uuid": ODD_TEXTS,
    "name": ODD_TEXTS,
    "type": TEXTS,
    "ofport": NUMBERS | st.none() | NUMBERS.map(Number),
    "error": ODD_TEXTS | st.none(),
    "external_ids": MAPS | MAPS.map(MappingProxyType),
    "options": MAPS,
    "extra": st.dictionaries(TEXTS, DATA, max_size=3),
    "local_port": st.booleans() | st.sampled_from([0, 1]),
    "bridge": ODD_TEXTS | st.none(),
}
INTERFACES = st.builds(OvsInterface, kind=st.sampled_from(InterfaceKind), **COLUMNS)
SOURCES = st.just(SOURCE) | ODD_TEXTS
OPTIONAL = st.none() | TEXTS
IDENTITIES = st.just(UNIDENTIFIED) | st.builds(SwitchIdentity, OPTIONAL, OPTIONAL, OPTIONAL)
COMMON: dict[str, Any] = {"source": SOURCES, "identity": IDENTITIES}
CAUSES = st.sampled_from(Cause)
REASONS = st.sampled_from(ForgetReason)


@st.composite
def changes(draw: Any) -> Event:
    """
    Some columns have changed, or none.
    """
    now = draw(INTERFACES)
    before = attrs.evolve(now, **draw(st.fixed_dictionaries({}, optional=COLUMNS)))
    common = draw(st.fixed_dictionaries(COMMON))
    return InterfaceChanged(now, draw(CAUSES), previous=before, **common)


EVENTS = st.one_of(
    st.builds(InterfaceOnline, interface=INTERFACES, cause=CAUSES, **COMMON),
    st.builds(InterfaceOffline, interface=INTERFACES, cause=CAUSES, **COMMON),
    changes(),
    st.builds(Synchronized, cause=CAUSES, interfaces=st.just((interface(),)), **COMMON),
    st.builds(Disconnected, reason=TEXTS.map(ValueError), **COMMON),
    st.builds(SwitchForgotten, reason=REASONS, **COMMON),
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2105, 1, 1), timezones=st.just(timezone.utc))


def byJSON(event: Event, now: datetime) -> bytes:
    """
    The line that json makes.
    """
    return json.dumps(eventToJSON(event, now), separators=(",", ":")).encode() + b"\n"


class EventLinesTests(SynchronousTestCase):
    """
    Tests for L{EventLines}.
    """

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(told=st.lists(st.tuples(EVENTS, TIMES), max_size=4))
    def test_same(self, told: list[tuple[Event, datetime]]) -> None:
        """
        The lines of any events, one after another, are those that json makes,
        also of values that no database has.
        """
        lines = EventLines()
        for event, now in told:
            self.assertEqual(lines.lineOf(event, now), byJSON(event, now))

    def test_direct(self) -> None:
        """
        The lines of usual interfaces are not left to json: their text is made
        directly. That of an odd one is refused here.
        """
        ids = MappingProxyType({"iface-id": 'a"', "attached-mac": "52:54"})
        for row in (
            interface(ofport=1, external_ids=ids, bridge="br-int"),
            interface(InterfaceKind.TUNNEL, options={"remote_ip": "::1"}, error="\u2028"),
        ):
            self.assertEqual(json.loads(interfaceText(row)), row.toJSON())
        odd: Any
        for odd in ({"mtu": 1}, {"ips": frozenset("ab")}):
            self.assertRaises((KeyError, TypeError), interfaceText, interface(extra=odd))
        self.assertRaises(KeyError, valueText, 1.5)


class TimeTextTests(SynchronousTestCase):
    """
    Tests for L{TimeText}.
    """

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(times=st.lists(TIMES | st.integers(0, 3 * 10**6), max_size=9))
    def test_same(self, times: list[Any]) -> None:
        """
        Every time is written as json writes it, in the same second as the one
        before, in a later one, and in an earlier one.
        """
        text = TimeText(timesOf)
        for time in times:
            now = (
                datetime.fromtimestamp(1795327200 + time / 10**6, timezone.utc)
                if isinstance(time, int)
                else time
            )
            self.assertEqual(text.at(now), membersOf(timesOf(now)))
