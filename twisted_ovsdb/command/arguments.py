# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the values of the command line's options mean. A mistake is a
C{UsageError} that names the option and its value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.python.reflect import namedAny
from twisted.python.usage import UsageError

from twisted_ovsdb.command.eventsfile import STANDARD_OUTPUT, inherited
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint
from twisted_ovsdb.endpoints.passive import isPassiveTLS, serverFromRemote
from twisted_ovsdb.endpoints.remotes import clientFromRemote, isOpenVSwitchTLS
from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions
from twisted_ovsdb.interfaces import IOvsdbEventObserver, asObserver
from twisted_ovsdb.monitoring.lockterms import checkLock
from twisted_ovsdb.monitoring.monitor import DIALECTS
from twisted_ovsdb.openvswitch.classify import ClassificationRules

DEFAULT_ENDPOINT: Final = "tcp:127.0.0.1:6640"
"""The server that is monitored if none is given."""

TLS_FILES: Final = ("private-key", "certificate", "ca-cert")
"""The options that name the files of TLS, by Open vSwitch's own names."""

_STANDARD: Final = {0: "input", 1: "output", 2: "error"}

PUBLISH_LOCK: Final = "ovsdb_monitor"
"""The lock of monitors that publish, if none is given: all of them need one name."""

# A comma before the beginning of a remote. Other commas may be part of a remote.
_BETWEEN_MEMBERS: Final = re.compile(r",(?=[a-z]\w*:)", re.IGNORECASE)


def tls(options: Mapping[str, Any], remotes: Iterable[str]) -> TLSOptions | None:
    """Find the files that C{ssl:} and C{pssl:} among the remotes need."""
    given = [name for name in (*TLS_FILES, "verify-hostname") if options[name]]
    if not given:
        return None
    missing = [f"--{name}" for name in TLS_FILES if name not in given]
    if missing:
        raise UsageError(f"--{given[0]}: {' and '.join(missing)} must be given too")
    members = [member for text in remotes for member in _BETWEEN_MEMBERS.split(text)]
    if not any(isOpenVSwitchTLS(text) or isPassiveTLS(text) for text in members):
        raise UsageError(
            f"--{given[0]}: no --endpoint is ssl:HOST[:PORT], and no --listen is pssl:"
        )
    # A daemon changes its directory, and the files are read again later.
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
    Make the endpoint of a server, or of a cluster whose members have commas
    between them.

    @return: the text, the endpoint, and how many members there are.
    """
    try:
        members = [clientFromRemote(reactor, m, secured) for m in _BETWEEN_MEMBERS.split(text)]
    except ValueError as e:
        raise UsageError(f"--endpoint {e}") from e
    return text, members[0] if len(members) == 1 else ClusterEndpoint(members), len(members)


def place(reactor: Any, text: str, secured: TLSOptions | None) -> IStreamServerEndpoint:
    """Make the endpoint of a place to listen."""
    try:
        return serverFromRemote(reactor, text, secured)
    except ValueError as e:
        raise UsageError(f"--listen {e}") from e


def events(paths: Iterable[str], daemon: bool) -> list[str]:
    """
    Check the files of events. They are opened later, and only once: by the user and
    in the process that write to them.

    @param daemon: whether this process becomes a daemon.
    @return: C{-} for standard output, however it is written, and absolute paths: a
        daemon changes its directory before it opens files.
    """
    found: dict[str, tuple[str, str]] = {}
    for given in paths:
        if not given:
            raise UsageError("--events '': must be a path, or - for standard output")
        if "\0" in given:
            raise UsageError(f"--events {given}: a path has no NUL")
        path = given if given == STANDARD_OUTPUT else os.path.abspath(given)
        number = inherited(path)
        if daemon and number in _STANDARD:
            raise UsageError(
                f"--events {given}: a daemon has no standard {_STANDARD[number]};"
                " use twistd -n, or --events PATH"
            )
        if number is not None:
            path = STANDARD_OUTPUT if number == 1 else f"/dev/fd/{number}"
        same = path if number is not None else os.path.realpath(path)
        if same in found:
            raise UsageError(f"--events {given}: is the same file as --events {found[same][0]}")
        found[same] = given, path
    return [path for _, path in found.values()]


def lock(options: Mapping[str, Any], endpoints: Iterable[str]) -> str | None:
    """
    Check what goes with the lock of the monitors that speak as one.

    @return: the lock; that of C{--publish} if none is given with it; or None.
    """
    given, published = options["lock"], options["publish"] is not None
    for name in ("instance", "fleet"):
        if options[name] is not None and given is None and not published:
            raise UsageError(f"--{name} {options[name]}: --lock or --publish must be given too")
    if options["fleet"] is not None and not options["listen"]:
        raise UsageError(f"--fleet {options['fleet']}: --listen must be given too")
    found: str | None = PUBLISH_LOCK if given is None and published else given
    for checked in ((found, None), ("lock", options["instance"])):
        try:
            checkLock(*checked)
        except ValueError as e:
            raise UsageError(f"--{e}") from e
    cluster = next((text for text in endpoints if len(_BETWEEN_MEMBERS.split(text)) > 1), None)
    if found is not None and cluster is not None:
        shown = "--publish" if given is None else f"--lock {given}"
        raise UsageError(
            f"{shown}: --endpoint {cluster} is a cluster, and each of its"
            " members grants the lock, so several monitors would speak"
        )
    return found


def state(folder: str | None, events: list[str]) -> str | None:
    """
    Check the folder of the state. It is opened later, by the process that uses it.

    @param events: the files of events, as L{events} returns them.
    """
    if folder is None:
        return None
    if not folder or "\0" in folder:
        raise UsageError(f"--state {folder!r}: must be the path of a folder")
    if not events:
        raise UsageError(f"--state {folder}: --events FILE must be given too")
    if any(inherited(path) is not None for path in events):
        raise UsageError(f"--state {folder}: --events must be a file, not standard output")
    # Only now: SQLite takes a while to import.
    from twisted_ovsdb.state.database import FILE, LOCK

    store = tuple(os.path.join(os.path.realpath(folder), name) for name in (FILE, LOCK))
    for path in events:
        if os.path.realpath(path).startswith(store):
            raise UsageError(f"--state {folder}: --events {path} is a file of the state itself")
    return os.path.abspath(folder)


def column(name: str) -> str:
    """Check the name of a column. The server says later whether there is one."""
    # RFC 7047, section 3.1: an <id>.
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise UsageError(
            f"--column {name!r}: a column's name has letters, digits and underscores only,"
            " not with a digit first; for several columns give --column again"
        )
    return name


def bridge(pattern: str) -> str:
    """Check the pattern of bridges' names."""
    if not pattern.strip():
        raise UsageError(f"--bridge {pattern!r}: must be the name of a bridge, or a pattern")
    return pattern


