# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The long form of the soak: C{python -m tests.soak}.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
from twisted.internet.task import react
from twisted.internet.utils import getProcessOutputAndValue

from tests.soak.abuse import abuse
from tests.soak.chaos import Chaos
from tests.soak.figures import Figure, markdown
from tests.soak.fleet import Fleet
from tests.soak.fuzz import fuzz
from tests.soak.growth import growth
from tests.soak.halfopen import halfOpen
from tests.soak.slowness import slowObserver
from tests.soak.survival import Survival
from tools import broker
from tools.openvswitch import missing

KILLS: Final = 200
FAULTS: Final = 120
FLEET_FAULTS: Final = 250
TRANSACTIONS: Final = 20_000


async def chaos(reactor: Any, seed: int) -> list[Figure]:
    """
    All faults, under churn.
    """
    return await Chaos(reactor, KILLS, FAULTS, TRANSACTIONS, seed).run()


async def survival(reactor: Any, seed: int) -> list[Figure]:
    """
    The monitor is killed.
    """
    figures: list[Figure] = []
    for name, kills, switches in (("command", 110, 1), ("listen", 60, 3), ("observer", 30, 1)):
        figures += await Survival(reactor, name, kills, seed, switches).run()
    return figures


async def fleet(reactor: Any, seed: int) -> list[Figure]:
    """
    Monitors that publish as one, and their broker, are killed and frozen.
    """
    return await Fleet(reactor, FLEET_FAULTS, seed).run()


async def growthAlone(reactor: Any, seed: int) -> list[Figure]:
    """
    Run L{growth} in a new process, so that no other section has used memory
    there.
    """
    command = ["-m", "tests.soak", "--json", "--only", "growth", "--seed", str(seed)]
    output, errors, _ = await getProcessOutputAndValue(
        sys.executable, command, env=None, reactor=reactor
    )
    try:
        return [Figure(**figure) for figure in json.loads(output)]
    except ValueError:
        raise RuntimeError(f"no figures: {errors.decode()}") from None


SECTIONS: Final[dict[str, Callable[[Any, int], Awaitable[list[Figure]]]]] = {
    "chaos": chaos,
    "survival": survival,
    "fleet": fleet,
    "half-open": halfOpen,
    "growth": growth,
    "slow-observer": slowObserver,
    "abuse": abuse,
    "fuzz": fuzz,
}


async def main(reactor: Any, *arguments: str) -> None:
    """
    Run the chosen sections.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", choices=SECTIONS, help="run this section only")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    if absent := [*missing(), *broker.missing()]:
        raise SystemExit(f"not installed: {', '.join(absent)}")
    figures: list[Figure] = []
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            if options.only is None and section is growth:
                section = growthAlone
            if not options.json:
                print(f"{name}: seed {options.seed} ...", flush=True)
            figures += await section(reactor, options.seed)
    if options.json:
        print(json.dumps([attrs.asdict(figure) for figure in figures]))
    else:
        print(markdown(figures), flush=True)
    if not all(figure.holds for figure in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    react(main, sys.argv[1:])
