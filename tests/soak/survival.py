# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitor is killed at random moments under churn, with changes while it is down:
the command with C{--state}, with one switch and with three that connect to it, and
an application with an observer that is remembered.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThread

from tests.soak.churn import Churn
from tests.soak.database import Rows, connectOne, readRows, withKind
from tests.soak.figures import Figure, Figures
from tests.soak.linefold import Key, LineFold
from tests.soak.switch import SoakOpenVSwitch, _quietPort
from tests.soak.waiting import until, wait
from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb import OvsInterface, StateRefused
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import FILE
from twisted_ovsdb.state.store import Store
from twisted_ovsdb.state.tail import Where, readTail

CHECKOUT: Final = Path(__file__).parent.parent.parent

TWISTD: Final = "from twisted.scripts.twistd import run; run()"

READY: Final = 60.0
"""Seconds within which a process must have told everything."""

WINDOW: Final = 0.1
"""Seconds before a kill: what was told then may be told again to an observer."""


ASIDE: Final = "moved aside"
WRONG: Final = "wrong"


def goesOn(folder: Path, name: str) -> str:
    """
    How a process goes on from the state and the lines in this folder.
    """
    try:
        store = Store(folder, "now")
    except StateRefused:
        return "refused"
    try:
        sink = store.sink(name)
        # A copy is another file: before the first lines are committed, nothing in it tells
        # that it is the one that was written to.
        if sink is None or sink.position is None or not sink.position.offset:
            return ASIDE if store.movedAside else "begins anew"
        batch = Batch()
        path = folder / "events.jsonl"
        with path.open("rb") as file:
            # Where the position is not in the lines, they were copied too early.
            if readTail(str(path), file.fileno(), sink.position, batch) is not Where.HERE:
                return WRONG
        store.commit(name, batch)
        switches = sink.switches.keys() | batch.switches.keys()
        rows = {(s, row.uuid): row for s in switches for row in store.told(name, s) or ()}
        fold = LineFold()
        fold.add(path.read_text("ascii").split("\n"))
        same = rows.keys() == fold.online.keys() and all(
            _same(fold.online[key], row) for key, row in rows.items()
        )
        return "the same" if same else WRONG
    finally:
        store.close()


