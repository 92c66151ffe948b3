# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Monitors that share a real switch by its lock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from zope.interface import implementer

from tests.fakes.fold import Fold
from tests.live.commandcase import COMMAND, Command, CommandTestCase
from tests.live.support import SCENE, LiveTestCase, RecordingObserver, connect
from tests.soak.waiting import until
from tools.openvswitch import freePort
from twisted_ovsdb import (
    Event,
    IOvsdbEventObserver,
    OvsdbError,
    OvsdbMonitorFactory,
    OvsdbProtocol,
    OvsInterface,
    RpcError,
)
from twisted_ovsdb.testing import MemoryServer

ROUNDS = 6
"""How often the lock changes hands."""


@implementer(IOvsdbEventObserver)
class Shared:
    """
    What all monitors have told, as a broker would have it. An event that contradicts
    those before it is an error.
    """

    def __init__(self) -> None:
        self.fold = Fold(replay=False)
        self.begun = False
        self.everything = RecordingObserver()

    def told(self, switch: str) -> list[OvsInterface] | None:
        """
        What C{told=} is asked.
        """
        return [*self.fold.interfaces.values()] if self.begun else None

    def eventReceived(self, event: Event) -> None:
        """
        An event of whichever monitor speaks.
        """
        self.begun = True
        self.fold.receive(event)
        self.everything.record(event)


class SharedTests(LiveTestCase):
    """
    Tests for two monitors in one process.
    """

    vswitchd = False

    async def test_handedOver(self) -> None:
        """
        The lock changes hands again and again while ports come, go, and change and
        change back. What both monitors have told adds up to the table, and nothing is told
        twice.
        """
        shared = Shared()
        factories = []
        for name in "ab":
            factory = OvsdbMonitorFactory(lock="fleet", instance=name, replay=False)
            factory.addObserver(shared, shared.told)
            self.addCleanup(factory.stop)
            self.connect(factory)
            factories.append(factory)
        await self.vsctl(SCENE)
        await self.assertSoon(lambda: any(each.speaking for each in factories))
        speakers = set()
        for number in range(ROUNDS):
            [speaker] = [each for each in factories if each.speaking]
            speakers.add(speaker)
            [other] = [each for each in factories if each is not speaker]
            if number % 3 == 0:
                speaker.giveUp()
            elif number % 3 == 1:
                other.stealLock()
            else:
                assert speaker.connector is not None
                speaker._link.protocol.abort(OvsdbError("cut"))  # type: ignore[union-attr]
            await self.vsctl(f"add-port br-int port{number}")
            await self.vsctl(
                f"set Interface port{number} external_ids:iface-id={number}"
                " -- set Interface tap1 external_ids:iface-id=other"
            )
            await self.vsctl("set Interface tap1 external_ids:iface-id=port-1")
            if number:
                await self.vsctl(f"del-port port{number - 1}")
            await self.assertSoon(lambda: sum(each.speaking for each in factories) == 1)
        self.assertEqual(len(speakers), 2)
        await self.assertFoldEqualsTable(shared.everything)

    async def assertSoon(self, condition: Callable[[], bool]) -> None:
        """
        Assert that this is so within seconds.
        """
        self.assertTrue(await until(reactor, condition, 10))


