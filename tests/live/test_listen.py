# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Real ovsdb-servers that connect to a listener.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections import defaultdict
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from tests.live.support import LiveTestCase, foldOf, summaries
from tests.soak.database import connectOne, readTable
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until, wait
from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb import (
    Disconnected,
    OvsdbError,
    OvsInterface,
    Synchronized,
    serverFromRemote,
)
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.events import Event
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.service import OvsdbListenService

SWITCHES = 20

SILENCE = 0.5
"""Seconds that a peer may stay silent, in the tests of silent peers."""

SOON = 1.0
"""Seconds after a commit, within which its events must be told."""


def addPort(name: str) -> str:
    """
    Commands for ovs-vsctl that add the port of a VM.
    """
    return f"add-port br-int {name} -- set Interface {name} external_ids:iface-id=of-{name}"


class DiallingSwitch(PrivateOpenVSwitch):
    """
    An ovsdb-server that connects to a listener. All its methods block.

    @ivar system_id: its C{system-id}.
    @ivar hostname: its C{hostname}.
    @ivar tap: the name of its first VM's interface.
    @ivar remote: where it connects to.
    """

    def __init__(self, number: int, controller: int, system_id: str | None = None) -> None:
        """
        @param controller: the port to connect to.
        """
        super().__init__(vswitchd=False)
        self.system_id = system_id or f"system-{number}"
        self.hostname = f"host{number}.example.org"
        self.tap = f"tap{number}"
        self.remote = f"tcp:127.0.0.1:{controller}"

    def prepare(self) -> None:
        """
        Fill the database before the server connects.
        """
        self.createDatabase()
        ids = f"external_ids:system-id={self.system_id} external_ids:hostname={self.hostname}"
        self.changeHidden(f"init -- set Open_vSwitch . {ids} -- add-br br-int")
        self.changeHidden(addPort(self.tap))

    def changeHidden(self, commands: str) -> None:
        """
        Change the database while the server does not connect.
        """
        self.startServer(hidden=True)
        self.vsctl(*commands.split())
        self.kill("ovsdb-server")

    def dial(self) -> None:
        """
        Start the server. It connects by itself.
        """
        self.startServer(f"--remote={self.remote}")

    def dialOnce(self) -> None:
        """
        Make a running server connect at once. After refusals, it would wait
        first.
        """
        for verb in ("remove", "add"):
            self.appctl("ovsdb-server", f"ovsdb-server/{verb}-remote", self.remote)


class ListenTestCase(LiveTestCase):
    """
    Listens for switches; the Open vSwitch of L{LiveTestCase} has no system-id.
    """

    timeout = 60
    vswitchd = False

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        # A port that the kernel gives to no program by itself.
        spare = SoakOpenVSwitch()
        spare.stop()
        assert spare.port is not None
        self.port = spare.port

    def listen(self, place: str = "", **options: Any) -> OvsdbListenerFactory:
        """
        Listen until the end of the test.

        @param place: where; by default, on the port of this test.
        """
        factory = OvsdbListenerFactory([self.observer], **options)
        endpoint = serverFromRemote(reactor, place or f"ptcp:{self.port}:127.0.0.1")
        self.service = OvsdbListenService(endpoint, factory)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        return factory

    async def switch(self, number: int, system_id: str | None = None) -> DiallingSwitch:
        """
        Make a switch. It does not connect yet.
        """
        switch = DiallingSwitch(number, self.port, system_id)
        self.addCleanup(deferToThread, switch.stop)
        await deferToThread(switch.prepare)
        return switch

    async def lines(self, count: int) -> list[str]:
        """
        @return: the next lines of the log.
        """
        return await self.log.takeSome(count)

    def events(self) -> dict[str | None, list[Event]]:
        """
        All events, by their system-id.
        """
        events: dict[str | None, list[Event]] = defaultdict(list)
        for event in self.observer.everything:
            events[event.system_id].append(event)
        return events

    async def assertExact(self, *switches: DiallingSwitch) -> None:
        """
        Assert that the events of each switch add up to what its database has,
        and that they have its hostname.
        """
        for switch in switches:
            await self._assertExact(switch)
            hostnames = {event.hostname for event in self.events()[switch.system_id]}
            self.assertEqual(hostnames, {switch.hostname})

    async def _assertExact(self, switch: DiallingSwitch) -> None:
        table = await tableOf(switch)
        await until(reactor, lambda: self._fold(switch) == table, SOON)
        self.assertEqual(self._fold(switch), table)

    def _fold(self, switch: DiallingSwitch) -> dict[str, OvsInterface]:
        return foldOf(self.events()[switch.system_id])


