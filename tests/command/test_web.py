# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.web}, and for the services that C{--http} makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import capturedLogs, formatEvent
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.command.test_options import parse
from twisted_ovsdb import tap
from twisted_ovsdb.command import web
from twisted_ovsdb.command.output import EventsService
from twisted_ovsdb.command.stateservice import StateService
from twisted_ovsdb.observers.filters import OnlyBridges
from twisted_ovsdb.observers.log import LoggingObserver
from twisted_ovsdb.openvswitch.views import through
from twisted_ovsdb.state.remembering import Recorder
from twisted_ovsdb.web.counted import CountedObserver
from twisted_ovsdb.web.door import TOKEN_LIMIT
from twisted_ovsdb.web.service import WebService

TOKEN = "0123456789abcdef"


class OptionTests(SynchronousTestCase):
    """
    What the options mean.
    """

    def test_local(self) -> None:
        """
        A bare port is on the loopback address; there, and on a unix socket, no token
        is needed.
        """
        for text in (
            "8080",
            "0",
            "tcp:8080:interface=127.0.0.1",
            r"tcp6:8080:interface=\:\:1",
            "unix:/run/monitor.sock:mode=660",
            "unix:/" + "a/" * 100 + "socket",
        ):
            self.assertIsNotNone(web.http(reactor, text, None, ()), text)
        self.assertEqual(web.http(reactor, "80", None, ())._interface, "127.0.0.1")  # type: ignore
        self.assertIsNone(web.http(reactor, None, None, ()))

    def test_notLocal(self) -> None:
        """
        Where other hosts can connect, a token is demanded.
        """
        for text in ("tcp:8080", "tcp6:8080", "tcp:8080:interface=192.0.2.1", "ptcp:8080"):
            with self.assertRaises(UsageError) as caught:
                web.http(reactor, text, None, ())
            self.assertEqual(
                str(caught.exception),
                f"--http {text}: other hosts can connect to it, so --http-token-file must be given",
            )
            self.assertIsNotNone(web.http(reactor, text, TOKEN, ()), text)

    def test_wrong(self) -> None:
        """
        What is no place to listen is said.
        """
        for text in ("65536", "99999999", "x", "tcp:x", "", "-1"):
            with self.assertRaises(UsageError) as caught:
                web.http(reactor, text, TOKEN, ())
            self.assertTrue(str(caught.exception).startswith(f"--http {text}"), text)
        with self.assertRaises(UsageError) as caught:
            web.http(reactor, "127.0.0.1:8080", None, ())
        self.assertIn("expected a port of 127.0.0.1, such as 8080, or", str(caught.exception))
        for token, hosts, said in (
            (TOKEN, [], "--http-token-file: --http must be given too"),
            (None, ["a"], "--http-host: --http must be given too"),
        ):
            with self.assertRaises(UsageError) as caught:
                web.http(reactor, None, token, hosts)
            self.assertEqual(str(caught.exception), said)

    def test_token(self) -> None:
        """
        A token is one long word in a file.
        """
        path = Path(self.mktemp())
        self.assertIsNone(web.token(None))
        path.write_text(f"{TOKEN}\n")
        path.chmod(0o600)
        with capturedLogs() as logs:
            self.assertEqual(web.token(str(path)), TOKEN)
            self.assertEqual(len(logs), 0)
            path.chmod(0o604)
            web.token(str(path))
        self.assertIn("everybody can read it", formatEvent(logs[0]))
        self.assertNotIn(TOKEN, formatEvent(logs[0]))
        path.write_text("t" * TOKEN_LIMIT + "\n")
        self.assertEqual(web.token(str(path)), "t" * TOKEN_LIMIT)
        long = b"t" * (TOKEN_LIMIT + 1)
        for content in (b"", TOKEN[1:].encode(), b"two words are no token", b"\xff" * 20, long):
            path.write_bytes(content)
            with self.assertRaises(UsageError) as caught:
                web.token(str(path))
            self.assertNotIn("word", str(caught.exception))
        with self.assertRaises(UsageError) as caught:
            web.token("/nonexistent")
        self.assertEqual(
            str(caught.exception), "--http-token-file /nonexistent: No such file or directory"
        )

    def test_host(self) -> None:
        """
        A host name has no port and no address around it.
        """
        for name in ("monitor.example.com", "node-7", "2001:db8::1", "192.0.2.1"):
            self.assertEqual(web.host(name), name)
        for name in ("", "a b", "a:80", "http://a", "*", "a" * 256):
            self.assertRaises(UsageError, web.host, name)

    def test_commandLine(self) -> None:
        """
        A mistake is one line.
        """
        for arguments, said in (
            (["--http", "tcp:1"], "--http tcp:1: other hosts can connect"),
            (["--http-host", "a b"], "--http-host 'a b': must be the name of a host"),
            (["--http-host", "a"], "--http-host: --http must be given too"),
            (["--http-token-file", "/none"], "--http-token-file /none: No such file"),
        ):
            with self.assertRaises(SystemExit) as caught:
                parse(*arguments)
            self.assertIn(said, str(caught.exception))


