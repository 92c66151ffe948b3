# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{make bench}: measures this package beside other clients, and prints a report.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from benchmarks import bridges, churn, command, idle, sync, traffic, worst
from benchmarks.bars import ROUNDS, Results
from benchmarks.processes import note, parserOfPyovs
from benchmarks.report import markdown
from tools.openvswitch import missing

PARTS = {
    "sync": sync.measure,
    "churn": churn.measure,
    "bridges": bridges.measure,
    "statistics": traffic.measure,
    "idle": idle.measure,
    "worst": worst.measure,
    "command": command.measure,
}

NO_PYOVS = """\
python-ovs is not installed, so its columns stay empty. To install it:
    apt-get install python3-openvswitch"""

SLOW_PYOVS = "python-ovs has only its parser in Python, which is slower than the one in C"


def main() -> int:
    """
    Measure the chosen parts and print the report.
    """
    options = _options()
    lacking = [*missing(), *(p for p in ("ovsdb-client",) if shutil.which(p) is None)]
    if lacking:
        note(f"Open vSwitch is not installed (missing: {', '.join(lacking)}). To install it:")
        note("    apt-get install openvswitch-switch")
        return 1
    parser = parserOfPyovs()
    if parser is None:
        note(NO_PYOVS)
    elif parser != "C":
        note(SLOW_PYOVS)
    results: Results = {"run": _surroundings(parser, options.quick)}
    start = time.monotonic()
    for name in [options.only] if options.only else PARTS:
        results[name] = PARTS[name](options.quick, parser is not None)
    results["run"]["took"] = f"{time.monotonic() - start:.0f} s"
    print(markdown(results), end="")
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=main.__doc__)
    parser.add_argument("--only", choices=[*PARTS], help="measure one part only")
    parser.add_argument("--quick", action="store_true", help="one round, and 15 s for a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    return parser.parse_args()


def _surroundings(parser: str | None, quick: bool) -> dict[str, str]:
    """
    The machine and the software with which the figures were measured.
    """
    server = subprocess.run(["ovsdb-server", "--version"], capture_output=True, text=True)
    return {
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "server": server.stdout.splitlines()[0],
        "this package": f"Python {platform.python_version()}, Twisted {version('twisted')}",
        "python-ovs": "not installed" if parser is None else f"with the {parser} parser",
        "rounds": "one (--quick)" if quick else f"{ROUNDS}, of which the best counts",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"


if __name__ == "__main__":
    sys.exit(main())
