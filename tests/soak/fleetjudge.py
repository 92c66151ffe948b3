# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Reads what a fleet publishes, message by message from the first one, and notes each that
contradicts those before it. It shares no code with the package: it needs nats-py, and
knows what docs/fleet.rst says.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from tests.soak.truth import Past, state

EVENTS: Final = "OVSDB_EVENTS"

ATTEMPT: Final = 20.0
"""Seconds that one attempt to read may take; the broker may die meanwhile."""

States = dict[str, str]
"""States of interfaces, by UUID."""


class Subject:
    """
    What was told of one switch.

    @ivar online: what the events add up to.
    @ivar told: by UUID, each state that was told, with its message and its time; None:
        offline.
    @ivar latest: by UUID, the sequence of its last event.
    @ivar place: the sequence of the last message.
    @ivar speakers: the instances that took over, each with the time and C{resumed}.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.online: States = {}
        self.told: dict[str, list[tuple[int, float, str | None]]] = {}
        self.latest: dict[str, int] = {}
        self.place = 0
        self.speakers: list[tuple[str, float, bool]] = []
        self.token = ""
        self.counter = 0


class Judge:
    """
    @ivar violations: what is wrong, by sort.
    @ivar counts: counts lines by event and cause, and C{messages}.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.subjects: dict[str, Subject] = {}
        self.violations: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()
        self._next = 1
        self._tokens: set[str] = set()

    # Events

    def drain(self) -> bool:
        """
        Read all messages that were not read.

        @return: whether that is done; the broker may be down.
        """
        try:
            asyncio.run(asyncio.wait_for(self._drain(), ATTEMPT))
        except (OSError, asyncio.TimeoutError, nats.errors.Error):
            return False
        return True

    async def _drain(self) -> None:
        client = await self._connect()
        try:
            js = client.jetstream()
            try:
                last = (await js.stream_info(EVENTS)).state.last_seq
            except NotFoundError:
                return
            if last < self._next - 1:
                self.wrong("lost", f"the stream ends at {last}, and has ended at {self._next - 1}")
            if last < self._next:
                return
            start = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._next
            )
            found = await js.subscribe("ovsdb.event.*", ordered_consumer=True, config=start)
            while self._next <= last:
                message = await found.next_msg(timeout=5)
                number = message.metadata.sequence.stream
                if number != self._next:
                    self.wrong("lost", f"the stream goes on from {self._next - 1} with {number}")
                self._next = number + 1
                self.add(number, message.metadata.timestamp.timestamp(), message)
            await found.unsubscribe()
        finally:
            await client.close()

    def add(self, number: int, when: float, message: Any) -> None:
        """
        Add a message.

        @param number: its sequence.
        @param when: the broker stored it, in seconds since the epoch.
        """
        self.counts["messages"] += 1
        name = message.subject.split(".")[2]
        subject = self.subjects.setdefault(name, Subject(name))
        previous = int(message.headers["Ovsdb-Previous"])
        if previous != subject.place:
            self.wrong("gap", f"{number} {name}: behind {previous}, not {subject.place}")
        subject.place = number
        lines = [json.loads(line) for line in message.data.splitlines()]
        self._addId(number, subject, message.headers["Nats-Msg-Id"], lines)
        for line in lines:
            self.counts["lines"] += 1
            self.counts[" ".join(line[key] for key in ("event", "cause") if key in line)] += 1
            if line["event"] == "started":
                subject.speakers.append((line["instance"], when, line["resumed"]))
                if not line["resumed"]:
                    if len(subject.speakers) > 1:
                        self.wrong("anew", f"{number} {name}: {line}")
                    subject.online.clear()
            elif "interface" in line:
                self._addInterface(number, when, subject, line)

    def _addId(self, number: int, subject: Subject, id: str, lines: Sequence[Any]) -> None:
        """
        A takeover has a token that nobody had before, and begins with C{started}; its
        messages are counted.
        """
        token, _, counter = id.rpartition("-")
        where = f"{number} {subject.name}: {id} behind {subject.token}-{subject.counter}"
        if token != subject.token:
            if token in self._tokens:
                self.wrong("order", f"{where}: it speaks again")
            if lines[0]["event"] != "started":
                self.wrong("order", f"{where}: it has not taken over")
            self._tokens.add(token)
        elif int(counter) != subject.counter + 1:
            self.wrong("order", where)
        subject.token, subject.counter = token, int(counter)
        if {line["instance"] for line in lines} != {lines[0]["instance"]}:
            self.wrong("order", f"{where}: several instances")

    def _addInterface(self, number: int, when: float, subject: Subject, line: Any) -> None:
        row, event = line["interface"], line["event"]
        uuid, known = row["uuid"], subject.online.get(row["uuid"])
        seen = state(row["name"], row["ofport"], row["external_ids"])
        where = f"{number} {subject.name}, known {known}: {json.dumps(line)}"
        if (
            (event == "online") != (known is None)
            or (event == "changed" and (seen == known or not line["changes"]))
            or (event != "offline" and seen is None)
        ):
            self.wrong("false", where)
        subject.online.pop(uuid, None)
        if event == "offline":
            seen = None
        elif seen is not None:
            subject.online[uuid] = seen
        subject.told.setdefault(uuid, []).append((number, when, seen))
        subject.latest[uuid] = number

    async def _connect(self) -> Any:
        async def expected(_: Exception) -> None:
            """The broker is down; without this, the client would write it to the log."""

        return await nats.connect(
            self._url, error_cb=expected, allow_reconnect=False, connect_timeout=2
        )

    # At the end

    def match(self, name: str, history: Mapping[str, Sequence[Past]]) -> None:
        """
        Match all that was told of a switch, in order, against the true history of each
        interface. What was told before it was committed is of an earlier time, at which it
        was so too.
        """
        for uuid, told in self.subjects[name].told.items():
            states = history.get(uuid, ())
            # What is told first is behind the beginning.
            place = 0
            for number, when, seen in told:
                behind = ((i, *states[i]) for i in range(place + 1, len(states)))
                found = next((i for i, since, so in behind if so == seen and since <= when), None)
                if found is None:
                    where = f"{number} {name} {uuid}: {seen} is not behind {states[: place + 1]}"
                    self.wrong("order", f"{where}, of {states}")
                    break
                place = found

    def nowOf(self, name: str) -> tuple[States, list[str]]:
        """
        @return: what is now of a switch, and what is wrong with it.
        """
        return asyncio.run(asyncio.wait_for(self._nowOf(name), ATTEMPT))

    async def _nowOf(self, name: str) -> tuple[States, list[str]]:
        subject = self.subjects[name]
        client = await self._connect()
        try:
            js = client.jetstream()
            (checkpoint,) = await _last(js, f"ovsdb.now.{name}")
            objects = await _last(js, f"ovsdb.now.{name}.*")
        finally:
            await client.close()
        found, wrong = {}, []
        if checkpoint["sequence"] != subject.place:
            wrong.append(f"{name}: the checkpoint is not {subject.place}: {checkpoint}")
        for each in objects:
            row = each["interface"]
            if each["sequence"] < checkpoint["since"]:
                wrong.append(f"{name}: void: {each}")
            if each["sequence"] != subject.latest.get(row["uuid"]):
                wrong.append(f"{name}: not of {subject.latest.get(row['uuid'])}: {each}")
            seen = state(row["name"], row["ofport"], row["external_ids"])
            if each["event"] != "offline" and seen is not None:
                found[row["uuid"]] = seen
        return found, wrong

    def wrong(self, sort: str, text: str) -> None:
        """Note a violation."""
        self.violations.setdefault(sort, []).append(text)


async def _last(js: Any, pattern: str) -> list[Any]:
    """The last message of each subject."""
    each = DeliverPolicy.LAST_PER_SUBJECT
    last = await js.subscribe(pattern, ordered_consumer=True, deliver_policy=each)
    info = await last.consumer_info()
    left = info.num_pending + info.delivered.consumer_seq
    found = []
    while left:
        message = await last.next_msg(timeout=10)
        left = message.metadata.num_pending
        found.append(json.loads(message.data))
    await last.unsubscribe()
    return found
