# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.tap}: C{twistd ovsdb-monitor}, in process and as a
child process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import twisted_ovsdb
from tests.command.test_options import HERE, REFUSED, RecordingObserver, onlyVMs, parse
from twisted_ovsdb import tap
from twisted_ovsdb.command.beginning import AT_ONCE, SpreadService
from twisted_ovsdb.command.collector import CollectorService
from twisted_ovsdb.command.endingobserver import EndingObserver
from twisted_ovsdb.command.keptevents import KeptEvents
from twisted_ovsdb.command.output import EventsService, HangUpService
from twisted_ovsdb.command.stateservice import StateService
from twisted_ovsdb.lifecycle.service import OvsdbListenService, OvsdbMonitorService
from twisted_ovsdb.observers.filters import OnlyKinds
from twisted_ovsdb.observers.log import LoggingObserver
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.rows import COLUMNS
from twisted_ovsdb.wire.jsonstream import JSONStream

CHECKOUT = Path(twisted_ovsdb.__file__).parent.parent
TWISTD = str(Path(sys.executable).with_name("twistd"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{CHECKOUT}:.", "COLUMNS": "80"}


class MakeServiceTests(SynchronousTestCase):
    """
    Tests for L{tap.makeService}.
    """

    def make(self, *arguments: str) -> tuple[list[OvsdbMonitorService], list[EventsService]]:
        """
        The services of a command line: those that monitor, and those that write
        events.
        """
        services = tap.makeService(parse(*arguments))
        assert isinstance(services, MultiService)
        monitors = [s for s in services if isinstance(s, OvsdbMonitorService)]
        events = [s for s in services if isinstance(s, EventsService)]
        hangUp = [s for s in services if isinstance(s, HangUpService)]
        self.assertEqual(len(hangUp), bool(events))
        others = sum(isinstance(s, CollectorService) for s in services)
        self.assertEqual(others, 1)
        self.assertEqual(len(monitors) + len(events) + len(hangUp) + others, len(list(services)))
        return monitors, events

    def test_state(self) -> None:
        """
        With C{--state} the files are services of the store, which is not touched
        here, and the observers remember, also behind a filter. A new file gets
        everything of every switch, or of one.
        """
        folder = Path(self.mktemp())
        for more in ([], ["--bridge", "br-int"]):
            services = tap.makeService(
                parse(
                    "--state",
                    str(folder),
                    "--events",
                    self.mktemp(),
                    "--listen",
                    "ptcp:6641",
                    *more,
                )
            )
            assert isinstance(services, MultiService)
            _, state, _, listening = services
            assert isinstance(state, StateService)
            assert isinstance(listening, OvsdbListenService)
            (file,) = state
            assert isinstance(file, KeptEvents)
            replayed: list[str] = []
            for key in ("sw1", "sw2"):
                monitor = listening.factory._settings.makeMonitor(key, True)
                listening.factory.monitors[key] = monitor
                self.patch(
                    monitor, "replayTo", lambda observer, key=key, to=replayed: to.append(key)
                )
            file.replay()
            file.replayOf("sw2")
            self.assertEqual(replayed, ["sw1", "sw2", "sw2"])
        self.assertFalse(folder.exists())

    def test_F104_cannotListen(self) -> None:
        """
        A port of C{--listen} that is in use ends the command with one line.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"ptcp:{taken.getsockname()[1]}:127.0.0.1"
            services: Any = tap.makeService(parse("--listen", place))
            *_, listening = services
            listening._fail = ValueError
            with capturedLogs() as logs:
                error = self.assertRaises(ValueError, listening.privilegedStartService)
        self.assertIn("--listen: cannot listen: ", str(error))
        self.assertIn("in use", str(error))
        self.assertEqual([log for log in logs if log["log_level"] >= LogLevel.warn], [])
        self.successResultOf(listening.stopService())

    def test_observerWithViews(self) -> None:
        """
        The monitor sees the views in front of an observer of the user, such as
        C{onlyKinds}.
        """
        [monitor], _ = self.make("--observer", f"{HERE}.onlyVMs")
        [delivery] = monitor.factory.monitor._audience.deliveries
        self.assertIsInstance(delivery.added, OnlyKinds)
        assert isinstance(delivery.observer, EndingObserver)
        self.assertIs(delivery.observer._observer, onlyVMs.observer)

    def test_replayBehindFilter(self) -> None:
        """
        A new file gets everything also with a filter in front of it.
        """
        [monitor], [events] = self.make("--events", self.mktemp(), "--bridge", "br-int")
        events.replay()
        self.assertTrue(monitor.factory.monitor._audience.deliveries[0].tracker._repeat)

    def observers(self, service: OvsdbMonitorService) -> list[object]:
        """
        The observers of a service.
        """
        return [delivery.observer for delivery in service.factory.monitor._audience.deliveries]

    def test_factories(self) -> None:
        """
        Each endpoint has a factory of its own, with the same observers, and
        its events name the endpoint as it was written.
        """
        texts = ["tcp:127.0.0.1:6640", "unix:/tmp/a:timeout=3", "tcp:[::1]:1"]
        monitors, [events] = self.make(
            *(word for text in texts for word in ("--endpoint", text)),
            *("--observer", f"{HERE}.RecordingObserver", "--events", self.mktemp()),
        )
        self.assertEqual([m.factory.monitor.source for m in monitors], texts)
        self.assertEqual(len({m.factory for m in monitors}), 3)
        first, *others = [self.observers(m) for m in monitors]
        self.assertEqual(first[1:], [events.observer])
        assert isinstance(first[0], EndingObserver)
        self.assertIsInstance(first[0]._observer, RecordingObserver)
        for other in others:
            self.assertEqual(list(map(id, other)), list(map(id, first)))

    def test_options(self) -> None:
        """
        The factory gets the values of the options.
        """
        [monitor], _ = self.make(
            *("--database", "db", "--rules", "dragonflow", "--no-replay", "--max-delay", "2.5")
        )
        factory = monitor.factory
        self.assertEqual((factory.database, factory.maxDelay), ("db", 2.5))
        self.assertEqual(factory.monitor._known._rows.rules, ClassificationRules.dragonflow())
        self.assertFalse(factory.monitor._audience._replay)
        self.assertIsNone(factory.monitor._watch)
        self.assertIsNone(factory.monitor._audit)
        [monitor], _ = self.make("--report", "2.5", "--audit", "3")
        audit = monitor.factory.monitor._audit
        assert audit is not None
        self.assertEqual(audit._interval, 3.0)
        watch = monitor.factory.monitor._watch
        assert watch is not None
        self.assertEqual(watch.problems._after, 2.5)

    def test_lock(self) -> None:
        """
        The factories and the listener get the lock, and who this monitor is.
        """
        [monitor], _ = self.make("--lock", "fleet", "--instance", "a")
        assert monitor.factory.monitor._lock is not None
        terms = monitor.factory.monitor._lock.terms
        self.assertEqual((terms.name, terms.instance), ("fleet", "a"))
        [monitor], _ = self.make()
        self.assertIsNone(monitor.factory.monitor.lock)
        [monitor], _ = self.make()
        self.assertTrue(monitor.factory.monitor._audience._replay)

    def test_columns(self) -> None:
        """
        Extra columns are monitored at every server, and at every switch that
        connects to us. C{--column} with a usual column changes nothing.
        """
        columns = ("--column", "link_state", "--column", "mtu", "--column", "name")
        places = ("--endpoint", "tcp:a", "--endpoint", "tcp:b", "--listen", "ptcp:6640")
        services: Any = tap.makeService(parse(*places, *columns, "--column", "mtu"))
        _, first, second, listening = services
        for service in (first, second):
            asked = service.factory.monitor._known._rows.columns
            self.assertEqual(asked, (*COLUMNS, "link_state", "mtu"))
        monitor = listening.factory._settings.makeMonitor("sw", identify=True)
        self.assertEqual(monitor._known._rows.columns, (*COLUMNS, "link_state", "mtu"))

    def test_logging(self) -> None:
        """
        Events are logged if neither C{--observer} nor C{--events} is given, and
        only then.
        """
        [monitor], events = self.make()
        [observer] = self.observers(monitor)
        assert isinstance(observer, LoggingObserver)
        self.assertFalse(observer._logAll)
        self.assertEqual(events, [])
        [monitor], _ = self.make("--log-all")
        [observer] = self.observers(monitor)
        assert isinstance(observer, LoggingObserver)
        self.assertTrue(observer._logAll)
        for arguments in (
            ["--observer", f"{HERE}.RecordingObserver"],
            ["--events", self.mktemp()],
        ):
            [monitor], _ = self.make(*arguments)
            [observer] = self.observers(monitor)
            self.assertNotIsInstance(observer, LoggingObserver)

    def test_manyServers(self) -> None:
        """
        Of many servers, the connections are begun one after another.
        """
        many = [f"--endpoint=tcp:192.0.2.{number}" for number in range(AT_ONCE + 1)]
        services = tap.makeService(parse(*many))
        assert isinstance(services, MultiService)
        [spread] = [s for s in services if isinstance(s, SpreadService)]
        self.assertEqual(len(list(spread)), len(many))

    def test_opensNothing(self) -> None:
        """
        Making the services opens and schedules nothing, because twistd forks
        after it.
        """
        from twisted.internet import reactor

        anyReactor: Any = reactor
        before = (os.listdir("/proc/self/fd"), anyReactor.getDelayedCalls())
        watched = (anyReactor.getReaders(), anyReactor.getWriters())
        kept = self.make("--events", self.mktemp(), "--endpoint", "unix:/nonexistent")
        self.assertEqual((os.listdir("/proc/self/fd"), anyReactor.getDelayedCalls()), before)
        self.assertEqual((anyReactor.getReaders(), anyReactor.getWriters()), watched)
        self.assertFalse(kept[0][0].running)


ENDING = """
import sys


class AtOnce:
    def eventReceived(self, event):
        sys.exit(3)


class Later:
    async def eventReceived(self, event):
        sys.exit(4)


class Interrupted:
    def eventReceived(self, event):
        raise KeyboardInterrupt
"""
"""Observers that end the program."""


class Server(Protocol):
    """
    Answers C{monitor} with one VM.
    """

    def connectionMade(self) -> None:
        """Read requests."""
        self.stream = JSONStream(1 << 20)

    def dataReceived(self, data: bytes) -> None:
        """Answer requests."""
        assert self.transport is not None
        ids = ["map", [["iface-id", "vm-1"]]]
        row = {"name": "tap1", "type": "", "ofport": 1, "error": ["set", []]}
        new = {**row, "external_ids": ids, "options": ["map", []]}
        for request in self.stream.feed(data):
            if request.get("method") == "monitor":
                [asked] = request["params"][2]["Interface"]
                row = {**new, **{c: "up" for c in asked["columns"] if c not in new}}
                result = {"Interface": {"5a2f9a6c-0000-4000-8000-000000000001": {"new": row}}}
                reply = {"id": request["id"], "result": result, "error": None}
                self.transport.write(json.dumps(reply).encode())


class Child(ProcessProtocol):
    """
    A running C{twistd -n ovsdb-monitor}.

    @ivar ended: fires with the reason why it ended.
    """

    def __init__(self) -> None:
        self.output = {1: b"", 2: b""}
        self.ended: Deferred[Any] = Deferred()
        self._awaited: tuple[int, bytes, Deferred[None]] | None = None

    def wait(self, descriptor: int, text: bytes) -> Deferred[None]:
        """
        Return a Deferred that fires when a descriptor has given this text.
        """
        seen: Deferred[None] = Deferred()
        self._awaited = (descriptor, text, seen)
        self.childDataReceived(descriptor, b"")
        return seen

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Keep the output."""
        self.output[childFD] += data
        if self._awaited is not None and self._awaited[1] in self.output[self._awaited[0]]:
            seen, self._awaited = self._awaited[2], None
            seen.callback(None)

    def processEnded(self, reason: Failure) -> None:
        """Fire the Deferred."""
        self.ended.callback(reason.value)


class CommandTests(TestCase):
    """
    Tests for the command as a child process.
    """

    timeout = 180

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def run_(self, *arguments: str, twistd: tuple[str, ...] = ("-n",)) -> Deferred[Any]:
        """
        Run the command to its end.

        @return: standard output, standard error, status.
        """
        words = [*twistd, "--pidfile=", "ovsdb-monitor", *arguments]
        result: Deferred[Any] = getProcessOutputAndValue(
            TWISTD, words, env=ENVIRONMENT, path=self.folder
        )
        return result.addCallback(lambda r: (r[0].decode(), r[1].decode(), r[2]))

    def spawn(self, *arguments: str, twistd: tuple[str, ...] = ()) -> Child:
        """
        Start the command.
        """
        child = Child()
        words = [TWISTD, "-n", "--pidfile=", *twistd, "ovsdb-monitor", *arguments]
        process = self.reactor.spawnProcess(child, TWISTD, words, ENVIRONMENT, self.folder)

        def end() -> None:
            if process.pid is not None:
                process.signalProcess("KILL")

        self.addCleanup(end)
        return child

    def serve(self) -> str:
        """
        Start a server.

        @return: its endpoint.
        """
        # Not a unix socket: its path may have 107 bytes, and the paths in trial's folders are
        # longer.
        port = self.reactor.listenTCP(0, Factory.forProtocol(Server), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"tcp:127.0.0.1:{port.getHost().port}"

    async def test_help(self) -> None:
        """
        The help names every option, its text has no gaps, and the exit status
        is 0.
        """
        out, err, status = await self.run_("--help")
        self.assertEqual((err, status), ("", 0))
        for option in ("endpoint", "version", *tap.Options().longOpt):
            self.assertIn(f"--{option}", out)
        for line in out.splitlines():
            text = line.strip().split("  ", 1)[-1].strip() if "--" in line[:8] else line.strip()
            self.assertNotIn("   ", text)

    async def test_version(self) -> None:
        """
        --version prints the version of this package, not of Twisted.
        """
        result = await self.run_("--version")
        self.assertEqual(result, (f"twisted_ovsdb {twisted_ovsdb.__version__}\n", "", 0))

    async def test_refused(self) -> None:
        """
        A mistake gives one line on standard error and status 1. There is
        nothing on standard output, no traceback and no help. Each mistake has a test
        without a process: see L{RefusedTests <tests.command.test_options.RefusedTests>}.
        """
        atOnce = DeferredSemaphore(2)
        runs = [atOnce.run(self.run_, *arguments) for arguments, _ in REFUSED[::9]]
        runs.append(atOnce.run(self.run_, "--events", "-", twistd=()))
        wrong = [
            result
            for result in await gatherResults(runs)
            if (result[0], result[2]) != ("", 1)
            or not result[1].startswith("twistd ovsdb-monitor: ")
            or len(result[1].splitlines()) != 1
        ]
        self.assertEqual(wrong, [])
        self.assertEqual(os.listdir(self.folder), [])

    async def test_log(self) -> None:
        """
        With C{--events -}, the log goes to standard error, and standard output
        has no line of it.
        """
        missing = ("--endpoint", "unix:nonexistent", "--events", "-")
        child = self.spawn(*missing)
        await child.wait(2, b"trying again")
        self.interrupt(child)
        await child.ended
        self.assertEqual(json.loads(child.output[1])["event"], "started")
        self.assertIn(b"Received SIGINT", child.output[2])

    def interrupt(self, child: Child) -> None:
        """
        Do what Ctrl-C does.
        """
        transport: Any = child.transport
        transport.signalProcess("INT")

    async def test_logfile(self) -> None:
        """
        With C{--logfile}, the log goes to that file, and only events go to
        standard output. After Ctrl-C, the last event says that the monitor was
        stopped, and the signal ends the process, as in Twisted.
        """
        child = self.spawn("--endpoint", self.serve(), "--events", "-", twistd=("--logfile", "log"))
        await child.wait(1, b'"synchronized"')
        self.interrupt(child)
        reason = await child.ended
        self.assertIsInstance(reason, ProcessTerminated)
        self.assertEqual(reason.signal, signal.SIGINT)
        self.assertEqual(child.output[2], b"")
        lines = [json.loads(line) for line in child.output[1].splitlines()]
        events = [line["event"] for line in lines]
        self.assertEqual(events, ["started", "online", "synchronized", "disconnected"])
        self.assertEqual(lines[1]["interface"]["iface_id"], "vm-1")
        self.assertEqual(lines[3]["reason"], "stopped")
        log = Path(self.folder, "log").read_text()
        self.assertIn("starting up", log)
        self.assertNotIn("Traceback", log)

    async def test_column(self) -> None:
        """
        The value of an extra column is in each line, under C{extra}.
        """
        child = self.spawn(
            *("--endpoint", self.serve(), "--events", "-"),
            *("--column", "link_state", "--column", "admin_state"),
        )
        await child.wait(1, b'"synchronized"')
        self.interrupt(child)
        await child.ended
        online = json.loads(child.output[1].splitlines()[1])
        self.assertEqual(online["interface"]["extra"], {"link_state": "up", "admin_state": "up"})

    async def test_observerEnds(self) -> None:
        """
        An observer that raises SystemExit, at once or later, ends the process in good
        order: with this status, with one line, and with what others were told.
        """
        module = Path(self.folder, "ending.py")
        module.write_text(ENDING, "utf-8")
        where = ("--endpoint", self.serve(), "--events", "-", "--observer")
        for name, status in (("AtOnce", 3), ("Later", 4), ("Interrupted", 130)):
            child = self.spawn(*where, f"ending.{name}")
            reason = await child.ended
            self.assertEqual(reason.exitCode, status)
            self.assertIn(b'"event":"disconnected"', child.output[1])
            self.assertIn(b"ends the program, with status %d\n" % status, child.output[2])
            self.assertNotIn(b"Traceback", child.output[2])

    async def test_readerGone(self) -> None:
        """
        If the reader of the events goes away, as C{head -1} does, the process
        ends with one line and status 0.
        """
        child = self.spawn("--endpoint", self.serve(), "--events", "-")
        await child.wait(1, b"\n")
        transport: Any = child.transport
        transport.closeStdout()
        reason = await child.ended
        self.assertEqual(reason.exitCode, 0)
        self.assertEqual(child.output[2].count(b"is gone"), 1)
        self.assertNotIn(b"Traceback", child.output[2])
