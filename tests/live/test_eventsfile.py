# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The file of C{--events} while operators rotate and remove it, while disks fill, and
while processes are killed. The lines always add up to the table.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.fakes.documented import load
from tests.live.commandcase import CHECKOUT, COMMAND, Command, CommandTestCase
from tests.soak.waiting import until

SOON = 15.0
"""Seconds within which a file is looked at, and a full disk tried again, more than once."""


FOLD = load(CHECKOUT / "examples" / "fold_events.py")


class EventsFileTestCase(CommandTestCase):
    """
    Runs the command with a file of events.
    """

    timeout = 90

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.path = self.folder / "ev.jsonl"

    def text(self, *paths: Path) -> str:
        """
        What is in these files.
        """
        return "".join(path.read_text("ascii") for path in paths or (self.path,) if path.exists())

    def names(self, *paths: Path) -> list[str]:
        """
        The names of the events in these files.
        """
        return [json.loads(line)["event"] for line in self.text(*paths).splitlines()]

    async def until(self, holds: Callable[[], bool]) -> None:
        """
        Wait until this holds.
        """
        self.assertTrue(await until(reactor, holds, SOON), self.text()[-2000:])

    async def assertFolds(self, *paths: Path) -> None:
        """
        Assert that the lines of these files add up to the table.
        """
        table = await self.table()
        expected = {uuid: row.toJSON() for uuid, row in table.items()}

        def folded() -> dict[str, Any]:
            found = FOLD.fold(self.text(*paths).split("\n"))
            return {uuid: row for (_, uuid), row in found.items()}

        await until(reactor, lambda: folded() == expected, SOON)
        self.assertEqual(folded(), expected)

    async def started(self, options: str = "--events ev.jsonl") -> Command:
        """
        Run the command, and wait until it is in sync.
        """
        command = self.monitor(options)
        await command.output.until(lambda line: "in sync" in line)
        return command

    async def addPort(self, name: str) -> None:
        """
        Add the port of a VM.
        """
        ids = f"external_ids:iface-id=of-{name}"
        await self.vsctl(f"add-port br-int {name} -- set Interface {name} {ids}")


class RotationTests(EventsFileTestCase):
    """
    Tests for files that are moved and removed.
    """

    async def test_hangUp(self) -> None:
        """
        After C{mv} and SIGHUP, the process lives, and a reader of the new file
        alone has everything. Both files together have each event.
        """
        command = await self.started()
        await self.addPort("tapA")
        old = self.folder / "ev.jsonl.1"
        self.path.rename(old)
        await self.addPort("tapB")
        await self.until(lambda: "tapB" in self.text(old))
        command.signal(SIGHUP)
        await self.until(lambda: self.names()[-1:] == ["synchronized"])
        self.assertEqual(self.names()[0], "started")
        await self.addPort("tapC")
        await self.assertFolds()
        await self.assertFolds(old, self.path)
        self.assertNotIn("tapC", self.text(old))
        command.signal(SIGHUP)  # Nothing was moved: nothing happens.
        await self.addPort("tapD")
        await self.assertFolds()
        self.assertEqual(self.names().count("started"), 1)
        self.assertFalse(command.ended.called)

    async def test_removed(self) -> None:
        """
        A file that was removed is made again within seconds.
        """
        await self.started()
        self.path.unlink()
        await self.until(lambda: self.path.exists() and "synchronized" in self.text())
        await self.addPort("tapA")
        await self.assertFolds()

    async def test_emptied(self) -> None:
        """
        A file that was emptied, as by the copytruncate of logrotate, gets a base,
        also if an event comes at once.
        """
        await self.started()
        os.truncate(self.path, 0)
        await self.addPort("tapA")
        await self.until(lambda: "synchronized" in self.text())
        await self.assertFolds()

    async def test_daemon(self) -> None:
        """
        A daemon handles SIGHUP too, and its parent says when the file cannot be
        opened, with status 1.
        """
        options = f"--endpoint unix:{self.ovs.unix} --events"
        daemon = "exec twistd --pidfile=t.pid --logfile=t.log ovsdb-monitor"
        refused = self.sh(f"{daemon} {options} missing/ev.jsonl")
        self.assertEqual(await refused.ended, 1)
        # twistd cuts this line, and writes a second one, which names the log file.
        self.assertIn("OSError: --events /", refused.log.take()[0])
        reason = "missing/ev.jsonl: cannot be opened: No such file or directory"
        await self.until(lambda: reason in (self.folder / "t.log").read_text())
        running = self.sh(f"{daemon} {options} ev.jsonl")
        self.assertEqual(await running.ended, 0)
        pid = int((self.folder / "t.pid").read_text())
        self.addCleanup(os.kill, pid, SIGKILL)
        await self.until(lambda: "synchronized" in self.text())
        self.path.rename(self.folder / "ev.jsonl.1")
        os.kill(pid, SIGHUP)
        await self.until(lambda: "synchronized" in self.text())
        await self.assertFolds()

    async def test_killed(self) -> None:
        """
        A process that was killed has left half a line. The next one ends it, and
        the file still adds up to the table.
        """
        command = await self.started()
        command.signal(SIGKILL)
        await command.ended
        with self.path.open("a") as file:
            file.write('{"event":"onl')
        await self.vsctl("del-port tap1")
        await self.started()
        await self.assertFolds()
        self.assertIn('\n{"event":"onl\n{"event":"started"', self.text())


