# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The keys of switches at a real broker: two monitors, each on the unix socket of its own
host.
"""

from __future__ import annotations

import asyncio
import sys

import nats
from twisted.internet.threads import deferToThread

from tests.live.support import requireOpenVSwitch
from tests.live.test_broker import BrokerTestCase
from tests.soak.fleetscene import FleetSwitch
from tests.test_examples import CHECKOUT, Program

READER = str(CHECKOUT / "examples" / "fleet_reader.py")


class KeyTests(BrokerTestCase):
    """
    Two hosts, and one broker.
    """

    timeout = 60

    async def host(self, port: str) -> FleetSwitch:
        """A switch with one bridge and one port, and a monitor in its folder."""
        switch = FleetSwitch(False)
        self.addCleanup(switch.stop)
        await deferToThread(switch.start)
        add = ("add-br", "br-int", "--", "add-port", "br-int", port)
        external = ("set", "Interface", port, f"external_ids:iface-id={port}", "ofport_request=1")
        await deferToThread(switch.vsctl, *add, "--", *external)
        return switch

    async def monitor(self, switch: FleetSwitch, instance: str) -> Program:
        """A monitor that knows the switch by a path that each host has."""
        command = f"cd {switch.folder} && exec {sys.executable} -m twisted_ovsdb.command"
        options = f"--endpoint unix:db.sock --publish {self.broker.url} --instance {instance}"
        program = Program("sh", "-c", f"{command} {options}")
        self.addCleanup(program.kill)
        await program.line("it has lock")
        return program

    def subjects(self) -> set[str]:
        """The subjects of all events."""

        async def ask() -> set[str]:
            client = await nats.connect(self.broker.url)
            info = await client.jetstream().stream_info("OVSDB_EVENTS", subjects_filter=">")
            await client.close()
            return set(info.state.subjects or {})

        return asyncio.run(ask())

    async def test_sameSocket(self) -> None:
        """
        Two switches whose endpoints are written alike are two for a reader: neither monitor
        tells that what the other switch has is gone.
        """
        requireOpenVSwitch(self)
        switches = [await self.host("tap1"), await self.host("tap2")]
        reader = Program(sys.executable, READER, self.broker.url)
        self.addCleanup(reader.kill)
        for switch, instance, port in zip(switches, "ab", ("tap1", "tap2"), strict=True):
            await self.monitor(switch, instance)
            await reader.line(f"{switch.key} online {port}")
        self.assertNotIn(" offline ", reader.everything)
        self.assertEqual(
            await deferToThread(self.subjects), {f"ovsdb.event.{each.key}" for each in switches}
        )
