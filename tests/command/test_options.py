# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.options}: what a command line means, and how a
mistake in it is reported.
"""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.logger import globalLogPublisher
from twisted.plugin import getPlugins
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.fakes.pki import Authority
from twisted_ovsdb import tap
from twisted_ovsdb.command.output import standardErrorLog
from twisted_ovsdb.endpoints.secure import TLSClientEndpoint
from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import OvsdbEventObserver
from twisted_ovsdb.observers.filters import onlyKinds
from twisted_ovsdb.openvswitch.classify import ClassificationRules


@implementer(IOvsdbEventObserver)
class RecordingObserver:
    """
    The class that C{--observer} names in these tests.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def eventReceived(self, event: Event) -> None:
        """Record the event."""
        self.events.append(event)


anInstance = RecordingObserver()

onlyVMs = onlyKinds(RecordingObserver(), "vm")


class RaisingObserver(OvsdbEventObserver):
    """
    An observer that cannot be made.
    """

    def __init__(self) -> None:
        raise RuntimeError("no database\nfor it")


HERE = __name__
PLAIN = f"{HERE}.HERE"
"""A dotted name of something that is no observer."""

# Arguments, and what the one line has to name.
REFUSED: list[tuple[list[str], list[str]]] = [
    (["--state", "s"], ["--state s: --events FILE must be given too"]),
    (["--state", "s", "--events", "-"], ["--state s: --events must be a file"]),
    (["--state", "s", "--events", "/dev/stderr"], ["--state s: --events must be a file"]),
    (["--state", "s", "--events", "s/state.db"], ["/s/state.db is a file of the state itself"]),
    (["--state", "", "--events", "e"], ["--state '': must be the path of a folder"]),
    (["--forget", "-1"], ["--forget -1: must be a number of days not below zero"]),
    (["--forget", "week"], ["--forget week: must be a number of days"]),
    (["--endpoint", "tcp:"], ["--endpoint tcp:: has no host", "unix:/var/run"]),
    (["--endpoint", "tcp:host:0"], ["--endpoint tcp:host:0: '0' is not a port"]),
    (["--endpoint", "foo:bar"], ["--endpoint foo:bar", "'foo'"]),
    (["--endpoint", "tcp:host:port"], ["--endpoint tcp:host:port"]),
    (["--endpoint", "tls:"], ["--endpoint tls:"]),
    (
        ["--endpoint", "ssl:host"],
        ["--endpoint ssl:host: needs", "--private-key, --certificate and --ca-cert"],
    ),
    (["--endpoint", "ssl:host:1:timeout=3"], ["--endpoint ssl:host:1", "caCertsDir", "tls:"]),
    (
        ["--endpoint", "ssl:host", "--certificate", "cert"],
        ["--certificate: --private-key and --ca-cert must be given too"],
    ),
    (
        ["--verify-hostname", "--endpoint", "ssl:host"],
        ["--verify-hostname: --private-key and --certificate and --ca-cert must be given too"],
    ),
    (
        ["--private-key", "key", "--certificate", "cert", "--ca-cert", "ca"],
        ["--private-key: no --endpoint is ssl:HOST[:PORT]"],
    ),
    (
        [
            *("--private-key", "key", "--certificate", "cert", "--ca-cert", "ca"),
            *("--endpoint", "ssl:host"),
        ],
        ["--certificate ", "/cert: No such file or directory"],
    ),
    (["--endpoint", ""], ["--endpoint"]),
    (["--events", "one", "--events", "./one"], ["--events ./one", "is the same file as"]),
    (["--events", ""], ["--events ''", "must be a path"]),
    (["--observer", "missing.Observer"], ["--observer missing.Observer", "PYTHONPATH=."]),
    (["--observer", "nodots"], ["--observer nodots", "PYTHONPATH=."]),
    (["--observer", f"{HERE}.Missing"], [f"--observer {HERE}.Missing", "PYTHONPATH=."]),
    (["--observer", PLAIN], [f"--observer {PLAIN}", "an observer has a method eventReceived"]),
    (
        ["--observer", f"{HERE}.RaisingObserver"],
        [f"--observer {HERE}.RaisingObserver", "RuntimeError: no database"],
    ),
    (["--rules", "nonsense"], ["--rules nonsense", "dragonflow"]),
    (["--bridge-names", "br-int,,br-ex"], ["--bridge-names", "br-int,,br-ex", "empty"]),
    (["--bridge-names", ""], ["--bridge-names", "empty"]),
    (["--bridge-names", "br7", "--rules", "dragonflow"], ["--bridge-names", "br7", "dragonflow"]),
    (["--column", ""], ["--column ''", "letters, digits and underscores"]),
    (["--report", "0"], ["--report 0"]),
    (["--audit", "0"], ["--audit 0"]),
    (["--lock", "my-fleet"], ["--lock must have letters, digits and underscores only"]),
    (["--lock", "f", "--instance", ""], ["--instance must have 1 to 100"]),
    (["--instance", "a"], ["--instance a: --lock or --publish must be given too"]),
    (["--fleet", "3", "--listen", "ptcp:"], ["--fleet 3: --lock or --publish must be given too"]),
    (["--lock", "f", "--fleet", "3"], ["--fleet 3: --listen must be given too"]),
    (["--lock", "f", "--listen", "ptcp:", "--fleet", "0"], ["--fleet 0: must be a whole"]),
    (["--lock", "f", "--once"], ["--once: not with --lock"]),
    (
        ["--lock", "f", "--endpoint", "tcp:a,tcp:b"],
        ["--lock f: --endpoint tcp:a,tcp:b is a cluster, and each of its members grants"],
    ),
    (["--report", "soon"], ["--report soon"]),
    (["--max-delay", "0"], ["--max-delay 0"]),
    (["--max-delay", "-1"], ["--max-delay -1"]),
    (["--max-delay", "nan"], ["--max-delay nan"]),
    (["--max-delay", "inf"], ["--max-delay inf"]),
    (["--max-delay", "abc"], ["--max-delay abc"]),
    (["--connect-timeout", "-1"], ["--connect-timeout -1"]),
    (["--snapshot-timeout", "nan"], ["--snapshot-timeout nan"]),
    (["--probe-interval", "abc"], ["--probe-interval abc"]),
    (["--unknown"], ["--unknown"]),
    (["--no-replay=1"], ["--no-replay"]),
    (["--endpoint"], ["--endpoint"]),
    (["stray"], ["stray"]),
]


