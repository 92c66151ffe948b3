# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Real ovsdb-servers that dial in.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections import defaultdict
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread

from tests.live.support import LiveTestCase, foldOf, summaries
from tests.soak.database import connectOne, readTable
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until, wait
from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb import Disconnected, OvsdbError, OvsInterface, Synchronized
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.events import Event
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.service import OvsdbListenService

SWITCHES = 20

SILENCE = 0.5
"""Seconds that a silent peer may stay where a test is about one."""

SOON = 1.0
"""Seconds until what was committed has been told."""


def addPort(name: str) -> str:
    """
    For ovs-vsctl: a VM's port.
    """
    return f"add-port br-int {name} -- set Interface {name} external_ids:iface-id=of-{name}"


class DiallingSwitch(PrivateOpenVSwitch):
    """
    An ovsdb-server that dials in. All is blocking.

    @ivar system_id: what it has for C{system-id}.
    @ivar hostname: what it has for C{hostname}.
    @ivar tap: its first VM's interface.
    """

    def __init__(self, number: int, controller: int, system_id: str | None = None) -> None:
        """
        @param controller: the port to dial.
        """
        super().__init__(vswitchd=False)
        self.system_id = system_id or f"system-{number}"
        self.hostname = f"host{number}.example.org"
        self.tap = f"tap{number}"
        self.remote = f"tcp:127.0.0.1:{controller}"

    def prepare(self) -> None:
        """
        Fill the database while nobody dials.
        """
        self.createDatabase()
        ids = f"external_ids:system-id={self.system_id} external_ids:hostname={self.hostname}"
        self.changeHidden(f"init -- set Open_vSwitch . {ids} -- add-br br-int")
        self.changeHidden(addPort(self.tap))

    def changeHidden(self, commands: str) -> None:
        """
        Change the database while nobody dials.
        """
        self.startServer(hidden=True)
        self.vsctl(*commands.split())
        self.kill("ovsdb-server")

    def dial(self) -> None:
        """
        Start the server, which dials by itself.
        """
        self.startServer(f"--remote={self.remote}")

    def dialOnce(self) -> None:
        """
        Have a running server dial at once, however often it was refused.
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
        # A port that the kernel gives to nobody by itself.
        spare = SoakOpenVSwitch()
        spare.stop()
        assert spare.port is not None
        self.port = spare.port

    def listen(self, **options: Any) -> OvsdbListenerFactory:
        """
        Listen until the end of the test.
        """
        factory = OvsdbListenerFactory([self.observer], **options)
        endpoint = TCP4ServerEndpoint(reactor, self.port, interface="127.0.0.1")
        self.service = OvsdbListenService(endpoint, factory)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        return factory

    async def switch(self, number: int, system_id: str | None = None) -> DiallingSwitch:
        """
        Make a switch, which does not dial yet.
        """
        switch = DiallingSwitch(number, self.port, system_id)
        self.addCleanup(deferToThread, switch.stop)
        await deferToThread(switch.prepare)
        return switch

    async def lines(self, count: int) -> list[str]:
        """
        @return: the lines of log that come next, so many.
        """
        return await self.log.takeSome(count)

    def events(self) -> dict[str | None, list[Event]]:
        """
        All events by the system-id that they carry.
        """
        events: dict[str | None, list[Event]] = defaultdict(list)
        for event in self.observer.everything:
            events[event.system_id].append(event)
        return events

    async def assertExact(self, *switches: DiallingSwitch) -> None:
        """
        What the events of each switch add up to is what it has, and they
        carry its hostname.
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
    What a switch has.
    """
    protocol = await connectOne(reactor, switch.unix)
    table = await readTable(protocol)
    protocol.close(OvsdbError("the end"))
    return table


def inThreads(calls: list[Deferred[None]]) -> Deferred[list[None]]:
    """
    @return: fires when all have.
    """
    return gatherResults(calls, consumeErrors=True)


class TwentySwitchesTests(ListenTestCase):
    """
    Twenty at once.
    """

    async def test_twenty(self) -> None:
        """
        Each event carries the identity of the switch that it is of; one that
        restarts is known again, and nobody else notices.
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
        self.assertEqual(len({event.source for event in self.observer.everything}), SWITCHES)
        await self.changeAll(switches)
        await self.restartOne(switches[7])
        await self.assertExact(*switches)

    async def changeAll(self, switches: list[DiallingSwitch]) -> None:
        """
        One port goes and another comes, on all at once.
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
        One is killed, changes while it is away, and comes back.
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
    Other ways to come, to go and to come back.
    """

    async def test_setManager(self) -> None:
        """
        A running Open vSwitch dials in after C{ovs-vsctl set-manager}.
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
        When the listener stops, its switches are disconnected; when it starts
        again, they come back by themselves and are known.
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


class CloneTests(ListenTestCase):
    """
    Two switches of one system-id.
    """

    async def test_clone(self) -> None:
        """
        The second is refused with a warning that names both addresses as long
        as the first one answers, and replaces it when it does not.
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
            rf" from {synchronized.source}; were the hosts cloned\?$",
        )
        self.assertEqual(self.observer.take(), [])
        await deferToThread(first.vsctl, *addPort("more").split())
        (online,) = await self.observer.takeSome(1)
        self.assertEqual((online.source, online.hostname), (synchronized.source, first.hostname))

        first.signal("ovsdb-server", signal.SIGSTOP)
        await deferToThread(clone.dialOnce)
        disconnected, *told = await self.observer.untilSynchronized()
        assert isinstance(disconnected, Disconnected)
        self.assertEqual(disconnected.source, synchronized.source)
        self.assertIn("has connected again, from", describeReason(disconnected.reason))
        self.assertEqual({event.hostname for event in told}, {clone.hostname})
        assert isinstance(told[-1], Synchronized)
        self.assertEqual(
            {interface.uuid: interface for interface in told[-1].interfaces}, await tableOf(clone)
        )
        foldOf(self.observer.everything)


