# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{make fleet}: two monitors share two switches and speak as one, and whoever speaks is
killed again and again.

The broker, both switches, both monitors and the reader of C{examples/} are private, and
are ended and removed by Ctrl-C. Each line says what was done, or what the reader saw.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from tools import broker, openvswitch
from tools.broker import PrivateBroker
from tools.openvswitch import PrivateOpenVSwitch
from tools.scene import addVM, begin, finish, removeVM

CHECKOUT = Path(__file__).parent.parent

READER = str(CHECKOUT / "examples" / "fleet_reader.py")

INSTALL = {"install-broker": broker.missing, "install-openvswitch": openvswitch.missing}
"""Which program installs what."""

CHANGES = 6
"""How many ports come or go between the start of a monitor and the next kill."""

KILL_EVERY = 20.0
"""Seconds from one kill to the next."""

PATIENCE = 30.0
"""Seconds until somebody must speak for each switch."""

WORDS = {
    "now": "{port} is there",
    "online": "{port} came online",
    "changed": "{port} changed: it has its OpenFlow port",
    "offline": "{port} went offline",
}
"""What the reader saw of a port, in plain words."""


class Ended(Exception):
    """
    The scene is over.

    @ivar status: the exit status.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Scene:
    """
    What happens, and what was seen of it.

    @ivar heard: the lines of the reader, and the end.
    @ivar speakers: which monitor speaks for each switch, as the reader saw it.
    """

    def __init__(self, cleanup: contextlib.ExitStack, pause: float) -> None:
        """
        @param cleanup: ends and removes everything.
        @param pause: seconds between two changes.
        """
        self.heard: SimpleQueue[str | Ended] = SimpleQueue()
        self.speakers: dict[str, str] = {}
        self._cleanup = cleanup
        self._pause = pause
        self._begun = time.monotonic()
        self._folder = Path(
            cleanup.enter_context(tempfile.TemporaryDirectory(prefix="ovsdb-logs-"))
        )
        self._broker = PrivateBroker()
        cleanup.callback(self._broker.stop)
        self._switches: dict[str, PrivateOpenVSwitch] = {}
        self._monitors: dict[str, subprocess.Popen[bytes]] = {}
        self._heardReader = False
        self._killed = 0.0
        self._kills = 0
        self._changes: set[str] = set()
        self._seen: Counter[str] = Counter()

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._begun:6.2f} s  {text}", flush=True)

    def play(self) -> None:
        """Play, until the end."""
        self._furnish()
        ports = self._ports()
        while True:
            for _ in range(CHANGES):
                self._change(*next(ports))
                self._watch(self._pause)
            # Whoever is killed may have told of this change, or not yet.
            self._change(*next(ports))
            killed = self._kill()
            self._watch(self._pause)
            self._await("somebody to speak for each switch", self._allSpokenFor)
            self._start(killed)
            self.say(f"monitor {killed} is started again, to stand by")

    def conclude(self) -> None:
        """Say what was done, and how much of it the reader saw."""
        with contextlib.suppress(Ended):
            self._watch(2, lambda: self._changes <= self._seen.keys())
        seen = len(self._changes & self._seen.keys())
        twice = sum(number > 1 for number in self._seen.values())
        self.say(
            f"{self._kills} kills; ports were added or removed {len(self._changes)} times: the"
            f" reader saw {seen} of these changes, {twice} of them twice"
        )

    def _furnish(self) -> None:
        """Start everything: the reader before the monitors."""
        self.say("first the switches are started, a NATS server, and a reader of what is published")
        self._broker.start()
        for number in (1, 2):
            switch = PrivateOpenVSwitch(tcp=True)
            self._cleanup.callback(switch.stop)
            switch.start()
            # As each host has one: it is the key of the switch in the broker.
            switch.vsctl("set", "Open_vSwitch", ".", f"external_ids:system-id=switch-{number}")
            switch.vsctl("add-br", "br-int")
            self._switches[f"switch {number}"] = switch
            self.say(f"switch {number} is tcp:127.0.0.1:{switch.port}, with the bridge br-int")
        reader = f"{sys.executable} {READER} {self._broker.url}"
        self.say(f"the reader is this command; you can run it in another terminal too: {reader}")
        self._startReader()
        self._await("the reader to start", lambda: self._heardReader)
        for name in ("a", "b"):
            self._start(name)
            self.say(f"monitor {name} is started; its log is {self._folder / name}.log")
        self._await("somebody to speak for each switch", self._allSpokenFor)

    def _start(self, name: str) -> None:
        """Start a monitor."""
        options = ["--publish", self._broker.url, "--instance", name, "--bridges"]
        for switch in self._switches.values():
            options += ["--endpoint", f"tcp:127.0.0.1:{switch.port}"]
        with open(self._folder / f"{name}.log", "ab") as log:
            monitor = begin(sys.executable, "-m", "twisted_ovsdb.command", *options, output=log)
        self._cleanup.callback(finish, monitor)
        self._monitors[name] = monitor

    def _startReader(self) -> None:
        """Start the reader, and listen to it in a thread."""
        reader = begin(sys.executable, READER, self._broker.url, output=subprocess.PIPE)
        self._cleanup.callback(finish, reader, signal.SIGTERM)
        stream = reader.stdout
        assert stream is not None

        def listen() -> None:
            last = ""
            for line in stream:
                last = line.decode().rstrip("\n")
                self.heard.put(last)
            self.heard.put(Ended(f"the reader has ended: {last}", 1))

        Thread(target=listen, daemon=True).start()

    def _ports(self) -> Iterator[tuple[str, str, int]]:
        """What to do to which port at which switch: two come, the two go, and so on."""
        for number in count(1, len(self._switches)):
            for verb in ("add", "remove"):
                for place, switch in enumerate(self._switches):
                    yield switch, verb, number + place

    def _change(self, switch: str, verb: str, number: int) -> None:
        """Add or remove a port."""
        event, change = ("online", addVM) if verb == "add" else ("offline", removeVM)
        self._changes.add(f"{switch} {event} tap-vm{number}")
        self.say(f"{switch}: port tap-vm{number} is {'added' if verb == 'add' else 'removed'}")
        self._switches[switch].vsctl(*change(number))

    def _kill(self) -> str:
        """Kill the monitor that speaks for the most switches. @return: its name."""
        name = Counter(self.speakers.values()).most_common(1)[0][0]
        spoken = [switch for switch, speaker in self.speakers.items() if speaker == name]
        self._watch(0)  # what was told before
        self.say(f"kill -9 of monitor {name}, which speaks for {' and '.join(sorted(spoken))}")
        self._monitors[name].kill()
        self._killed = time.monotonic()
        self._monitors.pop(name).wait()
        self._kills += 1
        for switch in spoken:
            del self.speakers[switch]
        return name

    def _allSpokenFor(self) -> bool:
        return self.speakers.keys() == self._switches.keys()

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        """Print what the reader sees, until something is so."""
        self._watch(PATIENCE, condition)
        if not condition():
            raise Ended(f"waited {PATIENCE:g} s for {what}, in vain", 1)

    def _watch(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Print what the reader sees for some seconds, or until it is enough."""
        end = time.monotonic() + seconds
        for name, monitor in self._monitors.items():
            if monitor.poll() is not None:
                log = (self._folder / f"{name}.log").read_text("utf-8").strip()
                raise Ended(f"monitor {name} has ended by itself: {log[-1000:]}", 1)
        with contextlib.suppress(Empty):
            while not enough():
                heard = self.heard.get(timeout=max(0.0, end - time.monotonic()))
                if isinstance(heard, Ended):
                    raise heard
                self._see(heard)

    def _see(self, line: str) -> None:
        """Say in plain words what the reader saw."""
        self._heardReader = True
        for name in self._switches:
            key, _, rest = line.partition(" ")
            if key == name.replace(" ", "-"):
                event, _, what = rest.partition(" ")
                if event == "speaker":
                    self._speaks(name, what)
                    return
                if what.startswith("tap-vm") and event in ("online", "offline"):
                    self._seen[f"{name} {event} {what}"] += 1
                line = f"{name}: {WORDS[event].format(port=what)}"
                break
        self.say(f"    the reader saw: {line}")

    def _speaks(self, switch: str, monitor: str) -> None:
        """A monitor speaks for a switch. The reader may have said so before."""
        if monitor not in self._monitors or self.speakers.get(switch) == monitor:
            return
        self.speakers[switch] = monitor
        since = f", {time.monotonic() - self._killed:.2f} s after the kill" if self._killed else ""
        self.say(f"    the reader saw: {switch}: monitor {monitor} speaks now{since}")