class DiskTests(EventsFileTestCase):
    """
    Tests for disks that are full.
    """

    async def test_fullDisk(self) -> None:
        """
        While the disk is full, the command goes on, with one error in the log.
        When there is room again, the file adds up to the table, and every line
        is whole.
        """
        disk = self.folder / "disk"
        disk.mkdir()
        mount = f"mount -t tmpfs -o size=64k none {disk.absolute()}"
        # In a namespace of its own, which needs no rights where users may make one.
        inside = f"cat /dev/zero > disk/filler 2>/dev/null; echo $$; {COMMAND}"
        command = self.sh(
            f"exec unshare -rm sh -c '{mount} && {{ {inside} --max-delay 0.2"
            f" --endpoint unix:{self.ovs.unix} --events disk/ev.jsonl; }}'"
        )
        (first,) = await command.output.takeSome(1)
        pid = int(first)
        self.path = Path(f"/proc/{pid}/root{disk.absolute()}/ev.jsonl")
        log = await command.output.until(lambda line: "No space left on device" in line)
        log += await command.output.until(lambda line: "in sync" in line)
        await self.addPort("tapA")
        await self.vsctl("del-port tap1")
        (self.path.parent / "filler").unlink()
        log += await command.output.until(lambda line: "there is room again" in line)
        errors = [line for line in log if "#error" in line]
        self.assertEqual(len(errors), 2, errors)
        await self.assertFolds()
        self.assertEqual(self.names()[0], "started")

    async def test_otherFault(self) -> None:
        """
        What cannot be written for another reason ends the command with status 1
        and an error.
        """
        command = self.monitor("--events /dev/full")
        self.assertEqual(await command.ended, 1)
        (line,) = [line for line in command.output.take() if "stopping" in line]
        self.assertIn("#error] --events /dev/full: No space left on device: stopping", line)


