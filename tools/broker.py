# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A private NATS server with JetStream, in a scratch folder. It listens on loopback, is
ended by its pid, and the folder is removed.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tools.openvswitch import freePort

PATIENCE = 10.0
"""Seconds that the server may need to start or to end."""


def missing() -> list[str]:
    """The programs that are not on this machine."""
    return [] if shutil.which("nats-server") else ["nats-server"]


class PrivateBroker:
    """
    One nats-server.

    @ivar folder: the scratch folder; what it stores is in it.
    @ivar port: its TCP port on 127.0.0.1.
    """

    def __init__(self, configuration: str = "") -> None:
        """@param configuration: more lines of its configuration."""
        self.folder = Path(tempfile.mkdtemp(prefix="ovsdb-nats-"))
        self.port = freePort()
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        path = self.folder / "nats.conf"
        path.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self.folder / "store"}" }}\n{self._configuration}\n',
            "utf-8",
        )
        with open(self.folder / "nats.log", "ab") as log:
            self._process = subprocess.Popen(
                ["nats-server", "-c", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C must reach only the program that started this one.
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((self.folder / "nats.log").read_text("utf-8"))
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as found:
                return found.recv(5) == b"INFO "
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it with SIGKILL; what it has stored stays."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it, and remove the folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
