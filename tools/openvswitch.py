# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A private Open vSwitch: a real ovsdb-server and a real ovs-vswitchd on dummy
devices, in a scratch folder. It needs neither root nor a kernel module.

C{make run}, the live tests and the benchmarks use it. Each process is ended by
its pid, and the folder is removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")

PATIENCE = 20.0
"""Seconds that a daemon may need to start or to end."""


def missing() -> list[str]:
    """
    The programs of Open vSwitch that are not on this machine.
    """
    programs = ("ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl")
    return [name for name in programs if shutil.which(name) is None]


class PrivateOpenVSwitch:
    """
    One ovsdb-server, with or without an ovs-vswitchd.

    @ivar folder: the scratch folder.
    @ivar unix: the path of the database's unix socket.
    @ivar port: the TCP port on 127.0.0.1, or None.
    """

    def __init__(self, tcp: bool = False, vswitchd: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ovsdb-"))
        self.unix = str(self.folder / "db.sock")
        self.port = freePort() if tcp else None
        self.database = str(self.folder / "conf.db")
        self._vswitchd = vswitchd
        self._listening = self.unix
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """
        Make an empty database and start the daemons.
        """
        self.createDatabase()
        self.startServer()
        self.vsctl("--no-wait", "init")
        if self._vswitchd:
            self.startVswitchd()

    def createDatabase(self) -> None:
        """
        Make an empty database. It replaces an existing one.
        """
        for leftover in (self.database, self.folder / ".conf.db.~lock~"):
            Path(leftover).unlink(missing_ok=True)
        self.run("ovsdb-tool", "create", self.database, str(SCHEMA))

    def startServer(self, *options: str, hidden: bool = False) -> None:
        """
        Start ovsdb-server and wait until it answers.

        @param hidden: whether it listens only for L{vsctl}. Then the database
            can be changed during an outage of all other clients.
        """
        self._listening = str(self.folder / "hidden.sock") if hidden else self.unix
        Path(self._listening).unlink(missing_ok=True)
        remotes = [f"--remote=punix:{self._listening}"]
        if self.port is not None and not hidden:
            remotes.append(f"--remote=ptcp:{self.port}:127.0.0.1")
        self._spawn("ovsdb-server", *remotes, *options, self.database)
        self._await("ovsdb-server", lambda: _answers(self._listening))

    def startVswitchd(self) -> None:
        """
        Start ovs-vswitchd on dummy devices and wait until it has read the
        database.
        """
        self._spawn(
            "ovs-vswitchd",
            f"unix:{self.unix}",
            "--enable-dummy=override",
            "--disable-system",
            "--disable-system-route",
            f"--pidfile={self.folder / 'ovs-vswitchd.pid'}",
        )
        control = self.folder / "ovs-vswitchd.ctl"
        self._await("ovs-vswitchd", control.exists)

    def signal(self, name: str, number: int) -> None:
        """
        Send a daemon a signal.
        """
        self._processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """
        End a daemon with SIGKILL.
        """
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def exit(self, name: str) -> None:
        """
        Ask a daemon to end and wait until it has.
        """
        self.appctl(name, "exit")
        self._processes.pop(name).wait(PATIENCE)

    def stop(self) -> None:
        """
        End the daemons and remove the folder.
        """
        for name in reversed(tuple(self._processes)):
            process = self._processes.pop(name)
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(PATIENCE / 4)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pid(self, name: str) -> int:
        """
        A daemon's process id.
        """
        return self._processes[name].pid

    def vsctl(self, *arguments: str) -> str:
        """
        Run ovs-vsctl and return what it prints.
        """
        wait = () if self._vswitchd else ("--no-wait",)
        return self.run(
            "ovs-vsctl", f"--db=unix:{self._listening}", "--timeout=30", *wait, *arguments
        )

    def appctl(self, daemon: str, *arguments: str) -> str:
        """
        Run ovs-appctl on one of the daemons and return what it prints.
        """
        return self.run("ovs-appctl", "-t", str(self.folder / f"{daemon}.ctl"), *arguments)

    def run(self, *command: str) -> str:
        """
        Run a program of Open vSwitch with the environment of this switch.
        """
        done = subprocess.run(
            command,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def log(self, name: str) -> str:
        """
        What a daemon has logged.
        """
        return (self.folder / f"{name}.log").read_text("utf-8")

    def _spawn(self, name: str, *arguments: str) -> None:
        self._processes[name] = subprocess.Popen(
            [
                name,
                *arguments,
                f"--unixctl={self.folder / name}.ctl",
                f"--log-file={self.folder / name}.log",
                "-vconsole:off",
            ],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C must reach only the program that started this one, which
            # then stops it.
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            **os.environ,
            "OVS_RUNDIR": folder,
            "OVS_LOGDIR": folder,
            "OVS_DBDIR": folder,
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
        }

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self._processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended: {self.log(name)}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not answer: {self.log(name)}")
            time.sleep(0.01)


def freePort() -> int:
    """
    A TCP port on 127.0.0.1 that nothing uses.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
