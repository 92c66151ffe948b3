# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Peers that mean harm: a bad server against a client, many bad peers against a listener,
and streams of bytes that nobody would write. What an attack may cost has limits.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import Any, Final

from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

from tests.live import abuse_connection, abuse_listener
from tests.soak.figures import Figure, Figures

SECONDS: Final = 60.0
"""How long all attacks of one kind take together."""

FUZZER: Final = "tests.live.abuse_fuzz"

STALL: Final = 3.0
"""
Seconds of CPU time in which the client's reactor may do nothing else. A slice takes some
milliseconds; the rest is for a slow machine.
"""

BROKEN: Final = 2
"""Messages of 100 MB that are broken off, each in a session of its own."""

GROWTH: Final = 60
"""
MiB that an attack may cost the client at any time: unsent answers and requests have 17 MiB
at most, and Python keeps some of what it once needed.
"""

MESSAGES: Final = 600
"""
The same for attacks with messages of 100 MB, which are kept until they are complete or break
off, as text or as rows.
"""

KEPT: Final = 300
"""MiB that may be left of a message of 100 MB when it is gone: memory that Python keeps."""

LISTENER: Final = 150
"""
MB that an attack may cost the listener: 1,000 switches with 100 interfaces, and as many
strangers.
"""

LOCKED: Final = 10.0
"""Seconds until a good switch is in sync, whatever the others do."""


async def abuse(reactor: Any, seed: int) -> list[Figure]:
    """
    Attack a client and a listener, and measure what it costs them.
    """
    began = time.monotonic()
    figures = Figures("abuse")
    large = len(abuse_connection.LARGE)
    small = len(abuse_connection.ATTACKS) - large
    for name in abuse_connection.ATTACKS:
        isLarge = name in abuse_connection.LARGE
        seconds = SECONDS * 3 / 4 / large if isLarge else SECONDS / 4 / small
        cost = await deferToThread(abuse_connection.measure, name, seconds, BROKEN)
        most = MESSAGES if isLarge else GROWTH
        figures.atMost(f"{name}: memory at most", cost.peak - cost.begin, most, " MiB")
        figures.atMost(
            f"{name}: memory at the end", cost.end - cost.begin, KEPT if isLarge else GROWTH, " MiB"
        )
        if isLarge:  # Otherwise the memory at the end would be that of the attack.
            figures.atLeast(f"{name}: messages broken off", cost.ended, BROKEN)
        figures.atMost(f"{name}: longest stall", cost.stall, STALL, " s")
    for name, attack in (await abuse_listener.run(reactor, SECONDS)).items():
        figures.atMost(f"{name}: memory at most", attack.grew, LISTENER, " MB")
        figures.atMost(f"{name}: good switch in sync after", attack.goodAfter, LOCKED, " s")
    if find_spec(FUZZER) is not None:
        command = ["-m", FUZZER, str(SECONDS)]
        output, errors, status = await getProcessOutputAndValue(
            sys.executable, command, env=None, reactor=reactor
        )
        last = (output or errors).decode(errors="replace").strip().rpartition("\n")[2]
        figures.equal(f"fuzzer: status ({last})", status, 0)
    figures.tell("run time, s", time.monotonic() - began)
    return figures.all