async def tableOf(switch: PrivateOpenVSwitch) -> dict[str, OvsInterface]:
    """
    The interfaces in a switch's database, by UUID.
    """
    protocol = await connectOne(reactor, switch.unix)
    table = await readTable(protocol)
    protocol.close(OvsdbError("the end"))
    return table


def inThreads(calls: list[Deferred[None]]) -> Deferred[list[None]]:
    """
    @return: a Deferred that fires when all calls have ended.
    """
    return gatherResults(calls, consumeErrors=True)


class UnixSocketTests(ListenTestCase):
    """
    Tests for a switch that connects to a unix socket.
    """

    async def test_longPath(self) -> None:
        """
        A switch connects to a socket whose path is longer than the kernel takes,
        before and after a restart of the switch.
        """
        folder = self.ovs.folder / ("deep" * 20) / ("deeper" * 10)
        await deferToThread(folder.mkdir, parents=True)
        self.listen(f"punix:{folder}/manager.sock")
        switch = await self.switch(1)
        switch.remote = f"unix:{folder}/manager.sock"
        for _ in range(2):
            await deferToThread(switch.dial)
            *_, synchronized = await self.observer.untilSynchronized()
            self.assertEqual((synchronized.switch, synchronized.address), ("system-1", "unix"))
            await deferToThread(switch.kill, "ovsdb-server")
            await self.observer.takeSome(1)


class TwentySwitchesTests(ListenTestCase):
    """
    Tests for twenty switches at once.
    """

    async def test_twenty(self) -> None:
        """
        Each event has the identity of its switch. A switch that restarts is
        recognized, and no other switch is affected.
        """
        self.listen()
        switches = [DiallingSwitch(number, self.port) for number in range(SWITCHES)]
        for switch in switches:
            self.addCleanup(deferToThread, switch.stop)
        await inThreads([deferToThread(switch.prepare) for switch in switches])
        await inThreads([deferToThread(switch.dial) for switch in switches])
        for _ in switches:
            await self.observer.untilSynchronized()
        events = self.events()
        self.assertEqual(set(events), {switch.system_id for switch in switches})
        for switch in switches:
            (*online, _) = summaries(events[switch.system_id])
            self.assertCountEqual(
                online,
                [
                    ("online", "bridge", "br-int", "initial"),
                    ("online", "vm", switch.tap, "initial"),
                ],
            )
        for event in self.observer.everything:
            self.assertEqual((event.source, event.switch), (event.system_id,) * 2)
        self.assertEqual(len({event.address for event in self.observer.everything}), SWITCHES)
        await self.changeAll(switches)
        await self.restartOne(switches[7])
        await self.assertExact(*switches)

    async def changeAll(self, switches: list[DiallingSwitch]) -> None:
        """
        Remove a port and add another one, on all switches at once.
        """
        self.observer.take()
        commands = [f"del-port {s.tap} -- {addPort(f'new-{s.tap}')}".split() for s in switches]
        await inThreads(
            [deferToThread(s.vsctl, *c) for s, c in zip(switches, commands, strict=True)]  # type: ignore[arg-type]
        )
        told = await self.observer.takeSome(2 * SWITCHES)
        for switch in switches:
            own = [event for event in told if event.system_id == switch.system_id]
            self.assertEqual(
                summaries(own),
                [
                    ("offline", "vm", switch.tap, "update"),
                    ("online", "vm", f"new-{switch.tap}", "update"),
                ],
            )
            self.assertEqual({event.hostname for event in own}, {switch.hostname})

    async def restartOne(self, switch: DiallingSwitch) -> None:
        """
        Kill a switch, change its database during the outage, and start it
        again.
        """
        await deferToThread(switch.kill, "ovsdb-server")
        (gone,) = await self.observer.takeSome(1)
        assert isinstance(gone, Disconnected)
        await deferToThread(switch.changeHidden, f"del-port new-{switch.tap} -- {addPort('back')}")
        await deferToThread(switch.dial)
        told = await self.observer.untilSynchronized()
        self.assertEqual(
            summaries(told),
            [
                ("offline", "vm", f"new-{switch.tap}", "resync"),
                ("online", "vm", "back", "resync"),
                ("online", "bridge", "br-int", "replay"),
                ("synchronized", "resync"),
            ],
        )
        for event in (gone, *told):
            self.assertEqual((event.system_id, event.hostname), (switch.system_id, switch.hostname))
        self.assertEqual(self.observer.take(), [])


