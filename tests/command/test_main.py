# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the console script, and for its help.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Any

from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.command.test_tap import CHECKOUT, ENVIRONMENT
from twisted_ovsdb import OvsdbMonitorService
from twisted_ovsdb.command import main
from twisted_ovsdb.command.groups import GROUPS, usageText
from twisted_ovsdb.command.main import CommandOptions, arguments
from twisted_ovsdb.command.options import Options

PREFIX = ["--nodaemon", "--pidfile=", "--prefix=ovsdb-monitor"]

RUN = [sys.executable, "-m", "twisted_ovsdb.command"]

REFUSED = (
    (["--nosuch"], "option --nosuch not recognized"),
    (["--logfile"], "option --logfile requires argument"),
    (["--uid", "no such user"], "--uid no such user: there is none of this name"),
    (["--gid", "no such group"], "--gid no such group: there is none of this name"),
    (["--reactor", "nosuch"], "twistd --help-reactors"),
    (["--pidfile", "x"], "option --pidfile not recognized"),
    (["stray"], "stray: only options are expected"),
    (["--endpoint", "tcp:"], "--endpoint tcp:: has no host"),
)


class ArgumentsTests(SynchronousTestCase):
    """
    Tests for L{arguments}.
    """

    def test_split(self) -> None:
        """
        twistd's options come before the command, in whatever order they were
        given, and ours after it.
        """
        words = ["--endpoint", "tcp:a", "--logfile=log", "--syslog", "--bridges", "--uid", "0"]
        self.assertEqual(
            arguments(words),
            [
                *(*PREFIX, "--logfile", "log", "--syslog", "--uid", "0"),
                *("ovsdb-monitor", "--endpoint", "tcp:a", "--bridges"),
            ],
        )

    def test_abbreviated(self) -> None:
        """
        An option may be abbreviated, as with twistd.
        """
        self.assertEqual(arguments(["--logf", "x"])[3:], ["--logfile", "x", "ovsdb-monitor"])
        self.assertEqual(arguments(["--endp", "x"])[3:], ["ovsdb-monitor", "--endpoint", "x"])

    def test_refused(self) -> None:
        """
        A mistake is one line that begins with the name of the script.
        """
        for words, text in REFUSED:
            line = self.assertRaises(SystemExit, main.main, words).code
            assert isinstance(line, str)
            self.assertTrue(line.startswith("ovsdb-monitor: "), line)
            self.assertIn(text, line)
            self.assertEqual(len(line.splitlines()), 1)

    def test_runs(self) -> None:
        """
        What is run is twistd in the foreground, without a pidfile, with our
        service.
        """
        ran: list[Any] = []
        self.patch(main, "runApp", ran.append)
        main.main(["--endpoint", "tcp:a", "--logfile", "log"])
        (config,) = ran
        self.assertEqual((config["nodaemon"], config["pidfile"]), (True, ""))
        self.assertEqual(config["logfile"], "log")
        maker = config.loadedPlugins[config.subCommand]
        services = list(maker.makeService(config.subOptions))
        self.assertIsInstance(services[-1], OvsdbMonitorService)

    def test_logfile(self) -> None:
        """
        A log that cannot be opened is one line.
        """

        def run(config: Any) -> None:
            LogFile.fromFullPath(config["logfile"])

        self.patch(main, "runApp", run)
        path = os.path.join(self.mktemp(), "log")
        ended = self.assertRaises(SystemExit, main.main, ["--logfile", path])
        text = f"ovsdb-monitor: --logfile {path}: No such file or directory"
        self.assertEqual(ended.code, text)
        self.patch(main, "runApp", lambda config: os.stat(os.path.join(path, "other")))
        self.assertRaises(OSError, main.main, ["--logfile", path])


class GroupsTests(SynchronousTestCase):
    """
    Tests for the help.
    """

    def test_complete(self) -> None:
        """
        Every option is in exactly one group, and every option in a group exists.
        """
        known = Counter(name for names in GROUPS.values() for name in names)
        self.assertEqual(set(known.values()), {1})
        self.assertEqual(set(known), {name.rstrip("=") for name in CommandOptions().longOpt})

    def test_twistd(self) -> None:
        """
        twistd's help of the command has the same groups, without twistd's own
        options.
        """
        text = usageText(Options(), 80)
        self.assertIn("\nWhere from:\n  --endpoint=", text)
        self.assertNotIn("--logfile=", text)
        self.assertNotIn("Other:", text)

    def test_width(self) -> None:
        """
        No line is longer than the terminal, and no name is broken at a hyphen.
        """
        for width in (60, 80, 120):
            lines = usageText(CommandOptions(), width).splitlines()
            self.assertLessEqual(max(map(len, lines)), width)
            self.assertEqual([line for line in lines if line.endswith("br-")], [])

    def test_names(self) -> None:
        """
        The script's own help does not speak of twistd.
        """
        text = str(CommandOptions())
        self.assertTrue(text.startswith("Usage: ovsdb-monitor [options]\n"))
        self.assertNotIn("twistd", text)


class ScriptTests(TestCase):
    """
    Tests for the script as a child process.
    """

    timeout = 60

    async def test_help(self) -> None:
        """
        C{ovsdb-monitor --help} shows the groups in their order.
        """
        out, err, status = await getProcessOutputAndValue(
            RUN[0], [*RUN[1:], "--help"], env=ENVIRONMENT, path=str(CHECKOUT)
        )
        self.assertEqual((err, status), (b"", 0))
        places = [out.find(f"\n{title}:\n".encode()) for title in GROUPS]
        self.assertEqual(places, sorted(places))
        self.assertGreater(min(places), 0)
