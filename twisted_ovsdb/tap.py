# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor}: its options, and the service that they make.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import ILogObserver, Logger, textFileLogObserver
from twisted.python.reflect import namedAny
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from twisted_ovsdb._version import __version__
from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.factory import CONNECT_TIMEOUT, MAX_DELAY, OvsdbMonitorFactory
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.linewriter import LineWriter
from twisted_ovsdb.observers import JSONLinesObserver, LoggingObserver
from twisted_ovsdb.service import OvsdbMonitorService
from twisted_ovsdb.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT

DEFAULT_ENDPOINT = "tcp:127.0.0.1:6640"

STANDARD_OUTPUT = "-"


def standardErrorLog() -> ILogObserver:
    """
    The log's place while standard output carries events.
    """
    assert sys.__stderr__ is not None
    return textFileLogObserver(sys.__stderr__)


def seconds(text: str) -> float:
    """
    An amount of time above zero.
    """
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("must be above zero")
    return value


def secondsOrNever(text: str) -> float:
    """
    An amount of time, 0 for none.
    """
    return 0.0 if float(text) == 0 else seconds(text)


class Options(UsageOptions):
    """
    The command line.
    """

    synopsis = "[options]"

    longdesc = (
        "Keeps one connection to each Open vSwitch database server, and tells which bridges,"
        " VM ports, tunnels and patch ports come, go and change. Events are logged, one line"
        " each, unless --events or --observer say where else they go. For example:"
        " twistd -n ovsdb-monitor --endpoint unix:/var/run/openvswitch/db.sock --events - | jq ."
    )

    optFlags = [
        ["no-replay", None, "Do not tell again what an outage has left unchanged."],
    ]

    optParameters = [
        ["database", None, "Open_vSwitch", "The database's name."],
        [
            "events",
            None,
            None,
            "Append events to this file as JSON Lines; - is standard output, which then carries"
            " nothing else (with twistd -n).",
        ],
        [
            "rules",
            None,
            "default",
            "What decides an interface's class: default (its columns), or dragonflow (also the"
            " names br-int, br-tun, br-ex, tap* and df*).",
        ],
        [
            "bridge-names",
            None,
            None,
            "Which internal interfaces are bridges: shell patterns with commas between"
            " (default: br*).",
        ],
        [
            "max-delay",
            None,
            MAX_DELAY,
            "Seconds between two attempts to connect at most.",
            seconds,
        ],
        [
            "connect-timeout",
            None,
            CONNECT_TIMEOUT,
            "Seconds that an attempt to connect may take; 0 is as long as the endpoint allows.",
            secondsOrNever,
        ],
        [
            "snapshot-timeout",
            None,
            SNAPSHOT_TIMEOUT,
            "Seconds without a byte while the server's first reply is awaited; 0 is no limit.",
            secondsOrNever,
        ],
        [
            "probe-interval",
            None,
            PROBE_INTERVAL,
            "Seconds of silence until the server is asked for a sign of life, and as many until"
            " it is given up; 0 is never.",
            secondsOrNever,
        ],
    ]

    def __init__(self) -> None:
        UsageOptions.__init__(self)
        self["endpoints"] = []
        self["observers"] = []

    def opt_endpoint(self, text: str) -> None:
        """
        A server to monitor, as a Twisted client endpoint string, such as
        tcp:HOST:PORT or unix:PATH. May be given again for each server.
        (default: tcp:127.0.0.1:6640)
        """
        self["endpoints"].append((text, _parseEndpoint(text)))

    def opt_observer(self, name: str) -> None:
        """
        The dotted name of a class or an instance that provides
        twisted_ovsdb.IOvsdbEventObserver. May be given again. Events are told
        to it instead of the log.
        """
        self["observers"].append(_importObserver(name))

    def opt_version(self) -> None:
        """
        Print the version and exit.
        """
        print(f"twisted_ovsdb {__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse the command line. A mistake in it is one line on standard error
        and status 1: twistd would print its whole help on standard output.
        """
        try:
            UsageOptions.parseOptions(self, options)
        except UsageError as e:
            raise SystemExit(f"twistd ovsdb-monitor: {e}") from e

    def postOptions(self) -> None:
        """
        Check what is given, so that nothing goes wrong later.
        """
        if not self["endpoints"]:
            self.opt_endpoint(DEFAULT_ENDPOINT)
        if self["events"] == STANDARD_OUTPUT:
            self._reserveStandardOutput()
        elif self["events"] is not None:
            # twistd may change its directory before the file is opened.
            self["events"] = os.path.abspath(self["events"])
            _checkAppend(self["events"])
        self["rules"] = self._makeRules()

    def _reserveStandardOutput(self) -> None:
        twistd: Any = self.parent
        if not twistd["nodaemon"]:
            raise UsageError(
                "--events -: a daemon has no standard output; use twistd -n, or --events PATH"
            )
        logsElsewhere = (
            twistd["logger"] or twistd["syslog"] or twistd["logfile"] not in (None, "", "-")
        )
        if not logsElsewhere:
            twistd["logger"] = "twisted_ovsdb.tap.standardErrorLog"

    def _makeRules(self) -> ClassificationRules:
        names = self["bridge-names"]
        if self["rules"] == "dragonflow":
            if names is not None:
                raise UsageError("--bridge-names: --rules dragonflow names the bridges itself")
            return ClassificationRules.dragonflow()
        if self["rules"] != "default":
            raise UsageError(f"--rules {self['rules']}: is neither default nor dragonflow")
        if names is None:
            return ClassificationRules()
        patterns = [name.strip() for name in names.split(",")]
        if not all(patterns):
            raise UsageError(f"--bridge-names {names!r}: has an empty pattern")
        return ClassificationRules(bridgeNames=patterns)


def _parseEndpoint(text: str) -> IStreamClientEndpoint:
    from twisted.internet import reactor

    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
    # NameError: tls: and ssl: without pyOpenSSL.
    except (ValueError, TypeError, NameError, KeyError) as e:
        raise UsageError(
            f"--endpoint {text}: {e} (a client endpoint string is needed, such as"
            f" {DEFAULT_ENDPOINT} or unix:/var/run/openvswitch/db.sock)"
        ) from e
    return endpoint


def _importObserver(name: str) -> IOvsdbEventObserver:
    try:
        observer = namedAny(name)
    # A module that is imported may raise anything.
    except Exception as e:
        hint = ""
        if isinstance(e, (ImportError, AttributeError, ValueError)):
            hint = " (is its directory on PYTHONPATH? PYTHONPATH=. is the current one)"
        raise UsageError(
            f"--observer {name}: cannot be imported: {type(e).__name__}: {e}{hint}"
        ) from e
    if isinstance(observer, type) and IOvsdbEventObserver.implementedBy(observer):
        try:
            made: Any = observer
            observer = made()
        except Exception as e:
            raise UsageError(f"--observer {name}: cannot be made: {type(e).__name__}: {e}") from e
    if not IOvsdbEventObserver.providedBy(observer):
        raise UsageError(f"--observer {name}: does not provide IOvsdbEventObserver: {observer!r}")
    return IOvsdbEventObserver(observer)


def _openAppend(path: str) -> int:
    # O_NONBLOCK: opening a named pipe that nobody reads must not hang.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)


def _checkAppend(path: str) -> None:
    try:
        # A named pipe is not tried out: its reader would see the end of it.
        if not (os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)):
            os.close(_openAppend(path))
    except OSError as e:
        raise UsageError(f"--events {path}: cannot be opened: {e.strerror}") from e


class EventsService(Service):
    """
    Writes JSON Lines from start to stop.
    """

    _log = Logger()

    def __init__(self, events: str) -> None:
        """
        @param events: a path, or C{-} for standard output.
        """
        self._events = events
        self._descriptor: int | None = None
        self._writer: LineWriter | None = None
        self.observer = JSONLinesObserver(self._write)

    def startService(self) -> None:
        """
        Open the file: not earlier, because twistd forks before this.
        """
        Service.startService(self)
        from twisted.internet import reactor

        if self._events == STANDARD_OUTPUT:
            # sys.stdout writes to the log by now.
            assert sys.__stdout__ is not None
            descriptor = sys.__stdout__.fileno()
        else:
            descriptor = self._descriptor = _openAppend(self._events)
        self._writer = LineWriter(descriptor, reactor, self._readerGone)

    def stopService(self) -> None:
        """
        Close the file.
        """
        Service.stopService(self)
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, line: bytes) -> Deferred[None] | None:
        return self._writer.write(line) if self._writer is not None else None

    def _readerGone(self) -> None:
        from twisted.internet import reactor

        self._log.info("the reader of --events {events} is gone: stopping", events=self._events)
        reactor.callLater(0, reactor.stop)


def makeService(options: Options) -> IService:
    """
    Make the service of a command line. Nothing is opened here: twistd forks
    afterwards.
    """
    services = MultiService()
    observers: list[IOvsdbEventObserver] = list(options["observers"])
    if options["events"] is not None:
        events = EventsService(options["events"])
        services.addService(events)
        observers.append(events.observer)
    if not observers:
        observers.append(LoggingObserver(nameSource=len(options["endpoints"]) > 1))
    for text, endpoint in options["endpoints"]:
        factory = OvsdbMonitorFactory(
            observers,
            database=options["database"],
            rules=options["rules"],
            replay=not options["no-replay"],
            source=text,
            maxDelay=options["max-delay"],
            connectTimeout=options["connect-timeout"],
            snapshotTimeout=options["snapshot-timeout"],
            probeInterval=options["probe-interval"],
        )
        services.addService(OvsdbMonitorService(endpoint, factory))
    return services
