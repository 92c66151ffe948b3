# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A writer that knows which events observers must be told for each transaction.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.soak.database import jsonMap
from tests.soak.writer import Writer


class Steady(Writer):
    """
    Changes one VM's interface after another, each time in another way.

    No other writer may change its ports, and its connection must not be lost.

    @ivar expected: counts the events that its transactions must lead to, by
        the names of their Python classes.
    @ivar limit: how many transactions to commit.
    """

    def __init__(self, *arguments: Any, interfaces: int = 100, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.expected: Counter[str] = Counter()
        self.limit = 0
        self._names = [f"{self.name}-{number}" for number in range(interfaces)]
        self._classified: set[str] = set()
        self._turn = 0

    def begin(self, transactions: int) -> None:
        """
        Commit this many more transactions.
        """
        self.limit = self.committed + transactions
        self.start()

    @property
    def done(self) -> bool:
        """Whether all transactions are committed."""
        return self.committed >= self.limit

    async def change(self) -> None:
        """
        Run the next transaction.
        """
        if not self.ports:
            rows = {name: self._row() for name in self._names}
            await self.add(rows)
            self._classified = set(rows)
            self.expected["InterfaceOnline"] += len(rows)
        else:
            name = self._names[self._turn % len(self._names)]
            await self._changeOne(name, self.rng.randrange(6))
        self._turn += 1
        if self.done:
            self._wanted = False

    async def _changeOne(self, name: str, kind: int) -> None:
        if name not in self.ports:
            await self.add({name: self._row()})
            self._tell(name, "InterfaceOnline")
        elif kind == 0:
            await self.remove([name])
            self._tell(name, "InterfaceOffline")
        elif kind == 1:
            await self.add({name: self._row()}, without=[name])
            self._tell(name, "InterfaceOffline", "InterfaceOnline")
        elif name not in self._classified:
            await self.update([name], self._ifaceId())
            self._tell(name, "InterfaceOnline")
        elif kind == 2:
            await self.update([name], self._ifaceId())
            self._tell(name, "InterfaceOffline", "InterfaceOnline")
        elif kind == 3:
            await self.update([name], {"external_ids": jsonMap({})})
            self._tell(name, "InterfaceOffline")
        else:
            await self.update([name], {"ofport": 1 + self._turn % 60000})
            self._tell(name, "InterfaceChanged")

    def _tell(self, name: str, *events: str) -> None:
        if "InterfaceOffline" in events and name in self._classified:
            self._classified.discard(name)
            self.expected["InterfaceOffline"] += 1
        if "InterfaceOnline" in events:
            self._classified.add(name)
            self.expected["InterfaceOnline"] += 1
        if "InterfaceChanged" in events:
            self.expected["InterfaceChanged"] += 1

    def _ifaceId(self) -> dict[str, Any]:
        return {"external_ids": jsonMap({"iface-id": f"port-{self._turn}"})}

    def _row(self) -> dict[str, Any]:
        return {"ofport": ["set", []], **self._ifaceId()}
