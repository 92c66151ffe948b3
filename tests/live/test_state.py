# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{--state} of the command on a real server, while operators rotate its file, and with
disks that refuse.
"""

from __future__ import annotations

import json
from signal import SIGHUP, SIGKILL, SIGTERM

from tests.live.commandcase import COMMAND
from tests.live.test_eventsfile import EventsFileTestCase

OPTIONS = "--events ev.jsonl --state state"


class RestartTests(EventsFileTestCase):
    """
    The end of the process, and what the next one tells.
    """

    async def test_killed(self) -> None:
        """
        What vanishes while no process runs goes offline in the next one, and
        nothing is told twice.
        """
        command = await self.started(OPTIONS)
        await self.addPort("tapA")
        await self.until(lambda: "tapA" in self.text())
        command.signal(SIGKILL)
        await command.ended
        before = len(self.text().splitlines())
        await self.vsctl("del-port tapA")
        await self.addPort("tapB")
        await self.started(f"{OPTIONS} --no-replay")
        await self.until(lambda: "resync" in self.text())
        await self.assertFolds()
        events = [json.loads(line) for line in self.text().splitlines()[before:]]
        told = [(e["event"], e.get("interface", {}).get("name"), e.get("cause")) for e in events]
        self.assertEqual(
            told,
            [
                ("started", None, None),
                ("offline", "tapA", "resync"),
                ("online", "tapB", "resync"),
                ("synchronized", None, "resync"),
            ],
        )
        self.assertTrue(events[0]["resumed"])

    async def test_rotated(self) -> None:
        """
        Over a rotation, each event is in one of the files, and the new one alone has
        everything too: also with C{--no-replay}, and if no process ran then.
        """
        command = await self.started(f"{OPTIONS} --no-replay")
        old = self.folder / "ev.jsonl.1"
        self.path.rename(old)
        command.signal(SIGHUP)
        await self.until(lambda: self.names()[-1:] == ["synchronized"])
        await self.assertFolds()
        await self.assertFolds(old, self.path)
        command.signal(SIGTERM)
        await command.ended
        self.path.rename(self.folder / "ev.jsonl.2")
        await self.vsctl("del-port tap1")
        await self.started(f"{OPTIONS} --no-replay")
        await self.until(lambda: self.names()[-1:] == ["synchronized"])
        await self.assertFolds()
        await self.assertFolds(old, self.folder / "ev.jsonl.2", self.path)

    async def test_F92_second(self) -> None:
        """
        A second process is refused in one line, with status 1.
        """
        await self.started(OPTIONS)
        second = self.monitor("--events other.jsonl --state state")
        self.assertEqual(await second.ended, 1)
        (line,) = second.log.take()
        self.assertRegex(line, r"^twistd ovsdb-monitor: --state /.*: another process uses it$")

    async def test_noFile(self) -> None:
        """
        If the events file cannot be opened, that is one line, and the process ends: the
        thread for the disk does not keep it.
        """
        command = self.monitor("--events nowhere/ev.jsonl --state state")
        self.assertEqual(await command.ended, 1)
        (line,) = command.log.take()
        self.assertIn("cannot be opened: No such file or directory", line)


class DiskTests(EventsFileTestCase):
    """
    Disks that refuse.
    """

    async def refused(self, size: str, more: str = "") -> str:
        """
        Run the command with a state on a small disk of its own.
        """
        disk = self.folder / "disk"
        disk.mkdir()
        mount = f"mount -t tmpfs -o size={size} none {disk.absolute()}"
        command = self.sh(
            f"exec unshare -rm sh -c '{mount} && {more} && {COMMAND}"
            f" --endpoint unix:{self.ovs.unix} --events ev.jsonl --state disk/state'"
        )
        self.assertEqual(await command.ended, 1)
        (line,) = command.log.take()
        return line

    async def test_F94_readOnly(self) -> None:
        """
        A read-only file system is refused in one line.
        """
        line = await self.refused("1m", f"mount -o remount,ro {self.folder.absolute()}/disk")
        self.assertIn("/disk/state: cannot be used: Read-only file system", line)
