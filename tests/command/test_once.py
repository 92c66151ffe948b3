# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{--once}.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.command.test_options import parse
from twisted_ovsdb import OvsdbMonitorFactory
from twisted_ovsdb.command import once
from twisted_ovsdb.command.output import quietErrorLog
from twisted_ovsdb.tap import makeService
from twisted_ovsdb.testing import MemoryServer, connectedFactory


class OnceTests(SynchronousTestCase):
    """
    Tests for L{once.OnceService}.
    """

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.stops: list[int] = []
        self.output = io.BytesIO()
        self.patch(once, "_reactor", lambda: self.reactor)
        self.patch(once, "stopWith", lambda reactor, status: self.stops.append(status))
        self.patch(sys, "__stdout__", io.TextIOWrapper(self.output))
        self.server = MemoryServer()
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        self.server.addPort("br-int", "tap\n2", iface_id="vm-2")
        self.server.addBridge("br-ex")
        self.server.addTunnel("br-ex", "df1", remote_ip="192.0.2.1", ofport=-1, error="no")

    def show(self, form: str, *options: Any, absent: bool = False) -> str:
        """
        What is shown of the server, and of another one that is not there.
        """
        servers = [("memory", connectedFactory(self.server, bridges=True))]
        if absent:
            servers.append(("absent", OvsdbMonitorFactory(clock=self.server.clock)))
        service = once.OnceService(servers, 10.0, form, *options)
        service.startService()
        self.reactor.advance(10)
        service.stopService()
        return self.output.getvalue().decode()

    def test_table(self) -> None:
        """
        The table has a line for each interface, by bridge and name. A name cannot
        break it.
        """
        self.assertEqual(
            self.show("table"),
            "BRIDGE  PORT    KIND    OFPORT  STATE    WHAT\n"
            "br-ex   br-ex   bridge  65534   ready\n"
            "br-ex   df1     tunnel  -1      failed   remote-ip 192.0.2.1, error no\n"
            "br-int  br-int  bridge  65534   ready\n"
            "br-int  tap\\n2  vm      -       pending  iface-id vm-2\n"
            "br-int  tap1    vm      1       ready    iface-id vm-1\n",
        )
        self.assertEqual(self.stops, [0])

    def test_bridges(self) -> None:
        """
        With C{--bridge}, only what is on these bridges is shown.
        """
        names = [line.split()[1] for line in self.show("table", ["br-e*"]).splitlines()]
        self.assertEqual(names, ["PORT", "br-ex", "df1"])

    def test_json(self) -> None:
        """
        The lines are those of a first snapshot.
        """
        lines = [json.loads(line) for line in self.show("json").splitlines()]
        self.assertEqual([line["event"] for line in lines], ["online"] * 5 + ["synchronized"])
        self.assertEqual({line["cause"] for line in lines}, {"initial"})
        self.assertEqual(lines[-1]["counts"], {"bridge": 2, "vm": 2, "tunnel": 1, "patch": 0})

    def test_absent(self) -> None:
        """
        If one of several servers is not in sync in time, the others are shown, an
        error names it, and the status is 1.
        """
        with capturedLogs() as logs:
            text = self.show("table", absent=True)
        self.assertEqual(text.split()[0], "SWITCH")
        self.assertEqual(self.stops, [1])
        said = [formatEvent(log) for log in logs if log["log_level"].name == "error"]
        self.assertEqual(said, ["absent: not in sync within 10 s (--timeout)"])

    def test_nothing(self) -> None:
        """
        If no server is in sync, nothing is written.
        """
        factory = OvsdbMonitorFactory(clock=self.server.clock)
        service = once.OnceService([("absent", factory)], 1.0, "table")
        service.startService()
        self.reactor.advance(1)
        self.assertEqual((self.output.getvalue(), self.stops), (b"", [1]))

    def test_interrupted(self) -> None:
        """
        Ctrl-C ends it: nothing is shown, and nothing is said.
        """
        factory = OvsdbMonitorFactory(clock=self.server.clock)
        service = once.OnceService([("absent", factory)], 1.0, "table")
        service.startService()
        service.stopService()
        factory.stop()
        self.assertEqual((self.output.getvalue(), self.stops), (b"", []))
        self.assertEqual(self.flushLoggedErrors(CancelledError), [])

    def test_readerGone(self) -> None:
        """
        A reader that has seen enough is no error.
        """
        self.assertEqual((self.showInto(BrokenPipeError()), self.stops), ([], [0]))

    def test_cannotWrite(self) -> None:
        """
        If standard output cannot be written to, the log says why, and the status is 1.
        """
        full = OSError(errno.ENOSPC, "No space left on device")
        said = ["standard output: No space left on device"]
        self.assertEqual((self.showInto(full), self.stops), (said, [1]))

    def test_bug(self) -> None:
        """
        The command ends also if there is a bug in what it shows.
        """
        self.assertEqual(
            (self.showInto(ZeroDivisionError()), self.stops), (["a bug in --once"], [1])
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def showInto(self, error: Exception) -> list[str]:
        """
        What is logged when standard output raises this. It is replaced, because it would
        raise that once more at the end of the process.
        """

        class Output(io.BytesIO):
            def write(self, data: Any) -> int:
                raise error

        replaced: list[int] = []

        def dup2(old: int, new: int) -> None:
            os.close(old)
            replaced.append(new)

        self.patch(os, "dup2", dup2)
        self.patch(sys, "__stdout__", io.TextIOWrapper(Output()))
        with capturedLogs() as logs:
            self.show("json")
        self.assertEqual(replaced, [1] if isinstance(error, OSError) else [])
        levels = (LogLevel.error, LogLevel.critical)
        return [formatEvent(event) for event in logs if event["log_level"] in levels]


class OptionsTests(SynchronousTestCase):
    """
    Tests for the options that belong to it.
    """

    def test_services(self) -> None:
        """
        Nothing is logged but warnings, and no observer is told anything.
        """
        options = parse("--once", "--format", "table", "--timeout", "3")
        self.assertIs(options.parent["logger"], quietErrorLog)
        self.assertTrue(options["bridges"])
        services: Any = makeService(options)
        *_, monitor, service = services
        self.assertEqual(monitor.factory.monitor._audience.deliveries, [])
        self.assertEqual((service._timeout, service._form), (3.0, "table"))

    def test_defaults(self) -> None:
        """
        On a terminal it is a table, and otherwise JSON Lines; it waits for 10
        seconds.
        """
        for terminal, form in ((True, "table"), (False, "json")):
            stream = io.TextIOWrapper(io.BytesIO())
            self.patch(stream, "isatty", lambda terminal=terminal: terminal)
            self.patch(sys, "__stdout__", stream)
            options = parse("--once")
            self.assertEqual((options["format"], options["timeout"]), (form, 10.0))

    def test_refused(self) -> None:
        """
        What does not go with it, and what goes only with it, is refused.
        """
        for words, text in (
            (["--once", "--listen", "ptcp:1"], "--once: not with --listen"),
            (["--once", "--events", "-"], "--once: not with --events"),
            (["--once", "--report", "3"], "--once: not with --report"),
            (["--once", "--format", "xml"], "--format xml: must be table or json"),
            (["--once", "--timeout", "0"], "--timeout 0: must be"),
            (["--timeout", "3"], "--timeout: needs --once"),
            (["--format", "json"], "--format: needs --once"),
        ):
            self.assertIn(text, str(self.assertRaises(SystemExit, parse, *words).code))
        line = self.assertRaises(SystemExit, parse, "--once", twistd=()).code
        self.assertIn("--once: a daemon has no standard output", str(line))
