# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for examples/: each program is run as it stands, as a child process,
against a server on a socket.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.endpoints import connectProtocol, serverFromString
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import twisted_ovsdb
from tests.fakes.documented import load
from tools.openvswitch import freePort
from twisted_ovsdb import OvsdbProtocol
from twisted_ovsdb.testing import MemoryServer, connectedFactory

CHECKOUT = Path(twisted_ovsdb.__file__).parent.parent
EXAMPLES = CHECKOUT / "examples"
TWISTD = str(Path(sys.executable).with_name("twistd"))

SLEEPER = """
import asyncio
from twisted.internet.defer import Deferred
from twisted_ovsdb import OvsdbEventObserver

class Sleeper(OvsdbEventObserver):
    async def work(self, name):
        print("begins", name, flush=True)
        await asyncio.sleep(0.01)
        print("ends", name, flush=True)

    def bridgeOnline(self, event):
        return Deferred.fromFuture(asyncio.ensure_future(self.work(event.interface.name)))

    vmOnline = bridgeOnline
"""


class Program(ProcessProtocol):
    """
    A program that is running, and the lines that it writes.

    @ivar status: its exit status, or the number of the signal that ended it;
        None while it runs.
    @ivar everything: all that it has written.
    """

    def __init__(self, *command: str, path: str = "", **environment: str) -> None:
        """
        @param command: the program and its arguments.
        @param path: a folder for its PYTHONPATH besides the checkout.
        """
        from twisted.internet import reactor

        self.everything = ""
        self._unread = ""
        self._lines: list[str] = []
        self._wanted: list[tuple[str, Deferred[str]]] = []
        self._ended: Deferred[None] = Deferred()
        self.status: int | None = None
        spawning: Any = reactor
        paths = os.pathsep.join(filter(None, [str(CHECKOUT), path]))
        self._process = spawning.spawnProcess(
            self, command[0], command, env={**os.environ, "PYTHONPATH": paths, **environment}
        )

    def outReceived(self, data: bytes) -> None:
        """
        Keep the lines that the program writes.
        """
        self.everything += data.decode()
        *lines, self._unread = (self._unread + data.decode()).split("\n")
        self._lines += lines
        self._look()

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """
        The program has ended.
        """
        value: Any = reason.value
        self.status = value.signal or value.exitCode if reason.check(ProcessTerminated) else 0
        for text, waiting in self._wanted:
            waiting.errback(AssertionError(f"it ended without {text!r}: {self._lines}"))
        self._wanted.clear()
        self._ended.callback(None)

    def line(self, text: str) -> Deferred[str]:
        """
        Wait for the next line that contains this text. Lines before it are
        dropped.
        """
        found: Deferred[str] = Deferred()
        self._wanted.append((text, found))
        self._look()
        return found

    def _look(self) -> None:
        while self._wanted and self._lines:
            text, waiting = self._wanted[0]
            line = self._lines.pop(0)
            if text in line:
                del self._wanted[0]
                waiting.callback(line)

    @property
    def unread(self) -> str:
        """
        The lines that L{line} has not taken.
        """
        return "\n".join(self._lines)

    async def end(self, signalName: str | None = None) -> int | None:
        """
        Wait until the program ends.

        @param signalName: a signal to send first.
        @return: its exit status.
        """
        if signalName is not None and self.status is None:
            self._process.signalProcess(signalName)
        await self._ended
        return self.status

    def kill(self) -> Deferred[None] | None:
        """
        Kill the program, if it still runs.
        """
        if self.status is not None:
            return None
        self._process.signalProcess("KILL")
        return self._ended


def vswitchdRuns(server: MemoryServer, seconds: int) -> None:
    """
    ovs-vswitchd has been running for so long, and says so in the database.
    """
    process = ["process_ovs-vswitchd", f"467424,20172,20,0,{seconds}000,{seconds}000,0"]
    row = {"statistics": ["map", [process]]}
    server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})


