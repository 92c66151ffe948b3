# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Ports with traffic: ovs-vswitchd writes their statistics every five seconds.
The server reports that to a client that monitors all columns, and not to a
client that monitors the default columns. Polling costs CPU in any case.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.clients.figures import processorTime
from benchmarks.database import interfaceRow
from benchmarks.processes import client, note, running
from tools.openvswitch import PrivateOpenVSwitch

PORTS = 100

SECONDS = 45

QUICK_SECONDS = 15

INTERVAL = 1.0
"""Seconds between two packets of one port. Statistics are written less often."""

PACKET = "ffffffffffff" + "fa163e000001" + "0800" + "00" * 50
"""An Ethernet frame in hexadecimal digits."""


def measure(quick: bool, pyovs: bool) -> dict[str, Any]:
    """
    Bytes in a minute with the default columns and with all; CPU of client and
    server in a minute, monitoring and polling.
    """
    seconds = QUICK_SECONDS if quick else SECONDS
    with running(PrivateOpenVSwitch(tcp=True)) as (switch, port):
        names = _addPorts(switch)
        with _traffic(switch, names):
            note(f"statistics: bytes in {seconds} s")
            found: dict[str, Any] = {"bytes": _countBytes(port, seconds)}
            found["cpu"] = {"nobody": _cpuOfNobody(switch, QUICK_SECONDS)}
            note(f"statistics: CPU of this package's monitor in {seconds} s")
            found["cpu"]["ours"] = _cpuOfOurs(switch, port, seconds)
            for name in ("vsctl", "select"):
                # Half the time is enough, because all polls cost the same.
                note(f"statistics: CPU of polling with {name} in {seconds // 2} s")
                found["cpu"][name] = _cpuOfPolling(switch, port, name, seconds // 2)
    return found


def _addPorts(switch: PrivateOpenVSwitch) -> list[str]:
    commands = ["add-br", "br-int"]
    names = []
    for number in range(PORTS):
        row: Any = interfaceRow(number)
        names.append(row["name"])
        commands += ["--", "add-port", "br-int", row["name"]]
        commands += ["--", "set", "Interface", row["name"]]
        commands += [
            f"external_ids:{key}={json.dumps(value)}" for key, value in row["external_ids"][1]
        ]
    switch.vsctl(*commands)
    return names


@contextlib.contextmanager
def _traffic(switch: PrivateOpenVSwitch, names: list[str]) -> Iterator[None]:
    """
    Send packets to all ports while the block runs.
    """
    ended = threading.Event()
    failures: list[Exception] = []

    def send() -> None:
        try:
            while not ended.is_set():
                for name in names:
                    _receivePacket(control, name)
                    # Spread the packets over the interval.
                    if ended.wait(INTERVAL / len(names)):
                        return
        except Exception as e:
            failures.append(e)

    # This does what ovs-appctl does, without a process for each packet.
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(switch.folder / "ovs-vswitchd.ctl"))
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
    if failures:
        raise failures[0]


def _receivePacket(control: socket.socket, name: str) -> None:
    request = {"method": "netdev-dummy/receive", "params": [name, PACKET], "id": 0}
    control.sendall(json.dumps(request).encode())
    reply = b""
    while not reply.endswith(b"}"):
        chunk = control.recv(4096)
        if not chunk:
            raise ConnectionError("ovs-vswitchd closed its control socket")
        reply += chunk
    error = json.loads(reply)["error"]
    if error is not None:
        raise RuntimeError(f"netdev-dummy/receive {name}: {error}")


def _countBytes(port: int, seconds: int) -> dict[str, float]:
    with (
        client("floor", "count", port, "default", seconds) as default,
        client("floor", "count", port, "all", seconds) as everything,
    ):
        counters = {"default": default, "all": everything}
        for counter in counters.values():
            counter.hear()
        return {name: counter.hear()["bytes"] / seconds * 60 for name, counter in counters.items()}


def _cpuOfNobody(switch: PrivateOpenVSwitch, seconds: int) -> dict[str, float]:
    pid = switch.pid("ovsdb-server")
    before = processorTime(pid)
    time.sleep(seconds)
    return {"client": 0.0, "server": (processorTime(pid) - before) / seconds * 60}


def _cpuOfOurs(switch: PrivateOpenVSwitch, port: int, seconds: int) -> dict[str, float]:
    with client("ours", "stay", port) as process:
        process.hear()
        pids = {"client": process.pid, "server": switch.pid("ovsdb-server")}
        before = {name: processorTime(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        return {
            name: (processorTime(pid) - before[name]) / seconds * 60 for name, pid in pids.items()
        }


def _cpuOfPolling(
    switch: PrivateOpenVSwitch, port: int, name: str, seconds: int
) -> dict[str, float]:
    pid = switch.pid("ovsdb-server")
    with client("polling", name, port, seconds) as process:
        process.hear()
        before = processorTime(pid)
        figures = process.hear()
        server = processorTime(pid) - before
    # One poll stands for one second.
    return {
        "client": figures["cpu"] / figures["polls"] * 60,
        "server": server / figures["polls"] * 60,
    }