class MakeServiceTests(TestCase):
    """
    What C{--http} adds to the services.
    """

    def make(self, *arguments: str) -> tuple[WebService, list[Any]]:
        """
        The service of the web, and the factories and listeners.
        """
        services: Any = tap.makeService(parse("--http", "0", *arguments))
        [found] = [each for each in services if isinstance(each, WebService)]
        return found, found.monitored

    def test_observers(self) -> None:
        """
        The observers are counted, the web is told too, and the log goes on.
        """
        found, monitored = self.make(
            "--endpoint", "tcp:a", "--endpoint", "tcp:b", "--listen", "ptcp:"
        )
        self.assertEqual(len(monitored), 3)
        for factory in monitored[:2]:
            log, watch = [d.observer for d in factory.monitor._audience.deliveries]
            self.assertIs(watch, found.watch)
            assert isinstance(log, CountedObserver)
            self.assertEqual(log.name, "log")
            self.assertIsInstance(log._observer, LoggingObserver)
        self.assertIn(found.watch, monitored[2]._settings.observers)

    def test_names(self) -> None:
        """
        Observers have the names that their user gave them.
        """
        path = self.mktemp()
        found, _ = self.make(
            *("--observer", "tests.command.test_options.RecordingObserver", "--events", path)
        )
        names = [each.name for each in found.observers]
        self.assertEqual(names, ["RecordingObserver", f"--events {Path(path).absolute()}"])

    def test_ready(self) -> None:
        """
        It is not ready before the file of events is open, and not while the file has
        no room.
        """
        path = self.mktemp()
        services: Any = tap.makeService(parse("--http", "0", "--events", path))
        [found] = [each for each in services if isinstance(each, WebService)]
        [events] = [each for each in services if isinstance(each, EventsService)]
        [check] = found.checks
        shown = f"--events {Path(path).absolute()}: "
        self.assertEqual(check(), shown + "is not open")
        events.startService()
        self.assertIsNone(check())
        events.full("no space left on device")
        self.assertEqual(check(), shown + "no space left on device")
        events.goesOn()
        self.assertIsNone(check())
        events.stopService()

    def test_bridges(self) -> None:
        """
        With C{--bridge}, the web shows these bridges only.
        """
        found, [factory] = self.make("--bridge", "br-int")
        self.assertIsNotNone(found.wants)
        added = [d.added for d in factory.monitor._audience.deliveries]
        self.assertTrue(all(isinstance(each, OnlyBridges) for each in added))
        told = [d.observer for d in factory.monitor._audience.deliveries]
        self.assertEqual(told, [*found.observers, found.watch])

    def test_state(self) -> None:
        """
        With C{--state}, the observer is counted, the monitor still sees what remembers
        for it, and it is told of problems; also with C{--bridge}.
        """
        state = ("--state", self.mktemp(), "--events", self.mktemp())
        for more in ((), ("--bridge", "br-int")):
            found, [factory] = self.make(*state, *more)
            kept, watch = factory.monitor._audience.deliveries
            [counted] = found.observers
            self.assertIs(kept.observer, counted)
            self.assertIsInstance(counted._observer, Recorder)
            self.assertIsNotNone(through(kept.added).told)
            self.assertIsNotNone(kept.report)
            self.assertIsNotNone(watch.report)

    def test_report(self) -> None:
        """
        Problems are looked for after 30 s, which C{--report} changes. Every observer
        that asks for them is told of them, through what counts.
        """
        for more, after in (((), 30.0), (("--report", "7"), 7.0)):
            _, [factory] = self.make(*more)
            self.assertEqual(factory.monitor._watch.problems._after, after)
            log, watch = factory.monitor._audience.deliveries
            self.assertIsNotNone(log.report)
            self.assertIsNotNone(watch.report)
        _, [factory] = self.make("--observer", "tests.command.test_options.RecordingObserver")
        other, _ = factory.monitor._audience.deliveries
        self.assertIsNone(other.report)

    def test_readyState(self) -> Deferred[Any]:
        """
        It is not ready before the state and its file are open, and not while the disk
        takes no commit.
        """
        folder, path = Path(self.mktemp()).absolute(), Path(self.mktemp()).absolute()
        services: Any = tap.makeService(
            parse("--http", "0", "--state", str(folder), "--events", str(path))
        )
        [found] = [each for each in services if isinstance(each, WebService)]
        [state] = [each for each in services if isinstance(each, StateService)]
        [kept] = state
        [check] = found.checks
        self.assertEqual(check(), f"--events {path}: is not open")
        state.startService()
        self.assertIsNone(check())
        fate = kept._recorder.sink._fate
        fate.full("no space left on device")
        self.assertEqual(check(), f"--state {folder}: no space left on device")
        fate.goesOn()
        self.assertIsNone(check())
        return state.stopService()

    def test_gauges(self) -> None:
        """
        The metrics say whether the files and the state keep up.
        """
        path = str(Path(self.mktemp()).absolute())
        found, _ = self.make("--state", self.mktemp(), "--events", path)
        values = {each.name: list(each.samples()) for each in found.more}
        self.assertEqual(
            values,
            {
                "events_file_waiting_bytes": [((path,), 0)],
                "events_file_trouble": [((path,), True)],
                "state_waiting_events": [((path,), 0)],
                "state_last_commit_timestamp_seconds": [],
            },
        )
        found, _ = self.make("--events", path)
        self.assertEqual(
            [each.name for each in found.more], ["events_file_waiting_bytes", "events_file_trouble"]
        )
        found, _ = self.make()
        self.assertEqual(found.more, [])

    def test_without(self) -> None:
        """
        Without C{--http} nothing is counted.
        """
        services: Any = tap.makeService(parse())
        self.assertFalse(any(isinstance(each, WebService) for each in services))


