# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.web.stream} and L{twisted_ovsdb.web.recent}: what browsers
are told, and what those are told that do not read.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.observers.values import SOURCE, interface
from tests.web.webcase import ClientTransport, WebTestCase, configure, unchunked
from twisted_ovsdb import Cause, InterfaceOnline
from twisted_ovsdb.events import Event
from twisted_ovsdb.web import recent, stream
from twisted_ovsdb.web.encoding import MESSAGE_LIMIT, shownEvent
from twisted_ovsdb.web.recent import Recent

NOW = datetime(2026, 11, 22, 6, tzinfo=timezone.utc)


def messages(transport: ClientTransport) -> list[dict[str, Any]]:
    """
    The messages that a browser got: their data, with the name and the id.
    """
    body = unchunked(transport.value().partition(b"\r\n\r\n")[2]).decode()
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line[:7])
        if "data" in fields:
            found.append({**json.loads(fields["data"]), "id": fields["id"]})
    return found


def online(number: int, **columns: Any) -> InterfaceOnline:
    """
    An event.
    """
    row = interface(uuid=f"u{number}", name=f"tap{number}", **columns)
    return InterfaceOnline(row, Cause.UPDATE, SOURCE)


class StreamTests(WebTestCase):
    """
    Browsers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.server.addBridge("br-int")
        self.run_ = self.service.watch.recent.run

    def tell(self, count: int, **columns: Any) -> None:
        """
        So many things happen.
        """
        for number in range(count):
            self.service.watch.eventReceived(online(number, **columns))

    def later(self) -> None:
        """
        A second passes.
        """
        for _ in range(20):
            self.clock.advance(0.05)
        self.turn()

    def test_events(self) -> None:
        """
        A browser is told where the stream begins, and then what happens: the objects of
        JSON Lines, each with an id, after 100 ms.
        """
        browser = self.request("/events")
        at = self.service.watch.recent.last
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        [started] = messages(browser)
        self.assertEqual((started["event"], started["resumed"]), ("started", False))
        self.assertEqual(started["id"], f"{self.run_}:{at}")
        self.clock.advance(stream.FLUSH)
        _, event = messages(browser)
        self.assertEqual((event["event"], event["kind"]), ("online", "vm"))
        self.assertEqual(event["interface"]["bridge"], "br-int")
        self.assertEqual(event["id"], f"{self.run_}:{at + 1}")
        self.assertIn(b"text/event-stream", browser.value())

    def test_problems(self) -> None:
        """
        Problems of ports and of the switch come as the objects of JSON Lines, without
        secrets.
        """
        browser = self.request("/events")
        options = {"psk": "very secret"}
        self.server.addPort("br-int", "eth7", type="x", ofport=-1, error="no", options=options)
        configure(self.server, 2, 1)
        self.clock.advance(30)
        self.clock.advance(stream.FLUSH)
        self.server.deletePort("eth7")
        self.clock.advance(stream.FLUSH)
        _, first, second, solved = messages(browser)
        self.assertEqual([each["event"] for each in (first, second)], ["problem"] * 2)
        self.assertEqual((first["problem"], first["interface"]["name"]), ("failed", "eth7"))
        self.assertEqual((second["problem"], second["interface"]), ("not-applying", None))
        self.assertEqual((solved["event"], solved["lasted"]), ("solved", 30.1))
        self.assertNotIn(b"very secret", browser.value())

    def test_oneEncoding(self) -> None:
        """
        An event is encoded once, whatever the number of browsers, and not at all if
        there is none.
        """
        encoded: list[Event] = []

        def counted(event: Event, now: datetime) -> dict[str, Any]:
            encoded.append(event)
            return shownEvent(event, now)

        self.patch(recent, "shownEvent", counted)
        self.tell(3)
        self.later()
        self.assertEqual(len(encoded), 0)
        browsers = [self.request("/events") for _ in range(20)]
        self.tell(5)
        self.later()
        self.assertEqual(len(encoded), 1 + 8)
        for browser in browsers:
            self.assertEqual(len(messages(browser)), 6)

    def test_earlier(self) -> None:
        """
        A browser may ask for some of what happened before.
        """
        self.tell(10)
        self.later()
        at = self.service.watch.recent.last
        browser = self.request("/events?last=3")
        self.later()
        started, *events = messages(browser)
        self.assertEqual(started["id"], f"{self.run_}:{at}")
        self.assertEqual([e["interface"]["name"] for e in events], ["tap7", "tap8", "tap9"])

    def test_resumed(self) -> None:
        """
        A browser that was away for a moment gets what it missed, and nothing twice.
        """
        first = self.request("/events")
        self.tell(2)
        self.later()
        at = messages(first)[-1]["id"]
        first.lose()
        self.tell(3)
        again = self.request("/events", Last_Event_ID=at)
        self.later()
        started, *events = messages(again)
        self.assertTrue(started["resumed"])
        self.assertEqual([e["interface"]["name"] for e in events], ["tap0", "tap1", "tap2"])
        for wrong in (f"{self.run_}:99999", "other:1", f"{self.run_}:-1", "", "x" * 99):
            browser = self.request("/events", Last_Event_ID=wrong)
            self.assertFalse(messages(browser)[0]["resumed"], wrong)

    def test_F100_lag(self) -> None:
        """
        A browser that does not read is sent nothing. When it reads again, it gets what
        it missed; if that is no longer there, it is told to ask again.
        """
        browser = self.request("/events")
        assert browser.producer is not None
        browser.producer.pauseProducing()
        self.tell(10)
        self.later()
        self.assertEqual(len(messages(browser)), 1)
        browser.producer.resumeProducing()
        self.assertEqual(len(messages(browser)), 11)
        browser.producer.pauseProducing()
        for _ in range(20):
            self.tell(500, external_ids={"iface-id": "a" * 1000})
            self.clock.advance(stream.FLUSH)
            self.turn(30)
        size = len(browser.value())
        browser.producer.resumeProducing()
        last = messages(browser)[-1]
        self.assertEqual(last["event"], "resync")
        self.assertEqual(last["id"], self.service.watch.recent.id)
        self.assertLess(len(browser.value()) - size, 500)

    def test_F100_neverReads(self) -> None:
        """
        A browser that never reads is cut off.
        """
        browser = self.request("/events")
        assert browser.producer is not None
        browser.producer.pauseProducing()
        self.clock.advance(30)
        self.assertTrue(browser.aborted)

    def test_F100_burst(self) -> None:
        """
        More at once than a browser can show is a resync too, which costs less.
        """
        browser = self.request("/events")
        self.tell(recent.WAITING + 1)
        self.clock.advance(stream.FLUSH)
        self.assertEqual([m["event"] for m in messages(browser)], ["started", "resync"])
        self.tell(recent.WAITING)
        self.clock.advance(stream.FLUSH)
        self.turn(30)
        self.assertEqual(len(messages(browser)), 2 + recent.WAITING)

    def test_beat(self) -> None:
        """
        A browser hears something each 5 s, so that it knows that it is connected.
        """
        browser = self.request("/events")
        for _ in range(12):
            self.clock.advance(stream.BEAT)
        self.assertEqual(browser.value().count(b":\n\n"), 12)

    def test_many(self) -> None:
        """
        More browsers than there may be are refused, and others are not disturbed.
        """
        browsers = [self.request("/events") for _ in range(stream.BROWSERS)]
        self.assertEqual(self.get("/events").status, 503)
        browsers[0].lose()
        self.assertIn(b" 200 ", self.request("/events").value())


class RecentTests(SynchronousTestCase):
    """
    What is kept.
    """

    def test_F103_bounds(self) -> None:
        """
        Neither what waits nor what is kept grows without end, and long texts of a
        switch are shortened.
        """
        events = Recent("r")
        for number in range(100):
            events.add(online(number, external_ids={"iface-id": "a" * 100_000}), NOW)
        self.assertLessEqual(events._waitingBytes, recent.WAITING_BYTES)
        self.assertLess(len(events._waiting), 50)
        while events.waiting:
            events.encode()
        [block] = events._blocks
        self.assertLess(len(block.data), 50 * 2000)
        self.assertIn(b'"shortened":true', block.data)
        for number in range(20_000):
            events.add(online(number, external_ids={"iface-id": "a" * 900}), NOW)
            if number % 200 == 0:
                events.encode()
        self.assertLessEqual(events._keptBytes, recent.KEPT_BYTES)
        self.assertEqual(events._keptBytes, sum(len(b.data) for b in events._blocks))

    def test_atTheLimit(self) -> None:
        """
        A message at the limit is whole.
        """
        for size, shortened in ((MESSAGE_LIMIT - 1500, False), (MESSAGE_LIMIT, True)):
            events = Recent("r")
            events.add(online(1, external_ids={"note": "a" * size}), NOW)
            events.encode()
            self.assertIs(b"shortened" in events._blocks[0].data, shortened)

    def test_following(self) -> None:
        """
        From any number on, each later message comes once, in order.
        """
        events = Recent("r")
        for number in range(1, 8):
            events.add(online(number), NOW)
            if number % 3 == 0:
                events.encode()
        events.encode()
        for at in range(8):
            self.assertTrue(events.has(at))
            found, number = b"", at
            while data := events.following(number)[0]:
                found, number = found + data, events.following(number)[1]
            names = [
                json.loads(m.split(b"data: ")[1])["interface"]["name"]
                for m in found.split(b"\n\n")
                if m
            ]
            self.assertEqual(names, [f"tap{n}" for n in range(at + 1, 8)])
        self.assertFalse(events.has(8))
