# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.keptevents}: each event is in the file exactly
once, also over the end of the process.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.command.test_linewriter import WatchingClock
from tests.fakes.disk import DiskReactor, FakeThread
from tests.fakes.rows import uuid, vm
from tests.soak.linefold import LineFold
from twisted_ovsdb.command import keptevents, output, stateservice
from twisted_ovsdb.command.keptevents import TICK, KeptEvents
from twisted_ovsdb.command.linewriter import RETRY
from twisted_ovsdb.command.output import LOOK
from twisted_ovsdb.command.stateservice import StateService
from twisted_ovsdb.events import (
    Cause,
    Event,
    ForgetReason,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Problem,
    ProblemFound,
    SwitchForgotten,
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.interfaces import wantsProblems
from twisted_ovsdb.lifecycle.places import DAY
from twisted_ovsdb.observers.jsonlines import lineOf
from twisted_ovsdb.state import sink
from twisted_ovsdb.state.database import FILE
from twisted_ovsdb.state.sink import INTERVAL
from twisted_ovsdb.state.store import Store, StoredSwitch

A = "tcp:a"


class KeptReactor(DiskReactor, WatchingClock):
    """
    A reactor for files, with a thread for the disk.
    """


class KeptTestCase(SynchronousTestCase):
    """
    Runs the service; the reactor, and what it does to the monitors, is the test's.
    """

    def setUp(self) -> None:
        self.reactor = KeptReactor()
        for module in (keptevents, output):
            self.patch(module, "_reactor", lambda: self.reactor)
        self.patch(stateservice, "_makeThread", lambda: FakeThread(self.reactor))
        self.statuses: list[int] = []
        for module in (keptevents, output):
            self.patch(module, "stopWith", lambda reactor, status: self.statuses.append(status))
        self.folder = Path(self.mktemp())
        self.path = Path(self.mktemp())
        self.replayed: list[str] = []
        self.state: Any = None
        self.addCleanup(self.end)

    def begin(
        self, sources: tuple[str, ...] = (A,), listens: bool = False, days: float = 30
    ) -> None:
        """
        A process begins.
        """
        self.state = StateService(str(self.folder), days, ValueError)
        self.file = KeptEvents(str(self.path), self.state, sources, listens, ValueError)
        self.file.replay = lambda: self.replayed.append("everything")
        self.file.replayOf = self.replayed.append
        self.file.setServiceParent(self.state)
        self.state.startService()

    def end(self) -> None:
        """
        The process ends, if there is one.
        """
        if self.state is not None and self.state.store is not None:
            stopped = self.state.stopService()
            self.reactor.work()
            self.successResultOf(stopped)
            self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.state = None

    def crash(self) -> None:
        """
        The process is killed.
        """
        for thread in self.reactor.threads:
            thread.waiting.clear()
        self.reactor.threads.clear()
        for call in tuple(self.reactor.getDelayedCalls()):
            call.cancel()
        self.state.store.close()
        if self.file._writer is not None:
            os.close(self.file._writer.fileno())
        self.state = None

    def tell(self, *events: Event) -> Any:
        """
        Events are told.
        """
        observer: Any = self.file.observer
        results = [observer.eventReceived(event) for event in events]
        return results[-1]

    def online(self, *numbers: int, source: str = A, identity: Any = None) -> Any:
        """
        Interfaces come online.
        """
        identity = identity or SwitchIdentity()
        return self.tell(
            *(InterfaceOnline(vm(n), Cause.UPDATE, source, identity=identity) for n in numbers)
        )

    def turn(self) -> None:
        """
        The lines of this turn are written.
        """
        self.reactor.advance(0)

    def commit(self) -> None:
        """
        Lines are written, and what was told is committed.
        """
        self.reactor.advance(INTERVAL)
        self.reactor.work()

    def told(self, switch: str = A) -> list[OvsInterface] | None:
        """
        What the observer was told before, as a monitor asks for it.
        """
        observer: Any = self.file.observer
        asked: Deferred[list[OvsInterface] | None] = observer.told(switch)
        self.reactor.work()
        return self.successResultOf(asked)

    def lines(self, path: Path | None = None) -> list[Any]:
        """
        The lines of a file: the name of an interface, or of the event.
        """
        values = map(json.loads, (path or self.path).read_bytes().split(b"\n")[:-1])
        return [
            value["interface"]["name"] if "interface" in value else value["event"]
            for value in values
            if value
        ]

    def resumed(self) -> list[bool]:
        """
        What the first lines of the runs say.
        """
        lines = self.path.read_bytes().splitlines()
        values = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [value["resumed"] for value in values if value["event"] == "started"]


class RestartTests(KeptTestCase):
    """
    What a process knows of those before it.
    """

    def test_committed(self) -> None:
        """
        What was committed is known, and the first line says that this goes on.
        """
        self.begin()
        self.assertIsNone(self.told())
        self.online(1, 2)
        self.commit()
        self.crash()
        self.begin()
        self.assertEqual(self.told(), [vm(1), vm(2)])
        self.assertEqual(self.resumed(), [False, True])
        self.assertEqual(self.replayed, [])

    def test_written(self) -> None:
        """
        What was written and not committed is known from the file: also if nothing
        was ever committed after the first line, and over several crashes.
        """
        self.begin()
        self.commit()
        for number in (1, 2, 3):
            self.online(number)
            self.turn()
            self.crash()
            self.begin()
        self.assertEqual(self.told(), [vm(1), vm(2), vm(3)])
        self.tell(InterfaceOffline(vm(2), Cause.RESYNC, A))
        self.turn()
        self.crash()
        self.begin()
        self.assertEqual(self.told(), [vm(1), vm(3)])
        fold = LineFold()
        fold.add(self.path.read_text().split("\n"))
        self.assertEqual([uuid for _, uuid in fold.online], [uuid(1), uuid(3)])

    def test_problems(self) -> None:
        """
        Problems are lines too. A process does not know which ones another one told.
        """
        self.begin()
        self.assertTrue(wantsProblems(self.file.observer))
        self.online(1)
        self.tell(ProblemFound(Problem.FAILED, vm(1), 1.0, "no such device", A))
        self.commit()
        self.assertEqual(self.file.uncommitted, 0)
        self.assertEqual(self.file.lastCommit, self.reactor.seconds())
        self.crash()
        self.begin()
        self.assertEqual(self.told(), [vm(1)])
        self.assertIn(b'"problem":"failed"', self.path.read_bytes())

    def test_notWritten(self) -> None:
        """
        What was not written was not told.
        """
        self.begin()
        self.online(1)
        self.commit()
        self.online(2)
        self.crash()
        self.begin()
        self.assertEqual(self.told(), [vm(1)])

    def test_torn(self) -> None:
        """
        A line that is cut in two does not count, one that only has no newline does.
        The new process ends both.
        """
        self.begin()
        self.online(1)
        self.commit()
        self.online(2)
        self.turn()
        self.crash()
        whole = self.path.read_bytes()
        for content, expected in ((whole[:-1], [vm(1), vm(2)]), (whole[:-20], [vm(1)])):
            self.path.write_bytes(content)
            self.begin()
            self.assertEqual(self.told(), expected)
            self.crash()
            self.assertIn(content + b"\n", self.path.read_bytes())

    def test_firstCommit(self) -> None:
        """
        Also the first process may be killed before its first commit: the place
        where its lines begin is known before them.
        """
        self.path.write_bytes(b'{"event":"onl')
        self.begin()
        self.online(1)
        self.turn()
        self.crash()
        self.begin()
        self.assertEqual(self.told(), [vm(1)])
        self.assertEqual(self.resumed(), [False, True])

    def test_firstCommitFails(self) -> None:
        """
        On a disk that is full from the beginning, the lines are written all the
        same. If the process is killed then, the next one begins anew, and says so.
        """

        def fail(*arguments: Any) -> None:
            raise OSError(28, "No space left on device")

        patched = self.patch(Store, "commit", fail)
        self.begin()
        self.online(1)
        with capturedLogs():
            self.commit()
        self.crash()
        patched.restore()
        self.begin()
        self.assertIsNone(self.told())
        self.assertEqual(self.resumed(), [False, False])

    def test_end(self) -> None:
        """
        At the end everything is written and committed.
        """
        self.begin()
        self.online(1)
        self.end()
        store = Store(self.folder, "now")
        found = store.sink(str(self.path))
        assert found is not None and found.position is not None
        self.assertEqual(found.position.offset, self.path.stat().st_size)
        self.assertEqual(store.told(str(self.path), A), [vm(1)])
        store.close()

    def test_otherRun(self) -> None:
        """
        A run without C{--state} in between makes what was before void, for every
        reader: what that run has told counts.
        """
        self.begin()
        self.online(1)
        self.end()
        row = {"interface": vm(2).toJSON(), "switch": A, "source": A}
        with self.path.open("ab") as file:
            file.write(lineOf({"event": "started", "resumed": False}))
            file.write(lineOf({"event": "online", **row}))
        self.begin()
        self.assertEqual(self.told(), [vm(2)])

    def test_toldWhileTold(self) -> None:
        """
        What is asked for waits for what is being committed.
        """
        self.begin()
        self.online(1)
        self.assertEqual(self.told(), [vm(1)])


class RotationTests(KeptTestCase):
    """
    Files that are moved and cut.
    """

    def test_moved(self) -> None:
        """
        Before the first line of a new file, the old one is complete and committed.
        What is told meanwhile waits. The new file begins with everything.
        """
        self.begin()
        self.online(1)
        self.commit()
        old = Path(f"{self.path}.1")
        self.path.rename(old)
        self.online(2)
        self.reactor.advance(LOOK)
        busy = self.online(3)
        self.assertNoResult(busy)
        self.assertEqual(self.path.read_bytes(), b"")
        self.reactor.work()
        self.successResultOf(busy)
        self.turn()
        self.assertEqual(self.lines(old), ["started", "tap1", "tap2"])
        self.assertEqual(self.lines(), ["started", "tap3"])
        self.assertEqual(self.replayed, ["everything"])
        self.assertEqual(self.resumed(), [True])
        self.crash()
        self.begin()
        self.assertEqual(self.told(), [vm(1), vm(2), vm(3)])

    def test_killedWhileMoving(self) -> None:
        """
        A process that is killed while it goes over to a new file loses nothing,
        before and after the commit.
        """
        for committed in (False, True):
            self.begin()
            self.online(1)
            self.commit()
            old = Path(f"{self.path}.1")
            self.path.rename(old)
            self.online(2)
            self.reactor.advance(LOOK)
            if committed:
                for thread in self.reactor.threads:
                    for _, function, arguments in thread.waiting:
                        function(*arguments)
            self.crash()
            self.begin()
            self.assertEqual(self.told(), [vm(1), vm(2)])
            self.assertEqual(self.replayed, [A])
            self.tell(*(InterfaceOffline(vm(n), Cause.UPDATE, A) for n in (1, 2)))
            self.end()
            self.replayed.clear()
            self.path.unlink()

    def test_movedWhileDown(self) -> None:
        """
        A file that was rotated while no process ran is found, and the new one gets
        everything.
        """
        self.begin()
        self.online(1)
        self.commit()
        self.online(2)
        self.turn()
        self.crash()
        self.path.rename(f"{self.path}.1")
        with capturedLogs() as logs:
            self.begin()
        self.assertEqual(self.told(), [vm(1), vm(2)])
        self.assertEqual(self.replayed, [A])
        self.assertEqual([log["log_level"].name for log in logs], ["info"])
        self.assertEqual(self.resumed(), [True])

    def test_movedTwiceWhileDown(self) -> None:
        """
        A process goes on in a new file, and is killed before its first commit. Its
        lines count, also if that file is rotated before the next start.
        """
        for number in (1, 2, 3, 4):
            self.begin()
            self.online(number)
            self.turn()
            self.crash()
            self.path.rename(f"{self.path}.{number}")
        self.begin()
        self.assertEqual(self.told(), [vm(1), vm(2), vm(3), vm(4)])
        self.assertEqual(self.resumed(), [True])
        self.assertEqual(self.replayed, [A])

    def test_F95_lost(self) -> None:
        """
        A file that was cut, or is gone, while no process ran: what was told counts,
        one warning says so, and the file gets everything.
        """
        for spoil, words in ((os.truncate, "was cut"), (None, "is not found")):
            self.begin()
            self.online(1)
            self.end()
            if spoil is None:
                # A file that is made after the old one is gone may get its inode.
                other = self.path.with_name("other")
                other.touch()
                other.replace(self.path)
            else:
                spoil(self.path, 0)
            with capturedLogs() as logs:
                self.begin()
            self.assertIn(words, logs[0]["found"])
            self.assertEqual([log["log_level"].name for log in logs], ["warn"])
            self.assertEqual(self.told(), [vm(1)])
            self.assertEqual(self.replayed, [A])
            self.replayed.clear()
            self.tell(InterfaceOffline(vm(1), Cause.UPDATE, A))
            self.end()

    def test_F96_cut(self) -> None:
        """
        A file that is cut while the process runs cannot keep the promise: one error,
        and status 1. What is told in the last moments is told again.
        """
        self.begin()
        self.online(1)
        self.commit()
        os.truncate(self.path, 0)
        self.online(2)
        with capturedLogs() as logs:
            self.commit()
            self.reactor.advance(LOOK)
        self.assertEqual([log["log_level"].name for log in logs], ["error"])
        self.assertEqual(self.statuses, [1])
        self.end()
        self.begin()
        self.assertEqual(self.told(), [vm(1), vm(2)])  # The line was written after the cut.
        self.assertEqual(self.replayed, [A])

    def test_otherFiles(self) -> None:
        """
        A pipe in its place is not opened while the process runs. A folder that is
        missing is an error, once.
        """
        self.begin()
        self.path.unlink()
        os.mkfifo(self.path)
        with capturedLogs() as logs:
            self.reactor.advance(LOOK)
            self.reactor.advance(LOOK)
        self.assertEqual(len(logs), 1)
        self.assertIn("no regular file", logs[0]["reason"])

    def test_stoppedWhileMoving(self) -> None:
        """
        A service that is stopped while it goes over to a new file leaves nothing
        open.
        """
        descriptors = len(os.listdir("/proc/self/fd"))
        self.begin()
        self.online(1)
        self.commit()
        self.path.rename(f"{self.path}.1")
        self.reactor.advance(LOOK)
        self.end()
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
        self.begin()
        self.assertEqual(self.told(), [vm(1)])


class StateFaultTests(KeptTestCase):
    """
    What can go wrong.
    """

    def test_F92_refused(self) -> None:
        """
        What cannot be used is one line.
        """
        self.folder.mkdir()
        store = Store(self.folder, "now")
        fault = self.assertRaises(ValueError, self.begin)
        self.assertEqual(str(fault), f"--state {self.folder}: another process uses it")
        store.close()
        os.mkfifo(self.path)
        fault = self.assertRaises(ValueError, self.begin)
        self.assertIn("is no regular file, and --state needs one", str(fault))
        self.crash_()
        self.path.unlink()
        self.path = self.path / "missing" / "file"
        fault = self.assertRaises(ValueError, self.begin)
        self.assertIn("cannot be opened: No such file or directory", str(fault))
        self.crash_()

    def crash_(self) -> None:
        """
        A process that could not begin has ended.
        """
        self.state.store.close()
        self.state = None

    def test_F90_damaged(self) -> None:
        """
        A damaged database is moved aside with a warning, and nothing was told.
        """
        self.begin()
        self.online(1)
        self.end()
        (self.folder / FILE).write_bytes(b"x" * 5000)
        with capturedLogs() as logs:
            self.begin()
        self.assertEqual([log["log_level"].name for log in logs], ["warn"])
        self.assertIsNone(self.told())
        self.assertEqual(self.resumed(), [False, False])

    def test_F90_damagedLater(self) -> None:
        """
        If the damage shows in a commit, one error says so, and the status is 1.
        """
        self.begin()
        self.commit()
        self.state.store._connection.execute("DROP TABLE told")
        self.online(1)
        with capturedLogs() as logs:
            self.commit()
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.statuses, [1])

    def test_F90_cannotBeRead(self) -> None:
        """
        If what was told cannot be read, nothing is told: one error says so, and the
        status is 1.
        """
        self.begin()
        self.commit()
        self.state.store._connection.execute("DROP TABLE told")
        observer: Any = self.file.observer
        self.online(1)
        self.state.store.commit = lambda *arguments: None
        self.state.store._sinks[str(self.path)].switches[A] = StoredSwitch(1, 1, A, A, 0)
        with capturedLogs() as logs:
            asked = observer.told(A)
            self.reactor.work()
        self.assertNoResult(asked)
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.statuses, [1])

    def test_F93_full(self) -> None:
        """
        While the disk of the database is full, lines are written and not committed.
        What was written counts if the process is killed then.
        """
        self.begin()
        self.commit()
        connection = self.state.store._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with capturedLogs() as logs:
            self.online(*range(100))
            self.commit()
            self.reactor.advance(RETRY)
            self.reactor.work()
        self.assertIn("database or disk is full", logs[0]["reason"])
        self.assertEqual(len(logs), 1)
        self.assertIn("database or disk is full", str(self.file.missing()))
        self.assertEqual(self.file.uncommitted, 100)
        self.crash()
        self.begin()
        self.assertEqual(len(self.told() or ()), 100)

    def test_F93_fullAtTheStart(self) -> None:
        """
        The disk is still full when the next process begins: what the last one wrote
        and did not commit is known before anything is told, also if a switch comes
        after the first commit has failed.
        """
        self.begin()
        self.commit()
        self.online(1)
        self.turn()
        self.crash()

        def fail(*arguments: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched = self.patch(Store, "commit", fail)
        self.begin()
        with capturedLogs():
            self.commit()
            observer: Any = self.file.observer
            asked = [observer.told(A), self.file._recall(A)]
            self.reactor.work()
            for each in asked:
                self.assertNoResult(each)
            patched.restore()
            self.reactor.advance(sink.RETRY)
            self.reactor.work()
        for each in asked:
            self.assertEqual(self.successResultOf(each), [vm(1)])

    def failWrites(self, number: int) -> None:
        """
        An interface comes online while writing to the file fails, and the process ends.
        """
        writer: Any = self.file._writer

        def fail(descriptor: int, data: memoryview) -> int:
            raise OSError(number, os.strerror(number))

        writer._write = fail
        self.online(2)
        with capturedLogs():
            self.commit()
            self.end()

    def test_F93_fileFull(self) -> None:
        """
        While the disk of the file is full, nothing is committed: it has not all
        lines. At the end the rest of them is not told.
        """
        self.begin()
        self.online(1)
        self.commit()
        self.failWrites(28)
        self.begin()
        self.assertEqual(self.told(), [vm(1)])

    def test_failed(self) -> None:
        """
        A file that cannot be written to is never committed with lines that it does
        not have.
        """
        self.begin()
        self.online(1)
        self.commit()
        self.failWrites(5)
        self.assertEqual(self.statuses, [1])
        self.begin()
        self.assertEqual(self.told(), [vm(1)])

    def test_settleFails(self) -> None:
        """
        If the file cannot be made durable, nothing is committed, and the status is
        1.
        """
        self.begin()
        self.commit()

        def fail(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        self.patch(os, "fdatasync", fail)
        self.online(1)
        with capturedLogs() as logs:
            self.commit()
        self.assertEqual(self.statuses, [1])
        self.assertIn("Input/output error", logs[0]["reason"])


class ForgetTests(KeptTestCase):
    """
    Switches that do not come back.
    """

    def forgotten(self) -> list[str]:
        """
        The switches that the file says are forgotten.
        """
        values = [json.loads(line) for line in self.path.read_bytes().splitlines() if line]
        return [value["switch"] for value in values if value["event"] == "forgotten"]

    def test_notGiven(self) -> None:
        """
        An endpoint that is no longer given is forgotten at the start, and so are
        switches that connected, if nobody listens.
        """
        dialled = SwitchIdentity("sw", address="tcp:1")
        self.begin((A, "tcp:b"), True)
        self.online(1)
        self.online(2, source="tcp:b")
        self.online(3, source="sw", identity=dialled)
        self.end()
        self.begin((A,), True)
        self.commit()
        self.assertEqual(self.forgotten(), ["tcp:b"])
        self.assertEqual((self.told(), self.told("tcp:b")), ([vm(1)], None))
        self.assertEqual(self.told("sw"), [vm(3)])
        self.crash()
        self.begin()
        self.turn()
        self.crash()  # The line counts before the commit.
        self.begin()
        self.assertEqual(self.forgotten(), ["tcp:b", "sw"])
        self.assertIsNone(self.told("sw"))

    def test_notBack(self) -> None:
        """
        A switch that does not come back is forgotten after some days, over several
        processes; one that is here is not, and neither is one that a monitor has.
        """
        self.begin(("tcp:a", "tcp:b", "tcp:c"), days=1)
        for source in ("tcp:a", "tcp:b", "tcp:c"):
            self.online(1, source=source)
        for _ in range(3):
            self.end()
            self.begin(("tcp:a", "tcp:b", "tcp:c"), days=1)
            self.told("tcp:b")
            self.tell(Synchronized(Cause.RESYNC, (vm(1),), "tcp:b"))
            for _ in range(int(DAY / TICK / 2)):
                self.reactor.advance(TICK)
                self.reactor.work()
        self.reactor.advance(TICK)
        self.reactor.work()
        self.assertEqual(self.forgotten(), ["tcp:a", "tcp:c"])
        self.assertIsNone(self.told("tcp:a"))
        self.assertEqual(self.told("tcp:b"), [vm(1)])

    def test_listenerForgets(self) -> None:
        """
        A switch that the listener forgets is dropped, once, and so it is after a
        crash. If it comes back, it is another one. With 0 days nothing else is
        forgotten.
        """
        self.begin((), listens=True, days=0)
        one, two = (SwitchIdentity(switch, None, "tcp:10.0.0.1:1") for switch in ("sw1", "sw2"))
        self.online(1, source="sw1", identity=one)
        self.online(1, source="sw2", identity=two)
        self.tell(SwitchForgotten(ForgetReason.LIMIT, "sw1", identity=one))
        self.turn()
        self.assertEqual(self.forgotten(), ["sw1"])
        self.crash()
        self.begin((), listens=True, days=0)
        self.assertIsNone(self.told("sw1"))
        for _ in range(int(40 * DAY / TICK)):
            self.reactor.advance(TICK)
        self.reactor.work()
        self.assertEqual(self.forgotten(), ["sw1"])
        self.assertEqual(self.told("sw2"), [vm(1)])
