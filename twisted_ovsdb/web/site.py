# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is found at which path, as twisted.web has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from io import BytesIO
from typing import Any, Final, Union
from urllib.parse import parse_qsl

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from twisted_ovsdb.web.connections import Connection
from twisted_ovsdb.web.door import HEADERS, Door, Refusal
from twisted_ovsdb.web.encoding import encoded
from twisted_ovsdb.web.metrics import CONTENT_TYPE, INSTALLED, MISSING, Watched, exposition
from twisted_ovsdb.web.outgoing import Answer
from twisted_ovsdb.web.query import Query, find
from twisted_ovsdb.web.readiness import Readiness
from twisted_ovsdb.web.stream import EARLIER, Streams

PLAIN: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

PAGE: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}

BODY: Final = 65536
"""Bytes of a body that are read, so that a client that sends one gets its answer."""

ARGUMENTS: Final = 20
"""Arguments of an address. There are seven that mean something."""

Rendered = Union[bytes, int]


@attrs.frozen(eq=False)
class Shown:
    """What the site shows, and what it needs for that."""

    watched: Watched
    streams: Streams
    readiness: Readiness
    door: Door
    cooperator: Cooperator
    clock: IReactorTime


class WebRequest(Request):
    """
    A request. Its connection is told when it is complete, and when it is answered.
    Nothing in it is logged: an address may have what is nobody's business.
    """

    def gotLength(self, length: int | None) -> None:
        """See L{Request.gotLength}. What GET does not have is not kept."""
        self.content = BytesIO()
        self._received = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Drop what comes after the headers. A client that sends more is cut off."""
        self._received += len(data)
        if self._received > BODY:
            transport: Any = self.transport
            transport.abortConnection()

    def process(self) -> None:
        """See L{Request.process}."""
        connection = self._connection()
        if connection is not None:
            connection.busy()
            self.notifyFinish().addBoth(lambda _: connection.idle())
        if self.uri == b"*":
            # Twisted would answer to OPTIONS itself, whoever asks.
            self.uri = self.path = b"/*"
        super().process()

    def processingFailed(self, reason: Failure) -> Failure:
        """See L{Request.processingFailed}."""
        for name, value in HEADERS.items():
            self.setHeader(name, value)
        failed: Failure = super().processingFailed(reason)
        return failed

    def _connection(self) -> Connection | None:
        transport = self.transport
        return transport if isinstance(transport, Connection) else None


class WebSite(Site):
    """
    The site.
    """

    displayTracebacks = False

    def __init__(self, shown: Shown) -> None:
        # Without a timeout of its own: connections have one, which a byte does not move.
        super().__init__(Root(shown), requestFactory=WebRequest, timeout=None, reactor=shown.clock)
        self.noisy = False

    def log(self, request: Any) -> None:
        """Log nothing."""


@implementer(IResource)
class Root:
    """All paths: each is a method."""

    isLeaf = True

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._page = {path: (_file(name), type) for path, (name, type) in PAGE.items()}

    def getChildWithDefault(self, name: bytes, request: Any) -> Root:
        """See L{IResource}."""
        return self

    def putChild(self, path: bytes, child: Any) -> None:
        """See L{IResource}."""
        raise NotImplementedError("all paths are known")

    def render(self, request: Request) -> Rendered:
        """See L{IResource}."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        address = getattr(request.getHost(), "host", None)
        refusal = self._shown.door.refusal(request, address)
        if refusal is not None:
            return self._refuse(request, refusal)
        path = request.path.decode("latin-1")
        if path in self._page:
            data, type = self._page[path]
            return _whole(request, data, type)
        answer = _PATHS.get(path)
        if answer is None:
            return self._refuse(request, Refusal(404, f"there is only {', '.join(_PATHS)} and /"))
        try:
            arguments = _arguments(request)
            return answer(self, request, arguments)
        except ValueError as e:
            return self._refuse(request, Refusal(400, str(e)))

    # Each path

    def health(self, request: Request, arguments: Mapping[str, Sequence[str]]) -> Rendered:
        """That the reactor turns."""
        return _whole(request, b"ok\n", PLAIN)

    def ready(self, request: Request, arguments: Mapping[str, Sequence[str]]) -> Rendered:
        """Whether all is ready; C{?all}: and every switch is in sync."""
        _only(arguments, "all")
        missing = self._shown.readiness.missing("all" in arguments)
        if not missing:
            return _whole(request, b"ok\n", PLAIN)
        # A site may have thousands of switches that are down.
        more = [f"and {len(missing) - _LINES} more"] if len(missing) > _LINES else []
        return self._refuse(request, Refusal(503, "\n".join(missing[:_LINES] + more)))

    def metrics(self, request: Request, arguments: Mapping[str, Sequence[str]]) -> Rendered:
        """The metrics."""
        if not INSTALLED:
            return self._refuse(request, Refusal(501, MISSING.rstrip()))
        return self._send(request, CONTENT_TYPE, lambda: exposition(self._shown.watched))

    def switches(self, request: Request, arguments: Mapping[str, Sequence[str]]) -> Rendered:
        """All switches."""
        _only(arguments)
        switches = self._shown.watched.switches

        def pieces() -> Iterator[bytes]:
            """The answer, a piece at a time."""
            watch = switches.watch
            # In one step, so that the counts are those of this id.
            values = list(switches.shown())
            yield b'{"id":"%s","switches":[' % watch.recent.id.encode()
            for number, value in enumerate(values):
                yield (b",\n" if number else b"\n") + encoded(value)
            yield b"\n]}\n"

        return self._send(request, JSON, pieces)

    def interfaces(self, request: Request, arguments: Mapping[str, Sequence[str]]) -> Rendered:
        """The interfaces that are asked for."""
        query = Query.parse(arguments)
        return self._send(request, JSON, lambda: find(query, self._shown.watched.switches))

    def events(self, request: Request, arguments: Mapping[str, Sequence[str]]) -> Rendered:
        """The event stream."""
        _only(arguments, "last")
        [last] = arguments.get("last", ["0"])
        if not (last.isascii() and last.isdigit() and len(last) < 5 and int(last) <= EARLIER):
            raise ValueError(f"last: must be a number from 0 to {EARLIER}")
        if self._shown.streams.full:
            return self._refuse(request, Refusal(503, "too many browsers are connected"))
        request.setHeader("Content-Type", "text/event-stream")
        # Otherwise a proxy like nginx would collect events.
        request.setHeader("X-Accel-Buffering", "no")
        if request.method == b"HEAD":
            return b""
        ids = request.requestHeaders.getRawHeaders("last-event-id", [None])
        self._shown.streams.open(request, ids[-1], int(last))
        return NOT_DONE_YET

    # How it is answered

    def _send(self, request: Request, type: str, pieces: Callable[[], Iterator[bytes]]) -> Rendered:
        request.setHeader("Content-Type", type)
        if request.method == b"HEAD":
            return b""
        Answer(request, self._shown.clock).send(pieces(), self._shown.cooperator)
        return NOT_DONE_YET

    def _refuse(self, request: Request, refusal: Refusal) -> bytes:
        request.setResponseCode(refusal.status)
        for name, value in refusal.headers.items():
            request.setHeader(name, value)
        return _whole(request, refusal.text.encode() + b"\n", PLAIN)


