# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A writer that makes every sort of change to interfaces.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from tests.soak.database import jsonMap
from tests.soak.writer import Writer

BATCH: Final = 100
"""Interfaces of one transaction, at most."""

PLENTY: Final = 120
"""From this many interfaces on, a writer removes more than it adds."""

NAMES: Final = 300
"""How many names a writer has for its ports. It uses them many times."""

_TEXTS: Final = ("x", 'q"\\uote', "tab\tnew\nline", "zwölf €", "\U0001f600\ufeff", "]}[{", "")


def randomExternalIds(rng: random.Random) -> list[Any]:
    """
    A value of external_ids, with an iface-id or without.
    """
    items = {"note": rng.choice(_TEXTS), "attached-mac": f"fa:16:3e:00:00:{rng.randrange(99):02}"}
    if rng.random() < 0.7:
        items["iface-id"] = f"port-{rng.randrange(20)}"
    return jsonMap(items)


def randomKind(rng: random.Random) -> dict[str, Any]:
    """
    The columns that give an interface its kind, or no kind.
    """
    kind = rng.choice(("", "", "", "", "vxlan", "geneve", "patch", "internal"))
    options: dict[str, str] = {}
    if kind in ("vxlan", "geneve") and rng.random() < 0.8:
        options["remote_ip"] = f"192.0.2.{rng.randrange(250)}"
    elif kind == "patch":
        options["peer"] = f"peer-{rng.randrange(10)}"
    return {"type": kind, "options": jsonMap(options)}


def randomOfport(rng: random.Random) -> Any:
    """
    A port number, no value, -1 for an error, or 65534 for a local port.
    """
    return rng.choice((["set", []], -1, 65534, *(rng.randrange(1, 60000) for _ in range(8))))


def randomRow(rng: random.Random) -> dict[str, Any]:
    """
    All columns of an interface except its name.
    """
    return {
        **randomKind(rng),
        "external_ids": randomExternalIds(rng),
        "ofport": ["set", []] if rng.random() < 0.5 else randomOfport(rng),
    }


class Churn(Writer):
    """
    Adds, removes and changes ports at random.

    @ivar most: interfaces that one transaction changes, at most.
    @ivar done: counts each sort of transaction.
    """

    most = BATCH

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.done: dict[str, int] = {}

    async def change(self) -> None:
        """
        Run one random transaction.
        """
        present = list(self.ports)
        if not present or self.rng.random() < 0.3 * (1 - len(present) / PLENTY):
            kind = "add"
        else:
            kind = self.rng.choices(
                ("add", "remove", "recreate", "replace", "iface-id", "type", "ofport", "other"),
                (2, 2, 3, 1, 3, 2, 4, 2),
            )[0]
        names = self._sample(present)
        await getattr(self, f"_{kind.replace('-', '_')}")(names)
        self.done[kind] = self.done.get(kind, 0) + 1

    def _sample(self, names: Sequence[str]) -> list[str]:
        """
        Mostly one of the names, sometimes a batch.
        """
        count = 1 if self.rng.random() < 0.9 else self.rng.randint(2, self.most)
        return self.rng.sample(names, min(count, len(names)))

    async def _add(self, _: Sequence[str]) -> None:
        absent = [n for i in range(NAMES) if (n := self._name(i)) not in self.ports]
        await self.add({name: randomRow(self.rng) for name in self._sample(absent)})

    async def _remove(self, names: Sequence[str]) -> None:
        await self.remove(names)

    async def _recreate(self, names: Sequence[str]) -> None:
        await self.add({name: randomRow(self.rng) for name in names}, without=names)

    async def _replace(self, names: Sequence[str]) -> None:
        absent = [n for i in range(NAMES) if (n := self._name(i)) not in self.ports]
        await self.add({n: randomRow(self.rng) for n in self._sample(absent)}, without=names)

    async def _iface_id(self, names: Sequence[str]) -> None:
        await self.update(names, {"external_ids": randomExternalIds(self.rng)})

    async def _type(self, names: Sequence[str]) -> None:
        await self.update(names, randomKind(self.rng))

    async def _ofport(self, names: Sequence[str]) -> None:
        await self.update(names, {"ofport": randomOfport(self.rng)})

    async def _other(self, names: Sequence[str]) -> None:
        row = self.rng.choice(
            (
                {"mtu": self.rng.randrange(1500, 9000)},  # not monitored
                {"error": self.rng.choice((["set", []], "could not open network device"))},
                {},  # no column at all
            )
        )
        await self.update(names, row)

    def _name(self, number: int) -> str:
        # Some of the names are like those of bridges.
        return f"{'br-' if number % 9 == 0 else ''}{self.name}-{number}"