class OpeningTests(EventsFileTestCase):
    """
    Tests for how the file is opened.
    """

    async def test_once(self) -> None:
        """
        The reader that waits at a named pipe gets everything: the pipe is opened
        once.
        """
        os.mkfifo(self.folder / "pipe")
        reader = self.sh("exec cat pipe")
        await self.started("--events pipe")
        lines = await reader.output.until(lambda line: '"synchronized"' in line)
        self.assertEqual(json.loads(lines[0])["event"], "started")

    async def test_mistake(self) -> None:
        """
        A file that cannot be opened is one line on standard error, and status 1.
        No pidfile is left.
        """
        for path, reason in (("missing/ev.jsonl", "No such file"), (".", "Is a directory")):
            command = self.sh(
                "exec twistd -n --pidfile=t.pid ovsdb-monitor"
                f" --endpoint unix:{self.ovs.unix} --events {path}"
            )
            self.assertEqual(await command.ended, 1)
            (line,) = command.log.take()
            self.assertRegex(line, f"^twistd ovsdb-monitor: --events .*: {reason}")
            self.assertFalse((self.folder / "t.pid").exists())

    async def test_user(self) -> None:
        """
        With C{--uid}, the file belongs to that user: it is opened after
        privileges are dropped.
        """
        if os.getuid() != 0:
            return  # Nobody else may change the user.
        nobody = pwd.getpwnam("nobody")
        writable = self.folder / "writable"
        writable.mkdir()
        os.chown(writable, nobody.pw_uid, nobody.pw_gid)
        self.path = writable / "ev.jsonl"
        for folder in (self.folder.absolute(), *self.folder.absolute().parents[:-1]):
            folder.chmod(folder.stat().st_mode | 0o011)
        await deferToThread(os.chmod, self.ovs.unix, 0o777)
        command = self.sh(
            f"exec twistd -n --pidfile= --uid {nobody.pw_uid} --gid {nobody.pw_gid}"
            f" ovsdb-monitor --endpoint unix:{self.ovs.unix} --events writable/ev.jsonl"
        )
        await command.output.until(lambda line: "set uid/gid" in line)
        await self.until(lambda: "started" in self.text())
        self.assertEqual(self.path.stat().st_uid, nobody.pw_uid)

    async def test_closedStandardOutput(self) -> None:
        """
        C{--events - >&-} is one line, and status 1.
        """
        command = self.sh(f"{COMMAND} --endpoint unix:{self.ovs.unix} --events - >&-")
        self.assertEqual(await command.ended, 1)
        self.assertEqual(
            command.log.take(), ["twistd ovsdb-monitor: --events -: standard output is closed"]
        )

    async def test_readerThatLeaves(self) -> None:
        """
        The reader of a pipe of the shell, as in C{--events >(head -1)}, is
        noticed when it leaves.
        """
        command = self.sh(
            f"exec bash -c '{COMMAND} --endpoint unix:{self.ovs.unix} --events >(head -1)'"
        )
        self.assertEqual(await command.ended, 0)
        self.assertTrue(
            any("the reader is gone: stopping" in line for line in command.output.take())
        )

    async def test_standardOutput(self) -> None:
        """
        C{/dev/stdout} is standard output, as C{-}: nothing else is written there.
        """
        command = self.monitor("--events /dev/stdout")
        lines = await command.output.until(lambda line: '"synchronized"' in line)
        self.assertTrue(all("event" in json.loads(line) for line in lines))
        self.assertEqual(json.loads(lines[0])["event"], "started")

    async def test_appended(self) -> None:
        """
        With C{>>} of the shell too, an unfinished line of an earlier life is ended.
        """
        self.path.write_text('{"event":"onl')
        self.sh(f"{COMMAND} --endpoint unix:{self.ovs.unix} --events - >>ev.jsonl")
        await self.until(lambda: '"synchronized"' in self.text())
        self.assertTrue(self.text().startswith('{"event":"onl\n{"event":"started"'))
        await self.assertFolds()

    async def test_noStandardError(self) -> None:
        """
        If standard error is closed, the events still come.
        """
        command = self.monitor("--events - 2>&-")
        await command.output.until(lambda line: '"synchronized"' in line)

    async def test_terminal(self) -> None:
        """
        A terminal that shows nothing more, as when the network to it is lost, does
        not stop the command: a signal still ends it.
        """
        screen, terminal = os.openpty()
        self.addCleanup(os.close, screen)
        self.addCleanup(os.close, terminal)
        note = "x" * 500
        ports = (
            f"-- add-port br-int t{n} -- set Interface t{n} external_ids:note={note}"
            f" external_ids:iface-id={n}"
            for n in range(200)
        )
        await self.vsctl("show " + " ".join(ports))
        command = self.monitor(f"--events - >{os.ttyname(terminal)}")
        await command.log.until(lambda line: "in sync" in line)
        command.signal(SIGINT)
        await command.ended
        self.assertTrue(any("could not be written" in line for line in command.log.everything))

    async def test_two(self) -> None:
        """
        Two files get all lines. The same file twice is a mistake.
        """
        command = await self.started("--events one.jsonl --events two.jsonl")
        command.signal(SIGINT)
        await command.ended
        one, two = (self.names(self.folder / f"{name}.jsonl") for name in ("one", "two"))
        self.assertEqual(one, two)
        self.assertIn("synchronized", one)
        again = self.monitor("--events one.jsonl --events ./one.jsonl")
        self.assertEqual(await again.ended, 1)
        self.assertIn("is the same file as --events one.jsonl", "".join(again.log.take()))

    async def test_twist(self) -> None:
        """
        Twisted's other runner, C{twist}, writes events to standard output and the
        log to standard error.
        """
        command = self.sh(f"exec twist ovsdb-monitor --endpoint unix:{self.ovs.unix} --events -")
        lines = await command.output.until(lambda line: '"synchronized"' in line)
        self.assertEqual(json.loads(lines[0])["event"], "started")
        command.signal(SIGINT)
        await command.ended
        self.assertTrue(all("event" in json.loads(line) for line in command.output.everything))
        self.assertTrue(any("in sync" in line for line in command.log.everything))

    async def test_twistMistakes(self) -> None:
        """
        C{twist} ends with status 1 too, if the file cannot be opened, and if it
        cannot be written to.
        """
        twist = f"exec twist ovsdb-monitor --endpoint unix:{self.ovs.unix} --events"
        missing = self.sh(f"{twist} missing/ev.jsonl")
        self.assertEqual(await missing.ended, 1)
        (line,) = missing.log.take()
        self.assertIn("missing/ev.jsonl: cannot be opened: No such file or directory", line)
        self.assertEqual(await self.sh(f"{twist} /dev/full").ended, 1)

    async def test_limits(self) -> None:
        """
        Two files that can both not be written to any more, here because of
        C{ulimit -f}, are two errors without a traceback, and status 1.
        """
        command = self.sh(
            f"ulimit -f 1; {COMMAND} --endpoint unix:{self.ovs.unix}"
            " --events one.jsonl --events two.jsonl"
        )
        self.assertEqual(await command.ended, 1)
        errors = [line for line in command.output.take() if "#error" in line]
        self.assertEqual(len(errors), 2, errors)
        self.assertTrue(all("File too large: stopping" in line for line in errors))
        self.assertEqual(command.log.take(), [])


class CharacterTests(EventsFileTestCase):
    """
    Tests for names that not every encoding has.
    """

    async def test_log(self) -> None:
        """
        On a standard output that is ASCII or Latin-1, the line of a VM with
        another name is there, with escapes.
        """
        name = "порт-1"
        await self.addPort(name)
        for encoding in ("ascii", "latin-1", "utf-8"):
            command = self.sh(
                f"PYTHONIOENCODING={encoding} {COMMAND} --endpoint unix:{self.ovs.unix}"
            )
            lines = await command.output.until(lambda line: "synchronized" in line)
            shown = (
                name if encoding == "utf-8" else name.encode("ascii", "backslashreplace").decode()
            )
            self.assertTrue(any(f"vm {shown} online" in line for line in lines), (encoding, lines))

    async def test_lines(self) -> None:
        """
        JSON Lines are ASCII: no program takes a character for the end of a line.
        """
        await self.vsctl("set Interface tap1 external_ids:note=a\u2028b\u0085\u00fc")
        await self.started()
        self.assertTrue(self.path.read_bytes().isascii())
        await self.assertFolds()
