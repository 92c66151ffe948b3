# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Several monitors that speak as one, through a real nats-server on loopback:

    python -m benchmarks.fleet [--quick] [--only rates|late|fleet]

  - rates: one monitor publishes 2,000 and 5,000 events a second, of 1 and of 8 switches;
  - late: a reader that comes when 20,000 interfaces are there;
  - fleet: three monitors share 300 switches; one is killed, and started again.

The switches are played by one process (C{clients/herd.py}). The broker, the switches and
the monitors share the cores of this machine. The figures go to standard output, as
Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import fleetreport, published
from benchmarks.clients.figures import percentile, processorTime
from benchmarks.processes import PATIENCE, ROOT, Client, Figures, note
from tools.broker import PrivateBroker, missing
from tools.openvswitch import freePort

RATES: Final = (2_000, 5_000)
SWITCHES: Final = (1, 8)
SECONDS: Final = 10
QUICK_SECONDS: Final = 3

ROUNDS: Final = 3
"""Rounds of the rates. The best figure of them counts: others use the cores too."""

PRESENT: Final = 100
"""Interfaces of each switch that are there all the time."""

LATE_SWITCHES: Final = 20
LATE_INTERFACES: Final = 1_000

MONITORS: Final = 3
FLEET: Final = 300

REST: Final = 20
"""Seconds at rest, and of a little churn."""

SETTLE: Final = 3.0
"""Seconds after which everything has been written."""

STILL: Final = 30.0
"""Seconds without a change of hands, after which the balance is final."""

BALANCE: Final = 300.0
"""Seconds that the balance may take."""


