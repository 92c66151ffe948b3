# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Follow what C{twistd ovsdb-monitor --publish} publishes to NATS, and print what is
now, what comes online, goes offline and changes, and which monitor speaks, of all
switches. It needs nats-py.

    python examples/fleet_reader.py nats://127.0.0.1:4222

It takes what is now: the checkpoint of each switch, then the interfaces, then the events
behind the checkpoints. Whenever an event is missing, it takes what is now again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError


class Fleet:
    """
    What is so on all switches.

    @ivar online: the interfaces, by switch (as in subjects) and UUID.
    """

    def __init__(self) -> None:
        self.online: dict[str, dict[str, Any]] = {}
        self._places: dict[str, int] = {}  # the last event of each switch
        self._objects: dict[tuple[str, str], int] = {}

    async def follow(self, js: Any) -> None:
        """Take what is now, and follow events, for ever."""
        while True:
            checkpoints = await self.take(js)
            begin = min(self._places.values(), default=1)
            await self.events(js, begin, checkpoints)

    async def take(self, js: Any) -> dict[str, Any]:
        """Take what is now. @return: the checkpoints, by switch."""
        last = (await js.stream_info("OVSDB_EVENTS")).state.last_seq
        found = {key[0]: value for key, value in await values(js, "ovsdb.now.*")}
        # One that is beyond the last event is of a stream that no longer exists.
        found = {switch: value for switch, value in found.items() if value["sequence"] <= last}
        self.online, self._objects = {switch: {} for switch in found}, {}
        for value in found.values():
            if not value["forgotten"]:
                print(value["switch"], "speaker", value["instance"], flush=True)
        for (switch, uuid), value in await values(js, "ovsdb.now.*.*"):
            if switch in found and value["sequence"] >= found[switch]["since"]:
                self._objects[switch, uuid] = value["sequence"]
                if value["event"] != "offline":
                    self.online[switch][uuid] = value["interface"]
                    print(value["switch"], "now", value["interface"]["name"], flush=True)
        self._places = {switch: value["sequence"] for switch, value in found.items()}
        return found

    async def events(self, js: Any, begin: int, checkpoints: dict[str, Any]) -> None:
        """Follow events, until one is missing."""
        start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=begin)
        events = await js.subscribe("ovsdb.event.*", ordered_consumer=True, config=start)
        async for message in events.messages:
            switch = message.subject.split(".")[2]
            number = message.metadata.sequence.stream
            place, checkpoint = self._places.get(switch, 0), checkpoints.get(switch)
            if checkpoint and number == checkpoint["sequence"] == place:
                if message.headers["Nats-Msg-Id"] != checkpoint["id"]:
                    break  # what is now is of a stream that no longer exists
            elif number > place:
                lines = [json.loads(line) for line in message.data.splitlines()]
                anew = lines[0]["event"] == "started" and not lines[0]["resumed"]
                if int(message.headers["Ovsdb-Previous"]) != place and not anew:
                    break  # an event is missing
                self._places[switch] = number
                for line in lines:
                    self.fold(switch, number, line)
        await events.unsubscribe()
        await asyncio.sleep(0.5)  # whoever speaks writes what is now again

    def fold(self, switch: str, number: int, line: dict[str, Any]) -> None:
        """Add an event, if it is newer than its object."""
        name, online = line["event"], self.online.setdefault(switch, {})
        if name == "started":
            print(line["switch"], "speaker", line["instance"], flush=True)
        if name == "forgotten" or (name == "started" and not line["resumed"]):
            online.clear()
        elif name in ("online", "changed", "offline"):
            uuid = line["interface"]["uuid"]
            if number > self._objects.get((switch, uuid), 0):
                online.pop(uuid, None)
                if name != "offline":
                    online[uuid] = line["interface"]
                print(line["switch"], name, line["interface"]["name"], flush=True)


async def values(js: Any, pattern: str) -> list[tuple[list[str], Any]]:
    """The last message of each subject: what is behind C{ovsdb.now}, and its object."""
    each = DeliverPolicy.LAST_PER_SUBJECT
    last = await js.subscribe(pattern, ordered_consumer=True, deliver_policy=each)
    info = await last.consumer_info()
    left = info.num_pending + info.delivered.consumer_seq
    found = []
    while left:
        message = await last.next_msg(timeout=10)
        left = message.metadata.num_pending
        found.append((message.subject.split(".")[2:], json.loads(message.data)))
    await last.unsubscribe()
    return found


async def streams(js: Any) -> None:
    """Wait until there are both streams: the first monitor makes them."""
    said = False
    for name in ("OVSDB_EVENTS", "OVSDB_NOW"):
        while True:
            try:
                await js.stream_info(name)
                break
            except NotFoundError:
                if not said:
                    print("no monitor has published here yet: waiting", file=sys.stderr)
                said = True
                await asyncio.sleep(1)


async def main(url: str) -> None:
    """Follow, for ever."""
    client = await nats.connect(url)
    await streams(client.jetstream())
    await Fleet().follow(client.jetstream())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