class Survival:
    """
    Kills one monitor again and again.
    """

    def __init__(self, reactor: Any, name: str, kills: int, seed: int, switches: int = 1) -> None:
        """
        @param name: C{command}, C{listen} or C{observer}.
        """
        self._reactor = reactor
        self._name = name
        self._kills = kills
        self._seed = seed
        self._rng = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="survival-"))
        self.path = self.folder / "events.jsonl"
        self._port = _quietPort()
        self._switches = [SoakOpenVSwitch() for _ in range(switches)]
        self._writers: list[Churn] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: list[float] = []
        self._offset = 0
        self._copies: Counter[str] = Counter()

    async def run(self) -> list[Figure]:
        """
        Kill it as often as wanted, then compare.
        """
        began = time.monotonic()
        trigger = self._reactor.addSystemEventTrigger("after", "shutdown", self._stop)
        try:
            for number, switch in enumerate(self._switches):
                await deferToThread(self._startSwitch, switch, number)
            for switch in self._switches:
                for number in range(2):
                    rng = random.Random(self._rng.random())
                    writer = Churn(self._reactor, [switch.unix], f"w{number}", rng)
                    self._writers.append(writer)
                    writer.start()
            for _ in range(self._kills):
                self._start()
                await self._killSoon()
                await wait(self._reactor, self._rng.choice((0, 0.02, 0.3)))
            self._start()
            for writer in self._writers:
                await writer.stop()
            tables = await self._tables()
            fold = LineFold()
            await until(self._reactor, lambda: self._complete(self._withKind(tables)), READY)
            expected = self._withKind(tables)
            fold.add(self.path.read_text("ascii").split("\n"))
            return self._figures(fold, expected, time.monotonic() - began)
        finally:
            self._stop()
            self._reactor.removeSystemEventTrigger(trigger)

    def _startSwitch(self, switch: PrivateOpenVSwitch, number: int) -> None:
        switch.start()
        switch.vsctl("set", "open", ".", f"external_ids:system-id=sw{number}")
        if self._name == "listen":
            switch.appctl("ovsdb-server", "ovsdb-server/add-remote", f"tcp:127.0.0.1:{self._port}")

    def _start(self) -> None:
        self._offset = self.path.stat().st_size if self.path.exists() else 0
        where = ["--endpoint", f"unix:{self._switches[0].unix}", "--identify"]
        if self._name == "listen":
            where = ["--listen", f"ptcp:{self._port}:127.0.0.1"]
        command = ["-c", TWISTD, "-n", "--pidfile=", "ovsdb-monitor", *where, "--max-delay", "0.2"]
        command += ["--events", str(self.path), "--state", str(self.folder / "state")]
        if self._name == "observer":
            state, unix = str(self.folder / "state"), self._switches[0].unix
            command = ["-m", "tests.soak.remembering", unix, state, str(self.path)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _killSoon(self) -> None:
        """
        Kill it at a random moment: while it starts, while it tells what is different
        or later.
        """
        rng = self._rng
        if rng.random() < 0.1:
            await wait(self._reactor, rng.uniform(0, 1.0))
        else:
            word = rng.choice((b'"event"', b'"interface"', b'"synchronized"', b'"synchronized"'))
            if not await until(self._reactor, lambda: word in self._written(), READY, 0.005):
                log = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"it wrote no {word!r}: {log[-2000:]}")
            await wait(self._reactor, rng.choice((0, rng.uniform(0, 0.1), rng.uniform(0, 1.0))))
        if self._name != "observer":
            self._copy(False)
        self._kill()
        if self._name != "observer":
            self._copy(True)

    def _written(self) -> bytes:
        """
        What this process has written.
        """
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            return file.read()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            self._killed.append(time.time())
            process.wait()

    def _stop(self) -> None:
        self._kill()
        for switch in self._switches:
            switch.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _complete(self, expected: dict[Key, OvsInterface]) -> bool:
        folded = self._folded().keys() if b'"synchronized"' in self._written() else set()
        return folded == expected.keys()

    def _folded(self) -> dict[Key, Any]:
        fold = LineFold()
        if self.path.exists():
            fold.add(self.path.read_text("ascii").split("\n"))
        return fold.online

    def _copy(self, flip: bool) -> None:
        """
        Copy the folder, one file after another, as after a loss of power; then the
        lines. Perhaps flip some bytes. Then what a process goes on from must be what
        the lines add up to.
        """
        state, name = self.folder / "state", "flipped" if flip else "copied"
        if not self.path.exists() or not (state / FILE).exists():
            return
        copy = Path(tempfile.mkdtemp(prefix="copy-", dir=self.folder))
        for each in (FILE, f"{FILE}-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(state / each, copy / each)
        shutil.copyfile(self.path, copy / "events.jsonl")
        if flip:
            path = self._rng.choice([p for p in copy.glob("state*") if p.stat().st_size])
            content = bytearray(path.read_bytes())
            for _ in range(self._rng.choice((1, 3))):
                content[self._rng.randrange(len(content))] ^= self._rng.randrange(1, 256)
            path.write_bytes(content)
        self._copies[f"{name}: {goesOn(copy, str(self.path))}"] += 1
        shutil.rmtree(copy)

    async def _tables(self) -> list[Rows]:
        found: list[Rows] = []
        for switch in self._switches:
            protocol = await connectOne(self._reactor, switch.unix)
            found.append(await readRows(protocol))
            protocol.transport.abortConnection()  # type: ignore[union-attr]
        return found

    def _withKind(self, tables: list[Rows]) -> dict[Key, OvsInterface]:
        """
        What there is. Whether a port was seen as the local port of a bridge is known
        only from the lines.
        """
        told = {uuid: OvsInterface.fromJSON(row) for (_, uuid), row in self._folded().items()}
        return {
            (f"sw{number}", uuid): row
            for number, rows in enumerate(tables)
            for uuid, row in withKind(rows, told).items()
        }

    # Figures

    def _figures(
        self, fold: LineFold, expected: dict[Key, OvsInterface], seconds: float
    ) -> list[Figure]:
        figures = Figures(f"survival, {self._name}")
        figures.equal("kills with SIGKILL", self._kills, self._kills)
        figures.tell("seconds", round(seconds))
        figures.tell("lines", fold.lines)
        figures.tell("lines that were torn", fold.counts["torn"])
        figures.atLeast("offline events with cause resync", fold.counts["offline resync"], 1)
        missing = [key for key in fold.online if key not in expected]
        differ = [k for k, row in expected.items() if not _same(fold.online.get(k), row)]
        if self._name == "observer":
            repeated = [self._age(at) for _, _, at in fold.wrong]
            # One can be told while the process is killed.
            figures.atMost("events told again", len(repeated), self._kills)
            figures.tell("the oldest of them, s before the kill", max(repeated, default=0.0))
            figures.equal("of them older than the last moments", _older(repeated), 0)
            figures.equal("not told offline", len(missing), 0)
        else:
            figures.equal("false or repeated events", len(fold.wrong), 0)
            differ += missing
            for name in ("copied", "flipped"):
                found = {k: n for k, n in self._copies.items() if k.startswith(name)}
                figures.tell(f"states that were {name}", sum(found.values()))
                figures.tell("of them moved aside", found.get(f"{name}: {ASIDE}", 0))
                wrong = found.get(f"{name}: {WRONG}", 0)
                figures.equal("of them with other rows than the lines", wrong, 0)
        figures.equal("differences at the end", len(differ), 0)
        self._show([text for text, _, _ in fold.wrong][:3] if self._name != "observer" else [])
        self._show([str((k, fold.online.get(k), expected.get(k))) for k in differ[:3]])
        return figures.all

    def _age(self, told: float) -> float:
        """
        How long before the kill that followed something was told.
        """
        return min((kill - told for kill in self._killed if kill >= told), default=0.0)

    def _show(self, texts: Sequence[str]) -> None:
        for text in texts:
            print(f"survival: seed {self._seed}: {text}", flush=True)


def _older(ages: Sequence[float]) -> int:
    return sum(age > WINDOW for age in ages)


def _same(told: Any, row: OvsInterface) -> bool:
    expected = row.toJSON()
    # What was the local port once is one while its ofport says nothing.
    ignored = ("local_port",)
    return told is not None and all(told[k] == v for k, v in expected.items() if k not in ignored)
