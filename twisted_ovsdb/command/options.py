# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The command line of C{twistd ovsdb-monitor}. What the values of its options mean
is in L{twisted_ovsdb.command.arguments}.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from twisted_ovsdb._version import __version__
from twisted_ovsdb.command import arguments
from twisted_ovsdb.command.completions import COMPLETIONS, DEFAULT_ENDPOINT
from twisted_ovsdb.command.output import STANDARD_OUTPUT
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY
from twisted_ovsdb.lifecycle.factory import CONNECT_TIMEOUT
from twisted_ovsdb.lifecycle.listener import MAX_SWITCHES


class Options(UsageOptions):
    """
    The options. After they are parsed, their values are what
    L{twisted_ovsdb.tap.makeService} needs: endpoints, observers, rules, numbers.
    """

    synopsis = "[options]"

    longdesc = (
        "Keeps one connection to each Open vSwitch database server, and tells which bridges,"
        " VM ports, tunnels and patch ports come, go and change. Each event is a line in the log,"
        " unless --events or --observer is given: then events go there instead. For example:"
        " twistd -n ovsdb-monitor --endpoint unix:/var/run/openvswitch/db.sock --events - | jq ."
    )

    optFlags = [
        ["no-replay", None, "After an outage, do not tell unchanged interfaces again."],
        [
            "verify-hostname",
            None,
            "With ssl:HOST, accept the server's certificate only if its subjectAltName names"
            " HOST (certificates that ovs-pki makes name no hosts).",
        ],
        [
            "identify",
            None,
            "Ask each switch for its identity: events then have its system_id and hostname"
            " (always on with --listen).",
        ],
        [
            "leader-only",
            None,
            "Monitor the leader of a cluster only: leave a member that does not lead.",
        ],
    ]

    optParameters = [
        ["database", None, "Open_vSwitch", "The name of the database."],
        [
            "private-key",
            None,
            None,
            "Our private key, a PEM file. ssl: and pssl: need this option, --certificate and"
            " --ca-cert. The three files are read again for each connection.",
        ],
        ["certificate", None, None, "Our certificate, a PEM file."],
        [
            "ca-cert",
            None,
            None,
            "The certificate of the authority that must have signed the certificate of the other"
            " side, a PEM file.",
        ],
        [
            "events",
            None,
            None,
            "Append events to this file as JSON Lines. - is standard output, which then has"
            " nothing else in it (with twistd -n).",
        ],
        [
            "rules",
            None,
            "default",
            "What decides the kind of an interface: default (its columns), or dragonflow (its"
            " columns, and the names br-int, br-tun, br-ex, tap* and df*).",
        ],
        [
            "bridge-names",
            None,
            None,
            "The names of internal interfaces that are bridges: shell patterns, separated by"
            " commas (default: br*).",
        ],
        ["max-switches", None, MAX_SWITCHES, "How many switches may connect to --listen."],
        [
            "max-delay",
            None,
            MAX_DELAY,
            "The longest wait between two attempts to connect, in seconds.",
        ],
        [
            "connect-timeout",
            None,
            CONNECT_TIMEOUT,
            "The longest time that an attempt to connect may take, in seconds; 0: as long as the"
            " endpoint allows.",
        ],
        [
            "snapshot-timeout",
            None,
            SNAPSHOT_TIMEOUT,
            "The longest time without a byte until the initial reply is complete, in seconds;"
            " 0: no limit.",
        ],
        [
            "probe-interval",
            None,
            PROBE_INTERVAL,
            "After so many seconds without a byte the server is probed; after as many more the"
            " connection is given up. 0: no probes.",
        ],
    ]

    compData = COMPLETIONS

    def __init__(self) -> None:
        UsageOptions.__init__(self)
        # Without this, --help would show the line breaks of the docstrings.
        for name in ("endpoint", "listen", "observer", "column"):
            self.docs[name] = " ".join(self.docs[name].split())
        self.update(endpoints=[], listen=[], observers=[], columns=[])

    def opt_endpoint(self, text: str) -> None:
        """
        A server to monitor: tcp:HOST[:PORT], ssl:HOST[:PORT] or unix:PATH, as
        Open vSwitch writes remotes, or a Twisted client endpoint string. May
        be given several times, once for each server. Several remotes with
        commas between them are the members of one cluster. [default:
        tcp:127.0.0.1:6640]
        """
        self["endpoints"].append(text)

    def opt_listen(self, text: str) -> None:
        """
        Where to listen for switches that connect to us, as they do after
        ovs-vsctl set-manager tcp:CONTROLLER:6640: ptcp:[PORT][:ADDRESS] or
        pssl:[PORT][:ADDRESS], as Open vSwitch writes it, or a Twisted server
        endpoint string. May be given several times.
        """
        self["listen"].append(text)

    def opt_observer(self, name: str) -> None:
        """
        The dotted name of an observer in Python: a class or an instance that
        provides twisted_ovsdb.IOvsdbEventObserver. It gets the events, which
        are then not logged. May be given several times.
        """
        self["observers"].append(arguments.observer(name))

    def opt_column(self, name: str) -> None:
        """
        A column of the Interface table to monitor beside the usual six, such
        as link_state. Its value is under "extra" in each line of --events, and
        in interface.extra for an observer. May be given several times. Most
        other columns become empty at each restart of the server, which is a
        change of each interface.
        """
        self["columns"].append(arguments.column(name))

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"twisted_ovsdb {__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse the command line.

        @raise SystemExit: if there is a mistake in it: one line on standard
            error, and status 1. (For a C{UsageError}, twistd would print its
            whole help on standard output.)
        """
        try:
            UsageOptions.parseOptions(self, options)
        except UsageError as e:
            # An error of an observer's module may have several lines.
            raise SystemExit(f"twistd ovsdb-monitor: {' '.join(str(e).split())}") from e

    def parseArgs(self, *extra: str) -> None:
        """Refuse everything that is not an option."""
        if extra:
            raise UsageError(f"{extra[0]}: only options are expected")

    def postOptions(self) -> None:
        """Check all values, and replace them by what they mean."""
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
        logsToFile = twistd["logfile"] not in (None, "", "-")
        if not (twistd["logger"] or twistd["syslog"] or logsToFile):
            twistd["logger"] = "twisted_ovsdb.command.output.standardErrorLog"
