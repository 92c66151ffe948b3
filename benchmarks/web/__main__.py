# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Measures C{--http}, and prints a table.

    python -m benchmarks.web [--seconds 20]
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

SWITCHES, INTERFACES, RATE = 1000, 100_000, 1000

PAUSE = 5.0
"""Seconds until a change of the load has settled."""


class Process:
    """
    A process that prints figures each second.

    @ivar figures: all that it has printed.
    """

    def __init__(self, name: str, *arguments: object) -> None:
        self.figures: list[dict[str, float]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.web.{name}", *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def during(self, seconds: float) -> list[dict[str, float]]:
        """
        The figures of this time from now on.
        """
        time.sleep(PAUSE)
        begin = len(self.figures)
        time.sleep(seconds)
        return self.figures[begin:]

    def end(self) -> None:
        """
        End it.
        """
        self._process.terminate()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.figures.append(json.loads(line))


def free() -> int:
    """
    A port that is free.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def row(name: str, figures: list[dict[str, float]], more: str = "") -> None:
    """
    Print a line of the table.
    """
    cpu = statistics.mean(each["cpu"] for each in figures)
    stalls = sorted(each["stall"] * 1000 for each in figures)
    resident = max(each["rss"] for each in figures) / 1e6
    median, longest = statistics.median(stalls), stalls[-1]
    work = max(each["work"] for each in figures) * 1000
    collection = max(each["gc"] for each in figures) * 1000
    cells = [
        name,
        f"{cpu * 100:.0f} %",
        f"{median:.1f}",
        f"{longest:.1f}",
        f"{work:.1f}",
        f"{collection:.1f}",
    ]
    print(f"| {' | '.join([*cells, f'{resident:.0f}', more])} |", flush=True)


def scraped(port: int, seconds: float, monitor: Process) -> None:
    """
    Let a real Prometheus scrape once a second.
    """
    own = free()
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "m", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            ],
        }
        Path(folder, "prometheus.yml").write_text(json.dumps(config))
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            figures = monitor.during(seconds)

            def asked(query: str) -> float:
                address = urllib.parse.urlencode({"query": query})
                with urllib.request.urlopen(f"http://127.0.0.1:{own}/api/v1/query?{address}") as f:
                    found: Any = json.load(f)["data"]["result"]
                return float(found[0]["value"][1])

            span = f"[{int(seconds)}s]"
            mean = asked(f"avg_over_time(scrape_duration_seconds{span})")
            longest = asked(f"max_over_time(scrape_duration_seconds{span})")
            up = asked(f"min_over_time(up{span})")
            samples = asked("scrape_samples_scraped")
            row(
                "a scrape each second",
                figures,
                f"{samples:.0f} samples, scrape {mean * 1000:.0f} ms, at most"
                f" {longest * 1000:.0f} ms, {'none' if up else 'some'} failed",
            )
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """
    Measure everything.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    port = free()
    print(f"{SWITCHES} switches, {INTERFACES} interfaces, {RATE} events a second\n")
    print(
        "| | CPU | stall, median ms | longest ms | most work at once | of it GC | RSS MB | |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    monitor = Process("monitor", port, SWITCHES, INTERFACES, RATE)
    while not monitor.figures:
        time.sleep(0.5)
    row("nobody looks", monitor.during(seconds))
    if shutil.which("prometheus"):
        scraped(port, seconds, monitor)
    browsers = Process("browsers", port, 100)
    figures = monitor.during(seconds)
    came = browsers.figures[-int(seconds) :]
    row(
        "100 browsers",
        figures,
        f"{statistics.mean(f['bytes'] for f in came) / 1e6:.1f} MB a second,"
        f" {came[-1]['resyncs']:.0f} resyncs, {came[-1]['lost']:.0f} lost",
    )
    browsers.end()
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        row("one that never reads", monitor.during(60))
    monitor.end()


if __name__ == "__main__":
    main()
