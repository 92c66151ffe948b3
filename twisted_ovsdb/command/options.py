# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The command line of C{twistd ovsdb-monitor}: its options, and which of them go together.
L{twisted_ovsdb.command.arguments} says what the values of the options mean.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from twisted.python import usage

from twisted_ovsdb._version import __version__
from twisted_ovsdb.command import arguments, web
from twisted_ovsdb.command.eventsfile import STANDARD_OUTPUT
from twisted_ovsdb.command.groups import usageText
from twisted_ovsdb.command.once import FORMATS
from twisted_ovsdb.command.twistdoptions import (
    LOG_FORMATS,
    escapeOnStandardOutput,
    isDaemon,
    logJSON,
    reserveStandardOutput,
)
from twisted_ovsdb.connection.watchdog import PROBE_INTERVAL, SNAPSHOT_TIMEOUT
from twisted_ovsdb.errors import escaped
from twisted_ovsdb.lifecycle.backoff import MAX_DELAY
from twisted_ovsdb.lifecycle.balance import FLEET
from twisted_ovsdb.lifecycle.client import CONNECT_TIMEOUT
from twisted_ovsdb.lifecycle.listener import MAX_SWITCHES
from twisted_ovsdb.lifecycle.places import DAY, FORGET_AFTER

ONCE_TIMEOUT: Final = 10.0
"""Seconds: twice what an attempt to connect may take."""

FORGET_DAYS: Final = int(FORGET_AFTER / DAY)

_MAY_BE_ZERO: Final = ("connect-timeout", "snapshot-timeout", "probe-interval")


class _Completions:
    """What a shell offers. It is imported only when a shell asks."""

    def __get__(self, instance: object, owner: object) -> usage.Completions:
        from twisted_ovsdb.command.completions import COMPLETIONS

        return COMPLETIONS


