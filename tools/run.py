# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{make run}: runs the monitor in the foreground.

It watches the ovsdb-server on tcp:127.0.0.1:6640 if there is one, or else the
one on the usual unix socket, and changes nothing there. If there is none, it
plays a scene on a private Open vSwitch, in which every kind of event happens. If
Open vSwitch cannot be installed either, it plays the scene on a server in memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.openvswitch import PrivateOpenVSwitch, missing
from tools.scene import addVM, begin, finish, removeVM

LOCAL = ("127.0.0.1", 6640)

SOCKETS = ("/var/run/openvswitch/db.sock", "/run/openvswitch/db.sock")
"""Where Open vSwitch puts the socket of ovsdb-server, if OVS_RUNDIR says nothing else."""

INSTALL = str(Path(__file__).with_name("install-openvswitch"))

OPTIONS = ("--bridges", "--http", "0")
"""What is shown beside the events: on which bridge a port is, and the page."""

PAUSE = 3.0
"""Seconds between two changes of the scene: time to read a line."""


def found() -> str | None:
    """
    Where an OVSDB server answers on this host: on the port of the specification, or
    on the usual socket.
    """
    rundir = os.environ.get("OVS_RUNDIR")
    paths = (f"{rundir}/db.sock",) if rundir else SOCKETS
    places: list[tuple[str, int, Any]] = [("tcp:{}:{}".format(*LOCAL), socket.AF_INET, LOCAL)]
    places += [(f"unix:{path}", socket.AF_UNIX, path) for path in paths]
    return next((text for text, family, where in places if answers(family, where)), None)


def answers(family: int, address: Any) -> bool:
    """
    Whether an OVSDB server answers at an address.
    """
    with contextlib.suppress(OSError), socket.socket(family) as server:
        server.settimeout(2)
        server.connect(address)
        server.sendall(b'{"method":"echo","params":[],"id":0}')
        return server.recv(1) == b"{"
    return False


def watch(endpoint: str) -> subprocess.Popen[bytes]:
    """
    Start the monitor with the command that an operator uses. The log says where its
    page is.
    """
    twistd = str(Path(sys.executable).with_name("twistd"))
    return begin(twistd, "-n", "--pidfile=", "ovsdb-monitor", "--endpoint", endpoint, *OPTIONS)


@contextlib.contextmanager
def inMemory() -> Iterator[str]:
    """
    Play the scene on a server in memory, in another process.

    @return: a context manager that gives the path of the server's socket.
    """
    with tempfile.TemporaryDirectory(prefix="ovsdb-") as folder:
        path = Path(folder, "db.sock")
        scene = subprocess.Popen(
            [sys.executable, "-m", "tools.memoryscene", str(path), str(PAUSE)],
            start_new_session=True,
        )
        try:
            while not path.exists() and scene.poll() is None:
                time.sleep(0.05)
            yield str(path)
        finally:
            scene.kill()
            scene.wait()


def furnish(switch: PrivateOpenVSwitch) -> None:
    """
    Make two bridges, a VM, a tunnel and a pair of patch ports.
    """
    switch.vsctl("add-br", "br-int", "--", "add-br", "br-ex")
    switch.vsctl(
        *("add-port", "br-int", "tap-web", "--", "set", "Interface", "tap-web"),
        "external_ids:iface-id=0e9f6b40-5d1c-4f0f-9a62-5a3c7a1b2c01",
        "external_ids:attached-mac=fa\\:16\\:3e\\:00\\:00\\:01",
    )
    switch.vsctl(
        *("add-port", "br-int", "df-chassis2", "--", "set", "Interface", "df-chassis2"),
        *("type=geneve", "options:remote_ip=192.0.2.2", "options:key=flow"),
    )
    switch.vsctl(
        *("add-port", "br-int", "patch-ex", "--", "set", "Interface", "patch-ex"),
        *("type=patch", "options:peer=patch-int", "--"),
        *("add-port", "br-ex", "patch-int", "--", "set", "Interface", "patch-int"),
        *("type=patch", "options:peer=patch-ex"),
    )


def play(switch: PrivateOpenVSwitch, monitor: subprocess.Popen[bytes]) -> None:
    """
    Boot and remove a VM every few seconds, until the monitor ends.
    """
    number = 0
    while True:
        number += 1
        for change in (addVM(number), removeVM(number)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                monitor.wait(PAUSE)
                return
            switch.vsctl(*change)


def main() -> int:
    """
    Run until Ctrl-C.
    """
    # After SIGTERM, too, the private switch must be stopped and removed.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with contextlib.ExitStack() as cleanup:
        switch = None
        endpoint = found()
        if endpoint is not None:
            print(f"watching the ovsdb-server on {endpoint}; Ctrl-C ends", flush=True)
        elif subprocess.call([INSTALL]) != 0 or missing():
            print(
                "no ovsdb-server on tcp:127.0.0.1:6640 or on the usual socket, and no Open"
                f" vSwitch to start a private one (missing: {', '.join(missing())}): this is a"
                " server in memory",
                flush=True,
            )
            endpoint = f"unix:{cleanup.enter_context(inMemory())}"
            print(f"watching {endpoint}; a VM comes and goes; Ctrl-C ends", flush=True)
        else:
            print(
                "no ovsdb-server on tcp:127.0.0.1:6640 or on the usual socket: starting a private"
                " one",
                flush=True,
            )
            switch = PrivateOpenVSwitch()
            cleanup.callback(switch.stop)
            try:
                switch.start()
                furnish(switch)
            except KeyboardInterrupt:
                return 0
            endpoint = f"unix:{switch.unix}"
            print(f"watching {endpoint}; a VM comes and goes; Ctrl-C ends", flush=True)
        monitor = watch(endpoint)
        cleanup.callback(finish, monitor)
        with contextlib.suppress(KeyboardInterrupt):
            if switch is None:
                return monitor.wait()
            play(switch, monitor)
    return 0


if __name__ == "__main__":
    sys.exit(main())
