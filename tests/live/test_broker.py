# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish} with a real NATS server.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.fakes.rows import vm
from tests.publish.test_contract import PublisherContract, lineAbout
from tools.broker import PrivateBroker, missing
from twisted_ovsdb.publish import natsconnection
from twisted_ovsdb.publish.configuration import configurationOf
from twisted_ovsdb.publish.credentials import brokerOf
from twisted_ovsdb.publish.natsstreams import NatsStreams
from twisted_ovsdb.publish.streampublisher import StreamPublisher
from twisted_ovsdb.publish.streams import BrokerUnavailable, Stream, Write
from twisted_ovsdb.publish.subjects import eventSubject
from twisted_ovsdb.publish.trouble import Trouble

CLOCK: Any = reactor


def requireBroker(case: TestCase) -> None:
    """
    Skip a test if there is no nats-server. In CI, fail it.
    """
    if missing():
        absent = "not installed: nats-server (see tools/install-broker)"
        if os.environ.get("CI"):
            case.fail(absent)
        raise SkipTest(absent)


def sleep(seconds: float) -> Deferred[None]:
    """Let the reactor run."""
    return deferLater(CLOCK, seconds)


class BrokerTestCase(TestCase):
    """
    Each test has a NATS server of its own.
    """

    timeout = 20
    configuration = ""

    async def setUp(self) -> None:  # type: ignore[override]
        requireBroker(self)
        self.broker = PrivateBroker(self.configuration)
        self.addCleanup(deferToThread, self.broker.stop)
        self.troubles: dict[str, Trouble] = {}
        self.publishers: list[StreamPublisher] = []
        await deferToThread(self.broker.start)

    def streams(self, instance: str, **options: Any) -> NatsStreams:
        """A client that is started, and closed at the end."""
        trouble = self.troubles[instance] = Trouble(instance)
        streams = NatsStreams([self.broker.url], options, reactor, trouble, instance)
        self.addCleanup(streams.close)
        streams.start()
        return streams

    def publisher(self, instance: str) -> StreamPublisher:
        """A publisher."""
        made = StreamPublisher(self.streams(instance), instance, CLOCK)
        self.publishers.append(made)
        return made

    def tearDown(self) -> None:
        for each in self.publishers:
            for switch in tuple(each._voices):
                each.leave(switch)

    async def settled(self) -> None:
        """What is now is written."""
        for each in self.publishers:
            for voice in tuple(each._voices.values()):
                while voice.writer is not None and not voice.lost and voice.writer.behind:
                    await voice.writer.progress()

    async def until(self, so: Any) -> None:
        """Wait until something is so."""
        while not so():
            await sleep(0.02)


class NatsContractTests(PublisherContract, BrokerTestCase):
    """
    The contract, with NATS.
    """


