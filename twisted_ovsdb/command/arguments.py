# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the values of the command line's options mean, and what is wrong with
them: each mistake is a C{UsageError} that names option and value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.python.reflect import namedAny
from twisted.python.usage import UsageError

from twisted_ovsdb.command.output import openAppend
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint
from twisted_ovsdb.endpoints.passive import isPassiveTLS, serverFromRemote
from twisted_ovsdb.endpoints.remotes import clientFromRemote, isOpenVSwitchTLS
from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.openvswitch.classify import ClassificationRules

TLS_FILES: Final = ("private-key", "certificate", "ca-cert")
"""Open vSwitch's own names for these options."""

# RFC 7047, section 3.1: an <id>.
_ID: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

# A comma before what begins as a remote does: others may be part of one.
_BETWEEN_MEMBERS: Final = re.compile(r",(?=[a-z]\w*:)", re.IGNORECASE)


def tls(options: Mapping[str, Any], remotes: Iterable[str]) -> TLSOptions | None:
    """
    What remotes in Open vSwitch's notation are secured with.

    @param remotes: the remotes that there are.
    """
    given = [name for name in (*TLS_FILES, "verify-hostname") if options[name]]
    missing = [f"--{name}" for name in TLS_FILES if name not in given]
    if not given:
        return None
    if missing:
        raise UsageError(f"--{given[0]}: {' and '.join(missing)} must be given too")
    members = [member for text in remotes for member in _BETWEEN_MEMBERS.split(text)]
    if not any(isOpenVSwitchTLS(text) or isPassiveTLS(text) for text in members):
        raise UsageError(
            f"--{given[0]}: no --endpoint is ssl:HOST[:PORT], and no --listen is pssl:"
        )
    # twistd may change its directory before the files are read again.
    key, certificate, caCert = (os.path.abspath(options[name]) for name in TLS_FILES)
    found = TLSOptions(key, certificate, caCert, bool(options["verify-hostname"]))
    try:
        found.check()
    except TLSFailure as e:
        raise UsageError(f"--{e}") from e
    return found


def endpoint(
    reactor: Any, text: str, secured: TLSOptions | None
) -> tuple[str, IStreamClientEndpoint, int]:
    """
    A server, or the members of a cluster with commas between.

    @return: the text, the endpoint, and how many members there are.
    """
    members = _BETWEEN_MEMBERS.split(text)
    try:
        endpoints = [clientFromRemote(reactor, member, secured) for member in members]
    except ValueError as e:
        raise UsageError(f"--endpoint {e}") from e
    found: Any = endpoints[0] if len(endpoints) == 1 else ClusterEndpoint(endpoints)
    return text, found, len(endpoints)


def place(reactor: Any, text: str, secured: TLSOptions | None) -> IStreamServerEndpoint:
    """
    Where to listen.
    """
    try:
        return serverFromRemote(reactor, text, secured)
    except ValueError as e:
        raise UsageError(f"--listen {e}") from e


def events(path: str) -> str:
    """
    A file that can be appended to.

    @return: its absolute path: twistd may change its directory before the
        file is opened for good.
    """
    try:
        os.close(openAppend(path))
    except OSError as e:
        raise UsageError(f"--events {path}: cannot be opened: {e.strerror}") from e
    return os.path.abspath(path)


def column(name: str) -> str:
    """
    A column's name; whether the server has it, it will tell.
    """
    if not _ID.fullmatch(name):
        raise UsageError(
            f"--column {name!r}: a column's name has letters, digits and underscores only,"
            " not with a digit first; for several columns give --column again"
        )
    return name


def rules(name: str, bridgeNames: str | None) -> ClassificationRules:
    """
    What decides an interface's class.
    """
    if name == "dragonflow":
        if bridgeNames is not None:
            raise UsageError(
                f"--bridge-names {bridgeNames}: --rules dragonflow names the bridges itself"
            )
        return ClassificationRules.dragonflow()
    if name != "default":
        raise UsageError(f"--rules {name}: is neither default nor dragonflow")
    if bridgeNames is None:
        return ClassificationRules()
    patterns = [pattern.strip() for pattern in bridgeNames.split(",")]
    if not all(patterns):
        raise UsageError(f"--bridge-names {bridgeNames!r}: has an empty pattern")
    return ClassificationRules(bridgeNames=patterns)


def seconds(name: str, text: Any, zero: bool = False) -> float:
    """
    An amount of time.

    @param zero: whether it may be zero.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (0 < value < float("inf") or (value == 0 and zero)):
        bound = "not below zero" if zero else "above zero"
        raise UsageError(f"--{name} {text}: must be a number of seconds {bound}")
    return value


def count(name: str, text: Any) -> int:
    """
    How many.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise UsageError(f"--{name} {text}: must be a whole number above zero")
    return value


def observer(name: str) -> IOvsdbEventObserver:
    """
    What a dotted name stands for: an observer, or a class that makes one.
    """
    try:
        found = namedAny(name)
    # A module that is imported may raise anything.
    except Exception as e:
        hint = ""
        if isinstance(e, (ImportError, AttributeError, ValueError)):
            hint = " (is its directory on PYTHONPATH? PYTHONPATH=. is the current one)"
        raise UsageError(
            f"--observer {name}: cannot be imported: {type(e).__name__}: {e}{hint}"
        ) from e
    if isinstance(found, type) and IOvsdbEventObserver.implementedBy(found):
        try:
            made: Any = found
            found = made()
        except Exception as e:
            raise UsageError(f"--observer {name}: cannot be made: {type(e).__name__}: {e}") from e
    if not IOvsdbEventObserver.providedBy(found):
        raise UsageError(f"--observer {name}: does not provide IOvsdbEventObserver: {found!r}")
    return IOvsdbEventObserver(found)