def absence() -> str:
    """
    Install what is not there.

    @return: what is missing and cannot be installed, and why; nothing, if all is there.
    """
    for name, missing in INSTALL.items():
        if missing():
            print(f"installing {', '.join(missing())}", flush=True)
            command = [str(CHECKOUT / "tools" / name)]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
            if missing():
                why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
                return f"missing: {', '.join(missing())}; tools/{name} says: {why}"
    return ""


def main(*arguments: str) -> int:
    """Play until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make fleet", description=(__doc__ or "").strip())
    parser.add_argument(
        "--kill-every",
        metavar="SECONDS",
        type=float,
        default=KILL_EVERY,
        help="from one kill to the next",
    )
    every: float = parser.parse_args(arguments).kill_every
    if not 0 < every < math.inf:
        parser.error("--kill-every must be more than 0 seconds")
    try:
        absent = absence()
    except KeyboardInterrupt:
        return 1
    if absent:
        print(absent, file=sys.stderr)
        return 1
    with contextlib.ExitStack() as cleanup:
        scene = Scene(cleanup, every / (CHANGES + 1))
        # The end is seen between two steps, so that nothing is left half started.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: scene.heard.put(Ended("the end was asked for", 0)))
        try:
            scene.say("two monitors watch two switches; one speaks for each switch, one stands by")
            scene.say(f"every {every:g} s one that speaks is killed; Ctrl-C ends and removes all")
            scene.play()
        except Ended as end:
            scene.say(str(end))
            scene.conclude()
            return end.status
        except RuntimeError as error:
            print(error, file=sys.stderr)
        except BrokenPipeError:
            # Nobody reads any more, as in "make fleet | head".
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