class NatsTests(BrokerTestCase):
    """
    What only a real broker does.
    """

    async def test_F115_restart(self) -> None:
        """
        The broker is killed and started again: what was published is there, what is
        published meanwhile arrives, and one line says when it begins and one when it
        ends.
        """
        a, b = self.publisher("a"), self.publisher("b")
        contract = PublisherContract.takeOver
        await contract(self, a)  # type: ignore[arg-type]
        await a.publish("s1", [lineAbout("online", vm(1))])
        await deferToThread(self.broker.kill)
        published = a.publish("s1", [lineAbout("online", vm(2))])
        await self.until(lambda: self.troubles["a"].missing())
        await deferToThread(self.broker.start)
        await published
        told = await b.read("s1")
        self.assertEqual(sorted(row.name for row in told.interfaces or ()), ["tap1", "tap2"])
        self.assertIsNone(self.troubles["a"].missing())

    async def test_F115_standby(self) -> None:
        """
        A monitor that stands by writes nothing: if a request of its was not answered, a sign of
        life asks whether the broker answers again.
        """
        streams = self.streams("a")
        await streams.available()
        self.patch(natsconnection, "ATTEMPT", 0.2)
        self.broker.signal(signal.SIGSTOP)
        self.addCleanup(self.broker.signal, signal.SIGCONT)
        stat = Path(f"/proc/{self.broker.pid}/stat")
        await self.until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
        try:
            await streams.last(Stream.NOW, "ovsdb.now.s1")
            self.fail("a broker that is stopped has answered")
        except BrokerUnavailable:
            pass
        await self.until(self.troubles["a"].missing)
        streams.beat("0a a")
        await sleep(0.5)
        self.assertEqual(self.troubles["a"].missing(), "--publish a: it does not answer")
        self.broker.signal(signal.SIGCONT)

        def answers() -> bool:
            streams.beat("0a a")
            return self.troubles["a"].missing() is None

        await self.until(answers)

    async def test_F115_stuck(self) -> None:
        """
        A connection that the client has given up without saying so, because it waits for a peer
        that reads nothing, is replaced.
        """
        streams = self.streams("a")
        await streams.available()
        real: Any = streams._connection
        abandoned: list[object] = []

        class Stuck:
            closed = True

            def abandon(self) -> None:
                abandoned.append(self)

        stuck: Any = Stuck()
        streams._connection = stuck
        streams.beat("0a a")
        self.assertEqual(self.troubles["a"].missing(), "--publish a: the connection was lost")
        await streams.available()
        self.assertEqual(abandoned, [stuck])
        self.assertIsNone(self.troubles["a"].missing())
        assert streams._loop is not None
        await streams._loop.run(real.close())
        self.assertTrue(streams.connected)

    async def test_F120_removed(self) -> None:
        """
        A stream that is removed while monitors run is made again.
        """
        streams = self.streams("a")
        await streams.available()
        await deferToThread(inLoop, partial(_remove, self.broker.url, "OVSDB_NOW"))
        self.patch(natsconnection, "ATTEMPT", 1.0)
        write = Write(Stream.NOW, "ovsdb.now.s1", b"{}", 0)
        await self.assertFailure(streams.append(write), BrokerUnavailable)
        await self.until(lambda: self.troubles["a"].missing())
        streams.beat("0a a")
        await self.until(lambda: self.troubles["a"].missing() is None)
        self.assertGreater(await streams.append(write), 0)

    def names(self, interfaces: Any) -> Any:
        """For the contract."""
        return interfaces


class RefusedTestCase(BrokerTestCase):
    """
    What is refused, in one line that says why.
    """

    async def refused(self, instance: str, **options: Any) -> str:
        """What a client says."""
        self.streams(instance, **options)
        trouble = self.troubles[instance]
        await self.until(trouble.missing)
        return str(trouble.missing())


class RefusedTests(RefusedTestCase):
    """
    Streams that are not as they have to be.
    """

    async def test_F117_configuration(self) -> None:
        """
        A stream that would lose the last event of a switch is refused.
        """
        import nats

        async def make() -> None:
            client = await nats.connect(self.broker.url)
            stream = {"name": "OVSDB_EVENTS", "subjects": ["ovsdb.event.>"], "max_age": 3600.0}
            await client.jetstream().add_stream(**stream)  # type: ignore[arg-type]
            await client.close()

        await deferToThread(inLoop, make)
        self.assertEqual(
            await self.refused("a"),
            "--publish a: stream OVSDB_EVENTS has discard old, and needs new",
        )

    async def test_F116_full(self) -> None:
        """
        A stream that is full is one clear line, and a retry.
        """
        import nats

        async def change(limit: int) -> None:
            client = await nats.connect(self.broker.url)
            js = client.jetstream()
            config = (await js.stream_info("OVSDB_EVENTS")).config
            config.max_msgs = limit
            await js.update_stream(config)
            await client.close()

        streams = self.streams("a")
        publisher = StreamPublisher(streams, "a", CLOCK)
        self.publishers.append(publisher)
        told = await publisher.read("s1")
        await publisher.takeOver(told, [lineAbout("online", vm(1))], lambda: None)
        await deferToThread(inLoop, lambda: change(1))
        published = publisher.publish("s1", [lineAbout("online", vm(2))])
        await self.until(self.troubles["a"].missing)
        self.assertEqual(
            self.troubles["a"].missing(),
            "--publish a: OVSDB_EVENTS: maximum messages exceeded: the stream is full: enlarge"
            " its max_msgs",
        )
        await deferToThread(inLoop, lambda: change(100))
        await published
        self.assertIsNone(self.troubles["a"].missing())

    async def test_F116_limits(self) -> None:
        """
        Each limit of a stream or an account that ends publishing says what to enlarge.
        """
        for changed, account, expected in (
            ({"max_bytes": 100}, "", "bytes exceeded: the stream is full: enlarge its max_bytes"),
            ({"max_msg_size": 100}, "", "has max_msg_size 100, and needs none, or 524288"),
            ({}, "max_file: 100", "resource limits exceeded for account: enlarge max_file"),
            ({}, "max_streams: 1", "maximum number of streams reached: enlarge max_streams"),
        ):
            users = "users: [ { user: a, password: a } ]"
            limits = f"accounts {{ A {{ jetstream: {{ {account} }}, {users} }} }}\nno_auth_user: a"
            self.broker = PrivateBroker(limits if account else "")
            self.addCleanup(deferToThread, self.broker.stop)
            await deferToThread(self.broker.start)
            await deferToThread(inLoop, partial(makeStreams, self.broker.url, changed))
            streams = self.streams("a")
            write = Write(Stream.EVENTS, eventSubject("s1"), b"x" * 1000, 0, "a-0")
            while not self.troubles["a"].missing():
                await sleep(0.02)
                if streams.connected:
                    await self.assertFailure(streams.append(write), BrokerUnavailable)
            self.assertIn(expected, str(self.troubles["a"].missing()))

    async def test_limits(self) -> None:
        """
        With max_msgs_per_subject, the oldest events of that switch go, and no others.
        """
        streams = self.streams("a")
        await self.until(lambda: streams.connected)
        self.assertEqual(streams.eventsKept, 10_000)
        self.assertIsNone(await streams.at(Stream.EVENTS, 1))


