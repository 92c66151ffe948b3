# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor}: its options, and the service that they make.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, textFileLogObserver
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from twisted_ovsdb._version import __version__
from twisted_ovsdb.command import arguments
from twisted_ovsdb.command.completions import COMPLETIONS, DEFAULT_ENDPOINT
from twisted_ovsdb.command.output import STANDARD_OUTPUT, EventsService
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY
from twisted_ovsdb.lifecycle.factory import CONNECT_TIMEOUT, OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import MAX_SWITCHES, OvsdbListenerFactory
from twisted_ovsdb.lifecycle.service import OvsdbListenService, OvsdbMonitorService
from twisted_ovsdb.observers.base import LoggingObserver


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
        [
            "verify-hostname",
            None,
            "With ssl:HOST, have the server's certificate be for HOST too, by its subjectAltName"
            " (those of ovs-pki name no hosts).",
        ],
        [
            "identify",
            None,
            "Ask each switch who it is: events then have its system_id and hostname (always on"
            " with --listen).",
        ],
        ["leader-only", None, "Leave a member of a cluster that does not lead it."],
    ]

    optParameters = [
        ["database", None, "Open_vSwitch", "The database's name."],
        [
            "private-key",
            None,
            None,
            "For ssl:HOST, which needs all three: our private key, a PEM file. The files are read"
            " anew for each connection.",
        ],
        ["certificate", None, None, "Our certificate, a PEM file."],
        ["ca-cert", None, None, "The CA certificate that verifies the server, a PEM file."],
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
            "max-switches",
            None,
            MAX_SWITCHES,
            "How many switches may dial in with --listen.",
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

    compData = COMPLETIONS

    def __init__(self) -> None:
        UsageOptions.__init__(self)
        # usage shows the line breaks of a docstring.
        for name in ("endpoint", "listen", "observer", "column"):
            self.docs[name] = " ".join(self.docs[name].split())
        self["endpoints"] = []
        self["listen"] = []
        self["observers"] = []
        self["columns"] = []

    def opt_endpoint(self, text: str) -> None:
        """
        A server to monitor: tcp:HOST[:PORT], ssl:HOST[:PORT] or unix:PATH, as
        Open vSwitch writes remotes, or a Twisted client endpoint string. May
        be given again for each server; with commas between, they are the
        members of one cluster. [default: tcp:127.0.0.1:6640]
        """
        self["endpoints"].append(text)

    def opt_listen(self, text: str) -> None:
        """
        Where to listen for switches that dial in after ovs-vsctl set-manager
        tcp:CONTROLLER:6640, as Open vSwitch writes it, ptcp:[PORT][:ADDRESS]
        or pssl:[PORT][:ADDRESS], or a Twisted server endpoint string. May be
        given again.
        """
        self["listen"].append(text)

    def opt_observer(self, name: str) -> None:
        """
        The dotted name of a class or an instance that provides
        twisted_ovsdb.IOvsdbEventObserver. May be given again. Events are told
        to it instead of the log.
        """
        self["observers"].append(arguments.observer(name))

    def opt_column(self, name: str) -> None:
        """
        A column of the Interface table to monitor beside the usual six, such
        as link_state: its value is under "extra" in each line of --events, and
        in interface.extra of an observer. May be given again. Most other
        columns go blank at each restart of the server, which is a change.
        """
        self["columns"].append(arguments.column(name))

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
        from twisted.internet import reactor

        texts = self["endpoints"]
        if not texts and not self["listen"]:
            texts = [DEFAULT_ENDPOINT]
        tls = arguments.tls(self, [*texts, *self["listen"]])
        self["endpoints"] = [arguments.endpoint(reactor, text, tls) for text in texts]
        self["listen"] = [arguments.place(reactor, text, tls) for text in self["listen"]]
        if self["events"] == STANDARD_OUTPUT:
            self._reserveStandardOutput()
        elif self["events"] is not None:
            self["events"] = arguments.events(self["events"])
        self["rules"] = arguments.rules(self["rules"], self["bridge-names"])
        self["max-switches"] = arguments.count("max-switches", self["max-switches"])
        self["max-delay"] = arguments.seconds("max-delay", self["max-delay"])
        for name in ("connect-timeout", "snapshot-timeout", "probe-interval"):
            self[name] = arguments.seconds(name, self[name], zero=True)

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
        several = len(options["endpoints"]) > 1 or options["listen"]
        observers.append(LoggingObserver(nameSource=bool(several)))
    common = {
        "observers": observers,
        "database": options["database"],
        "rules": options["rules"],
        "replay": not options["no-replay"],
        "extraColumns": options["columns"],
        "snapshotTimeout": options["snapshot-timeout"],
        "probeInterval": options["probe-interval"],
    }
    for text, endpoint, members in options["endpoints"]:
        factory = OvsdbMonitorFactory(
            **common,
            source=text,
            maxDelay=options["max-delay"],
            connectTimeout=options["connect-timeout"],
            identify=bool(options["identify"]),
            leaderOnly=bool(options["leader-only"]),
            members=members,
        )
        services.addService(OvsdbMonitorService(endpoint, factory))
    if options["listen"]:
        # One for all places: a switch may come by any of them.
        listener = OvsdbListenerFactory(**common, maxSwitches=options["max-switches"])
        for place in options["listen"]:
            services.addService(OvsdbListenService(place, listener))
    return services