_LINES: Final = 20
"""Reasons why it is not ready that are listed."""

_PATHS: Final[Mapping[str, Callable[..., Rendered]]] = {
    "/events": Root.events,
    "/switches": Root.switches,
    "/interfaces": Root.interfaces,
    "/metrics": Root.metrics,
    "/health": Root.health,
    "/ready": Root.ready,
}


def _whole(request: Request, data: bytes, type: str) -> bytes:
    request.setHeader("Content-Type", type)
    request.setHeader("Content-Length", str(len(data)))
    return b"" if request.method == b"HEAD" else data


def _file(name: str) -> bytes:
    return resources.files("twisted_ovsdb.web").joinpath("page").joinpath(name).read_bytes()


def _arguments(request: Request) -> dict[str, list[str]]:
    """
    The arguments of the address, also those without a value, which Twisted leaves out.

    @raise ValueError: if they are not UTF-8, or many.
    """
    query = request.uri.partition(b"?")[2].decode("latin-1")
    found: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(query, True, errors="strict", max_num_fields=ARGUMENTS):
            found.setdefault(name, []).append(value)
    except UnicodeDecodeError as e:
        raise ValueError("the arguments are not UTF-8") from e
    return found


def _only(arguments: Mapping[str, Sequence[str]], *known: str) -> None:
    for name, values in arguments.items():
        if name not in known or len(values) != 1:
            raise ValueError(f"{name[:40]}: there is no such argument, or it is given twice")
