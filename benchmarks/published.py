# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a broker has stored, and when. It is read afterwards, so that reading costs nothing
while something is measured. The time when a message was stored is the broker's; all
processes are on one machine, and have one clock.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.clients.figures import SENT, percentile

TOLD = ("online", "changed", "offline")


async def reading(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Connect, and read."""
    import nats

    client = await nats.connect(url)
    try:
        return await work(client.jetstream())
    finally:
        await client.close()


async def sizes(js: Any) -> dict[str, int]:
    """
    How many messages each stream was given, and how many bytes they have; how many
    objects and checkpoints there are.
    """
    events = (await js.stream_info("OVSDB_EVENTS")).state
    now = (await js.stream_info("OVSDB_NOW")).state
    return {
        "events": events.last_seq,
        "eventsBytes": events.bytes,
        "now": now.last_seq,
        "nowBytes": now.bytes,
        "objects": now.messages,
    }


async def messages(js: Any, pattern: str) -> list[tuple[float, int, bytes]]:
    """When each message of a pattern was stored, its number, and what it has."""
    subscription = await js.subscribe(pattern, ordered_consumer=True)
    info = await subscription.consumer_info()
    left = info.num_pending + info.delivered.consumer_seq
    found = []
    while left:
        message = await subscription.next_msg(timeout=10)
        left = message.metadata.num_pending
        stored = message.metadata.timestamp.timestamp()
        found.append((stored, message.metadata.sequence.stream, message.data))
        await asyncio.sleep(0)
    await subscription.unsubscribe()
    return found


async def lags(js: Any, began: float, removed: dict[str, float]) -> dict[str, Any]:
    """
    How long after the switch's transaction an event was stored, and an object of what is now.

    @param removed: when each port was removed.
    """
    events, told = [], 0
    for stored, _, data in await messages(js, "ovsdb.event.>"):
        if stored < began:
            continue
        for line in map(json.loads, data.splitlines()):
            if line["event"] in TOLD:
                told += 1
                events.append(stored - _made(line, removed))
    now = []
    for stored, _, data in await messages(js, "ovsdb.now.*.*"):
        value = json.loads(data)
        if stored >= began and value["event"] in TOLD:
            now.append(stored - _made(value, removed))
    return {"events": events, "now": now, "told": told}


def _made(line: dict[str, Any], removed: dict[str, float]) -> float:
    """When the switch made the transaction of an event."""
    interface = line["interface"]
    if line["event"] == "offline":
        return removed[interface["uuid"]]
    return float(interface["external_ids"][SENT])


async def takeovers(js: Any, at: float, killed: str) -> dict[str, Any]:
    """
    How long it took until each switch of a monitor that was killed had another one.

    @param at: when it was killed.
    """
    speakers: dict[str, str] = {}
    took: dict[str, float] = {}
    for stored, _, data in await messages(js, "ovsdb.event.>"):
        for line in map(json.loads, data.splitlines()):
            if line["event"] != "started":
                continue
            switch = line["switch"]
            if stored < at:
                speakers[switch] = line["instance"]
            elif speakers.get(switch) == killed:
                took.setdefault(switch, stored - at)
    count = sum(speaker == killed for speaker in speakers.values())
    values = list(took.values())
    return {
        "switches": count,
        "missing": count - len(took),
        "p50": percentile(values, 0.5),
        "p99": percentile(values, 0.99),
        "worst": max(values),
    }