class ProcessTests(CommandTestCase):
    """
    Tests for two processes that share a switch.
    """

    tcp = True
    timeout = 60

    def command(self, name: str, endpoint: str) -> Command:
        """
        Run a monitor that prints its events.
        """
        return self.sh(
            f"{COMMAND} --max-delay 0.2 --no-replay --endpoint {endpoint} --events -"
            f" --lock fleet --instance {name}"
        )

    async def begin(self, endpoint: str) -> tuple[Command, Command]:
        """
        Run two monitors. The first one speaks.
        """
        first = self.command("a", endpoint)
        await first.output.until(lambda line: '"synchronized"' in line)
        second = self.command("b", endpoint)
        await second.log.until(lambda line: "this monitor stands by: another client" in line)
        self.assertEqual(len(second.output.take()), 1)  # started
        return first, second

    async def assertExact(self, command: Command) -> None:
        """
        Assert that the lines add up to the table.
        """
        names = sorted(row.name for row in (await self.table()).values())
        told = command.output.everything
        self.assertTrue(await until(reactor, lambda: sorted(namesOf(told)) == names, 10))

    async def test_killed(self) -> None:
        """
        After kill -9 of the monitor that speaks, the other one speaks, and what it tells adds
        up to the table.
        """
        first, second = await self.begin(f"unix:{self.ovs.unix}")
        first.signal(SIGKILL)
        await second.output.until(lambda line: '"synchronized"' in line)
        await self.vsctl("add-port br-int tap9 -- set Interface tap9 external_ids:iface-id=9")
        await second.output.until(lambda line: '"tap9"' in line)
        await self.assertExact(second)

    async def test_state(self) -> None:
        """
        With a state, the file goes on exactly after the lock was another client's.
        """
        command = self.monitor("--lock fleet --instance a --no-replay --state s --events e.jsonl")
        file = self.folder / "e.jsonl"
        await self.assertTimes(file, 1)
        other = await connect(self, self.ovs.unix)
        self.assertTrue(await other.steal("fleet"))
        await command.output.until(lambda line: "this monitor stands by" in line)
        await self.vsctl("del-port tap1 -- add-port br-int gre1")
        await self.vsctl("set Interface gre1 type=gre options:remote_ip=192.0.2.9")
        await other.unlock("fleet")
        await self.assertTimes(file, 2)
        lines = file.read_text().splitlines()
        told = [json.loads(line)["event"] for line in lines]
        self.assertEqual(
            told[told.index("disconnected") :],
            ["disconnected", "offline", "online", "synchronized"],
        )
        names = sorted(row.name for row in (await self.table()).values())
        self.assertEqual(sorted(namesOf(lines)), names)

    async def test_stateInterrupted(self) -> None:
        """
        So it does if the lock is taken while the file is still being asked what it has.
        """
        command = self.monitor("--lock fleet --instance a --no-replay --state s --events e.jsonl")
        await command.output.until(lambda line: "this monitor speaks" in line)
        other = await connect(self, self.ovs.unix)
        for _ in range(5):
            self.assertTrue(await other.steal("fleet"))
            await other.unlock("fleet")
        await self.vsctl("del-port tap1")
        file = self.folder / "e.jsonl"
        names = sorted(row.name for row in (await self.table()).values())
        self.assertTrue(await until(reactor, lambda: sorted(namesOf(complete(file))) == names, 10))

    async def assertTimes(self, file: Path, times: int) -> None:
        """
        Assert that the file has so many lines that everything was told.
        """
        self.assertTrue(
            await until(
                reactor,
                lambda: sum('"synchronized"' in line for line in complete(file)) == times,
                10,
            )
        )

    async def test_F111_stopped(self) -> None:
        """
        A monitor that is stopped is found by the server, which asks for signs of life over
        TCP; the other one speaks. When the first one goes on, it stands by.
        """
        port = freePort()
        await self.appctl("ovsdb-server/add-remote db:Open_vSwitch,Open_vSwitch,manager_options")
        await self.vsctl(
            f"set-manager ptcp:{port}:127.0.0.1 -- set Manager . inactivity_probe=1000"
        )
        first, second = await self.begin(f"tcp:127.0.0.1:{port}")
        first.output.take()
        first.signal(SIGSTOP)
        try:
            await second.output.until(lambda line: '"synchronized"' in line)
            await self.vsctl("del-port tap1")
        finally:
            first.signal(SIGCONT)
        await first.log.until(lambda line: "trying again" in line)
        await first.log.until(lambda line: "in sync" in line)
        await self.vsctl("add-port br-int tap9 -- set Interface tap9 external_ids:iface-id=9")
        await second.output.until(lambda line: '"tap9"' in line)
        told = [json.loads(line)["event"] for line in first.output.take()]
        self.assertEqual(told, ["disconnected"])
        await self.assertExact(second)


