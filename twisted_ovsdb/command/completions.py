# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a shell offers when Tab is pressed after an option of
C{twistd ovsdb-monitor}.
"""

from __future__ import annotations

from typing import Final

from twisted.python.usage import CompleteFiles, CompleteList, Completer, Completions

DEFAULT_ENDPOINT: Final = "tcp:127.0.0.1:6640"

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

_SECONDS: Final = Completer(descr="seconds")
_PEM: Final = CompleteFiles("*.pem", descr="PEM file")


def _remotes(*texts: str) -> CompleteList:
    # In zsh's _arguments a colon separates fields, unless it is quoted.
    return CompleteList([text.replace(":", r"\:") for text in texts])


COMPLETIONS: Final = Completions(
    descriptions={
        "endpoint": "a server to monitor",
        "listen": "where to listen for switches",
        "observer": "a class or an instance in Python",
        "column": "one more column to monitor",
    },
    multiUse=["endpoint", "listen", "observer", "column"],
    optActions={
        "endpoint": _remotes(DEFAULT_ENDPOINT, "tcp:", "ssl:", "unix:"),
        "listen": _remotes("ptcp:6640", "pssl:6640"),
        "observer": Completer(descr="dotted name"),
        "column": CompleteList(_COLUMNS),
        "database": CompleteList(["Open_vSwitch"]),
        "rules": CompleteList(["default", "dragonflow"]),
        "bridge-names": Completer(descr="shell patterns"),
        "events": CompleteFiles(descr="file of JSON Lines"),
        "private-key": _PEM,
        "certificate": _PEM,
        "ca-cert": _PEM,
        "max-switches": Completer(descr="number"),
        "max-delay": _SECONDS,
        "connect-timeout": _SECONDS,
        "snapshot-timeout": _SECONDS,
        "probe-interval": _SECONDS,
    },
)
