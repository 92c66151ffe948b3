# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The scene of a fleet: a broker, switches, and monitors that share them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.soak.survival import CHECKOUT, TWISTD
from tools.broker import PrivateBroker
from tools.openvswitch import PrivateOpenVSwitch, freePort

FENCED: Final = ": another instance has taken over\n"
"""How the line ends that says that the broker has refused a message."""


class FleetSwitch(PrivateOpenVSwitch):
    """
    An ovsdb-server without an ovs-vswitchd.

    @ivar tcp: the port on which it probes its clients; None: it has none.
    @ivar key: its system-id, which begins with C{tcp} or C{unix}.
    """

    def __init__(self, tcp: bool, probe: int | None = None) -> None:
        """
        @param probe: milliseconds after which a silent client is probed, and after twice
            as many dropped; None: as by default.
        """
        super().__init__(tcp=False, vswitchd=False)
        self.tcp = freePort() if tcp else None
        self.key = f"{'tcp' if tcp else 'unix'}:{self.folder.name}"
        self._probe = probe

    def start(self) -> None:
        """Make an empty database and start the server."""
        self.createDatabase()
        self.startServer("--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
        self.vsctl("set", "Open_vSwitch", ".", f'external_ids:system-id="{self.key}"')
        if self.tcp is not None:
            self.vsctl("set-manager", f"ptcp:{self.tcp}:127.0.0.1")
            if self._probe is not None:
                self.vsctl("set", "manager", ".", f"inactivity_probe={self._probe}")


class FleetMonitor:
    """
    A monitor in a process of its own.

    @ivar name: its C{--instance}.
    """

    def __init__(self, name: str, folder: Path, url: str, endpoints: Sequence[str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        where = [text for each in endpoints for text in ("--endpoint", each)]
        command = ["-c", TWISTD, "-n", "--pidfile=", "ovsdb-monitor", *where]
        command += ["--publish", url, "--instance", name, "--max-delay", "0.5"]
        self._command = [sys.executable, *command]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def died(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        """End it with SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def links(self) -> set[int]:
        """The ports of its own ends of its TCP connections."""
        inodes = set()
        for each in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(each)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
        return {int(row[1].partition(":")[2], 16) for row in rows if row[9] in inodes}


class FleetScene:
    """
    A broker, switches and monitors.

    @ivar folder: what monitors have logged is in it.
    """

    def __init__(self, switches: Sequence[FleetSwitch]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fleet-"))
        self.broker = PrivateBroker()
        self.switches = switches
        self.monitors: list[FleetMonitor] = []

    def start(self) -> None:
        """Start the broker and the switches."""
        self.broker.start()
        for switch in self.switches:
            switch.start()

    def count(self, text: str) -> int:
        """How often monitors have logged this."""
        return sum(m.log.read_text("utf-8", "replace").count(text) for m in self.monitors)

    def stop(self) -> None:
        """End all, and remove the folders."""
        for monitor in self.monitors:
            monitor.kill()
        for switch in self.switches:
            switch.stop()
        self.broker.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