def parse(*arguments: str, twistd: tuple[str, ...] = ("-n",)) -> Any:
    """
    The options of a command line, as twistd parses it.
    """
    options = ServerOptions()
    options.parseOptions([*twistd, "ovsdb-monitor", *arguments])
    return options.subOptions


class RefusedTests(SynchronousTestCase):
    """
    A mistake on the command line is reported in one line that says what is
    wrong.
    """

    def refusal(self, *arguments: str, twistd: tuple[str, ...] = ("-n",)) -> str:
        """
        The line that reports a mistake in these arguments.
        """
        line = self.assertRaises(SystemExit, parse, *arguments, twistd=twistd).code
        assert isinstance(line, str)
        self.assertTrue(line.startswith("twistd ovsdb-monitor: "), line)
        self.assertEqual(len(line.splitlines()), 1, line)
        return line

    def test_closedStandardOutput(self) -> None:
        """
        Events cannot go to a standard output that is closed.
        """
        self.patch(sys, "__stdout__", None)
        self.assertIn("standard output is closed", self.refusal("--events", "-"))

    def test_daemon(self) -> None:
        """
        A daemon cannot write events to standard output, because it has none.
        """
        for path, stream in (
            ("-", "output"),
            ("/dev/stdout", "output"),
            ("/proc/self/fd/1", "output"),
            ("/dev/stderr", "error"),
        ):
            line = self.refusal("--events", path, twistd=())
            self.assertIn(f"--events {path}: a daemon has no standard {stream}", line)
            self.assertIn("twistd -n", line)

    def test_sameFile(self) -> None:
        """
        One file by two names is a mistake: each line would be there twice.
        """
        os.symlink("file", link := self.mktemp())
        file = os.path.join(os.path.dirname(link), "file")
        for first, second in ((file, link), ("-", "/dev/stdout"), ("/dev/fd/1", "-")):
            line = self.refusal("--events", first, "--events", second)
            self.assertIn(f"--events {second}: is the same file as --events {first}", line)