class FlowTable:
    """
    The flows of a switch, as the instructions of flows.py make them.

    @ivar flows: the cookie of each match, by bridge and match.
    @ivar lines: the instructions.
    """

    def __init__(self) -> None:
        self.flows: dict[tuple[str, str], str] = {}
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        """
        Carry out an instruction.
        """
        self.lines.append(text)
        what, _, arguments = text.partition(" cookie=")
        what, _, bridge = what.partition(" ")
        if what == "add-flow":
            cookie, _, match = arguments.removesuffix(",actions=normal").partition(",")
            self.flows[bridge, match] = cookie
        elif what == "del-flows":
            gone = (bridge, arguments.removesuffix("/-1"))
            self.flows = {m: c for m, c in self.flows.items() if (m[0], c) != gone}


class FlowsTests(SynchronousTestCase):
    """
    The flows that flows.py leaves in the switch.
    """

    def setUp(self) -> None:
        self.module = load(EXAMPLES / "flows.py")
        self.server, self.table = MemoryServer(), FlowTable()
        self.server.addBridge("br-int")
        self.server.addBridge("br-ex")
        for number in (1, 2):
            self.server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}", ofport=number)
        self.factory = connectedFactory(self.server, bridges=True)
        self.factory.addObserver(
            self.module.Flows(self.factory.interfaceByOfport, self.table.write)
        )
        self.server.advance(0)

    def ofports(self, **ofports: int) -> None:
        """
        Ports get these OpenFlow ports in one transaction.
        """
        self.server.transact(
            *(
                {
                    "op": "update",
                    "table": "Interface",
                    "where": [["name", "==", name]],
                    "row": {"ofport": ofport},
                }
                for name, ofport in ofports.items()
            )
        )

    def assertFlows(self, *ofports: int, **others: int) -> None:
        """
        Assert that the switch has the flows of exactly these ports of br-int, and that
        each has the cookie of the VM that has the port.

        @param others: the ports of other VMs, which are on br-ex, by their names.
        """
        expected = {("br-int", f"in_port={ofport}") for ofport in ofports}
        expected |= {("br-ex", f"in_port={ofport}") for ofport in others.values()}
        self.assertEqual(set(self.table.flows), expected)
        for name, ofport in others.items():
            vm = self.factory.interfaceByName(name)
            cookie = self.module.cookie(vm)
            self.assertEqual(self.table.flows["br-ex", f"in_port={ofport}"], cookie)

    def test_swap(self) -> None:
        """
        Two VMs exchange their ports in one transaction, and while the program is
        not connected.
        """
        self.assertFlows(1, 2)
        self.ofports(tap1=2, tap2=1)
        self.assertFlows(1, 2)
        self.ofports(tap1=3, tap2=2)
        self.assertFlows(2, 3)
        self.server.kill()
        self.ofports(tap1=2, tap2=3)
        self.server.start()
        self.server.advance(10)
        self.assertFlows(2, 3)
        self.server.deletePort("tap1")
        self.assertFlows(3)

    def test_sameNumber(self) -> None:
        """
        A port of another bridge may have the same number: its flows stay when the
        first one goes.
        """
        mac = {"attached-mac": "52:54:00:00:00:01"}
        self.server.addPort("br-ex", "tap3", iface_id="vm-3", ofport=1, external_ids=mac)
        self.server.deletePort("tap1")
        remaining = {("br-ex", "in_port=1,dl_src=52:54:00:00:00:01"), ("br-int", "in_port=2")}
        self.assertEqual(set(self.table.flows), remaining)

    def test_moved(self) -> None:
        """
        A port moves to another bridge and keeps its number: ovs-vswitchd does so if the
        number is free there.
        """
        self.table.lines.clear()
        self.server.movePort("tap1", "br-ex")
        self.assertFlows(2, tap1=1)
        self.assertEqual(
            [line.split(" cookie")[0] for line in self.table.lines],
            ["del-flows br-int", "add-flow br-ex"],
        )

    def test_movedToTaken(self) -> None:
        """
        Until a port that has moved gets another number, the flow of the VM that has the
        number stays as it is.
        """
        self.server.addPort("br-ex", "tap3", iface_id="vm-3", ofport=1)
        self.assertFlows(1, 2, tap3=1)
        self.server.movePort("tap1", "br-ex")
        self.assertFlows(2, tap3=1)
        self.server.assignOfport("tap1", 2)
        self.assertFlows(2, tap1=2, tap3=1)

    def test_heir(self) -> None:
        """
        If the VM that has the number goes, the one that has moved keeps the number, and
        no event says so.
        """
        self.server.addPort("br-ex", "tap3", iface_id="vm-3", ofport=1)
        self.server.movePort("tap1", "br-ex")
        self.server.deletePort("tap3")
        self.assertFlows(2, tap1=1)
        self.server.setInterface("tap1", error="broken")
        self.assertFlows(2)


