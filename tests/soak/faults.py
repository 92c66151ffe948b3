# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The faults of a server, and of the network between it and its clients.
"""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThread

from tests.soak.database import DATABASE
from tests.soak.proxy import Direction, Proxy
from tests.soak.waiting import wait
from tools.openvswitch import SCHEMA, PrivateOpenVSwitch

SERVER: Final = "ovsdb-server"

DROPPED: Final = ("error", "error", "options", "ofport", "external_ids")
"""Columns of the Interface table that a database may lack."""


class Faults:
    """
    Each method that L{KINDS} lists is one fault. It ends when the server and
    the network work again.

    @ivar kills: counts the kills by SIGKILL that clients can notice.
    @ivar freezes: counts the stops by SIGSTOP.
    @ivar longest: seconds of the longest stop.
    @ivar onReplaced: called when rows were replaced while connections stayed
        open.
    @ivar onConverted: awaited while the database has another schema.
    """

    def __init__(
        self,
        reactor: Any,
        ovs: PrivateOpenVSwitch,
        proxy: Proxy,
        rng: random.Random,
        longestStop: float,
    ) -> None:
        """
        @param longestStop: seconds that the server is stopped, at most.
        """
        self.kills = self.freezes = 0
        self.longest = 0.0
        self.onReplaced: Callable[[], object] = lambda: None
        self.onConverted: Callable[[], Awaitable[object]] | None = None
        self._reactor = reactor
        self._ovs = ovs
        self._proxy = proxy
        self._rng = rng
        self._longestStop = longestStop

    async def kill(self) -> None:
        """
        The server is killed with SIGKILL and started a while later. Sometimes
        it first runs on a socket that only the writers use, and they change
        the database there.
        """
        self.kills += 1
        await deferToThread(self._ovs.kill, SERVER)
        if self._rng.random() < 0.25:
            await deferToThread(self._ovs.startServer, hidden=True)
            await self._linger(0.05, 0.3)
            await deferToThread(self._ovs.kill, SERVER)
        await self._linger(0, self._rng.choice((0, 0.3)))
        await deferToThread(self._ovs.startServer)

    async def restart(self) -> None:
        """
        The server exits gracefully and is started again.
        """
        await deferToThread(self._ovs.exit, SERVER)
        await self._linger(0, 0.3)
        await deferToThread(self._ovs.startServer)

    async def freeze(self) -> None:
        """
        The server is stopped with SIGSTOP and continued with SIGCONT.
        """
        self.freezes += 1
        most = (0.5, 0.5, 3.0, self._longestStop)[self.freezes % 4]
        seconds = self._rng.uniform(0, min(most, self._longestStop))
        self.longest = max(self.longest, seconds)
        self._ovs.signal(SERVER, signal.SIGSTOP)
        await wait(self._reactor, seconds)
        self._ovs.signal(SERVER, signal.SIGCONT)

    async def reconnect(self) -> None:
        """
        The server drops all its clients.
        """
        await self._appctl("reconnect")

    async def convert(self) -> None:
        """
        The database gets a schema with one column more or one column less, and
        then the old schema again.
        """
        schema = json.loads(SCHEMA.read_text("utf-8"))
        columns = schema["tables"]["Interface"]["columns"]
        if self._rng.random() < 0.3:
            columns["soak"] = {"type": "string"}
        else:
            del columns[self._rng.choice(DROPPED)]
        schema.pop("cksum", None)
        changed = self._ovs.folder / "changed.ovsschema"
        changed.write_text(json.dumps(schema), "utf-8")
        await self._convert(changed)
        await self._linger(0.2, 0.6)
        if self.onConverted is not None and self._rng.random() < 0.5:
            await self.onConverted()
        await self._convert(SCHEMA)

    async def removeDatabase(self) -> None:
        """
        The server stops serving the database, and later serves it again.
        """
        await self._appctl("remove-db", DATABASE)
        await self._linger(0, 0.6)
        await self._appctl("add-db", self._ovs.database)

    async def replaceByEmpty(self) -> None:
        """
        The server is started again with an empty database.
        """
        await deferToThread(self._ovs.exit, SERVER)
        await deferToThread(self._ovs.createDatabase)
        await deferToThread(self._ovs.startServer)

    async def restore(self) -> None:
        """
        A backup is put back: the same rows, each under a new UUID.
        """
        backup = self._ovs.folder / "backup"
        text = await self._client("backup", DATABASE)
        backup.write_text(text, "utf-8")
        await self._linger(0, 0.2)
        command = f"ovsdb-client restore unix:{self._ovs.unix} {DATABASE} < {backup}"
        await deferToThread(self._ovs.run, "sh", "-c", command)
        self.onReplaced()

    async def delay(self) -> None:
        """
        The network delays all bytes.
        """
        self._proxy.delay = self._rng.uniform(0.01, 0.4)
        await self._badNetwork(0.3, 1.5)

    async def trickle(self) -> None:
        """
        The network passes one byte at a time, sometimes also during a snapshot.
        """
        self._proxy.trickling = True
        if self._rng.random() < 0.5:
            self._proxy.reset()
        await self._badNetwork(0.3, 1.5)

    async def cut(self) -> None:
        """
        The connection is closed after a random byte of the updates.
        """
        self._proxy.cutAfter(self._rng.randint(1, 3000), Direction.DOWN)
        await self._badNetwork(0.2, 0.6)

    async def cutSnapshot(self) -> None:
        """
        The connection is closed after a random byte of the next snapshot.
        """
        self._proxy.reset()
        self._proxy.cutAfter(self._rng.randint(1, 40000), Direction.DOWN)
        await self._badNetwork(0.3, 0.8)

    async def cutRequest(self) -> None:
        """
        The connection is closed after a random byte of the next request.
        """
        self._proxy.reset()
        self._proxy.cutAfter(self._rng.randint(1, 150), Direction.UP)
        await self._badNetwork(0.3, 0.8)

    async def blackholeDown(self) -> None:
        """
        Nothing reaches the client.
        """
        self._proxy.silent = Direction.DOWN
        await self._badNetwork(0.2, 4.0)

    async def blackholeUp(self) -> None:
        """
        Nothing reaches the server.
        """
        self._proxy.silent = Direction.UP
        await self._badNetwork(0.2, 4.0)

    async def reset(self) -> None:
        """
        The network resets all connections.
        """
        self._proxy.reset()

    async def compact(self) -> None:
        """
        Make the file of the database small. This is not a fault: clients do
        not notice it. Without it, each start of the server would take longer
        than the one before.
        """
        await self._appctl("compact")

    async def _badNetwork(self, least: float, most: float) -> None:
        await self._linger(least, most)
        if self._rng.random() < 0.2:
            await self.kill()
            await self._linger(least, most)
        self._proxy.heal()

    async def _linger(self, least: float, most: float) -> None:
        await wait(self._reactor, self._rng.uniform(least, most))

    async def _appctl(self, command: str, *arguments: str) -> None:
        await deferToThread(self._ovs.appctl, SERVER, f"ovsdb-server/{command}", *arguments)

    async def _client(self, command: str, *arguments: str) -> str:
        server = f"unix:{self._ovs.unix}"
        return await deferToThread(self._ovs.run, "ovsdb-client", command, server, *arguments)

    async def _convert(self, schema: Path) -> None:
        await self._client("convert", str(schema))


KINDS: Final[tuple[Callable[[Faults], Awaitable[None]], ...]] = (
    Faults.restart,
    Faults.freeze,
    Faults.reconnect,
    Faults.convert,
    Faults.removeDatabase,
    Faults.replaceByEmpty,
    Faults.restore,
    Faults.delay,
    Faults.trickle,
    Faults.cut,
    Faults.cutSnapshot,
    Faults.cutRequest,
    Faults.blackholeDown,
    Faults.blackholeUp,
    Faults.reset,
)
"""Every fault except L{Faults.kill}."""