def _addRefused(arguments: list[str], names: list[str]) -> None:
    def test(self: RefusedTests) -> None:
        line = self.refusal(*arguments)
        for name in names:
            self.assertIn(name, line)

    test.__doc__ = f"{' '.join(arguments)!r}: the line names {' and '.join(names)}."
    words = "_".join(arguments).replace(f"{HERE}.", "").replace("--", "")
    setattr(RefusedTests, "test_" + re.sub(r"\W", "_", words), test)


for _case in REFUSED:
    _addRefused(*_case)


class OptionsTests(SynchronousTestCase):
    """
    Tests for options without mistakes.
    """

    def test_plugin(self) -> None:
        """
        twistd finds the command in the checkout, and finds it once.
        """
        plugins: list[Any] = list(getPlugins(IServiceMaker))
        made = [plugin for plugin in plugins if plugin.tapname == "ovsdb-monitor"]
        self.assertEqual([p.module for p in made], ["twisted_ovsdb.tap"])
        self.assertIs(made[0].options, tap.Options)

    def test_defaults(self) -> None:
        """
        Without options, the local server and its usual database are monitored,
        and the maximum delay is 8 seconds.
        """
        options = parse()
        self.assertEqual([text for text, _, _ in options["endpoints"]], ["tcp:127.0.0.1:6640"])
        self.assertEqual(options["database"], "Open_vSwitch")
        self.assertEqual(options["max-delay"], 8.0)
        self.assertEqual(options["rules"], ClassificationRules())
        self.assertEqual((options["events"], options["observers"]), ([], []))
        self.assertEqual(options["columns"], [])
        self.assertFalse(options["no-replay"])
        self.assertFalse(options["log-all"])

    def test_rules(self) -> None:
        """
        Rules are given by name, or by the names of bridges.
        """
        self.assertEqual(parse("--rules", "dragonflow")["rules"], ClassificationRules.dragonflow())
        self.assertEqual(parse("--rules", "default")["rules"], ClassificationRules())
        self.assertEqual(
            parse("--bridge-names", "ovs*, br-int")["rules"],
            ClassificationRules(bridgeNames=("ovs*", "br-int")),
        )

    def test_observers(self) -> None:
        """
        C{--observer} names an instance, or a class. Of a class, an instance is
        made.
        """
        options = parse(
            "--observer", f"{HERE}.RecordingObserver", "--observer", f"{HERE}.anInstance"
        )
        made, instance = options["observers"]
        self.assertIsInstance(made, RecordingObserver)
        self.assertIs(instance, anInstance)

    def test_eventsPath(self) -> None:
        """
        The files for events are not opened yet: the user may change, and a
        reader may wait at a pipe. Their absolute paths are kept, because a daemon
        changes its directory.
        """
        path = Path(self.mktemp())
        options = parse("--events", str(path), "--events", "-", twistd=("-n",))
        self.assertEqual(options["events"], [str(path.absolute()), "-"])
        self.assertFalse(path.exists())

    def test_tls(self) -> None:
        """
        The files for TLS are read at once, and their absolute paths are kept.
        They are used for every C{ssl:} remote, wherever it stands on the
        command line.
        """
        authority = Authority(Path(self.mktemp()))
        pair = authority.issue("client")
        files = ("--private-key", pair.privateKey, "--certificate", pair.certificate)
        folder, name = os.path.split(authority.caCert)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        options = parse("--endpoint", "ssl:[::1]", *files, "--ca-cert", name, "--endpoint", "tcp:a")
        [(first, secure, _), (second, plain, _)] = options["endpoints"]
        self.assertEqual((first, second), ("ssl:[::1]", "tcp:a"))
        self.assertIsInstance(secure, TLSClientEndpoint)
        self.assertNotIsInstance(plain, TLSClientEndpoint)
        self.assertEqual(secure.tls, authority.options(pair))
        options = parse("--verify-hostname", "--endpoint", "ssl:a", *files, "--ca-cert", name)
        [(_, secure, _)] = options["endpoints"]
        self.assertEqual(secure.tls, authority.options(pair, verifyHostname=True))
        self.assertIs(options["pin"], False)
        listening = ("--listen", "pssl:6640", "--pin", *files, "--ca-cert", name)
        self.assertIs(parse(*listening)["pin"], True)
        # One place without certificates would be enough to claim any name.
        self.assertRaises(SystemExit, parse, *listening, "--listen", "ptcp:6641")

    def test_log(self) -> None:
        """
        If events go to standard output, the log goes to standard error, unless
        another place is given for the log.
        """
        path = self.mktemp()
        ours, given = standardErrorLog, "twisted.logger.globalLogPublisher"
        for twistd, logger in (
            ((), ours),
            (("--logfile", "-"), ours),
            (("--logfile", path), None),
            (("--syslog",), None),
            (("--logger", given), globalLogPublisher),
            (("--logger", "twisted_ovsdb.tap.standardErrorLog"), ours),
        ):
            parent: Any = parse("--events", "-", twistd=("-n", *twistd)).parent
            self.assertEqual(parent["logger"] or None, logger, twistd)
        self.assertFalse(parse("--events", path).parent["logger"])
        self.assertEqual(parse("--events", "/dev/stdout").parent["logger"], ours)
        self.assertEqual(parse("--events", "/dev/stdout")["events"], ["-"])

    def test_logNowhere(self) -> None:
        """
        If standard error is closed, the log goes nowhere, and events still go to
        standard output.
        """
        self.patch(sys, "__stderr__", None)
        standardErrorLog()({"log_format": "nobody reads this"})

    def test_failure(self) -> None:
        """
        Of the reason why it could not start, a daemon's parent shows 98 bytes. The
        usual path of the file leaves room for the reason.
        """
        path = "/var/log/ovsdb-monitor/events.jsonl"
        options = parse("--events", path, twistd=())
        fault = options.failure(f"--events {path}: cannot be opened: Permission denied")
        (shown,) = traceback.format_exception_only(fault)
        self.assertLessEqual(len(shown.strip()), 98)
        self.assertIsInstance(fault, Exception)