class RestartsTests(SynchronousTestCase):
    """
    What restarts.py says.
    """

    def test_restarts(self) -> None:
        """
        A restart is said once when ovs-vswitchd has been running for a shorter time
        than before, also if that was during an outage of the database.
        """
        said: list[str] = []
        server = MemoryServer()
        restarts = load(EXAMPLES / "restarts.py").Restarts(said.append)

        def connect() -> None:
            protocol = self.successResultOf(connectProtocol(server.endpoint, OvsdbProtocol()))
            following = ensureDeferred(restarts.follow(protocol))
            server.advance(0)
            self.successResultOf(following)

        vswitchdRuns(server, 70)
        connect()
        vswitchdRuns(server, 75)
        self.assertEqual(said, ["ovs-vswitchd has been running for 70 s"])
        vswitchdRuns(server, 1)
        vswitchdRuns(server, 6)
        self.assertEqual(said[1:], ["ovs-vswitchd has restarted"])
        server.restart()  # this clears the column
        connect()
        vswitchdRuns(server, 11)
        self.assertEqual(said[2:], [])
        server.kill()
        server.start()
        vswitchdRuns(server, 4)
        connect()
        self.assertEqual(said[2:], ["ovs-vswitchd has restarted"])


class ExamplesTests(TestCase):
    """
    Tests for the programs.
    """

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        """
        A server on a socket, with a bridge.
        """
        from twisted.internet import reactor

        self.server = MemoryServer()
        self.server.addBridge("br-int")
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        port = await self.server.listen(endpoint)
        self.addCleanup(port.stopListening)
        address: Any = port.getHost()
        self.where = f"tcp:127.0.0.1:{address.port}"

    def start(self, *command: str, path: str = "", **environment: str) -> Program:
        """
        Start a program that does not outlive the test.
        """
        program = Program(*command, path=path, **environment)
        self.addCleanup(program.kill)
        return program

    async def test_flows(self) -> None:
        """
        flows.py installs flows when a VM gets its OpenFlow port, and installs
        them again when the port changes. It keeps them during an outage, and
        removes them when the VM goes.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        program = self.start(sys.executable, str(EXAMPLES / "flows.py"), self.where)
        await program.line(",in_port=1,actions=normal")
        await program.line("in sync: flows for 1 VMs")
        self.server.addBridge("br-ex")
        self.server.movePort("tap1", "br-ex")
        await program.line("del-flows br-int cookie=")
        await program.line("add-flow br-ex cookie=")
        mac = {"attached-mac": "52:54:00:00:00:02"}
        self.server.addPort("br-int", "tap2", iface_id="vm-2", external_ids=mac)
        self.server.assignOfport("tap2", 2)
        line = await program.line(",in_port=2,dl_src=52:54:00:00:00:02,actions=normal")
        cookie = line.split(",")[0].removeprefix("add-flow br-int ")
        self.server.assignOfport("tap2", 3)
        await program.line(f"del-flows br-int {cookie}/-1")
        await program.line(f"add-flow br-int {cookie},in_port=3")
        # The connection breaks, and the program comes back at once.
        self.server.restart()
        line = await program.line("flows")
        self.assertEqual(line, "in sync: flows for 2 VMs")
        self.server.deletePort("tap2")
        await program.line(f"del-flows br-int {cookie}/-1")
        await program.end("INT")

    async def test_waitForVM(self) -> None:
        """
        wait_for_vm.py ends as soon as the VM has its OpenFlow port.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        script = str(EXAMPLES / "wait_for_vm.py")
        program = self.start(sys.executable, "-u", script, "vm-1", self.where)
        self.server.assignOfport("tap1", 7)
        self.assertEqual(await program.line("tap1"), "tap1 is ready: ofport 7")
        self.assertEqual(await program.end(), 0)

    async def test_waitForVMTimeout(self) -> None:
        """
        If the VM is not ready in time, wait_for_vm.py says so and why, and ends with
        status 1.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=-1, error="no device")
        script = str(EXAMPLES / "wait_for_vm.py")
        program = self.start(sys.executable, script, "vm-1", self.where, "0.5")
        await program.line("iface-id vm-1 is not ready after 0.5 s: tap1: no device")
        self.assertEqual(await program.end(), 1)

    async def test_usage(self) -> None:
        """
        Wrong arguments are one clear line and status 2, and C{--help} is help.
        """
        server, remote = ("tcp:127.0.0.1", "more"), "pony:4: Unknown endpoint type"
        for name, arguments, status, line in (
            ("flows.py", ["pony:4"], 2, remote),
            ("flows.py", server, 2, "unrecognized arguments: more"),
            ("bridge_ports.py", ["-h"], 0, "usage: bridge_ports.py [-h] [SERVER]"),
            ("bridge_ports.py", ["pony:4"], 2, remote),
            ("bridge_ports.py", server, 2, "unrecognized arguments: more"),
            ("ovn_ports.py", ["tcp:127.0.0.1,pony:4"], 2, remote),
            ("restarts.py", ["pony:4"], 2, remote),
            ("with_asyncio.py", ["pony:4"], 2, remote),
            ("with_asyncio.py", ["tcp:127.0.0.1", "x"], 2, "argument COUNT: invalid int"),
            ("wait_for_vm.py", [], 2, "arguments are required: IFACE_ID"),
            ("wait_for_vm.py", ["--help"], 0, "usage: wait_for_vm.py [-h] IFACE_ID"),
            ("wait_for_vm.py", ["vm-1", "pony:4"], 2, remote),
            ("wait_for_vm.py", ["vm-1", "tcp:127.0.0.1", "nan"], 2, "timeout must be a number"),
            ("port.py", ["remove"], 2, "usage: port.py add BRIDGE PORT IFACE_ID [SERVER] |"),
            ("port.py", ["remove", "br-int", "tap1", "pony:4"], 2, remote),
        ):
            program = self.start(sys.executable, str(EXAMPLES / name), *arguments)
            await program.line(line)
            self.assertEqual(await program.end(), status, name)
            self.assertNotIn("Traceback", program.unread)

    async def test_asyncio(self) -> None:
        """
        with_asyncio.py waits in asyncio until each VM is ready.
        """
        script = str(EXAMPLES / "with_asyncio.py")
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        program = self.start(sys.executable, script, self.where, "2")
        self.assertEqual(await program.line("tap1"), "tap1 is ready at 1")
        self.server.addPort("br-int", "tap2", iface_id="vm-2")
        self.server.assignOfport("tap2", 2)
        self.assertEqual(await program.line("tap2"), "tap2 is ready at 2")
        self.assertEqual(await program.end(), 0)

    async def test_asyncioObserver(self) -> None:
        """
        Under twistd with the reactor of asyncio, an observer may return a
        coroutine of asyncio as a Deferred. It is busy until that ends.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "sleeper.py").write_text(SLEEPER)
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        program = self.start(
            *(TWISTD, "-n", "--pidfile=", "--reactor", "asyncio", "ovsdb-monitor"),
            *("--endpoint", self.where, "--observer", "sleeper.Sleeper"),
            path=str(folder.absolute()),
        )
        for words in ("begins br-int", "ends br-int", "begins tap1", "ends tap1"):
            await program.line(words)
        self.assertIn(await program.end("INT"), (0, signal.SIGINT))

    async def test_tac(self) -> None:
        """
        twistd runs ports.tac as it stands, also with the reactor of asyncio. What
        else changes in a row than its OpenFlow port is not logged.
        """
        for number, reactor in enumerate(([], ["--reactor", "asyncio"])):
            name, ifaceId = f"tap{number}", f"vm-{number}"
            self.server.addPort("br-int", name, iface_id=ifaceId)
            program = self.start(
                *(TWISTD, "-n", "--pidfile=", *reactor, "-y", str(EXAMPLES / "ports.tac")),
                OVSDB=self.where,
            )
            await program.line("in sync")
            self.server.assignOfport(name, 3)
            self.assertIn(f"plug {ifaceId} at br-int 3", await program.line("plug"))
            self.server.setInterface(name, options={"key": "1"})
            self.server.deletePort(name)
            self.assertIn(f"unplug {ifaceId}", await program.line("plug"))
            self.assertIn(await program.end("INT"), (0, signal.SIGINT))

    async def test_restarts(self) -> None:
        """
        restarts.py runs as it stands.
        """
        program = self.start(sys.executable, str(EXAMPLES / "restarts.py"), self.where)
        await program.line("not known yet: is other_config:enable-statistics=true?")
        vswitchdRuns(self.server, 70)
        await program.line("ovs-vswitchd has been running for 70 s")
        vswitchdRuns(self.server, 1)
        await program.line("ovs-vswitchd has restarted")
        await program.end("INT")

    async def test_noServer(self) -> None:
        """
        If nobody answers, each program says so at once.
        """
        for name, arguments in (
            ("flows.py", ()),
            ("restarts.py", ()),
            ("with_asyncio.py", ()),
            ("wait_for_vm.py", ("vm-1",)),
            ("port.py", ("remove", "br-int", "tap1")),
        ):
            script = str(EXAMPLES / name)
            where = f"tcp:127.0.0.1:{freePort()}"
            program = self.start(sys.executable, script, *arguments, where)
            await program.line(f"{where}: Connection was refused")
            await maybeDeferred(program.kill)

    async def test_port(self) -> None:
        """
        port.py adds a port and removes it. What is wrong is one line, and status
        1.
        """
        self.server.addBridge("br-ex")
        script = (sys.executable, str(EXAMPLES / "port.py"))
        program = self.start(*script, "add", "br-int", "tap7", "vm-7", self.where)
        self.assertEqual(await program.end(), 0)
        (row,) = [r for r in self.server.tables["Interface"].values() if r["name"] == "tap7"]
        self.assertEqual(row["external_ids"], {"iface-id": "vm-7"})
        for arguments, error in (
            (("add", "br-x", "tap8", "vm-8"), "there is no bridge br-x"),
            (("add", "br-int", "tap7", "vm-8"), "constraint violation"),
            (("remove", "br-int", "tap8"), "there is no port tap8 on a bridge br-int"),
            (("remove", "br-ex", "tap7"), "there is no port tap7 on a bridge br-ex"),
        ):
            program = self.start(*script, *arguments, self.where)
            await program.line(error)
            self.assertEqual(await program.end(), 1)
        program = self.start(*script, "remove", "br-int", "tap7", self.where)
        self.assertEqual(await program.end(), 0)
        names = {row["name"] for row in self.server.tables["Interface"].values()}
        self.assertEqual(names, {"br-int", "br-ex"})

    async def test_bridgePorts(self) -> None:
        """
        bridge_ports.py prints which port comes to which bridge, and which leaves it.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        program = self.start(sys.executable, str(EXAMPLES / "bridge_ports.py"), self.where)
        line = await program.line("tap1")
        self.assertEqual(line, "initial: tap1 comes to br-int")
        self.server.deletePort("tap1")
        line = await program.line("leaves")
        self.assertEqual(line, "update: tap1 leaves br-int")
        # It ends in good order: its own end is no trouble to log.
        await program.end("TERM")
        self.assertNotIn("trying again", program.unread)

    async def test_foldEvents(self) -> None:
        """
        fold_events.py prints what is online at the end of the files.
        """
        row = '{"uuid":"u%d","kind":"vm","name":"tap%d","ofport":1}'
        onBridge = row.replace("{", '{"bridge":"br-int",')
        parts = (
            '{"event":"online","switch":"s","interface":%s}' % (row % (9, 9)),
            '{"event":"sta',
            '{"event":"started","resumed":false}',
            '{"event":"online","switch":"s","interface":%s}' % (row % (1, 1)),
            '{"event":"online","switch":"t","interface":%s}' % (row % (1, 2)),
            '{"event":"online","switch":"s","interface":%s}' % (row % (3, 3)),
            '{"event":"offline","switch":"s","interface":%s}' % (row % (3, 3)),
            '{"event":"online","switch":"gone","interface":%s}' % (row % (4, 4)),
            '{"event":"forgotten","switch":"gone"}',
            '{"event":"online","switch":"u","interface":%s}' % (onBridge % (5, 5)),
            '{"event":"synchronized","switch":"s"}',
        )
        paths = [self.mktemp(), self.mktemp()]
        for path, lines in zip(paths, (parts[:5], parts[5:]), strict=True):
            Path(path).write_text("\n".join(lines) + "\n")
        program = self.start(sys.executable, str(EXAMPLES / "fold_events.py"), *paths)
        self.assertEqual(await program.line("tap1"), "s vm tap1 1")
        self.assertEqual(await program.line("tap2"), "t vm tap2 1")
        self.assertEqual(await program.line("tap5"), "u vm tap5 br-int 1")
        self.assertEqual(await program.end(), 0)

    async def test_observerModule(self) -> None:
        """
        twistd loads the observer of observer_module.py, which logs how many
        VMs are ready.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        program = self.start(
            *(TWISTD, "-n", "--pidfile=", "ovsdb-monitor", "--endpoint", self.where),
            *("--observer", "observer_module.ReadyVMs"),
            path=str(EXAMPLES),
        )
        await program.line("VMs ready: 1")
        self.server.addPort("br-int", "tap2", iface_id="vm-2")
        self.server.assignOfport("tap2")
        await program.line("VMs ready: 2")
        self.server.deletePort("tap1")
        await program.line("VMs ready: 1")
        self.assertIn(await program.end("INT"), (0, signal.SIGINT))

    def test_observerModuleBridges(self) -> None:
        """
        If the bridges are known, it says on which bridge the VMs are.
        """
        observer = load(EXAMPLES / "observer_module.py").ReadyVMs()
        self.server.addBridge("br-ex")
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        with capturedLogs() as logs:
            connectedFactory(self.server, observer, bridges=True)
            self.server.movePort("tap1", "br-ex")
            self.server.deletePort("tap1")
        lines = [log["log_format"].format(**log) for log in logs if "VMs" in log["log_format"]]
        expected = ["VMs ready: 1 (br-int 1)", "VMs ready: 1 (br-ex 1)", "VMs ready: 0"]
        self.assertEqual(lines, expected)


class AllTests(SynchronousTestCase):
    """
    Tests for examples/ as a whole.
    """

    def test_all(self) -> None:
        """
        Each program has a test: here, or where it has a real server.
        """
        found = {path.name for path in EXAMPLES.glob("*.py")}
        programs = {"bridge_ports.py", "flows.py", "fold_events.py", "observer_module.py"}
        programs |= {"fleet_reader.py"}  # tested in tests/live/test_fleet.py
        programs |= {"ovn_ports.py", "port.py", "restarts.py", "wait_for_vm.py", "with_asyncio.py"}
        self.assertEqual(found, programs)
        self.assertEqual([path.name for path in EXAMPLES.glob("*.tac")], ["ports.tac"])