class ReplayTests(SynchronousTestCase):
    """
    A new file of events.
    """

    def test_replay(self) -> None:
        """
        It is told everything again, also through C{--bridge} and C{--http}.
        """
        path = self.mktemp()
        for more in ([], ["--bridge", "br-int"], ["--http", "0"]):
            services: Any = tap.makeService(parse("--listen", "ptcp:", "--events", path, *more))
            [events] = [each for each in services if hasattr(each, "replay")]
            events.replay()


class ServiceTests(TestCase):
    """
    The service on a real port.
    """

    def test_F104_portInUse(self) -> None:
        """
        A port that is in use ends the command with one line, and a port that is
        closed is free again.
        """
        services: Any = tap.makeService(parse("--http", "0"))
        [first] = [each for each in services if isinstance(each, WebService)]
        first.startService()
        port = first.address.port  # type: ignore[union-attr]
        second = WebService(web.http(reactor, str(port), None, ()), fail=ValueError)  # type: ignore
        error = self.assertRaises(ValueError, second.privilegedStartService)
        self.assertIn("--http: cannot listen: ", str(error))
        self.assertIn("in use", str(error))

        def stopped(_: object) -> Any:
            third = WebService(web.http(reactor, str(port), None, ()))  # type: ignore[arg-type]
            third.startService()
            return third.stopService()

        return maybeDeferred(first.stopService).addCallback(stopped)  # type: ignore[return-value]