class ReturnTests(ListenTestCase):
    """
    Tests for other ways in which switches connect and return.
    """

    async def test_setManager(self) -> None:
        """
        A running Open vSwitch connects after C{ovs-vsctl set-manager}.
        """
        self.listen()
        switch = await self.switch(1)
        await deferToThread(
            switch.startServer, "--remote=db:Open_vSwitch,Open_vSwitch,manager_options"
        )
        await deferToThread(switch.vsctl, "set-manager", switch.remote)
        await self.observer.untilSynchronized()
        await self.assertExact(switch)

    async def test_stopAndStart(self) -> None:
        """
        When the listener stops, its switches are disconnected. When it starts
        again, they connect again by themselves and are recognized.
        """
        self.listen()
        switch = await self.switch(1)
        await deferToThread(switch.dial)
        await self.observer.untilSynchronized()
        await self.service.stopService()
        self.assertEqual(summaries(self.observer.take()), [("disconnected",)])
        self.service.startService()
        *replays, synchronized = await self.observer.untilSynchronized()
        self.assertEqual({told[-1] for told in summaries(replays)}, {"replay"})
        self.assertEqual(summaries([synchronized]), [("synchronized", "resync")])
        await self.assertExact(switch)


class IdentityTests(ListenTestCase):
    """
    Tests for switches whose identity changes.
    """

    def keys(self, events: list[Event]) -> list[tuple[object, ...]]:
        """
        Each event, the key of its switch and the name of its host.
        """
        return [
            (*told, event.switch, event.hostname)
            for told, event in zip(summaries(events), events, strict=True)
        ]

    async def test_noSystemId(self) -> None:
        """
        A switch without a system-id is monitored, and known by the UUID of its
        row, with one warning. When it gets a system-id, it is another switch.
        """
        self.listen()
        await self.vsctl("add-br br-int")
        uuid = (await self.vsctl("get Open_vSwitch . _uuid")).strip()
        remote = f"tcp:127.0.0.1:{self.port}"
        await self.appctl(f"ovsdb-server/add-remote {remote}")
        told = await self.observer.untilSynchronized()
        self.assertEqual({event.switch for event in told}, {uuid})
        lines = await self.lines(2)
        self.assertRegex(lines[1], rf"^warn: \S+: switch {uuid} has no external_ids:system-id")
        await self.vsctl("set Open_vSwitch . external_ids:system-id=sw-a external_ids:hostname=h1")
        told = await self.observer.untilSynchronized()
        self.assertEqual(
            self.keys(told),
            [
                ("disconnected", uuid, None),
                ("offline", "bridge", "br-int", "resync", uuid, None),
                ("online", "bridge", "br-int", "initial", "sw-a", "h1"),
                ("synchronized", "initial", "sw-a", "h1"),
            ],
        )

    async def test_connected(self) -> None:
        """
        A client that is connected learns of a system-id and a host name that
        are set later. Another system-id is an outage in which no row survives.
        """
        await self.vsctl("add-br br-int")
        factory = self.watch(identify=True, source="tcp:here:6640")
        await self.observer.untilSynchronized()
        await wait(reactor, 1.1)  # From then on, the session counts as healthy.
        await self.vsctl("set Open_vSwitch . external_ids:system-id=sw-a external_ids:hostname=h1")
        told = await self.observer.untilSynchronized()
        self.assertEqual(
            self.keys(told),
            [
                ("disconnected", "tcp:here:6640", None),
                ("offline", "bridge", "br-int", "resync", "tcp:here:6640", None),
                ("online", "bridge", "br-int", "resync", "sw-a", "h1"),
                ("synchronized", "resync", "sw-a", "h1"),
            ],
        )
        await self.vsctl("set Open_vSwitch . external_ids:hostname=h2 -- add-br br-ex")
        (online,) = await self.observer.takeSome(1)
        self.assertEqual((online.switch, online.hostname), ("sw-a", "h2"))
        self.assertEqual(factory.monitor.switch, "sw-a")

    async def test_freed(self) -> None:
        """
        Of two cloned hosts, the second one is refused until the first one gets
        a system-id of its own.
        """
        self.listen()
        first = await self.switch(1)
        clone = await self.switch(2, first.system_id)
        await deferToThread(first.dial)
        await self.observer.untilSynchronized()
        await deferToThread(clone.dial)
        lines = await self.lines(2)
        self.assertIn("were the hosts cloned?", lines[1])
        first.system_id = "its-own"
        await deferToThread(
            first.vsctl, "set", "Open_vSwitch", ".", "external_ids:system-id=its-own"
        )
        for _ in range(2):
            await self.observer.untilSynchronized()
        everything = self.events()
        self.assertEqual(foldOf(everything["its-own"]), await tableOf(first))
        self.assertEqual(foldOf(everything[clone.system_id]), await tableOf(clone))
        self.assertEqual({event.switch for event in everything["its-own"]}, {"its-own"})


