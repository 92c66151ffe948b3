# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{make matrix}: runs nox, and prints the results as one table.

noxfile.py writes the rows: one file for each session that ran its tests to the
end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

NOX: Final = Path(__file__).parent.parent / ".nox"

COLUMNS: Final = (
    "python",
    "twisted",
    "attrs",
    "zope.interface",
    "passed",
    "failed",
    "skipped",
)


def result(report: dict[str, Any], row: dict[str, Any]) -> str:
    """
    How a session ended, in one or two words.
    """
    if report["result"] == "skipped":
        return "not installed"
    return "ok" if report["result"] == "success" and row.get("passed") else "FAILED"


def table(reports: list[dict[str, Any]], rows: list[dict[str, Any]]) -> str:
    """
    The results as text.
    """
    lines = [("session", *COLUMNS, "result")]
    for report, row in zip(reports, rows, strict=True):
        values = (str(row.get(column, "-")) for column in COLUMNS)
        lines.append((report["signatures"][0], *values, result(report, row)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(arguments: list[str]) -> int:
    """
    Run nox with these arguments and print the table. The last line is the sum
    of all sessions.

    @return: the exit status, which is 0 if every session succeeded.
    """
    results, report = NOX / "results", NOX / "report.json"
    shutil.rmtree(results, ignore_errors=True)
    report.unlink(missing_ok=True)
    status = subprocess.run(
        [sys.executable, "-m", "nox", "--report", str(report), *arguments], cwd=NOX.parent
    ).returncode
    sessions = json.loads(report.read_text("utf-8"))["sessions"] if report.exists() else []
    files = [results / f"{session['signatures'][0]}.json" for session in sessions]
    rows = [json.loads(file.read_text("utf-8")) if file.exists() else {} for file in files]
    print(f"\n{table(sessions, rows)}\n", flush=True)
    ends = [result(session, row) for session, row in zip(sessions, rows, strict=True)]
    failed = sum(row.get("failed", 0) for row in rows)
    passed = sum(row.get("passed", 0) for row in rows)
    bad = status != 0 or "FAILED" in ends or "ok" not in ends
    print(f"{passed} passed, {failed or int(bad)} failed")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
