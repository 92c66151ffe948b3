# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor} as users run it: in its own process, with pipes and
files, against a real server.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from signal import SIGINT
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.live.commandcase import COMMAND, SCRIPT, CommandTestCase
from tests.live.support import SCENE_KINDS, Recorder

JQ = "jq ." if shutil.which("jq") else f"{shlex.quote(sys.executable)} -m json.tool --json-lines"

OBSERVERS = """
from twisted_ovsdb import OvsdbEventObserver

class Watching(OvsdbEventObserver):
    def vmOnline(self, event):
        print("a vm:", event.interface.name)

    def synchronized(self, event):
        print("all told")

watching = Watching()
"""


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


class CommandTests(CommandTestCase):
    """
    Tests for the whole command.
    """

    async def test_pipeline(self) -> None:
        """
        C{twistd ... --events - | head -4 | jq .} prints four lines and ends
        by itself; the log says in one line that the reader has gone.
        """
        command = self.sh(
            "twistd -n --pidfile= ovsdb-monitor"
            f" --endpoint unix:{self.ovs.unix} --events - | head -4 | {JQ}"
        )
        self.assertEqual(await command.ended, 0)
        text = "\n".join(command.output.take())
        decoder, events = json.JSONDecoder(), []
        while text.strip():
            event, end = decoder.raw_decode(text.lstrip())
            events.append(event)
            text = text.lstrip()[end:]
        self.assertEqual([e["event"] for e in events], ["started", *["online"] * 3])
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
        self.assertEvents(await command.output.takeSome(1), "started")
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
            ["earlier", "started", *["online"] * len(SCENE_KINDS), "synchronized", "disconnected"],
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

    async def test_once(self) -> None:
        """
        The console script shows what exists, as a table for people or as JSON Lines,
        and ends: with status 0, or with 1 if there is no server.
        """
        where = f"--endpoint unix:{self.ovs.unix}"
        table = self.sh(f"{SCRIPT} {where} --once --format table")
        self.assertEqual(await table.ended, 0)
        heading, *lines = table.output.everything
        self.assertEqual(heading.split()[:4], ["BRIDGE", "PORT", "KIND", "OFPORT"])
        self.assertEqual({line.split()[1]: line.split()[2] for line in lines}, SCENE_KINDS)
        self.assertEqual(table.log.everything, [])
        piped = self.sh(f"sh -c '{SCRIPT} {where} --once' | cat")
        self.assertEqual(await piped.ended, 0)
        events = [json.loads(line) for line in piped.output.everything]
        kinds = {e["interface"]["name"]: e["kind"] for e in events if e["event"] == "online"}
        self.assertEqual((kinds, events[-1]["event"]), (SCENE_KINDS, "synchronized"))
        absent = self.sh(f"{SCRIPT} --endpoint unix:absent --once --timeout 0.5 --log-format json")
        self.assertEqual(await absent.ended, 1)
        log = [json.loads(line) for line in absent.log.everything]
        self.assertEqual([line["level"] for line in log], ["warn", "error"])
        self.assertIn("not in sync within 0.5 s", log[-1]["message"])
        self.assertEqual(absent.output.everything, [])

    async def assertSceneUnchanged(self) -> None:
        """
        The command has changed nothing in the database.
        """
        names = {interface.name: interface for interface in (await self.table()).values()}
        self.assertEqual({n: i.kind and i.kind.value for n, i in names.items()}, SCENE_KINDS)