def complete(file: Path) -> list[str]:
    """
    The lines that a file has.
    """
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def namesOf(lines: list[str]) -> list[str]:
    """
    The names of the interfaces that lines add up to.
    """
    found: dict[str, str] = {}
    for line in lines:
        value = json.loads(line)
        if value["event"] == "offline":
            del found[value["interface"]["uuid"]]
        elif "interface" in value:
            found[value["interface"]["uuid"]] = value["interface"]["name"]
    return [*found.values()]


ASSERT = ("transact", "Open_vSwitch", {"op": "assert", "lock": "x"})

SCRIPT: list[tuple[int, tuple[Any, ...]]] = [
    (0, ("lock", "x")),
    (1, ("lock", "x")),
    (0, ("lock", "x")),
    (0, ("lock", "9x")),
    (0, ("lock",)),
    (0, ("lock", 3)),
    (0, ("unlock", "y")),
    (0, ASSERT),
    (1, ASSERT),
    (1, ("steal", "x")),
    (1, ("unlock", "x")),
    (1, ("steal", "x")),
    (0, ASSERT),
    (1, ASSERT),
    (1, ("unlock", "x")),
    (0, ASSERT),
    (1, ("lock", "x")),
    (0, ("unlock", "x")),
    (1, ASSERT),
    (0, ("steal", "z")),
    (0, ("transact", "Open_vSwitch", {"op": "assert"})),
    (0, ("transact", "Open_vSwitch", {"op": "assert", "lock": "9"})),
    (0, ("transact", "Open_vSwitch", {"op": "assert", "lock": "z", "a": 1})),
]
"""Requests of two clients, one after another."""


class Client(OvsdbProtocol):
    """
    A client that records notifications.
    """

    def __init__(self, name: int, said: list[Any]) -> None:
        super().__init__()
        self._name = name
        self._said = said

    def _notificationReceived(self, message: Any) -> None:
        self._said.append((self._name, message.method, message.params))


class MemoryTests(LiveTestCase):
    """
    Tests that the locks of a server in memory are those of ovsdb-server.
    """

    vswitchd = False

    async def test_same(self) -> None:
        """
        Both answer the same requests in the same way, and tell clients the same.
        """
        server = MemoryServer()
        inMemory = await self.answers(lambda: server.endpoint, lambda: server.advance(0))
        real = await self.answers(lambda: UNIXClientEndpoint(reactor, self.ovs.unix), lambda: None)
        self.assertEqual(inMemory, real)

    async def answers(self, endpoint: Any, turn: Any) -> list[Any]:
        """
        What a server answers to the script, and what it tells.
        """
        said: list[Any] = []
        told: list[Any] = []
        clients: list[Any] = []
        for name in range(2):
            clients.append(await connectProtocol(endpoint(), Client(name, told)))
        for name, (method, *params) in SCRIPT:
            answer: Deferred[Any] = clients[name].call(method, params)
            turn()
            try:
                said.append((name, method, _withoutSyntax(await answer)))
            except RpcError as e:
                said.append((name, method, e.error, e.details))
            # What the other client is told comes on another connection.
            await deferLater(reactor, 0.01)
            echoes = [client.echo() for client in clients]
            turn()
            for echo in echoes:
                await echo
            # In which order two clients hear of it is left to their connections.
            said += sorted(told)
            told.clear()
        for client in clients:
            client.abort(OvsdbError("over"))
            turn()
            await client.whenLost()
        return said


def _withoutSyntax(result: Any) -> Any:
    if not isinstance(result, list):
        return result
    return [{k: v for k, v in each.items() if k != "syntax"} for each in result]
