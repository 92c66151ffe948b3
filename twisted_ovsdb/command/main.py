# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The console script C{ovsdb-monitor}: the same as C{twistd -n --pidfile=
ovsdb-monitor}, with a few of twistd's options among its own.
"""

from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from twisted.application.service import ServiceMaker
from twisted.python import usage
from twisted.python.util import gidFromString, uidFromString
from twisted.scripts._twistd_unix import ServerOptions
from twisted.scripts.twistd import runApp

from twisted_ovsdb.command.options import Options

NAME: Final = "ovsdb-monitor"

_OF_TWISTD: Final = ("reactor", "uid", "gid", "logfile", "syslog")


class CommandOptions(Options):
    """
    The options of the console script. Those of twistd are taken out before the others
    are parsed; here they are for the help.
    """

    program = NAME

    longdesc = Options.longdesc.replace(Options.program.replace(" ", " -n "), NAME)

    optFlags = [["syslog", None, "Log to syslog."]]

    optParameters = [
        ["reactor", None, None, "Twisted's reactor, such as epoll, poll or asyncio."],
        ["uid", None, None, "The user, or its number, to run as."],
        ["gid", None, None, "The group, or its number, to run as."],
        ["logfile", None, None, "Log to this file, which is rotated; - is standard output."],
    ]

    def __init__(self) -> None:
        Options.__init__(self)
        self.docs["events"] = self.docs["events"].replace(" (with twistd -n)", "")


class _RunnerOptions(ServerOptions):
    """twistd's options, with one command, which needs no plugin to be found."""

    @property
    def subCommands(self) -> Iterator[tuple[str, None, Any, str]]:
        """The command."""
        maker = ServiceMaker(NAME, "twisted_ovsdb.tap", "", NAME)
        self.loadedPlugins = {NAME: maker}
        yield NAME, None, CommandOptions, ""


def arguments(words: Sequence[str]) -> list[str]:
    """
    The arguments of twistd for those of the console script.

    @raise SystemExit: if there is an option that neither has, or that has no value.
    """
    options = CommandOptions()
    try:
        given, rest = getopt.gnu_getopt(list(words), "", options.longOpt)
    except getopt.GetoptError as e:
        raise SystemExit(f"{NAME}: {e}") from e
    twistds: list[str] = []
    ours: list[str] = []
    for name, value in given:
        _checkName(name, value)
        takesValue = f"{name[2:]}=" in options.longOpt
        where = twistds if name[2:] in _OF_TWISTD else ours
        where += [name, value] if takesValue else [name]
    return ["--nodaemon", "--pidfile=", f"--prefix={NAME}", *twistds, NAME, *ours, *rest]


def _checkName(option: str, value: str) -> None:
    # twistd ends with a traceback.
    read = {"--uid": uidFromString, "--gid": gidFromString}.get(option)
    if read is not None:
        try:
            read(value)  # type: ignore[no-untyped-call]
        except KeyError:
            raise SystemExit(f"{NAME}: {option} {value}: there is none of this name") from None


def main(words: Sequence[str] | None = None) -> None:
    """
    Run the command.

    @raise SystemExit: if there is a mistake in the command line.
    """
    config: Any = _RunnerOptions()  # type: ignore[no-untyped-call]
    try:
        config.parseOptions(arguments(sys.argv[1:] if words is None else words))
    except usage.UsageError as e:
        text = " ".join(str(e).split()).replace("with --help", "with twistd --help")
        raise SystemExit(f"{NAME}: {text}") from e
    try:
        runApp(config)
    except OSError as e:
        # twistd would end with a traceback, into a log that it does not have.
        if e.filename is None or e.filename != os.path.abspath(config["logfile"] or ""):
            raise
        raise SystemExit(f"{NAME}: --logfile {config['logfile']}: {e.strerror}") from e
