# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The event stream (Server-Sent Events, as HTML has them): what is encoded once is sent
to all browsers each 100 ms. A browser that does not read gets nothing until it
reads, then C{event: resync} if it missed something, and is cut off if it never reads.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.http import Request

from twisted_ovsdb._version import __version__
from twisted_ovsdb.web.encoding import encoded
from twisted_ovsdb.web.outgoing import Outgoing
from twisted_ovsdb.web.recent import Recent

FLUSH: Final = 0.1
"""Seconds from an event to its sending: soon for people, and few writes for 200 browsers."""

BROWSERS: Final = 200
"""Browsers that may be connected: each costs a socket and what the kernel keeps for it."""

BEAT: Final = 5.0
"""Seconds between two signs of life, by which a page knows that what it shows is not old."""

GROUP: Final = 20
"""
Browsers that are sent to in one turn of the reactor: with 65 kB for each, as at 1,000
events a second, this takes some milliseconds.
"""

EARLIER: Final = 200
"""Events from before that a browser may ask for."""


class Browser(Outgoing):
    """
    One browser.

    @ivar at: the number of the last event that it was sent.
    """

    def __init__(self, request: Request, streams: Streams, at: int) -> None:
        self.at = at
        self._streams = streams
        super().__init__(request, streams.clock)

    def resumed(self) -> None:
        """See L{Outgoing.resumed}."""
        self._streams.send(self)

    def closed(self) -> None:
        """See L{Outgoing.closed}."""
        self._streams.browsers.pop(self, None)


class Streams:
    """
    All browsers.

    @ivar browsers: those that are connected, in their order.
    """

    def __init__(self, recent: Recent, clock: IReactorTime) -> None:
        self.clock = clock
        self.browsers: dict[Browser, None] = {}
        self._recent = recent
        self._flushing: IDelayedCall | None = None
        self._beating: IDelayedCall | None = None

    @property
    def full(self) -> bool:
        """Whether no browser more may connect."""
        return len(self.browsers) >= BROWSERS

    def open(self, request: Request, lastId: str | None, earlier: int = 0) -> None:
        """
        Begin a stream.

        @param lastId: the id of the last event that the client has, if it was
            connected before.
        @param earlier: how many events from before it wants.
        """
        recent = self._recent
        number = None if lastId is None else recent.numberOf(lastId)
        resumed = number is not None and recent.has(number)
        at = number if resumed else recent.last
        assert at is not None
        browser = Browser(request, self, at if not earlier or resumed else recent.earlier(earlier))
        self.browsers[browser] = None
        started = {"event": "started", "version": __version__, "run": recent.run}
        self._tell(browser, "started", {**started, "resumed": resumed}, at)
        self.send(browser)
        self.noteEvent()
        if self._beating is None:
            self._beating = self.clock.callLater(BEAT, self._beat)

    def noteEvent(self) -> None:
        """There is something new. It is encoded only for browsers."""
        if self.browsers and self._flushing is None and self._recent.waiting:
            self._flushing = self.clock.callLater(FLUSH, self._flush)

    def send(self, browser: Browser) -> None:
        """Send a browser what is new for it, while it reads."""
        recent = self._recent
        while not browser.paused and not browser.ended:
            if not recent.has(browser.at):
                browser.at = recent.last
                self._tell(browser, "resync", {"event": "resync"}, browser.at)
                return
            data, browser.at = recent.following(browser.at)
            if not data:
                return
            browser.request.write(data)

    def close(self) -> None:
        """End all streams."""
        for timer in (self._flushing, self._beating):
            if timer is not None:
                timer.cancel()
        self._flushing = self._beating = None
        for browser in tuple(self.browsers):
            transport: Any = browser.request.transport
            transport.loseConnection()

    def _flush(self) -> None:
        self._recent.encode()
        self._sendTo(tuple(self.browsers))

    def _sendTo(self, browsers: tuple[Browser, ...]) -> None:
        """Send to these, some in each turn."""
        self._flushing = None
        for browser in browsers[:GROUP]:
            self.send(browser)
        if len(browsers) > GROUP:
            self._flushing = self.clock.callLater(0, self._sendTo, browsers[GROUP:])
        elif self.browsers and self._recent.waiting:
            # The rest of a burst follows at once, other events after a while.
            wait = 0 if self._recent.many else FLUSH
            self._flushing = self.clock.callLater(wait, self._flush)

    def _beat(self) -> None:
        self._beating = None
        for browser in tuple(self.browsers):
            if not browser.paused:
                browser.request.write(b":\n\n")
        if self.browsers:
            self._beating = self.clock.callLater(BEAT, self._beat)

    def _tell(self, browser: Browser, event: str, data: dict[str, Any], number: int) -> None:
        id = self._recent.idOf(number).encode()
        line = encoded({**data, "id": id.decode()})
        browser.request.write(b"event: %s\nid: %s\ndata: %s\n\n" % (event.encode(), id, line))
