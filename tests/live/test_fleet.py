# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observer that publishes with a real NATS server, and the reader of C{examples/}. The
switch is in memory; its lock is granted by the test.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from functools import partial
from typing import Any

import nats
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread

from tests.fakes.documented import CHECKOUT, blocks
from tests.live.test_broker import CLOCK, BrokerTestCase, inLoop, makeStreams, sleep
from tests.test_examples import Program
from tools.broker import PrivateBroker
from twisted_ovsdb.publish import nowwriter
from twisted_ovsdb.publish.asyncloop import ThreadLoop
from twisted_ovsdb.publish.observer import PublishingObserver, publishing
from twisted_ovsdb.publish.streampublisher import StreamPublisher
from twisted_ovsdb.publish.streams import Stream
from twisted_ovsdb.publish.subjects import checkpointSubject, eventSubject, objectsPattern
from twisted_ovsdb.testing import MemoryServer, connectedFactory

READER = str(CHECKOUT / "examples" / "fleet_reader.py")


def readerModule(printed: list[str]) -> Any:
    """The reader as a module; it prints to a list."""
    spec = importlib.util.spec_from_file_location("fleet_reader", READER)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.print = lambda *text, **options: printed.append(" ".join(text))
    return module


_NOW = ["s1 now br-int", "s1 now tap1", "s1 now tap2"]


class Held:
    """
    A monitor that holds the lock of its switch.
    """

    speaking = True

    def __init__(self) -> None:
        self.gaveUp = 0

    def confirmLock(self) -> Deferred[None]:
        """See C{LockedMonitor}."""
        return succeed(None)

    def giveUp(self) -> None:
        """See C{LockedMonitor}."""
        self.gaveUp += 1

    def stealLock(self) -> None:
        """See C{LockedMonitor}."""


def _documented(begin: str) -> str:
    """A block of docs/fleet.rst that begins with this text."""
    page = CHECKOUT / "docs" / "fleet.rst"
    [found] = [each.text for each in blocks(page) if each.text.startswith(begin)]
    return found


