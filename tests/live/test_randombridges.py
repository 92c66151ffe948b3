# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Random transactions on bridges, ports and interfaces, with servers killed in
between: the events add up to what ovs-vsctl shows, in each dialect.
"""

from __future__ import annotations

import os
import random

from twisted.internet.threads import deferToThread

from tests.live.bridgescase import BridgesTestCase
from twisted_ovsdb import Synchronized
from twisted_ovsdb.events import InterfaceEvent

TRANSACTIONS = int(os.environ.get("TWISTED_OVSDB_TRANSACTIONS", "80"))
"""How many random transactions there are, for each dialect."""

SEED = int(os.environ.get("TWISTED_OVSDB_SEED", "1"))
"""The seed of the random transactions."""

KILLS = 20
"""Transactions between two kills of the server, about."""


class Scene:
    """
    What there is, for the choice of the next transaction.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bridges: list[str] = []
        self.ports: dict[str, str] = {}  # the bridge of each
        self._number = 0

    def next(self) -> str:
        """
        The commands of one transaction.
        """
        return " -- ".join(self._one() for _ in range(self.random.randint(1, 3)))

    def _one(self) -> str:
        what = self.random.choice(
            ["bridge", "port", "port", "port", "bond", "move", "move", "set", "set", "del", "delbr"]
        )
        self._number += 1
        if what == "bridge" or not self.bridges:
            name = f"{self.random.choice(['br', 'sw'])}{self._number}"
            self.bridges.append(name)
            kind = self.random.choice(
                ["", "", f" -- set Interface {name} type=gre options:remote_ip=1.1.1.1"]
            )
            return f"add-br {name}{kind}"
        bridge = self.random.choice(self.bridges)
        name = f"p{self._number}"
        if what == "port":
            self.ports[name] = bridge
            return f"add-port {bridge} {name} -- set Interface {name} {self._columns()}"
        if what == "bond":
            self.ports[name] = bridge
            columns = self._columns()
            return f"add-bond {bridge} {name} {name}a {name}b -- set Interface {name}a {columns}"
        if what == "delbr" and len(self.bridges) > 1:
            self.bridges.remove(bridge)
            self.ports = {port: at for port, at in self.ports.items() if at != bridge}
            return f"del-br {bridge}"
        if not self.ports:
            return f"set Bridge {bridge} external_ids:x={self._number}"
        port, before = self.random.choice(sorted(self.ports.items()))
        if what == "move" and before != bridge:
            self.ports[port] = bridge
            row = f"@x{self._number}"
            return (
                f"--id={row} get Port {port} -- remove Bridge {before} ports {row}"
                f" -- add Bridge {bridge} ports {row}"
            )
        if what == "del":
            del self.ports[port]
            return f"del-port {port}"
        return f"--if-exists set Interface {port} {self._columns()}"

    def _columns(self) -> str:
        return self.random.choice(
            [
                f"external_ids:iface-id=i{self._number}",
                "type=patch options:peer=other",
                "type=vxlan options:remote_ip=192.0.2.1",
                "type=internal",
                f"external_ids:note={self._number}",
                f"ofport={self._number}",
            ]
        )


class RandomTests(BridgesTestCase):
    """
    Tests for each dialect.
    """

    vswitchd = False
    timeout = max(120, TRANSACTIONS)

    async def judge(self, method: str) -> None:
        """
        Play random transactions, and judge the events.
        """
        scene = Scene(SEED)
        await self.vsctl("init")
        self.watch(bridges=True, method=method, identify=True, maxDelay=0.1)
        await self.observer.untilSynchronized()
        for number in range(TRANSACTIONS):
            await self.vsctl(f"--no-wait {scene.next()}")
            if number % KILLS == KILLS // 2:
                await deferToThread(self.ovs.kill, "ovsdb-server")
                await deferToThread(self.ovs.startServer)
                await self.observer.until(lambda event: isinstance(event, Synchronized))
            if number % 5 == 0:
                await self.assertPlaced()
        await self.assertPlaced()
        told = [e for e in self.observer.everything if isinstance(e, InterfaceEvent)]
        print(f"\n{method}: {TRANSACTIONS} transactions, {len(told)} events, seed {SEED}")

    async def test_monitor(self) -> None:
        """
        By C{monitor}.
        """
        await self.judge("monitor")

    async def test_monitorCond(self) -> None:
        """
        By C{monitor_cond}.
        """
        await self.judge("monitor_cond")
