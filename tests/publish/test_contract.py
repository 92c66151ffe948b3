# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The contract of C{IEventPublisher}, as tests that are written against the interface. A
broker's own test case provides publishers, and a way to wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zope.interface.verify import verifyObject

from tests.fakes.rows import uuid, vm
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.observers.jsonlines import lineOf
from twisted_ovsdb.publish.ipublisher import IEventPublisher
from twisted_ovsdb.publish.messages import Line
from twisted_ovsdb.publish.streams import Fenced

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as Base
else:
    Base = object


def lineAbout(event: str, interface: OvsInterface) -> Line:
    """The line of an event."""
    value = {"event": event, "switch": "s1", "timestamp": 0.0, "interface": interface.toJSON()}
    return Line(lineOf(value)[:-1], interface.uuid, event != "offline")


def started(resumed: bool) -> Line:
    """The first line of a takeover."""
    return Line(lineOf({"event": "started", "resumed": resumed, "switch": "s1"})[:-1])


FORGOTTEN = Line(lineOf({"event": "forgotten", "switch": "s1"})[:-1], forgets=True)


class PublisherContract(Base):
    """
    What every publisher does.
    """

    if TYPE_CHECKING:

        def publisher(self, instance: str) -> Any:
            """Make a publisher for an instance; all use one broker."""

        async def settled(self) -> None:
            """Wait until what is now is written."""

    async def takeOver(self, publisher: Any, switch: str = "s1") -> list[str] | None:
        """
        Read and take over.

        @return: the names of the interfaces that were told.
        """
        self.lost: list[str] = getattr(self, "lost", [])
        told = await publisher.read(switch)
        lines = [started(told.resumed)]
        await publisher.takeOver(told, lines, lambda: self.lost.append(switch))
        return self.names(told.interfaces)

    def names(self, interfaces: Sequence[OvsInterface] | None) -> list[str] | None:
        """The names of interfaces."""
        return None if interfaces is None else sorted(row.name for row in interfaces)

    async def assertFenced(self, publisher: Any, *lines: Line) -> None:
        """Fail unless this publisher can publish no more."""
        try:
            await publisher.publish("s1", lines)
        except Fenced:
            return
        self.fail("it was not fenced")

    async def test_interface(self) -> None:
        """
        A publisher provides the interface.
        """
        self.assertTrue(verifyObject(IEventPublisher, self.publisher("a")))

    async def test_nothing(self) -> None:
        """
        Nothing is known of a switch of which nothing was told.
        """
        told = await self.publisher("a").read("s1")
        self.assertIsNone(told.interfaces)
        self.assertFalse(told.resumed)

    async def test_goesOn(self) -> None:
        """
        Whoever takes over gets what was told, before and after what is now is
        written, and without the interfaces that went offline.
        """
        a, b = self.publisher("a"), self.publisher("b")
        self.assertIsNone(await self.takeOver(a))
        await a.publish("s1", [lineAbout("online", vm(1)), lineAbout("online", vm(2))])
        await a.publish("s1", [lineAbout("offline", vm(1)), lineAbout("online", vm(3))])
        self.assertEqual(await self.takeOver(b), ["tap2", "tap3"])
        await b.publish("s1", [lineAbout("offline", vm(3))])
        await self.settled()
        told = await a.read("s1")
        self.assertEqual(self.names(told.interfaces), ["tap2"])
        self.assertEqual(told.interfaces[0], vm(2))

    async def test_speakerOf(self) -> None:
        """
        Everybody can ask who speaks.
        """
        a, b = self.publisher("a"), self.publisher("b")
        self.assertIsNone((await b.read("s1")).interfaces)
        self.assertIsNone(await b.speakerOf("s1"))
        await self.takeOver(a)
        await a.publish("s1", [lineAbout("online", vm(1))])
        await self.settled()
        self.assertEqual(await b.speakerOf("s1"), "a")

    async def test_fenced(self) -> None:
        """
        Whoever spoke before is refused after a takeover, and tells nothing more.
        """
        a, b = self.publisher("a"), self.publisher("b")
        await self.takeOver(a)
        await a.publish("s1", [lineAbout("online", vm(1))])
        await self.takeOver(b)
        await self.assertFenced(a, lineAbout("online", vm(2)))
        await self.settled()
        self.assertEqual(self.names((await b.read("s1")).interfaces), ["tap1"])

    async def test_staleTaker(self) -> None:
        """
        A takeover with what was read before another message is refused.
        """
        a, b = self.publisher("a"), self.publisher("b")
        await self.takeOver(a)
        told = await b.read("s1")
        await a.publish("s1", [lineAbout("online", vm(1))])
        try:
            await b.takeOver(told, [started(True)], lambda: None)
        except Fenced:
            pass
        else:
            self.fail("it was not refused")
        await a.publish("s1", [lineAbout("online", vm(2))])

    async def test_withoutTakeover(self) -> None:
        """
        Nobody publishes without a takeover, nor after it has left.
        """
        a = self.publisher("a")
        await self.assertFenced(a, lineAbout("online", vm(1)))
        await self.takeOver(a)
        a.leave("s1")
        await self.assertFenced(a, lineAbout("online", vm(1)))

    async def test_again(self) -> None:
        """
        One instance takes over again, as after its connection to the switch was lost.
        """
        a = self.publisher("a")
        await self.takeOver(a)
        await a.publish("s1", [lineAbout("online", vm(1))])
        await self.settled()
        self.assertEqual(await self.takeOver(a), ["tap1"])
        await a.publish("s1", [lineAbout("changed", vm(1, ofport=5))])
        await self.settled()
        told = await a.read("s1")
        self.assertEqual(told.interfaces, [vm(1, ofport=5)])
        self.assertEqual(self.lost, [])

    async def test_switches(self) -> None:
        """
        Switches have nothing to do with one another, whatever their keys are.
        """
        keys = ["tcp:127.0.0.1:6640", "a.b", "a b", "a.*", ">", "", "\u00fc\ud800", "x" * 2000]
        a, b = self.publisher("a"), self.publisher("b")
        for number, key in enumerate(keys):
            await self.takeOver(a, key)
            await a.publish(key, [lineAbout("online", vm(number))])
        await self.settled()
        for number, key in enumerate(keys):
            told = await b.read(key)
            self.assertEqual([row.uuid for row in told.interfaces], [uuid(number)], key)

    async def test_forgotten(self) -> None:
        """
        Of a switch that is forgotten, nothing is left; and it may come again.
        """
        a, b = self.publisher("a"), self.publisher("b")
        await self.takeOver(a)
        await a.publish("s1", [lineAbout("online", vm(1))])
        await self.settled()
        await a.publish("s1", [FORGOTTEN])
        self.assertEqual((await b.read("s1")).interfaces, [])
        await self.settled()
        self.assertEqual((await b.read("s1")).interfaces, [])
        await self.takeOver(b)
        await b.publish("s1", [lineAbout("online", vm(2))])
        self.assertEqual(self.names((await a.read("s1")).interfaces), ["tap2"])

    async def test_many(self) -> None:
        """
        Messages with as many lines as there may be, and many interfaces.
        """
        a, b = self.publisher("a"), self.publisher("b")
        await self.takeOver(a)
        for start in range(0, 1000, 100):
            lines = [lineAbout("online", vm(start + n)) for n in range(100)]
            await a.publish("s1", lines)
        self.assertEqual(len((await b.read("s1")).interfaces), 1000)
        await self.settled()
        self.assertEqual(len((await b.read("s1")).interfaces), 1000)

    async def test_close(self) -> None:
        """
        At the end, what is now is written at once.
        """
        a, b = self.publisher("a"), self.publisher("b")
        await self.takeOver(a)
        await a.publish("s1", [lineAbout("online", vm(1))])
        await a.close()
        self.assertEqual(self.names((await b.read("s1")).interfaces), ["tap1"])
