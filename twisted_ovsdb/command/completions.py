# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a shell offers when Tab is pressed after an option of the command.
"""

from __future__ import annotations

from typing import Final

from twisted.python import usage

from twisted_ovsdb.command.arguments import DEFAULT_ENDPOINT, TLS_FILES
from twisted_ovsdb.command.once import FORMATS
from twisted_ovsdb.command.twistdoptions import LOG_FORMATS

_REPEATED: Final = {
    "endpoint": "a server to monitor",
    "listen": "where to listen for switches",
    "observer": "a class or an instance in Python",
    "column": "one more column to monitor",
    "events": "file of JSON Lines",
    "bridge": "bridges whose interfaces are told",
    "http-host": "a name of this host",
}
"""The options that may be given several times, and what each of them is."""

_SECONDS: Final = (
    *("timeout", "report", "audit"),
    *("max-delay", "connect-timeout", "snapshot-timeout", "probe-interval"),
)

# Columns that --column is mostly used for (ovs-vswitchd.conf.db(5)). Any other is accepted, too.
_COLUMNS: Final = (
    "admin_state",
    "duplex",
    "ifindex",
    "link_resets",
    "link_speed",
    "link_state",
    "mac_in_use",
    "mtu",
    "statistics",
    "status",
)


def _remotes(*texts: str) -> usage.CompleteList:
    # In zsh's _arguments a colon separates fields, unless it is quoted.
    return usage.CompleteList([text.replace(":", r"\:") for text in texts])


COMPLETIONS: Final = usage.Completions(
    descriptions=_REPEATED,
    multiUse=list(_REPEATED),
    optActions={
        "endpoint": _remotes(DEFAULT_ENDPOINT, "tcp:", "ssl:", "unix:"),
        "listen": _remotes("ptcp:6640", "pssl:6640", "punix:"),
        "observer": usage.Completer(descr="dotted name"),
        "column": usage.CompleteList(_COLUMNS),
        "database": usage.CompleteList(["Open_vSwitch"]),
        "rules": usage.CompleteList(["default", "dragonflow"]),
        "bridge": usage.Completer(descr="shell pattern"),
        "format": usage.CompleteList(FORMATS),
        "log-format": usage.CompleteList(LOG_FORMATS),
        "method": usage.CompleteList(["monitor", "monitor_cond"]),
        "bridge-names": usage.Completer(descr="shell patterns"),
        "events": usage.CompleteFiles(descr="file of JSON Lines"),
        "state": usage.CompleteDirs(),
        "max-switches": usage.Completer(descr="number"),
        "forget": usage.Completer(descr="days"),
        "http": usage.Completer(descr="port or server endpoint"),
        "http-token-file": usage.CompleteFiles(descr="file with a token"),
        "lock": usage.Completer(descr="name of a lock"),
        "instance": usage.Completer(descr="name of this monitor"),
        "fleet": usage.Completer(descr="number"),
        "http-host": usage.Completer(descr="host name"),
        "publish": usage.CompleteList([r"nats\:"]),
        "publish-credentials": usage.CompleteFiles(descr="file with credentials"),
        **dict.fromkeys(TLS_FILES, usage.CompleteFiles("*.pem", descr="PEM file")),
        **dict.fromkeys(_SECONDS, usage.Completer(descr="seconds")),
    },
)
