# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What all live tests use: a private Open vSwitch for each test, an observer that
records events, and a comparison of these events with the table that
C{ovs-vsctl list Interface} shows.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.fakes.fold import Fold
from tools.openvswitch import PrivateOpenVSwitch, missing
from twisted_ovsdb import (
    ClassificationRules,
    Disconnected,
    EndpointConnector,
    InterfaceChanged,
    IOvsdbEventObserver,
    OvsdbMonitorFactory,
    OvsdbProtocol,
    OvsInterface,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.datum import EMPTY
from twisted_ovsdb.events import Event, InterfaceEvent, ProblemEvent
from twisted_ovsdb.observers.base import changedColumns
from twisted_ovsdb.openvswitch.rows import COLUMNS, InterfaceRows
from twisted_ovsdb.ovsinterface import saysNothing

T = TypeVar("T")

Summary = tuple[object, ...]

PATIENCE = 10.0
"""Seconds that a test waits for the next event."""

QUIET = 5.0
"""Seconds without an event, after which the fold of the events must equal the table."""

SCENE = (
    "add-br br-int -- add-br br-ex"
    " -- add-port br-int tap1 -- set Interface tap1 external_ids:iface-id=port-1"
    " -- add-port br-int df1 -- set Interface df1 type=vxlan options:remote_ip=192.0.2.1"
    " -- add-port br-int patch-ex -- set Interface patch-ex type=patch options:peer=patch-int"
    " -- add-port br-ex patch-int -- set Interface patch-int type=patch options:peer=patch-ex"
)
"""Commands for ovs-vsctl that make at least one interface of each kind."""

SCENE_KINDS = {
    "br-int": "bridge",
    "br-ex": "bridge",
    "tap1": "vm",
    "df1": "tunnel",
    "patch-ex": "patch",
    "patch-int": "patch",
}


def requireOpenVSwitch(case: TestCase) -> None:
    """
    Skip a test if Open vSwitch is not installed. In CI, fail it.
    """
    if missing():
        absent = f"not installed: {', '.join(missing())} (see tools/install-openvswitch)"
        if os.environ.get("CI"):
            case.fail(absent)
        raise SkipTest(absent)


async def connect(case: TestCase, path: str) -> OvsdbProtocol:
    """
    Open a connection that is closed at the end of the test.
    """
    endpoint = UNIXClientEndpoint(reactor, path)
    protocol: OvsdbProtocol = await connectProtocol(endpoint, OvsdbProtocol())

    def close() -> Deferred[BaseException]:
        protocol.abort(RuntimeError("the test is over"))
        return protocol.whenLost()

    case.addCleanup(close)
    return protocol


class Recorder(Generic[T]):
    """
    Records items, and lets a test wait for them.

    @ivar everything: all items so far.
    """

    def __init__(self) -> None:
        self.everything: list[T] = []
        self._taken = 0
        self._awaited: Deferred[None] | None = None

    def record(self, item: T) -> None:
        """
        Record one item.
        """
        self.everything.append(item)
        if self._awaited is not None:
            waiter, self._awaited = self._awaited, None
            # The test goes on in a later turn of the reactor, not inside the
            # monitor's call.
            clock: Any = reactor
            clock.callLater(0, waiter.callback, None)

    def next(self, patience: float = PATIENCE) -> Deferred[None]:
        """
        @return: a Deferred that fires when the next item comes, or fails with
            TimeoutError.
        """
        assert self._awaited is None, "one test waits for one thing"
        self._awaited = Deferred()
        return self._awaited.addTimeout(patience, reactor)

    def take(self) -> list[T]:
        """
        Take all items that were not taken before.
        """
        return self._take(len(self.everything))

    async def until(self, matches: Callable[[T], bool]) -> list[T]:
        """
        Take all items up to the first one that matches. Wait for it if
        necessary.
        """
        position = self._taken
        while True:
            await self._reach(position)
            position += 1
            if matches(self.everything[position - 1]):
                return self._take(position)

    async def takeSome(self, count: int) -> list[T]:
        """
        Take this many items. Wait for them if necessary.
        """
        end = self._taken + count
        await self._reach(end - 1)
        return self._take(end)

    async def _reach(self, position: int) -> None:
        while len(self.everything) <= position:
            try:
                await self.next()
            except DeferredTimeout:
                came = self.everything[self._taken :]
                raise AssertionError(f"nothing came after {came}") from None

    def _take(self, end: int) -> list[T]:
        new = self.everything[self._taken : end]
        self._taken = end
        return new


@implementer(IOvsdbEventObserver)
class RecordingObserver(Recorder[Event]):
    """
    Records every event.
    """

    wantsProblems = True

    def eventReceived(self, event: Event) -> None:
        """
        Record an event.
        """
        self.record(event)

    async def untilSynchronized(self) -> list[Event]:
        """
        Take all events up to the next Synchronized.
        """
        return await self.until(lambda event: isinstance(event, Synchronized))


def summary(event: Event) -> Summary:
    """
    An event as a short tuple, such as C{("online", "vm", "tap1", "initial")} or
    C{("changed", "vm", "tap1", "update", {"ofport": (None, 1)})}.
    """
    happened = type(event).__name__.removeprefix("Interface").lower()
    if isinstance(event, SwitchForgotten):
        return ("forgotten", event.reason.value)
    if isinstance(event, Disconnected):
        return (happened,)
    if isinstance(event, Synchronized):
        return (happened, event.cause.value)
    if isinstance(event, ProblemEvent):
        name = "" if event.interface is None else event.interface.name
        return (happened, event.problem.value, name)
    told = (happened, event.kind.value, event.interface.name, event.cause.value)
    if isinstance(event, InterfaceChanged):
        columns = changedColumns(event.previous, event.interface)
        return (*told, {column: (old, new) for column, old, new in columns})
    return told


def summaries(events: Iterable[Event]) -> list[Summary]:
    """
    Events as short tuples, in their order.
    """
    return [summary(event) for event in events]


def isReady(event: Event) -> bool:
    """
    Whether an event is about an interface that is ready.
    """
    return isinstance(event, InterfaceEvent) and event.interface.ready


def foldOf(events: Iterable[Event]) -> dict[str, OvsInterface]:
    """
    The interfaces that events add up to. No event may contradict the others.
    """
    fold = Fold()
    for event in events:
        if isinstance(event, InterfaceEvent) and saysNothing(event.interface.ofport):
            # Only what was seen before is remembered.
            known = fold.interfaces.get(event.interface.uuid)
            assert event.interface.local_port == (known is not None and known.local_port), event
        fold.receive(event)
    return fold.interfaces


class LiveTestCase(TestCase):
    """
    Each test has an Open vSwitch of its own.

    @cvar tcp: whether its server listens on a TCP port too.
    @cvar vswitchd: whether there is an ovs-vswitchd.
    @ivar ovs: the Open vSwitch.
    @ivar observer: the observer that L{watch} gives to a factory.
    @ivar log: the lines that the package logs, without debug lines.
    """

    timeout = 30
    tcp = False
    vswitchd = True

    async def setUp(self) -> None:  # type: ignore[override]
        requireOpenVSwitch(self)
        self.ovs = PrivateOpenVSwitch(self.tcp, self.vswitchd)
        self.addCleanup(deferToThread, self.ovs.stop)
        self.observer = RecordingObserver()
        self.log: Recorder[str] = Recorder()
        publisher: Any = globalLogPublisher
        publisher.addObserver(self._logged)
        self.addCleanup(publisher.removeObserver, self._logged)
        await deferToThread(self.ovs.start)

    def _logged(self, event: LogEvent) -> None:
        namespace = event.get("log_namespace", "")
        if namespace.startswith("twisted_ovsdb.") and event["log_level"].name != "debug":
            self.log.record(f"{event['log_level'].name}: {formatEvent(event)}")

    async def vsctl(self, commands: str) -> str:
        """
        Run ovs-vsctl. It waits for ovs-vswitchd, if there is one.
        """
        return await deferToThread(self.ovs.vsctl, *shlex.split(commands))

    async def appctl(self, command: str) -> str:
        """
        Send ovsdb-server a command.
        """
        return await deferToThread(self.ovs.appctl, "ovsdb-server", *shlex.split(command))

    def connect(self, factory: OvsdbMonitorFactory) -> None:
        """
        Connect a factory to the server.
        """
        EndpointConnector(UNIXClientEndpoint(reactor, self.ovs.unix), factory).connect()

    def watch(self, **options: Any) -> OvsdbMonitorFactory:
        """
        Watch the server until the end of the test.
        """
        factory = OvsdbMonitorFactory([self.observer], **options)
        self.addCleanup(factory.stop)
        self.connect(factory)
        return factory

    async def assertTold(self, *expected: Summary) -> list[InterfaceEvent]:
        """
        Assert that exactly these events come next.
        """
        told = await self.observer.takeSome(len(expected))
        self.assertEqual(summaries(told), list(expected))
        return [event for event in told if isinstance(event, InterfaceEvent)]

    async def table(self, told: Mapping[str, OvsInterface] = EMPTY) -> dict[str, OvsInterface]:
        """
        The interfaces that have a kind, by UUID, as ovs-vsctl shows them.

        @param told: what the events add up to: which ports were seen as the
            local port of a bridge, and count as one while their ofport is empty.
        """
        rows = InterfaceRows(ClassificationRules(), known=told)
        text = await self.vsctl(f"-f json --columns=_uuid,{','.join(COLUMNS)} list Interface")
        table = json.loads(text)
        interfaces: dict[str, OvsInterface] = {}
        for cells in table["data"]:
            row = dict(zip(table["headings"], cells, strict=True))
            uuid = row.pop("_uuid")[1]
            interfaces[uuid] = rows.whole(uuid, row)
        return {uuid: i for uuid, i in interfaces.items() if i.kind is not None}

    async def assertFoldEqualsTable(self, observer: RecordingObserver | None = None) -> None:
        """
        Assert that the events add up to the table in the database. Each live
        test ends with this.
        """
        observer = observer or self.observer
        while True:
            heard = len(observer.everything)
            table = await self.table(foldOf(observer.everything))
            fold = foldOf(observer.everything)
            if fold == table:
                return
            if heard == len(observer.everything):
                try:
                    await observer.next(QUIET)
                except DeferredTimeout:
                    self.assertEqual(fold, table)