class CompletionTests(SynchronousTestCase):
    """
    What the shell offers when Tab is pressed after C{twistd ovsdb-monitor}.
    """

    def complete(self, *words: str) -> str:
        """
        The function of zsh that completes our options.
        """
        options: Any = ServerOptions()
        options._shellCompFile = io.BytesIO()
        position = f"zsh:{len(words) + 3}"
        command = ["-n", "ovsdb-monitor", *words, "--_shell-completion", position]
        self.assertEqual(self.assertRaises(SystemExit, options.parseOptions, command).code, 0)
        text: str = options._shellCompFile.getvalue().decode()
        return text.rpartition("#compdef")[2]

    def test_options(self) -> None:
        """
        Every option is offered. An option that may be repeated is offered
        again.
        """
        text = self.complete("--")
        for option in tap.Options().longOpt:
            again = option in ("endpoint=", "listen=", "observer=", "column=", "events=")
            self.assertIn(f"'*--{option}[" if again else f"--{option}[", text)

    def test_values(self) -> None:
        """
        For an option with known values, these are offered. For an option that
        takes a file, files are offered. For any other option, nothing is.
        """
        lines = {line.split("[")[0].strip("'\"*"): line for line in self.complete("").splitlines()}
        self.assertIn("(default dragonflow)", lines["--rules="])
        self.assertIn(" link_state ", lines["--column="])
        self.assertIn(r"(tcp\:127.0.0.1\:6640 ", lines["--endpoint="])
        for option in ("--private-key=", "--certificate=", "--ca-cert="):
            self.assertIn('_files -g "*.pem"', lines[option])
        files = {option for option, line in lines.items() if "_files" in line}
        tls = {"--private-key=", "--certificate=", "--ca-cert="}
        others = {"--events=", "--http-token-file=", "--publish-credentials="}
        self.assertEqual(files, {*others, *tls})
