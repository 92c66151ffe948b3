# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A day of an operator, in one run: a full disk, rotation, a file that is removed, a
bridge whose type changes, another system-id, ovs-vswitchd killed, a process killed
in the middle of a line. The events file adds up to the table at the end.
"""

from __future__ import annotations

from pathlib import Path
from signal import SIGHUP, SIGKILL

from twisted.internet.threads import deferToThread

from tests.live.commandcase import COMMAND, Command
from tests.live.test_eventsfile import EventsFileTestCase


class TourTests(EventsFileTestCase):
    """
    The tour.
    """

    vswitchd = True
    timeout = 120

    async def runOnDisk(self) -> tuple[Command, int]:
        """
        Run the command with a file on a small disk of its own, which is full.

        @return: the command and the process that has the disk.
        """
        disk = self.folder / "disk"
        disk.mkdir()
        mount = f"mount -t tmpfs -o size=256k none {disk.absolute()}"
        command = self.sh(
            f"exec unshare -rm sh -c '{mount} && {{ cat /dev/zero > disk/filler 2>/dev/null;"
            f" echo $$; {COMMAND} --max-delay 0.2 --identify --endpoint unix:{self.ovs.unix}"
            " --events disk/ev.jsonl; }'"
        )
        (first,) = await command.output.takeSome(1)
        return command, int(first)

    async def test_tour(self) -> None:
        """
        Each part of the tour, and what the files say after it.
        """
        command, pid = await self.runOnDisk()
        root = Path(f"/proc/{pid}/root{(self.folder / 'disk').absolute()}")
        self.path = root / "ev.jsonl"
        await command.output.until(lambda line: "No space left on device" in line)
        await self.addPort("tapA")
        (root / "filler").unlink()
        await command.output.until(lambda line: "there is room again" in line)
        await self.assertFolds()

        self.path.rename(root / "ev.jsonl.1")
        command.signal(SIGHUP)
        await self.addPort("tapB")
        await self.until(lambda: "tapB" in self.text())
        await self.assertFolds()
        self.path.unlink()
        await self.until(lambda: self.path.exists() and "synchronized" in self.text())
        await self.assertFolds()

        await self.vsctl("set Interface br-int type=gre options:remote_ip=192.0.2.1")
        await self.vsctl("del-port tapA")
        await self.assertFolds()
        before = self.text()
        await self.vsctl("set Open_vSwitch . external_ids:system-id=sw-a external_ids:hostname=h1")
        await self.until(lambda: '"switch":"sw-a"' in self.text().splitlines()[-1])
        await self.assertFolds()
        self.assertNotIn("sw-a", before)

        await deferToThread(self.ovs.kill, "ovs-vswitchd")
        await self.vsctl(
            "--no-wait add-port br-int tapC -- set Interface tapC external_ids:iface-id=c"
        )
        await self.assertFolds()
        await deferToThread(self.ovs.startVswitchd)
        await self.until(
            lambda: '"name":"tapC"' in self.text() and '"became_ready":true' in self.text()
        )
        await self.assertFolds()

        whole = self.text()
        command.signal(SIGKILL)
        await command.ended
        self.path = self.folder / "ev.jsonl"
        self.path.write_text(f'{whole}{{"event":"off')
        await self.vsctl("del-port tapB")
        await self.started("--identify --events ev.jsonl")
        await self.assertFolds()