class RightsTests(RefusedTestCase):
    """
    Users with a password, and without rights.
    """

    configuration = """
        authorization { users: [
            { user: "all", password: "secret" }
            { user: "none", password: "secret", permissions: { publish: ["nothing"] } }
        ] }
    """

    async def test_F118_rights(self) -> None:
        """
        A wrong password, and missing rights.
        """
        wrong = await self.refused("a", user="all", password="wrong")
        self.assertEqual(
            wrong,
            "--publish a: it refuses us: the credentials are missing or wrong",
        )
        denied = await self.refused("b", user="none", password="secret")
        self.assertIn("permissions violation", denied)
        good = self.streams("c", user="all", password="secret")
        await self.until(lambda: good.connected)


class OtherServerTests(RefusedTestCase):
    """
    What is at the other end is not what was asked for.
    """

    async def refusedAt(self, url: str) -> str:
        """What a client of this URL says."""
        found = brokerOf(url, None, {"NATS_TOKEN": "secret"})
        trouble = Trouble(found.shown)
        streams = NatsStreams(found.servers, found.options, reactor, trouble, "a")
        self.addCleanup(streams.close)
        streams.start()
        await self.until(trouble.missing)
        return str(trouble.missing())

    async def test_F119_notEncrypted(self) -> None:
        """
        With tls://, a server without TLS is refused before a password is sent.
        """
        url = self.broker.url.replace("nats:", "tls:")
        self.assertEqual(
            await self.refusedAt(url),
            f"--publish {url}: the server does not speak TLS, and tls:// was asked for",
        )

    async def test_F119_notNats(self) -> None:
        """
        What speaks another protocol, and a port where nothing listens, is one line.
        """
        speaker = Factory.forProtocol(_Ssh)
        port = CLOCK.listenTCP(0, speaker, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        refused = await self.refusedAt(f"nats://127.0.0.1:{port.getHost().port}")
        self.assertIn("what answers there is no NATS server", refused)
        await deferToThread(self.broker.kill)
        self.assertIn("nothing listens there", await self.refusedAt(self.broker.url))


class _Ssh(Protocol):
    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        transport.loseConnection()


def inLoop(make: Any) -> None:
    """Run a coroutine with the client, in another thread."""
    import asyncio

    asyncio.run(make())


async def makeStreams(url: str, changed: Mapping[str, Any]) -> None:
    """Make the streams as a monitor does, but with these changes."""
    import nats

    client = await nats.connect(url)
    for stream in Stream:
        wanted = json.dumps({**configurationOf(stream), **changed}).encode()
        await client.request(f"$JS.API.STREAM.CREATE.{stream.value}", wanted)
    await client.close()


async def _remove(url: str, stream: str) -> None:
    import nats

    client = await nats.connect(url)
    await client.jetstream().delete_stream(stream)
    await client.close()