class Herd(Client):
    """The switches."""

    def __init__(self, ports: list[int], switches: int, interfaces: int, folder: Path) -> None:
        self.name = "herd"
        self._done = False
        self._folder = folder
        arguments = (",".join(map(str, ports)), switches, interfaces, folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.clients.herd", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.hear()

    def ask(self, *command: object) -> Figures:
        """Give a command, and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(map(str, command)) + "\n").encode())
        self._process.stdin.flush()
        return self.hear()

    def churn(self, rate: float, seconds: float) -> Figures:
        """Let ports come and go. @return: its figures, and when each port was removed."""
        figures = self.ask("churn", rate, seconds)
        removed = json.loads((self._folder / "removed.json").read_text("utf-8"))
        return {**figures, "removed": removed}

    def end(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        super().end()
        self._process.stdin.close()


class Monitor:
    """
    The command that publishes, as a process.

    @ivar port: where switches dial in.
    """

    def __init__(self, number: int, url: str, folder: Path, fleet: int) -> None:
        self.name = f"m{number}"
        self.port, self._web = freePort(), freePort()
        self._stalls = folder / f"{self.name}.stall"
        self._log = folder / f"{self.name}.log"
        self._command = [
            *(sys.executable, "-m", "benchmarks.clients.stalls", str(self._stalls)),
            *("-n", "--pidfile=", "ovsdb-monitor", f"--listen=ptcp:{self.port}:127.0.0.1"),
            *(f"--publish={url}", f"--instance={self.name}", f"--fleet={fleet}"),
            *(("--http", str(self._web)) if fleet > 1 else ()),
        ]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with open(self._log, "ab") as log:
            before = log.tell()
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + PATIENCE
        while b"starting on" not in (text := self._log.read_bytes()[before:]):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(text.decode())
            time.sleep(0.05)

    @property
    def cpu(self) -> float:
        """Its CPU time, in seconds."""
        return processorTime(self._process.pid)

    @property
    def memory(self) -> int:
        """Its resident memory, in bytes."""
        return resident(self._process.pid)

    @property
    def speaking(self) -> int:
        """For how many switches it speaks, by its metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._web}/metrics") as reply:
            lines: list[str] = reply.read().decode().splitlines()
        name = "ovsdb_monitor_switch_speaking{"
        return sum(line.startswith(name) and float(line.rpartition(" ")[2]) == 1 for line in lines)

    def stall(self) -> tuple[float, float, float]:
        """
        Since the last call: the longest stall, the longest one without the time in which
        it waited for a core, and the most work at once, in seconds.
        """
        self._stalls.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        while not self._stalls.exists():
            time.sleep(0.01)
        stall, own, work = map(float, self._stalls.read_text("ascii").split())
        return stall, own, work

    def kill(self) -> float:
        """End it with SIGKILL. @return: when that was."""
        at = time.time()
        self._process.kill()
        self._process.wait()
        return at

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def resident(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    text = Path(f"/proc/{pid}/statm").read_text("ascii")
    return int(text.split()[1]) * resource.getpagesize()


class Scene:
    """
    A broker, monitors, and switches that dial in at all of them.

    @ivar empty: the memory of a monitor that has no switches.
    @ivar emptyBroker: the memory of a broker that has no messages.
    """

    def __init__(
        self, stack: contextlib.ExitStack, monitors: int, switches: int, interfaces: int
    ) -> None:
        folder = Path(tempfile.mkdtemp(prefix="ovsdb-fleet-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.broker = PrivateBroker()
        stack.callback(self.broker.stop)
        self.broker.start()
        self.monitors = []
        for number in range(monitors):
            self.monitors.append(Monitor(number, self.broker.url, folder, monitors))
            stack.callback(self.monitors[-1].end)
        time.sleep(1)
        self.empty = self.monitors[0].memory
        self.emptyBroker = resident(self.broker.pid)
        start = time.monotonic()
        self.herd = Herd([each.port for each in self.monitors], switches, interfaces, folder)
        stack.callback(self.herd.end)
        self.herd.ask("spoken")
        self.spoken = time.monotonic() - start

    def complete(self, objects: int) -> None:
        """Wait until what is now has so many objects and checkpoints."""
        end = time.monotonic() + PATIENCE
        while self.read(published.sizes)["objects"] < objects:
            if time.monotonic() > end:
                raise RuntimeError("what is now is not complete")
            time.sleep(0.5)

    def settle(self) -> None:
        """Wait until nothing is written any more."""
        before = None
        while (now := self.read(published.sizes)) != before:
            before = now
            time.sleep(SETTLE)

    def read(self, work: Callable[[Any], Any]) -> Any:
        """Read from the broker."""
        return asyncio.run(published.reading(self.broker.url, work))


@contextlib.contextmanager
def scene(monitors: int, switches: int, interfaces: int) -> Iterator[Scene]:
    """A scene that is ended when the block is left."""
    with contextlib.ExitStack() as stack:
        yield Scene(stack, monitors, switches, interfaces)


def rate(switches: int, events: int, seconds: float) -> Figures:
    """One monitor publishes so many events a second."""
    note(f"{events:,} events a second of {switches} switches")
    with scene(1, switches, PRESENT) as found:
        (monitor,) = found.monitors
        time.sleep(SETTLE)
        monitor.stall()
        cpu, broker = monitor.cpu, processorTime(found.broker.pid)
        before = found.read(published.sizes)
        began = time.time()
        made = found.herd.churn(events, seconds)
        stall, own, work = monitor.stall()
        found.settle()
        cpu, broker = monitor.cpu - cpu, processorTime(found.broker.pid) - broker
        after = found.read(published.sizes)
        lags = found.read(lambda js: published.lags(js, began, made["removed"]))
    return {
        "rate": made["events"] / made["seconds"],
        "cpu": cpu / made["events"],
        "broker": broker / made["events"],
        "stall": stall,
        "own": own,
        "work": work,
        "missing": made["events"] - lags["told"],
        **_shares("event", lags["events"]),
        **_shares("now", lags["now"]),
        "messages": after["events"] - before["events"],
        "writes": after["now"] - before["now"],
        "lines": lags["told"],
    }


def _shares(name: str, values: list[float]) -> Figures:
    return {f"{name}P50": percentile(values, 0.5), f"{name}Worst": max(values)}


def late() -> Figures:
    """A reader comes late."""
    count = LATE_SWITCHES * LATE_INTERFACES
    note(f"a reader that comes when {count:,} interfaces are there")
    with scene(1, LATE_SWITCHES, LATE_INTERFACES) as found:
        found.complete(count + LATE_SWITCHES)
        start = time.monotonic()
        reader = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "fleet_reader.py"), found.broker.url],
            stdout=subprocess.PIPE,
        )
        assert reader.stdout is not None
        try:
            left = count
            while left:
                line = reader.stdout.readline()
                if b" now " in line:
                    left -= 1
                elif b" speaker " not in line:
                    raise RuntimeError(f"the reader printed {line!r}")
            return {
                "interfaces": count,
                "wall": time.monotonic() - start,
                "cpu": processorTime(reader.pid),
            }
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()