def method(name: str | None) -> str | None:
    """Check the request that monitors."""
    if name is not None and name not in DIALECTS:
        raise UsageError(f"--method {name}: must be {' or '.join(DIALECTS)}")
    return name


def oneOf(name: str, value: str, allowed: Sequence[str]) -> None:
    """Check a word that is one of a few."""
    if value not in allowed:
        raise UsageError(f"--{name} {value}: must be {' or '.join(allowed)}")


def rules(name: str, bridgeNames: str | None) -> ClassificationRules:
    """Choose the rules that decide the kind of an interface."""
    if name == "dragonflow":
        if bridgeNames is not None:
            raise UsageError(
                f"--bridge-names {bridgeNames}: --rules dragonflow names the bridges itself"
            )
        return ClassificationRules.dragonflow()
    if name != "default":
        raise UsageError(f"--rules {name}: must be default or dragonflow")
    if bridgeNames is None:
        return ClassificationRules()
    patterns = [pattern.strip() for pattern in bridgeNames.split(",")]
    if not all(patterns):
        raise UsageError(f"--bridge-names {bridgeNames!r}: has an empty pattern")
    return ClassificationRules(bridgeNames=patterns)


def pin(wanted: Any, places: Sequence[str]) -> bool:
    """Check that each switch that connects has a certificate, if they are to be pinned."""
    if not wanted:
        return False
    insecure = next((text for text in places if not isPassiveTLS(text)), None)
    if insecure is not None:
        raise UsageError(
            f"--pin: --listen {insecure} is not pssl:, so switches need no certificate there"
        )
    if not places:
        raise UsageError("--pin: no --listen is pssl: (with --ca-cert)")
    return True


def seconds(name: str, text: Any, zero: bool = False, unit: str = "seconds") -> float:
    """Read a number of seconds, or of this unit. C{zero} says whether it may be zero."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (0 < value < float("inf") or (value == 0 and zero)):
        bound = "not below zero" if zero else "above zero"
        raise UsageError(f"--{name} {text}: must be a number of {unit} {bound}")
    return value


def count(name: str, text: Any) -> int:
    """Read a number of things."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise UsageError(f"--{name} {text}: must be a whole number above zero")
    return value


def observer(name: str) -> IOvsdbEventObserver:
    """Import an observer by its dotted name. From a class, one is made."""
    try:
        found: Any = namedAny(name)
    # The module may raise anything.
    except Exception as e:
        hint = ""
        if isinstance(e, (ImportError, AttributeError, ValueError)):
            hint = " (is its directory on PYTHONPATH? PYTHONPATH=. is the current one)"
        raise UsageError(
            f"--observer {name}: cannot be imported: {type(e).__name__}: {e}{hint}"
        ) from e
    if isinstance(found, type) and callable(getattr(found, "eventReceived", None)):
        try:
            found = found()
        except Exception as e:
            raise UsageError(f"--observer {name}: cannot be made: {type(e).__name__}: {e}") from e
    try:
        return asObserver(found)
    except TypeError as e:
        raise UsageError(f"--observer {name}: {e}") from e