class CloneTests(ListenTestCase):
    """
    Tests for two switches with the same system-id.
    """

    async def test_clone(self) -> None:
        """
        As long as the first switch answers, the second one is refused, with a
        warning that names both addresses. When the first one is dead by the rules
        for every connection, the second one replaces it.
        """
        self.listen(probeInterval=2.0)
        first = await self.switch(1)
        clone = await self.switch(2, first.system_id)
        await deferToThread(first.dial)
        (*_, synchronized) = await self.observer.untilSynchronized()
        self.log.take()
        await deferToThread(clone.dial)
        (line,) = await self.lines(1)
        self.assertRegex(
            line,
            r"^warn: tcp:127\.0\.0\.1:\d+: refused: switch system-1 is connected already,"
            rf" from {synchronized.address}; were the hosts cloned\?$",
        )
        self.assertEqual(self.observer.take(), [])
        await deferToThread(first.vsctl, *addPort("more").split())
        (online,) = await self.observer.takeSome(1)
        self.assertEqual((online.address, online.hostname), (synchronized.address, first.hostname))

        first.signal("ovsdb-server", signal.SIGSTOP)
        await deferToThread(clone.dialOnce)
        disconnected, *told = await self.observer.untilSynchronized()
        assert isinstance(disconnected, Disconnected)
        self.assertEqual(disconnected.address, synchronized.address)
        self.assertEqual(describeReason(disconnected.reason), "no answer to an echo for 2 s")
        self.assertEqual({event.hostname for event in told}, {clone.hostname})
        assert isinstance(told[-1], Synchronized)
        self.assertEqual(
            {interface.uuid: interface for interface in told[-1].interfaces}, await tableOf(clone)
        )
        foldOf(self.observer.everything)


class RefusalTests(ListenTestCase):
    """
    Tests for peers that are refused. Each is dropped with one line in the log,
    and observers are told nothing.
    """

    async def assertDropped(self, reason: str, how: str = "dropped") -> None:
        """
        Assert that there is one warning with this reason, and nothing else.
        """
        (line,) = await self.lines(1)
        self.assertRegex(line, rf"^warn: tcp:127\.0\.0\.1:\d+: {how}: {reason}")
        await wait(reactor, 0.2)
        self.assertEqual(self.log.take(), [])
        self.assertEqual(self.observer.take(), [])

    def dial(self, data: bytes) -> socket.socket:
        """
        Connect as a peer that sends this data and then reads. Each step may
        take 5 s.
        """
        peer = socket.create_connection(("127.0.0.1", self.port), 5)
        self.addCleanup(peer.close)
        peer.sendall(data)
        return peer

    async def assertCut(self, peer: socket.socket) -> None:
        """
        Assert that the peer's connection is closed.
        """

        def read() -> None:
            # TimeoutError would be a failure.
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(4096):
                    pass

        await deferToThread(read)

    async def test_noRow(self) -> None:
        """
        A switch whose Open_vSwitch table is empty is refused.
        """
        self.listen()
        await self.vsctl("-- --all destroy Open_vSwitch")
        remote = f"tcp:127.0.0.1:{self.port}"
        await self.appctl(f"ovsdb-server/add-remote {remote}")
        await self.assertDropped("the table Open_vSwitch of the switch is empty", "refused")

    async def test_otherProtocol(self) -> None:
        """
        A peer that speaks HTTP is dropped.
        """
        self.listen()
        peer = await deferToThread(self.dial, b"GET / HTTP/1.1\r\nHost: controller\r\n\r\n")
        await self.assertDropped("a message begins with b'G'")
        await self.assertCut(peer)

    async def test_silent(self) -> None:
        """
        A peer that sends nothing is dropped.
        """
        self.listen(snapshotTimeout=SILENCE)
        peer = await deferToThread(self.dial, b"")
        # Two limits are the same here, and either may be first.
        how = "the switch did not identify itself within|no progress of the initial reply for"
        await self.assertDropped(rf"({how}) 0\.5 s")
        await self.assertCut(peer)

    async def test_tooMany(self) -> None:
        """
        One switch above the limit is refused. The switches that are connected
        stay.
        """
        self.listen(maxSwitches=1)
        switch, another = await self.switch(1), await self.switch(2)
        await deferToThread(switch.dial)
        await self.observer.untilSynchronized()
        self.log.take()
        await deferToThread(another.dial)
        await self.assertDropped("too many switches are connected \\(1,", "refused")
        await self.assertExact(switch)

    async def test_tooManyStrangers(self) -> None:
        """
        When there is one unidentified peer above the limit, the older one goes at
        once. The other one has its time.
        """
        self.listen(maxSwitches=1, snapshotTimeout=SILENCE)
        silent = await deferToThread(self.dial, b"")
        await until(reactor, lambda: bool(self.service.factory._strangers))
        newer = await deferToThread(self.dial, b"")
        (line,) = await self.lines(1)
        self.assertRegex(line, r"^warn: tcp:127\.0\.0\.1:\d+: refused: too many unidentified")
        await self.assertCut(silent)
        await self.assertCut(newer)