class Options(usage.Options):
    """
    The options. After they are parsed, their values are what
    L{twisted_ovsdb.tap.makeService} needs: endpoints, observers, rules, numbers.
    """

    synopsis = "[options]"

    program = "twistd ovsdb-monitor"

    longdesc = (
        "Keeps one connection to each Open vSwitch database server, and tells which bridges,"
        " VM ports, tunnels and patch ports come, go and change. Each event is a line in the log,"
        " unless --events or --observer is given: then events go there instead. For example:"
        " twistd -n ovsdb-monitor --endpoint unix:/var/run/openvswitch/db.sock --events - | jq ."
    )

    optFlags = [
        ["no-replay", None, "After an outage, do not tell unchanged interfaces again."],
        [
            "log-all",
            None,
            "Log each interface of a snapshot, also if there are more than 50 of them.",
        ],
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
            " (always on with --listen and --publish).",
        ],
        [
            "bridges",
            None,
            "Find on which bridge each interface is: the tables Port and Bridge are monitored"
            " too (by monitor_cond).",
        ],
        [
            "pin",
            None,
            "Bind each switch that connects to --listen to the subject of the certificate that"
            " first brought it, until the process ends; every --listen must be pssl:.",
        ],
        [
            "once",
            None,
            "Show what exists now, and end. The status is 1 if a server is not in sync within"
            " --timeout. This includes --bridges.",
        ],
        ["leader-only", None, "Monitor the leader of a cluster only; leave other members."],
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
        [
            "method",
            None,
            None,
            "The request that monitors: monitor (RFC 7047), or monitor_cond, which costs fewer"
            " bytes and needs Open vSwitch 2.6 (default: monitor; with --bridges monitor_cond).",
        ],
        [
            "state",
            None,
            None,
            "Keep in this folder what was told, so that --events has each event exactly once, also"
            " if the command is killed or upgraded. It must be a local disk, and belongs to this"
            " command alone.",
        ],
        [
            "forget",
            None,
            FORGET_DAYS,
            "After so many days without a connection, a switch of --listen is forgotten, and with"
            " --state any switch; 0: never.",
        ],
        [
            "max-switches",
            None,
            MAX_SWITCHES,
            "How many switches that connect to --listen may be known. For another one, the one"
            " that is absent for longest is forgotten.",
        ],
        [
            "lock",
            None,
            None,
            "Tell what happens only while this monitor has this lock of the switch, and stand by"
            " otherwise: several monitors speak as one. Letters, digits and underscores (default"
            f" with --publish: {arguments.PUBLISH_LOCK}; otherwise there is none).",
        ],
        [
            "instance",
            None,
            None,
            "With --lock or --publish: names this monitor among those that share the switches;"
            " each needs another name (default: the host's name and the number of the process).",
        ],
        [
            "fleet",
            None,
            None,
            "With --listen, and --lock or --publish: how many monitors share the switches. One that"
            f" speaks for clearly more than its share lets others have some (default: {FLEET}).",
        ],
        [
            "report",
            None,
            None,
            "Tell of problems that last for so many seconds, such as 30: a port that failed or"
            " gets no OpenFlow port, two ports with one iface-id, a patch port without its peer,"
            " a configuration that is not applied (default: with --http"
            f" {web.REPORT:g}; otherwise none are looked for).",
        ],
        [
            "audit",
            None,
            None,
            "After so many seconds, read 100 rows once more and compare them with what is known,"
            " in rotation (default: never).",
        ],
        [
            "format",
            None,
            None,
            "With --once: table, for people, or json, for programs (default: table on a terminal,"
            " json otherwise).",
        ],
        [
            "timeout",
            None,
            None,
            f"With --once: the longest time until the servers are in sync, in seconds"
            f" (default: {ONCE_TIMEOUT:g}).",
        ],
        [
            "log-format",
            None,
            "text",
            "The lines of the log: text, or json for machines (time, level, logger, message, and"
            " the fields of the message).",
        ],
        [
            "http",
            None,
            None,
            "Serve a page, an event stream, metrics (/metrics), /health and /ready: a port on"
            " 127.0.0.1, or a Twisted server endpoint string, such as unix:PATH or"
            " tcp:8080:interface=192.0.2.1.",
        ],
        [
            "http-token-file",
            None,
            None,
            "A file with the token that every request but those for the page has to have"
            " (Authorization: Bearer TOKEN). Needed if --http is not local.",
        ],
        [
            "publish",
            None,
            None,
            "Publish events to NATS JetStream: nats://HOST[:PORT], or tls://HOST[:PORT]. Several"
            " monitors with the same switches publish as one. This includes --identify.",
        ],
        [
            "publish-credentials",
            None,
            None,
            "A file for --publish with USER:PASSWORD, a token, or NATS's .creds (default:"
            " NATS_USER and NATS_PASSWORD, or NATS_TOKEN).",
        ],
        ["max-delay", None, MAX_DELAY, "The longest wait between attempts to connect, in seconds."],
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
            "The longest time without a byte of a reply until the initial reply is complete, in"
            " seconds; all of it may take ten times that. 0: no limits.",
        ],
        [
            "probe-interval",
            None,
            PROBE_INTERVAL,
            "After so many seconds without a byte the server is probed; after as many more, or"
            " 20 times as many without a complete message, the connection is given up. 0: no"
            " probes.",
        ],
    ]

    compData = _Completions()

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.update(endpoints=[], listen=[], observers=[], columns=[], events=[])
        self["bridge-patterns"] = []
        self["http-hosts"] = []

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
        ovs-vsctl set-manager tcp:CONTROLLER:6640: ptcp:[PORT][:ADDRESS],
        pssl:[PORT][:ADDRESS] or punix:PATH, as Open vSwitch writes it, or a
        Twisted server endpoint string. May be given several times.
        """
        self["listen"].append(text)

    def opt_observer(self, name: str) -> None:
        """
        The dotted name of an observer in Python: a class or an instance that
        provides twisted_ovsdb.IOvsdbEventObserver. It gets the events, which
        are then not logged. May be given several times.
        """
        self["observers"].append(arguments.observer(name))

    def opt_events(self, path: str) -> None:
        """
        Append events to this file as JSON Lines. - is standard output, which
        then has nothing else in it (with twistd -n). May be given several
        times. SIGHUP opens files again that were moved, as after logrotate.
        """
        self["events"].append(path)

    def opt_column(self, name: str) -> None:
        """
        A column of the Interface table to monitor beside the usual six, such
        as link_state. Its value is under "extra" in each line of --events, and
        in interface.extra for an observer. May be given several times. Most
        other columns become empty at each restart of the server, which is a
        change of each interface.
        """
        self["columns"].append(arguments.column(name))

    def opt_bridge(self, pattern: str) -> None:
        """
        Tell only of interfaces on bridges whose name matches this shell
        pattern, and of these bridges. May be given several times. A port that
        moves away goes offline. This includes --bridges.
        """
        self["bridge-patterns"].append(arguments.bridge(pattern))

    def opt_http_host(self, name: str) -> None:
        """
        A host name by which --http may be asked, beside localhost and the
        address that it listens on. May be given several times.
        """
        self["http-hosts"].append(web.host(name))

    def getSynopsis(self) -> str:
        """See L{usage.Options}."""
        return f"Usage: {self.program} [options]"

    def getUsage(self, width: int | None = None) -> str:
        """The help, in groups."""
        return usageText(self, width)

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
            usage.Options.parseOptions(self, options)
        except usage.UsageError as e:
            # An error of an observer's module may have several lines.
            line = escaped(" ".join(str(e).split()))
            raise SystemExit(f"{self.program}: {line}") from e

    def parseArgs(self, *extra: str) -> None:
        """Refuse everything that is not an option."""
        if extra:
            raise usage.UsageError(f"{extra[0]}: only options are expected")

    def postOptions(self) -> None:
        """Check all values, and replace them by what they mean."""
        from twisted.internet import reactor

        texts = self["endpoints"]
        if not texts and not self["listen"]:
            texts = [arguments.DEFAULT_ENDPOINT]
        self["lock"] = arguments.lock(self, texts)
        tls = arguments.tls(self, [*texts, *self["listen"]])
        self["pin"] = arguments.pin(self["pin"], self["listen"])
        self["endpoints"] = [arguments.endpoint(reactor, text, tls) for text in texts]
        self["listen"] = [arguments.place(reactor, text, tls) for text in self["listen"]]
        self["events"] = arguments.events(self["events"], self.isDaemon)
        self._once()
        if self["once"] or STANDARD_OUTPUT in self["events"]:
            reserveStandardOutput(self.parent, bool(self["once"]))
        else:
            escapeOnStandardOutput()
        self["state"] = arguments.state(self["state"], self["events"])
        arguments.oneOf("log-format", self["log-format"], LOG_FORMATS)
        if self["log-format"] == "json":
            logJSON(self.parent, bool(self["once"]))
        self["http-token"] = web.token(self["http-token-file"])
        self["http"] = web.http(reactor, self["http"], self["http-token"], self["http-hosts"])
        if self["publish"] is not None or self["publish-credentials"] is not None:
            # Only now: it takes a while to import, and few need it.
            from twisted_ovsdb.command import publishing

            self["publish"] = publishing.broker(self["publish"], self["publish-credentials"])
        # For a broker, two switches at the same unix socket of two hosts are two.
        self["identify"] = bool(self["identify"] or self["publish"] is not None)
        self["rules"] = arguments.rules(self["rules"], self["bridge-names"])
        self["bridges"] = bool(self["bridges"] or self["bridge-patterns"] or self["once"])
        self["method"] = arguments.method(self["method"])
        self["fleet"] = arguments.count("fleet", self["fleet"] or FLEET)
        self["max-switches"] = arguments.count("max-switches", self["max-switches"])
        self["forget"] = arguments.seconds("forget", self["forget"], zero=True, unit="days")
        if self["http"] is not None and self["report"] is None:
            self["report"] = web.REPORT
        for name in ("report", "audit"):
            if self[name] is not None:
                self[name] = arguments.seconds(name, self[name])
        self["max-delay"] = arguments.seconds("max-delay", self["max-delay"])
        for name in _MAY_BE_ZERO:
            self[name] = arguments.seconds(name, self[name], zero=True)

    @property
    def isDaemon(self) -> bool:
        """Whether twistd goes into the background."""
        return isDaemon(self.parent)

    def failure(self, text: str) -> BaseException:
        """
        Make the exception with which a service says, at its start, that it cannot
        start. A daemon's parent waits for an exception, and would wait for ever for
        the end of the process. In the foreground, the text is one line on standard
        error, and the status is 1; twistd does not remove its pidfile then.
        """
        if self.isDaemon:
            # The parent shows 98 bytes of it, with the name of the class and of its module.
            return OSError(text)
        if sys.__stderr__ is not None:
            # At this time, sys.stderr writes to the log.
            print(f"{self.program}: {text}", file=sys.__stderr__, flush=True)
        pidfile = self.parent.get("pidfile") if self.parent is not None else None
        if pidfile:
            with contextlib.suppress(OSError):
                os.unlink(pidfile)
        return SystemExit(1)

    def _once(self) -> None:
        """Check what goes with C{--once}, and what only goes with it."""
        for name in ("format", "timeout"):
            if self[name] is not None and not self["once"]:
                raise usage.UsageError(f"--{name}: needs --once")
        if not self["once"]:
            return
        for name in ("listen", "events", "observers", "report", "audit", "http", "publish", "lock"):
            if self[name]:
                raise usage.UsageError(f"--once: not with --{name.replace('vers', 'ver')}")
        if self.isDaemon:
            raise usage.UsageError("--once: a daemon has no standard output; use twistd -n")
        self["timeout"] = arguments.seconds("timeout", self["timeout"] or ONCE_TIMEOUT)
        terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
        self["format"] = self["format"] or ("table" if terminal else "json")
        arguments.oneOf("format", self["format"], FORMATS)
