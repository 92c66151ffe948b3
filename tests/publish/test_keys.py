# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the keys under which switches are published, with switches in memory and a model
of a broker.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.broker import ModelBroker, ModelStreams
from twisted_ovsdb import OvsdbMonitorFactory
from twisted_ovsdb.publish.observer import PublishingObserver, publishing
from twisted_ovsdb.publish.streampublisher import StreamPublisher
from twisted_ovsdb.publish.subjects import eventSubject
from twisted_ovsdb.testing import MemoryServer, connectedFactory

SOCKET = "unix:/var/run/openvswitch/db.sock"
"""The endpoint on each host."""

SOON = 5.0
"""Seconds after which a monitor speaks."""


class KeyTests(SynchronousTestCase):
    """
    Monitors on hosts of their own, and one broker.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = ModelBroker()

    def host(self, *system_id: str) -> MemoryServer:
        """
        A switch with one bridge.

        @param system_id: its system-id; nothing: it has none.
        """
        server = MemoryServer(self.clock)
        server.addBridge("br-int")
        for each in system_id:
            self.identify(server, each)
        return server

    def identify(self, server: MemoryServer, system_id: str) -> None:
        """A switch gets a system-id."""
        row = {"external_ids": ["map", [["system-id", system_id]]]}
        server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})

    def monitor(
        self, server: MemoryServer, instance: str, source: str = SOCKET
    ) -> OvsdbMonitorFactory:
        """A monitor of a switch, as C{--publish} makes it; it speaks if no other does."""
        factories: list[OvsdbMonitorFactory] = []

        def monitorOf(switch: str) -> Any:
            return next((each.monitor for each in factories if each.monitor.switch == switch), None)

        streams = ModelStreams(self.broker)
        publisher = StreamPublisher(streams, instance, self.clock, now=self.clock.seconds)
        observer = PublishingObserver(
            publisher, instance, monitorOf, self.clock, now=self.clock.seconds
        )
        self.addCleanup(observer.close)
        factory = connectedFactory(
            server,
            publishing(observer),
            source=source,
            identify=True,
            lock="fleet",
            instance=instance,
        )
        self.addCleanup(factory.stop)
        factories.append(factory)
        self.clock.advance(0)
        server.advance(SOON)
        server.advance(0)
        return factory

    def told(self) -> list[str]:
        """Each change of an interface that was published, with the key of its switch."""
        found = []
        for each in self.broker.stored:
            if each.subject.startswith("ovsdb.event."):
                lines = [json.loads(line) for line in each.payload.split(b"\n")]
                keys = {eventSubject(line["switch"]) for line in lines}
                self.assertEqual(keys, {each.subject})
                found += [
                    f"{line['switch']} {line['event']} {line['interface']['name']}"
                    for line in lines
                    if "interface" in line
                ]
        return found

    def test_sameSocket(self) -> None:
        """
        Two switches whose endpoints are written alike have two keys: what is told of one
        says nothing of the other.
        """
        self.monitor(self.host("s1"), "a")
        self.monitor(self.host("s2"), "b")
        self.assertEqual(self.told(), ["s1 online br-int", "s2 online br-int"])

    def test_noSystemId(self) -> None:
        """
        Also without system-ids: each is known by the UUID of its Open_vSwitch row.
        """
        one = self.monitor(self.host(), "a")
        other = MemoryServer(self.clock)
        # In memory, each has the same UUIDs.
        other.transact({"op": "delete", "table": "Open_vSwitch", "where": []})
        other.transact({"op": "insert", "table": "Open_vSwitch", "row": {}})
        other.addBridge("br-int")
        two = self.monitor(other, "b")
        keys = [one.monitor.switch, two.monitor.switch]
        self.assertEqual(len({*keys, SOCKET}), 3)
        self.assertEqual(self.told(), [f"{key} online br-int" for key in keys])
        self.assertEqual([one.monitor.identity.row, one.monitor.source], [keys[0], SOCKET])

    def test_twoWays(self) -> None:
        """
        One switch, which two monitors reach by two endpoints, has one key, with a system-id
        and without: the next one that speaks tells nothing again.
        """
        for system_id in ((), ("s1",)):
            server = self.host(*system_id)
            first = self.monitor(server, "a")
            second = self.monitor(server, "b", "tcp:10.0.0.1:6640")
            told = self.told()
            first.stop()
            server.advance(SOON)
            self.assertTrue(second.speaking)
            self.assertEqual(self.told(), told)

    def test_getsSystemId(self) -> None:
        """
        A switch that gets a system-id while it is monitored is published under that from
        then on, and never under its endpoint.
        """
        server = self.host()
        factory = self.monitor(server, "a")
        row = factory.monitor.switch
        self.identify(server, "s1")
        server.advance(2 * SOON)
        self.assertTrue(factory.speaking)
        self.assertEqual(self.told(), [f"{row} online br-int", "s1 online br-int"])

    def test_emptyTable(self) -> None:
        """
        While its Open_vSwitch table is empty, nobody knows which switch it is, and it is not
        published; when it has its row, it is.
        """
        server = MemoryServer(self.clock)
        server.transact({"op": "delete", "table": "Open_vSwitch", "where": []})
        factory = self.monitor(server, "a")
        self.assertTrue(factory.inSync)
        self.assertFalse(factory.speaking)
        row = {"external_ids": ["map", [["system-id", "s1"]]]}
        server.transact({"op": "insert", "table": "Open_vSwitch", "row": row})
        server.addBridge("br-int")
        server.advance(2 * SOON)
        self.assertEqual(self.told(), ["s1 online br-int"])
