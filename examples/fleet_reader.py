# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Follow what C{twistd ovsdb-monitor --publish} publishes to NATS, and print what is
now, what comes online, goes offline and changes, and which monitor speaks, of all
switches. It needs nats-py.

    python examples/fleet_reader.py nats://127.0.0.1:4222

It takes what is now: the checkpoint of each switch, then the interfaces, then the events
behind the checkpoints. If the broker is lost, it goes on behind its last event. If an
event is missing, it takes what is now again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import sys
from typing import Any

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError, ServiceUnavailableError

FOREIGN_FAULTS = (json.JSONDecodeError, KeyError, TypeError)
FOREIGN = "what is in the streams is not a monitor's ({}): trying again"

FAULTS: dict[type[Exception], str] = {
    **dict.fromkeys(FOREIGN_FAULTS, FOREIGN),
    NotFoundError: "no monitor has published here yet: waiting",
    ServiceUnavailableError: "the broker has no JetStream: trying again",
    nats.errors.Error: "the broker refuses us ({}): trying again",
    socket.gaierror: "the host of {1} cannot be found ({0}): trying again",
}


class Fleet:
    """
    What is so on all switches.

    @ivar online: the interfaces, by switch (as in subjects) and UUID.
    @ivar client: the connection; each one is a client of its own.
    """

    def __init__(self, url: str = "") -> None:
        self._broker = url.rpartition("@")[2]  # without a password
        self.online: dict[tuple[str, ...], Any] = {}
        self.client: Any = None
        self._at = 0  # the last event that was read; 0: take what is now
        self._last: dict[str, Any] = {}  # of each switch: the sequence and the id of its last event
        self._objects: dict[tuple[str, ...], int] = {}  # their sequences, when they were taken
        self._said: set[str] = set()

    async def follow(self, js: Any) -> None:
        """Follow events, until one is missing or the connection is lost."""
        end = (await js.stream_info("OVSDB_EVENTS")).state.last_seq
        if not 0 < self._at <= end:
            await self._take(js)
        at = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._at)
        events = await js.subscribe("ovsdb.event.*", ordered_consumer=True, config=at)
        self._said.clear()
        async for message in events.messages:
            switch, number = message.subject.split(".")[2], message.metadata.sequence.stream
            lines = [json.loads(line) for line in message.data.splitlines()]
            id, previous = message.headers["Nats-Msg-Id"], int(message.headers["Ovsdb-Previous"])
            last = self._last.get(switch, {"sequence": 0})
            anew = lines[0]["event"] == "started" and not lines[0]["resumed"]
            missing = number > last["sequence"] != previous and not anew
            # Another id: the stream that we know no longer exists.
            if missing or (number == last["sequence"] and id != last["id"]):
                self._at = 0
                break
            if number > last["sequence"]:
                self._last[switch] = {"sequence": number, "id": id}
                for line in lines:
                    self._fold(switch, number, line)
            self._at = number
        await events.unsubscribe()  # an error, if the connection is lost

    async def _take(self, js: Any) -> None:
        """Take what is now. What is beyond the end is of a stream that no longer exists."""
        self._at, self.online, self._objects = 0, {}, {}
        found = {key[0]: value async for key, value in _now(js, "ovsdb.now.*")}
        state = (await js.stream_info("OVSDB_EVENTS", subjects_filter="ovsdb.event.*")).state
        self._last = {k: v for k, v in found.items() if v["sequence"] <= state.last_seq}
        for value in self._last.values():
            if not value["forgotten"]:
                print(value["switch"], "speaker", value["instance"], flush=True)
        async for key, value in _now(js, "ovsdb.now.*.*"):
            if key[0] in self._last and value["sequence"] >= self._last[key[0]]["since"]:
                self._objects[key] = value["sequence"]
                if value["event"] != "offline":
                    self.online[key] = value["interface"]
                    print(value["switch"], "now", value["interface"]["name"], flush=True)
        # Of a switch that has no checkpoint, all events count.
        new = {subject.split(".")[2] for subject in state.subjects or ()} - self._last.keys()
        self._at = 1 if new else min((v["sequence"] for v in self._last.values()), default=1)

    def _fold(self, switch: str, number: int, line: dict[str, Any]) -> None:
        """Add an event, if it is newer than its object."""
        event, key = line["event"], (switch, line.get("interface", {}).get("uuid"))
        if event == "started":
            print(line["switch"], "speaker", line["instance"], flush=True)
        if event == "forgotten" or (event == "started" and not line["resumed"]):
            self.online = {k: v for k, v in self.online.items() if k[0] != switch}
        elif event in ("online", "changed", "offline") and number > self._objects.get(key, 0):
            self.online[key] = line["interface"]
            if event == "offline":
                del self.online[key]
            print(line["switch"], event, line["interface"]["name"], flush=True)

    async def failed(self, fault: Exception) -> None:
        """Say what is wrong with the broker, once, and begin with another connection."""
        text = FAULTS.get(type(fault), "the broker is lost ({}): trying again")
        if text not in self._said:
            print(text.format(str(fault) or "no answer", self._broker), file=sys.stderr)
        self._said.add(text)
        if self.client and self.client.is_connected:
            await self.client.close()


async def _now(js: Any, pattern: str) -> Any:
    """The last message of each subject: what is behind C{ovsdb.now}, and its object."""
    each = ConsumerConfig(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT, ack_policy=AckPolicy.NONE)
    last = await js.pull_subscribe(pattern, config=each)
    while (await last.consumer_info()).num_pending:
        for message in await last.fetch(50):
            yield tuple(message.subject.split(".")[2:]), json.loads(message.data)
    await last.unsubscribe()


async def main(url: str) -> None:
    """Follow, for ever."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns whenever TLS ends
    fleet = Fleet(url)
    while True:
        try:
            fleet.client = await nats.connect(url, error_cb=fleet.failed, allow_reconnect=False)
            async with fleet.client:
                await fleet.follow(fleet.client.jetstream())
        except (
            OSError,
            asyncio.TimeoutError,
            KeyError,
            TypeError,
            ValueError,
            nats.errors.Error,
        ) as e:
            await fleet.failed(e)
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} nats://HOST:PORT")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