class RefusalTests(ListenTestCase):
    """
    Who may not stay is dropped with one line, and observers hear nothing.
    """

    async def assertDropped(self, reason: str, how: str = "dropped") -> None:
        """
        One warning with this reason, and nothing else.
        """
        (line,) = await self.lines(1)
        self.assertRegex(line, rf"^warn: tcp:127\.0\.0\.1:\d+: {how}: {reason}")
        await wait(reactor, 0.2)
        self.assertEqual(self.log.take(), [])
        self.assertEqual(self.observer.take(), [])

    def dial(self, data: bytes) -> socket.socket:
        """
        A peer that says this and then listens, for 5 s at most.
        """
        peer = socket.create_connection(("127.0.0.1", self.port), 5)
        self.addCleanup(peer.close)
        peer.sendall(data)
        return peer

    async def assertCut(self, peer: socket.socket) -> None:
        """
        The peer is cut off.
        """

        def read() -> None:
            # TimeoutError would be a failure.
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(4096):
                    pass

        await deferToThread(read)

    async def test_noSystemId(self) -> None:
        """
        A switch that does not say who it is.
        """
        self.listen()
        remote = f"tcp:127.0.0.1:{self.port}"
        await self.appctl(f"ovsdb-server/add-remote {remote}")
        await self.assertDropped("the switch has no external_ids:system-id", "refused")

    async def test_otherProtocol(self) -> None:
        """
        A peer that speaks HTTP.
        """
        self.listen()
        peer = await deferToThread(self.dial, b"GET / HTTP/1.1\r\nHost: controller\r\n\r\n")
        await self.assertDropped("a message begins with b'G'")
        await self.assertCut(peer)

    async def test_silent(self) -> None:
        """
        A peer that says nothing.
        """
        self.listen(snapshotTimeout=SILENCE)
        peer = await deferToThread(self.dial, b"")
        await self.assertDropped("the switch did not identify itself within 0.5 s")
        await self.assertCut(peer)

    async def test_tooMany(self) -> None:
        """
        One switch more than there may be; those that are there stay.
        """
        self.listen(maxSwitches=1)
        switch, another = await self.switch(1), await self.switch(2)
        await deferToThread(switch.dial)
        await self.observer.untilSynchronized()
        self.log.take()
        await deferToThread(another.dial)
        await self.assertDropped("too many known switches \\(1,", "refused")
        await self.assertExact(switch)

    async def test_tooManyStrangers(self) -> None:
        """
        One silent peer more than there may be is refused at once.
        """
        self.listen(maxSwitches=1, snapshotTimeout=SILENCE)
        silent = await deferToThread(self.dial, b"")
        await until(reactor, lambda: bool(self.service.factory._unidentified))
        await deferToThread(self.dial, b"")
        (line,) = await self.lines(1)
        self.assertRegex(line, r"^warn: tcp:127\.0\.0\.1:\d+: refused: too many unidentified")
        await self.assertDropped("the switch did not identify itself")
        await self.assertCut(silent)
