# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor}: its options, and the service that they make.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import ILogObserver, textFileLogObserver
from twisted.python.reflect import namedAny
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from twisted_ovsdb._version import __version__
from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.factory import CONNECT_TIMEOUT, MAX_DELAY, OvsdbMonitorFactory
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers import LoggingObserver
from twisted_ovsdb.output import STANDARD_OUTPUT, EventsService, openAppend
from twisted_ovsdb.service import OvsdbMonitorService
from twisted_ovsdb.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT

DEFAULT_ENDPOINT = "tcp:127.0.0.1:6640"


def standardErrorLog() -> ILogObserver:
    """
    The log's place while standard output carries events.
    """
    assert sys.__stderr__ is not None
    return textFileLogObserver(sys.__stderr__)


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
        ],
        [
            "connect-timeout",
            None,
            CONNECT_TIMEOUT,
            "Seconds that an attempt to connect may take; 0 is as long as the endpoint allows.",
        ],
        [
            "snapshot-timeout",
            None,
            SNAPSHOT_TIMEOUT,
            "Seconds without a byte while the server's first reply is awaited; 0 is no limit.",
        ],
        [
            "probe-interval",
            None,
            PROBE_INTERVAL,
            "Seconds of silence until the server is asked for a sign of life, and as many until"
            " it is given up; 0 is never.",
        ],
    ]

    def __init__(self) -> None:
        UsageOptions.__init__(self)
        # usage shows the line breaks of a docstring.
        for name in ("endpoint", "observer"):
            self.docs[name] = " ".join(self.docs[name].split())
        self["endpoints"] = []
        self["observers"] = []

    def opt_endpoint(self, text: str) -> None:
        """
        A server to monitor, as a Twisted client endpoint string, such as
        tcp:HOST:PORT or unix:PATH. May be given again for each server.
        [default: tcp:127.0.0.1:6640]
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
            # What an observer's module raises may have several lines.
            raise SystemExit(f"twistd ovsdb-monitor: {' '.join(str(e).split())}") from e

    def parseArgs(self, *extra: str) -> None:
        """
        There is nothing but options.
        """
        if extra:
            raise UsageError(f"{extra[0]}: nothing is expected behind the options")

    def postOptions(self) -> None:
        """
        Check what is given, so that nothing goes wrong later.
        """
        if not self["endpoints"]:
            self.opt_endpoint(DEFAULT_ENDPOINT)
        if self["events"] == STANDARD_OUTPUT:
            self._reserveStandardOutput()
        elif self["events"] is not None:
            self._checkEvents()
        self["rules"] = self._makeRules()
        self._convertSeconds("max-delay", "above zero")
        for name in ("connect-timeout", "snapshot-timeout", "probe-interval"):
            self._convertSeconds(name, "not below zero")

    def _convertSeconds(self, name: str, bound: str) -> None:
        text = self[name]
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not (0 < value < float("inf") or (value == 0 and bound == "not below zero")):
            raise UsageError(f"--{name} {text}: must be a number of seconds {bound}")
        self[name] = value

    def _checkEvents(self) -> None:
        path = self["events"]
        try:
            os.close(openAppend(path))
        except OSError as e:
            raise UsageError(f"--events {path}: cannot be opened: {e.strerror}") from e
        # twistd may change its directory before the file is opened for good.
        self["events"] = os.path.abspath(path)

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
                raise UsageError(
                    f"--bridge-names {names}: --rules dragonflow names the bridges itself"
                )
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
