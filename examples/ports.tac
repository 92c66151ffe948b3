# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An application for twistd: it logs each VM that gets its OpenFlow port,
and the bridge, without which the number means nothing.

    twistd -ny examples/ports.tac
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.logger import Logger

from twisted_ovsdb import (
    OvsdbEventObserver,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
    clientFromRemote,
)


class Ports(OvsdbEventObserver):
    log = Logger()

    def vmOnline(self, event):
        if event.interface.ready:
            self.log.info(
                "plug {vm} at {bridge} {port}",
                vm=event.interface.iface_id,
                bridge=event.interface.bridge,
                port=event.interface.ofport,
            )

    def vmChanged(self, event):
        now, before = event.interface, event.previous
        if (now.bridge, now.ofport, now.ready) != (before.bridge, before.ofport, before.ready):
            self.vmOnline(event)

    def vmOffline(self, event):
        self.log.info("unplug {vm}", vm=event.interface.iface_id)


server = os.environ.get("OVSDB", "unix:/var/run/openvswitch/db.sock")
application = Application("ports")
factory = OvsdbMonitorFactory([Ports()], bridges=True)
service = OvsdbMonitorService(clientFromRemote(reactor, server), factory)
service.setServiceParent(application)
