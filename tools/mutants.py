# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Do the tests notice when the code is wrong? C{make mutants} changes one place of it after
another, in a copy, and runs the tests of the room of that module::

    python -m tools.mutants --minutes 20 --seed 1 [PART OF A PATH ...]

Neither cosmic-ray nor mutmut takes a statement away, which is what tests overlook most
often: a timer that is not cancelled, a line that is not logged. cosmic-ray changes
annotations too, and mutmut needs pytest.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tools.changes import CHECKOUT, Mutant, mutants

ROOMS: Final = ("wire", "database", "openvswitch", "connection", "monitoring", "lifecycle")
EQUIVALENTS: Final = CHECKOUT / "tools" / "equivalents.txt"
"""The changes that nobody could notice, each in a line, and below it why."""

OTHERS: Final = [
    *("tests.connection", "tests.monitoring", "tests.lifecycle", "tests.endpoints"),
    *("tests.observers", "tests.test_mistakes", "tests.test_interfaces"),
]
"""What is run too before a mutant counts as a survivor: some code has its tests elsewhere."""

WANTED: Final = 97.0
"""Per cent of the mutants, without those that are equivalent, that tests must notice."""

LIMIT: Final = 600.0
"""Seconds that the tests may take if nothing is changed."""

MEMORY: Final = 4 * 2**30
"""Bytes of address space for the tests of a mutant, which may never stop to allocate."""


def testsOf(path: str) -> list[str]:
    """The tests of a module: the file of its name first, since it notices most."""
    _, room, name = Path(path).with_suffix("").parts
    own = CHECKOUT / "tests" / room / f"test_{name}.py"
    return [*([f"tests.{room}.test_{name}"] if own.exists() else []), f"tests.{room}"]


def copied(folder: Path) -> Path:
    """A copy of the checkout in which modules may be changed."""
    shutil.copytree(
        CHECKOUT / "twisted_ovsdb",
        folder / "twisted_ovsdb",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("tests", "tools", "docs", "examples", "twisted", "pyproject.toml"):
        (folder / name).symlink_to(CHECKOUT / name)
    return folder


def passes(folder: Path, tests: list[str], timeout: float) -> bool:
    """Whether these tests pass in this copy, in time."""
    # Without .pyc files: they are taken for new if size and second are the same.
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    running = subprocess.Popen(
        [sys.executable, "-m", "twisted.trial", "--exitfirst", *tests],
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    try:
        return running.wait(timeout) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, 9)
        running.wait()


def survives(mutant: Mutant, folder: Path, timeout: float) -> bool:
    """Whether no test notices this mutant."""
    module = folder / mutant.path
    module.write_bytes(mutant.source)
    try:
        own = testsOf(mutant.path)
        others = [tests for tests in OTHERS if tests not in own]
        return passes(folder, own, timeout) and passes(folder, others, LIMIT)
    finally:
        shutil.copyfile(CHECKOUT / mutant.path, module)


def main(arguments: list[str]) -> int:
    """Run a sample, and tell which mutants survive."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--most", type=int, default=10**6, help="how many mutants at most")
    parser.add_argument("--skip", type=int, default=0, help="how many of the sample to leave out")
    parser.add_argument("paths", nargs="*", default=[""], help="only modules with this in the path")
    options = parser.parse_args(arguments)
    modules = [p for room in ROOMS for p in (CHECKOUT / "twisted_ovsdb" / room).glob("*.py")]
    chosen = [p for p in sorted(modules) if any(each in str(p) for each in options.paths)]
    everything = [mutant for path in chosen for mutant in mutants(path)]
    random.Random(options.seed).shuffle(everything)
    sample = everything[options.skip : options.skip + options.most]
    judged = EQUIVALENTS.read_text("utf-8").splitlines()
    workers = os.cpu_count() or 1
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(workers) as pool:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            folders.put(copied(Path(root) / str(number)))
        if not passes(Path(root) / "0", OTHERS, LIMIT):
            raise SystemExit("tests fail without any change")
        limits: dict[str, float] = {}
        for room in {Path(path).parts[-2] for path in chosen}:
            began = time.monotonic()
            if not passes(Path(root) / "0", [f"tests.{room}"], LIMIT):
                raise SystemExit(f"tests.{room} fails without any change")
            limits[room] = 20 + 5 * (time.monotonic() - began)
        end = time.monotonic() + options.minutes * 60

        def run(mutant: Mutant) -> None:
            if time.monotonic() > end:
                return
            folder = folders.get()
            survived = survives(mutant, folder, limits[Path(mutant.path).parts[1]])
            folders.put(folder)
            verdict = "equivalent" if mutant.key in judged else "survived"
            counts[verdict if survived else "killed"] += 1
            if survived:
                print(f"{verdict}: line {mutant.line}: {mutant.key}", flush=True)

        list(pool.map(run, sample))
    noticed = 100 * counts["killed"] / max(counts["killed"] + counts["survived"], 1)
    print(
        f"seed {options.seed}: {sum(counts.values())} of {len(everything)} mutants: {dict(counts)}"
    )
    print(f"killed of those that are not equivalent: {noticed:.1f} %, wanted {WANTED} %")
    return noticed < WANTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
