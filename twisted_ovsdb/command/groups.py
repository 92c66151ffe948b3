# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The help of the command: its options in groups, so that what belongs together is
read together. What each option means is said where it is defined.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from twisted.python import usage

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Where from": (
        "endpoint",
        "listen",
        "database",
        "leader-only",
        "identify",
        "pin",
        "max-switches",
        "forget",
    ),
    "Several monitors that speak as one": ("lock", "instance", "fleet"),
    "What": (
        "bridges",
        "bridge",
        "rules",
        "bridge-names",
        "column",
        "no-replay",
        "method",
        "report",
    ),
    "Where to": (
        "events",
        "state",
        "observer",
        "publish",
        "publish-credentials",
        "log-all",
        "once",
        "format",
    ),
    "Watching it": (
        "http",
        "http-token-file",
        "http-host",
        "audit",
        "log-format",
        "logfile",
        "syslog",
    ),
    "TLS": ("private-key", "certificate", "ca-cert", "verify-hostname"),
    "Time": ("timeout", "max-delay", "connect-timeout", "snapshot-timeout", "probe-interval"),
    "Running it": ("reactor", "uid", "gid", "version", "help"),
}
"""The options by what they are for. An option that is not known here is shown last."""

INDENT: Final = 24
"""Characters before the text of an option."""


def usageText(options: usage.Options, width: int | None = None) -> str:
    """
    The help of these options.

    @param width: of a line; by default that of the terminal.
    """
    width = width or int(os.environ.get("COLUMNS", "80"))
    takesValue = {name.rstrip("="): name.endswith("=") for name in options.longOpt}
    known = [name for names in GROUPS.values() for name in names]
    rest = tuple(name for name in takesValue if name not in known)
    lines = ["", *_wrapped(getattr(options, "longdesc", ""), width), ""]
    for title, names in {**GROUPS, "Other": rest}.items():
        shown = [name for name in names if name in takesValue]
        if shown:
            lines.append(f"{title}:")
            for name in shown:
                lines += _lines(options, name, takesValue[name], width)
            lines.append("")
    return "\n".join(lines)


def _lines(options: usage.Options, name: str, takesValue: bool, width: int) -> Iterator[str]:
    flag = f"  --{name}{'=' if takesValue else ''}"
    text = " ".join((options.docs.get(name) or "").split())
    default = options.defaults.get(name) if takesValue else None
    if default is not None:
        text += f" [default: {default}]"
    first, *others = _wrapped(text, max(width - INDENT, 20)) or [""]
    if len(flag) > INDENT - 2:
        yield flag
        yield " " * INDENT + first
    else:
        yield flag.ljust(INDENT) + first
    for line in others:
        yield " " * INDENT + line


def _wrapped(text: str, width: int) -> list[str]:
    # A name such as br-int stays in one piece.
    return textwrap.wrap(text, width, break_on_hyphens=False)
