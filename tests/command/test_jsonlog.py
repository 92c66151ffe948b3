# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{--log-format json}.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.command.test_options import parse
from tests.observers.values import SOURCE, found, interface
from twisted_ovsdb.command import jsonlog
from twisted_ovsdb.events import Cause, InterfaceOnline
from twisted_ovsdb.observers.log import LoggingObserver


class JSONLogTests(SynchronousTestCase):
    """
    Tests for L{jsonlog}.
    """

    def setUp(self) -> None:
        self.stream = io.StringIO()
        self.addCleanup(jsonlog.choose, None)
        jsonlog.choose(self.stream)
        observer = jsonlog.jsonLog()
        self.log = Logger("switches", observer=LogPublisher(observer))

    def lines(self) -> list[dict[str, Any]]:
        """
        What was written. It is ASCII.
        """
        text = self.stream.getvalue()
        self.assertTrue(text.isascii())
        return [json.loads(line) for line in text.splitlines()]

    def test_line(self) -> None:
        """
        A line has the time, the level, the logger, the message, and its fields. A
        field does not take the place of these.
        """
        self.log.warn(
            "{source}: {count} of {what}",
            source="é\u2028",
            count=3,
            what=ValueError("a\nb"),
            time=1,
        )
        (line,) = self.lines()
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(
            line,
            {
                "level": "warn",
                "logger": "switches",
                "message": "é\u2028: 3 of a\nb",
                "source": "é\u2028",
                "count": 3,
                "what": r"a\nb",
            },
        )

    def test_numbers(self) -> None:
        """
        A number that JSON does not have is a text.
        """
        self.log.info("x", a=float("inf"), b=1.5, c=None, d=True)
        (line,) = self.lines()
        self.assertEqual([line[key] for key in "abcd"], ["inf", 1.5, None, True])

    def test_odd(self) -> None:
        """
        No line is lost, whatever its fields are: an observer may have no text, for
        example.
        """

        class Odd:
            def __repr__(self) -> str:
                raise ZeroDivisionError

        self.log.info("x", a=Odd(), b=10**5000, c={b"\xff": 1})
        publisher = LogPublisher(jsonlog.jsonLog())
        event: dict[Any, Any] = {"log_format": "y", "log_level": None, 5: 6}
        publisher(event)
        first, second = self.lines()
        self.assertIn("Odd", first["a"])
        self.assertEqual((first["message"], second["message"]), ("x", "y"))
        self.assertEqual(second["level"], "info")

    def test_failure(self) -> None:
        """
        A failure has its traceback.
        """
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            self.log.failure("it failed", Failure())
        (line,) = self.lines()
        self.assertEqual((line["level"], line["message"]), ("critical", "it failed"))
        self.assertIn("RuntimeError: broken", line["traceback"])

    def test_event(self) -> None:
        """
        An event is the object of JSON Lines, without keys and passwords. Its line has
        the source as all others have it.
        """
        row = interface(options={"psk": "secret", "remote_ip": "::1"})
        for event in (InterfaceOnline(row, Cause.UPDATE, SOURCE), found(row)):
            observer = LoggingObserver()
            self.patch(observer, "_log", self.log)
            observer.eventReceived(event)
        online, problem = self.lines()
        self.assertEqual(online["event"]["interface"]["options"]["remote_ip"], "::1")
        self.assertEqual(problem["event"]["problem"], "failed")
        self.assertEqual((online["source"], problem["source"]), (SOURCE, SOURCE))
        self.assertNotIn("secret", self.stream.getvalue())

    def test_closed(self) -> None:
        """
        If the stream is closed, the log goes nowhere.
        """
        jsonlog.choose(None)
        jsonlog.jsonLog()({"log_format": "nobody reads this"})

    def test_options(self) -> None:
        """
        The log goes to where it would go as text: to the log file, or to standard
        output unless that has the events.
        """
        path = self.mktemp()
        for words, twistd, stream, file in (
            ([], (), sys.__stdout__, None),
            (["--events", "-"], (), sys.__stderr__, None),
            ([], ("--logfile", path), sys.__stdout__, str(Path(path).absolute())),
            (["--once"], (), sys.__stderr__, None),
        ):
            options = parse("--log-format", "json", *words, twistd=("-n", *twistd))
            quiet = jsonlog.quietJSONLog if "--once" in words else jsonlog.jsonLog
            self.assertIs(options.parent["logger"], quiet)
            self.assertIs(jsonlog._stream, stream)
            self.assertEqual(jsonlog._path, file)
        self.assertIsNone(parse("--log-format", "text").parent["logger"])

    def test_refused(self) -> None:
        """
        A wrong format is refused, and so is a log that cannot be of JSON.
        """
        json = ("--log-format", "json")
        for words, twistd, text in (
            (("--log-format", "xml"), ("-n",), "--log-format xml: must be text or json"),
            (json, ("-n", "--syslog"), "not with --syslog"),
            (json, ("-n", "--logger", "twisted.logger.globalLogPublisher"), "or --logger"),
            (json, (), "a daemon needs twistd --logfile"),
        ):
            line = self.assertRaises(SystemExit, parse, *words, twistd=twistd).code
            self.assertIn(text, str(line))

    def test_file(self) -> None:
        """
        A log file is made when twistd asks for the log.
        """
        path = Path(self.mktemp())
        jsonlog.choose(None, str(path))
        self.assertFalse(path.exists())
        Logger("x", observer=LogPublisher(jsonlog.jsonLog())).info("hello")
        self.assertEqual(json.loads(path.read_text())["message"], "hello")
