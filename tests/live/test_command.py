# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor} as users run it: in its own process, with pipes and
files, against a real server.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.live.support import SCENE, SCENE_KINDS, LiveTestCase, Recorder

CHECKOUT = Path(__file__).parents[2]

JQ = "jq ." if shutil.which("jq") else f"{shlex.quote(sys.executable)} -m json.tool --json-lines"

COMMAND = "exec twistd -n --pidfile= ovsdb-monitor"

OBSERVERS = """
from twisted_ovsdb import OvsdbEventObserver

class Watching(OvsdbEventObserver):
    def vmOnline(self, event):
        print("a vm:", event.interface.name)

    def synchronized(self, event):
        print("all told")

watching = Watching()
"""


class Command(ProcessProtocol):
    """
    A shell command.

    @ivar output: the lines of its standard output.
    @ivar log: the lines of its standard error.
    @ivar ended: fires with the status when it has ended and its output is
        closed; a signal is a negative number, as in C{subprocess}.
    """

    def __init__(self) -> None:
        self.output: Recorder[str] = Recorder()
        self.log: Recorder[str] = Recorder()
        self.ended: Deferred[int] = Deferred()
        self._partial = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Record each line that is complete.
        """
        *lines, self._partial[childFD] = (self._partial[childFD] + data).split(b"\n")
        recorder = self.output if childFD == 1 else self.log
        for line in lines:
            recorder.record(line.decode())

    def processEnded(self, reason: Failure) -> None:
        """
        The command has ended.
        """
        ended: Any = reason.value
        self.ended.callback(-ended.signal if ended.signal else ended.exitCode)

    def signal(self, number: int) -> None:
        """
        Send a signal to all processes of the command, as a terminal does.
        """
        transport: Any = self.transport
        os.killpg(transport.pid, number)


class CountingRefusal(Protocol):
    """
    Closes each connection as soon as it is made.
    """

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        factory: Any = self.factory
        factory.refused.record("refused")


class CommandTests(LiveTestCase):
    """
    Tests for the whole command.
    """

    vswitchd = False

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        await self.vsctl(SCENE)

    def sh(self, text: str) -> Command:
        """
        Run a shell command in its own process group. If it still runs at the
        end of the test, it is ended then.
        """
        environment = {
            **os.environ,
            "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{self.folder.absolute()}",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = Command()
        processes: Any = reactor
        processes.spawnProcess(
            command, "setsid", ["setsid", "sh", "-c", text], environment, str(self.folder)
        )
        self.addCleanup(self._end, command)
        return command

    async def _end(self, command: Command) -> None:
        if not command.ended.called:
            command.signal(SIGTERM)
            await command.ended

    def monitor(self, options: str = "") -> Command:
        """
        Run twistd ovsdb-monitor on this test's server.
        """
        return self.sh(f"{COMMAND} --max-delay 0.2 --endpoint unix:{self.ovs.unix} {options}")

    def assertEvents(self, lines: list[str], *expected: str) -> list[dict[str, Any]]:
        """
        Assert that each line is an event, and that these are the events, their
        kinds and causes, in this order.
        """
        events = [json.loads(line) for line in lines]
        told = [" ".join(e[k] for k in ("event", "kind", "cause") if k in e) for e in events]
        self.assertEqual(told, list(expected))
        return events

    async def test_pipeline(self) -> None:
        """
        C{twistd ... --events - | head -3 | jq .} prints three events and ends
        by itself; the log says in one line that the reader has gone.
        """
        command = self.sh(
            "twistd -n --pidfile= ovsdb-monitor"
            f" --endpoint unix:{self.ovs.unix} --events - | head -3 | {JQ}"
        )
        self.assertEqual(await command.ended, 0)
        text = "\n".join(command.output.take())
        decoder, events = json.JSONDecoder(), []
        while text.strip():
            event, end = decoder.raw_decode(text.lstrip())
            events.append(event)
            text = text.lstrip()[end:]
        self.assertEqual([(e["event"], e["cause"]) for e in events], [("online", "initial")] * 3)
        log = command.log.take()
        gone = [line for line in log if "--events -: the reader is gone: stopping" in line]
        self.assertEqual(len(gone), 1, log)
        self.assertFalse([line for line in log if "Traceback" in line], log)
        await self.assertSceneUnchanged()

    async def test_standardOutput(self) -> None:
        """
        Standard output has JSON Lines and nothing else, also over an outage.
        After Ctrl-C, the last line says that the monitor was stopped.
        """
        command = self.monitor("--events -")
        told = await command.output.takeSome(len(SCENE_KINDS) + 1)
        events = self.assertEvents(
            sorted(told, key=lambda line: '"synchronized"' in line)[-1:], "synchronized initial"
        )
        counts = {"bridge": 2, "vm": 1, "tunnel": 1, "patch": 2}
        self.assertEqual(events[0]["counts"], counts)
        self.assertEqual(events[0]["source"], f"unix:{self.ovs.unix}")

        await self.vsctl("set Interface tap1 ofport=7")
        (changed,) = self.assertEvents(await command.output.takeSome(1), "changed vm update")
        self.assertEqual(changed["changes"], {"ofport": [None, 7]})
        self.assertEqual(changed["interface"]["name"], "tap1")
        self.assertTrue(changed["interface"]["ready"])

        await deferToThread(self.ovs.kill, "ovsdb-server")
        self.assertEvents(await command.output.takeSome(1), "disconnected")
        await deferToThread(self.ovs.startServer)
        told = await command.output.until(lambda line: '"synchronized"' in line)
        self.assertEqual(len(told), len(SCENE_KINDS) + 1)
        self.assertEvents(told[-1:], "synchronized resync")

        table = await self.table()
        replayed = [json.loads(line)["interface"] for line in told[:-1]]
        self.assertEqual({i["uuid"] for i in replayed}, set(table))
        for interface in replayed:
            row = table[interface["uuid"]]
            self.assertEqual((interface["name"], interface["ofport"]), (row.name, row.ofport))

        command.signal(SIGINT)
        await command.ended
        (last,) = self.assertEvents(command.output.take(), "disconnected")
        self.assertEqual(last["reason"], "stopped")
        self.assertTrue(any("Server Shut Down" in line for line in command.log.everything))

    async def test_file(self) -> None:
        """
        C{--events PATH} appends whole lines to a file, until Ctrl-C ends the
        command.
        """
        path = self.folder / "events.jsonl"
        path.write_text('{"event":"earlier"}\n')
        command = self.monitor(
            "--events events.jsonl --observer twisted_ovsdb.observers.log.LoggingObserver"
        )
        await command.output.until(lambda line: "synchronized: 2 bridge, 1 vm" in line)
        command.signal(SIGINT)
        # twistd ends itself with the signal that stopped it.
        self.assertEqual(await command.ended, -SIGINT)
        events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        self.assertEqual(
            [event["event"] for event in events],
            ["earlier", *["online"] * len(SCENE_KINDS), "synchronized", "disconnected"],
        )
        self.assertEqual(events[-1]["reason"], "stopped")
        await self.assertSceneUnchanged()

    async def test_observers(self) -> None:
        """
        C{--observer} takes the dotted name of a class or of an instance in the
        user's own module. What the observer prints goes to the log.
        """
        (self.folder / "mine.py").write_text(OBSERVERS)
        command = self.monitor("--observer mine.Watching --observer mine.watching")
        log = await command.output.until(lambda line: "all told" in line)
        log += await command.output.until(lambda line: "all told" in line)
        self.assertEqual(len([line for line in log if "a vm: tap1" in line]), 2, log)
        self.assertFalse([line for line in log if "synchronized" in line], log)
        await self.assertSceneUnchanged()

    async def test_noServer(self) -> None:
        """
        A server that cannot be reached is one warning. The warning has a hint
        only if the port is the usual one. Nothing more is logged, after any
        number of attempts, until the server is back.
        """
        refusal: Any = Factory.forProtocol(CountingRefusal)
        refusal.noisy = False
        refusal.refused = Recorder()
        listening: Any = reactor
        port = listening.listenTCP(0, refusal, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.ovs.port = port.getHost().port
        await deferToThread(self.ovs.kill, "ovsdb-server")
        command = self.sh(
            f"{COMMAND} --max-delay 0.05 --endpoint tcp:127.0.0.9:6640"
            f" --endpoint tcp:127.0.0.1:{self.ovs.port}"
        )
        await refusal.refused.takeSome(5)
        await port.stopListening()
        await deferToThread(self.ovs.startServer)
        log = await command.output.until(lambda line: "in sync after" in line)

        said = [line for line in log if "LoggingObserver" not in line]
        (usual,) = [line for line in said if "tcp:127.0.0.9:6640" in line]
        self.assertIn("#warn] tcp:127.0.0.9:6640: Connection was refused", usual)
        self.assertIn("ovs-vsctl set-manager ptcp:6640:127.0.0.1", usual)
        warned, back = [line for line in said if f"tcp:127.0.0.1:{self.ovs.port}" in line]
        self.assertIn("#warn] ", warned)
        self.assertNotIn("set-manager", warned)
        self.assertIn("in sync after", back)
        await self.assertSceneUnchanged()

    async def assertSceneUnchanged(self) -> None:
        """
        The command has changed nothing in the database.
        """
        names = {interface.name: interface for interface in (await self.table()).values()}
        self.assertEqual({n: i.kind and i.kind.value for n, i in names.items()}, SCENE_KINDS)