def fleet(seconds: float) -> Figures:
    """Three monitors share the switches."""
    note(f"{MONITORS} monitors, {FLEET} switches")
    with scene(MONITORS, FLEET, PRESENT) as found:
        found.complete(FLEET * (PRESENT + 1))
        time.sleep(SETTLE)
        figures: Figures = {"spoken": found.spoken, "balance": _balance(found)}
        figures["memory"] = [each.memory - found.empty for each in found.monitors]
        figures["objects"] = found.read(published.sizes)["objects"]
        figures["brokerMemory"] = resident(found.broker.pid) - found.emptyBroker
        figures["rest"] = _used(found, lambda: time.sleep(seconds), seconds)
        note(f"one event a second of each switch, {seconds:g} s")
        figures["churn"] = _used(found, lambda: found.herd.churn(FLEET, seconds), seconds)
        figures["memoryAfter"] = [each.memory - found.empty for each in found.monitors]
        time.sleep(SETTLE)
        victim = found.monitors[0]
        note(f"kill -9 of {victim.name}, which speaks for {victim.speaking} switches")
        at = victim.kill()
        time.sleep(2 * SETTLE)
        took = found.read(lambda js: published.takeovers(js, at, victim.name))
        figures["killed"] = took
        figures["after"] = [each.speaking for each in found.monitors[1:]]
        start = time.monotonic()
        victim.start()
        figures["again"], changed = _still(found)
        figures["balanced"] = changed - start
    return figures


def _balance(found: Scene) -> list[int]:
    return [each.speaking for each in found.monitors]


def _still(found: Scene) -> tuple[list[int], float]:
    """Wait until no switch changes hands. @return: the balance, and since when it is so."""
    last, since = _balance(found), time.monotonic()
    end = since + BALANCE
    while time.monotonic() < min(end, since + STILL):
        time.sleep(1)
        if (now := _balance(found)) != last:
            last, since = now, time.monotonic()
            note(f"speak for: {last}")
    return last, since


def _used(found: Scene, work: Callable[[], object], seconds: float) -> Figures:
    """What monitors and broker use while something happens."""
    before = found.read(published.sizes)
    cpus = [each.cpu for each in found.monitors]
    broker = processorTime(found.broker.pid)
    start = time.monotonic()
    done = work()
    wall = time.monotonic() - start
    figures: Figures = {
        "seconds": wall,
        "monitors": [each.cpu - cpu for each, cpu in zip(found.monitors, cpus, strict=True)],
        "broker": processorTime(found.broker.pid) - broker,
    }
    if isinstance(done, dict):
        figures["made"] = done["events"]
    after = found.read(published.sizes)
    return {**figures, **{name: after[name] - before[name] for name in after}}


def main() -> int:
    """Measure and print the report."""
    parser = argparse.ArgumentParser("python -m benchmarks.fleet", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="3 s in place of 10 and 20, one round")
    parser.add_argument("--only", choices=["rates", "late", "fleet"], help="one part only")
    options = parser.parse_args()
    if missing():
        note("nats-server is not installed: apt-get install nats-server")
        return 1
    # All that was started is ended then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # The processes that are started inherit this limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FLEET * (MONITORS + 1) + 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    print(f"- {when} UTC; {os.cpu_count()} cores, load before {load}")
    print(f"- Python {platform.python_version()}; {_version()}", flush=True)
    seconds = QUICK_SECONDS if options.quick else SECONDS
    if options.only in (None, "rates"):
        each: dict[tuple[int, int], list[Figures]] = {(s, r): [] for r in RATES for s in SWITCHES}
        for _ in range(1 if options.quick else ROUNDS):
            for (switches, events), rounds in each.items():
                rounds.append(rate(switches, events, seconds))
        print(fleetreport.rates(each), flush=True)
    if options.only in (None, "late"):
        print(fleetreport.late(late()), flush=True)
    if options.only in (None, "fleet"):
        print(fleetreport.fleet(fleet(QUICK_SECONDS if options.quick else REST), FLEET), flush=True)
    return 0


def _version() -> str:
    done = subprocess.run(["nats-server", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