class RightsTests(BrokerTestCase):
    """
    A reader that has only the rights that docs/fleet.rst names.
    """

    configuration = _documented("authorization {").replace(
        "users: [", 'users: [ { user: "all", password: "secret" }', 1
    )

    async def test_reader(self) -> None:
        """
        It sees what is now and what happens, and cannot remove a stream or publish.
        """
        url = self.broker.url.replace("//", "//all:secret@")
        await deferToThread(inLoop, partial(makeStreams, url, {}))
        observer = PublishingObserver(
            StreamPublisher(self.streams("a", user="all", password="secret"), "a", CLOCK),
            "a",
            lambda switch: Held(),
            CLOCK,
        )
        self.addCleanup(observer.close)
        server = MemoryServer()
        server.addBridge("br-int")
        connectedFactory(server, publishing(observer), source="s1")
        await self.until(lambda: observer.published["acknowledged"] >= 3)
        reading = self.broker.url.replace("//", "//reader:secret@")
        reader = Program(sys.executable, READER, reading)
        self.addCleanup(reader.kill)
        await reader.line("br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        await reader.line("s1 online tap1")
        self.assertNotIn("the broker", reader.everything)

        async def harm() -> None:
            client = await nats.connect(reading, error_cb=denied)
            for subject in ("$JS.API.STREAM.DELETE.OVSDB_NOW", "ovsdb.event.s1"):
                await client.publish(subject, b"")
            # The client tells of them in tasks of their own.
            while len(faults) < 2:
                await asyncio.sleep(0.01)
            await client.close()

        faults: list[str] = []

        async def denied(fault: Exception) -> None:
            faults.append(str(fault).lower())

        await deferToThread(inLoop, harm)
        for fault in faults:
            self.assertIn("permissions violation for publish", fault)


class ObserverTests(BrokerTestCase):
    """
    From a switch to a reader.
    """

    def observer(self, instance: str) -> PublishingObserver:
        """An observer that publishes."""
        publisher = StreamPublisher(self.streams(instance), instance, CLOCK)
        made = PublishingObserver(publisher, instance, lambda switch: self.held, CLOCK)
        self.addCleanup(made.close)
        return made

    def reader(self, url: str = "") -> Program:
        """The reader, as people start it."""
        program = Program(sys.executable, READER, url or self.broker.url)
        self.addCleanup(program.kill)
        return program

    async def test_reader(self) -> None:
        """
        A reader sees what one instance tells, that the next one speaks and what that one
        tells, nothing twice; and one that comes late takes what is now.
        """
        self.held = Held()
        server = MemoryServer()
        server.addBridge("br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        first = self.observer("first")
        factory = connectedFactory(server, publishing(first), source="s1")
        await self.until(lambda: first.published["acknowledged"] >= 4)
        early = self.reader()
        await early.line("s1 now tap1")
        server.addPort("br-int", "tap2", iface_id="vm-2", ofport=2)
        await early.line("s1 online tap2")
        factory.stop()
        server.deletePort("tap1")
        second = self.observer("second")
        connectedFactory(server, publishing(second), source="s1")
        await early.line("s1 offline tap1")
        # It told: started, offline, synchronized.
        await self.until(lambda: second.published["acknowledged"] == 3)
        self.assertEqual((first.fenced, second.fenced), (0, 0))
        server.addPort("br-int", "tap3", iface_id="vm-3", ofport=3)
        await early.line("s1 online tap3")
        late = self.reader()
        await late.line("s1 speaker second")
        await late.line("s1 now tap3")
        told = [line for line in early.everything.splitlines() if " br-" not in line]
        expected = ["speaker first", "now tap1", "online tap2"]
        expected += ["speaker second", "offline tap1", "online tap3"]
        self.assertEqual(told, [f"s1 {each}" for each in expected])

    async def names(self, fleet: Any, *expected: str) -> None:
        """Wait until a reader has these ports, and no others."""

        def so() -> bool:
            return {each["name"] for each in fleet.online.values()} == {*expected}

        await self.until(so)

    async def test_awayOverPurge(self) -> None:
        """
        A reader that was away while an interface went, and while the object that said so
        was removed, is right afterwards: it has the events, or sees that they are missing, and
        then what is not there is gone.
        """
        self.patch(nowwriter, "TOMBSTONE", 0.2)
        self.held = Held()
        server = MemoryServer()
        server.addBridge("br-int")
        for number in (1, 2):
            server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}", ofport=number)
        first = self.observer("first")
        connectedFactory(server, publishing(first), source="s1")
        streams = self.streams("test")
        await streams.available()

        async def objects() -> set[str]:
            found = await streams.lastOfEach(Stream.NOW, objectsPattern("s1"))
            return {json.loads(each.payload)["interface"]["name"] for each in found}

        while await objects() != {"br-int", "tap1", "tap2"}:
            await sleep(0.05)
        loop = ThreadLoop(CLOCK)
        self.addCleanup(loop.stop)
        printed: list[str] = []
        away, other = (readerModule(printed).Fleet() for _ in range(2))

        async def follow(fleet: Any) -> None:
            """Follow, on a new connection."""
            client: Any = await loop.run(nats.connect(self.broker.url, allow_reconnect=False))
            self.addCleanup(lambda: loop.run(client.close()))
            fleet.client = client
            self.following = loop.run(fleet.follow(client.jetstream()))
            self.following.addErrback(lambda _: None)

        for fleet in (away, other):
            await follow(fleet)
            await self.names(fleet, "br-int", "tap1", "tap2")
            # Whatever is wrong, it ends this connection.
            await loop.run(fleet.failed(nats.errors.ProtocolError()))
            await self.following
        self.assertEqual(sorted(filter(lambda line: " now " in line, printed)), sorted(_NOW * 2))

        server.deletePort("tap1")
        while "tap1" in await objects():
            await sleep(0.3)
            server.deletePort("tap2")
            server.addPort("br-int", "tap2", iface_id="vm-2", ofport=2)
        server.addPort("br-int", "tap3", iface_id="vm-3", ofport=3)
        await self.until(lambda: first.lag == 0)

        # All events are there: nothing is taken again.
        printed.clear()
        await follow(other)
        await self.names(other, "br-int", "tap2", "tap3")
        self.assertIn("s1 offline tap1", printed)
        self.assertNotIn("s1 now br-int", printed)
        # The oldest ones are not.
        last = await streams.last(Stream.EVENTS, eventSubject("s1"))
        assert last is not None
        await streams.purge(Stream.EVENTS, eventSubject("s1"), last.sequence)
        await follow(away)
        await self.following
        self.assertIn("tap1", [each["name"] for each in away.online.values()])
        # What is now is written behind the events.
        now = None
        while now is None or json.loads(now.payload)["sequence"] < last.sequence:
            now = await streams.last(Stream.NOW, checkpointSubject("s1"))
        await follow(away)
        await self.names(away, "br-int", "tap2", "tap3")
        self.assertIn("s1 now tap3", printed)

    async def published(self) -> MemoryServer:
        """A switch with a bridge, of which what is now is written."""
        self.held = Held()
        server = MemoryServer()
        server.addBridge("br-int")
        connectedFactory(server, publishing(self.observer("first")), source="s1")
        streams = self.streams("test")
        await streams.available()
        while not await streams.lastOfEach(Stream.NOW, objectsPattern("s1")):
            await sleep(0.05)
        return server

    async def test_F122_brokerDown(self) -> None:
        """
        The broker is killed and started again. The reader says so in one line, and goes on
        behind its last event.
        """
        server = await self.published()
        reader = self.reader()
        await reader.line("s1 now br-int")
        server.addPort("br-int", "tap0", iface_id="vm-0", ofport=2)
        await reader.line("s1 online tap0")
        await deferToThread(self.broker.kill)
        await reader.line("the broker is lost (")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        await deferToThread(self.broker.start)
        await reader.line("s1 online tap1")
        self.assertEqual(reader.everything.count("the broker"), 1)
        self.assertEqual(reader.everything.count("br-int"), 1)
        # It is said each time.
        await deferToThread(self.broker.kill)
        await reader.line("the broker is lost (")
        self.assertNotIn("Traceback", reader.everything)

    async def test_F122_readerRefused(self) -> None:
        """
        What is wrong from the beginning is one line, and it is tried again.
        """
        for configuration, user, expected in (
            (
                'authorization { user: "me", password: "good" }',
                "me:wrong",
                "the broker refuses us (",
            ),
            ("jetstream: disabled", "", "the broker has no JetStream"),
        ):
            broker = PrivateBroker(f"{configuration}\ntrace: true\ndebug: true")
            self.addCleanup(deferToThread, broker.stop)
            await deferToThread(broker.start)
            reader = self.reader(broker.url.replace("//", f"//{user}@" if user else "//"))
            await reader.line(expected)
            while (broker.folder / "nats.log").read_text("utf-8").count("CONNECT {") < 3:
                await sleep(0.05)
            [line] = reader.everything.splitlines()
            self.assertNotIn("wrong", line)
            await reader.end("KILL")
        reader = self.reader("nats://me:secret@no-such-host.invalid")
        await reader.line("the host of no-such-host.invalid cannot be found (")
        self.assertEqual(len(reader.everything.splitlines()), 1)
        self.assertNotIn("secret", reader.everything)

    async def test_F122_foreign(self) -> None:
        """
        What somebody else has written to the streams is one line, and no traceback.
        """

        async def publish() -> None:
            await makeStreams(self.broker.url, {})
            client = await nats.connect(self.broker.url)
            await client.jetstream().publish("ovsdb.now.s1", b"not JSON")
            await client.close()

        await deferToThread(inLoop, publish)
        reader = self.reader(self.broker.url)
        await reader.line("what is in the streams is not a monitor's (")
        self.assertEqual(len(reader.everything.splitlines()), 1)

    async def test_readerNoCheckpoint(self) -> None:
        """
        Of a switch that has no checkpoint yet, a reader takes all events, also those that
        are before the checkpoints of others.
        """

        async def publish() -> None:
            await makeStreams(self.broker.url, {})
            client = await nats.connect(self.broker.url)
            js = client.jetstream()
            for switch in ("new", "old"):
                interface = {"uuid": "u", "name": f"tap-{switch}"}
                lines = (
                    {"event": "started", "resumed": False, "switch": switch, "instance": "a"},
                    {"event": "online", "interface": interface, "switch": switch},
                )
                await js.publish(
                    f"ovsdb.event.{switch}",
                    "\n".join(map(json.dumps, lines)).encode(),
                    headers={"Nats-Msg-Id": f"{switch}-0", "Ovsdb-Previous": "0"},
                )
            checkpoint = {"sequence": 2, "id": "old-0", "switch": "old", "instance": "a"}
            checkpoint |= {"since": 2, "forgotten": False}
            await js.publish("ovsdb.now.old", json.dumps(checkpoint).encode())
            await client.close()

        await deferToThread(inLoop, publish)
        await self.reader().line("new online tap-new")

    async def test_readerUsage(self) -> None:
        """
        Without a URL, the reader says in one line how it is started. Ctrl-C ends it without
        a word.
        """
        program = Program(sys.executable, READER)
        self.addCleanup(program.kill)
        self.assertEqual(await program.end(), 1)
        [line] = program.everything.splitlines()
        self.assertTrue(line.startswith("usage: "), line)
        await self.published()
        reader = self.reader()
        await reader.line("s1 now br-int")
        self.assertEqual(await reader.end("INT"), 0)
        self.assertEqual(reader.everything.splitlines(), ["s1 speaker first", "s1 now br-int"])

    async def test_readerFirst(self) -> None:
        """
        A reader that is there before any monitor says once that it waits, and sees what
        the first monitor tells.
        """
        self.held = Held()
        reader = self.reader()
        await reader.line("no monitor has published here yet: waiting")
        server = MemoryServer()
        server.addBridge("br-int")
        first = self.observer("first")
        connectedFactory(server, publishing(first), source="s1")
        await reader.line(" br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        await reader.line("s1 online tap1")
        self.assertEqual(reader.everything.count("waiting"), 1)
        self.assertNotIn("Traceback", reader.everything)

    async def test_burst(self) -> None:
        """
        A thousand interfaces go out in few messages, and the reactor is not held up.
        """
        self.held = Held()
        server = MemoryServer()
        server.addBridge("br-int")
        for number in range(1000):
            server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}", ofport=number + 1)
        first = self.observer("first")
        connectedFactory(server, publishing(first), source="s1")
        await self.until(lambda: first.published["acknowledged"] >= 1003)
        streams: Any = first._publisher
        told = await streams.read("s1")
        self.assertEqual(len(told.interfaces), 1001)
