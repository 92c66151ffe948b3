# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the start of the command: what it imports.
"""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

PROGRAM = """
import sys
from twisted_ovsdb.tap import Options, makeService
options = Options()
options.parseOptions(sys.argv[1:])
makeService(options)
print(*sys.modules)
"""

OPTIONAL = (
    "difflib",
    "prometheus_client",
    "sqlite3",
    "twisted.web",
    "twisted_ovsdb.command.completions",
    "twisted_ovsdb.command.jsonlog",
    "twisted_ovsdb.command.systemd",
    "twisted_ovsdb.endpoints.secure",
    "twisted_ovsdb.publish.observer",
    "twisted_ovsdb.state.store",
    "twisted_ovsdb.web.service",
)


class ImportsTests(SynchronousTestCase):
    """
    What a process has imported when the service is made.
    """

    def imported(self, *options: str) -> list[str]:
        """
        Which of the optional modules a process with these options has imported.
        """
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, *options],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        modules = run.stdout.split()
        self.assertIn("twisted_ovsdb.tap", modules)
        return sorted(set(OPTIONAL).intersection(modules))

    def test_least(self) -> None:
        """
        The command does not wait for what it was not asked for: TLS of its own,
        SQLite, the web, metrics, systemd.
        """
        self.assertEqual(self.imported("--events=-", "--listen=ptcp:"), [])

    def test_asked(self) -> None:
        """
        What is asked for is there before the service starts.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        found = self.imported(f"--state={folder}", f"--events={folder}/events")
        self.assertEqual(found, ["sqlite3", "twisted_ovsdb.state.store"])
