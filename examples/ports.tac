# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An application for twistd: it logs each VM that gets its OpenFlow port.

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
                "plug {vm} at {port}", vm=event.interface.iface_id, port=event.interface.ofport
            )

    def vmChanged(self, event):
        if event.interface.ofport != event.previous.ofport:
            self.vmOnline(event)

    def vmOffline(self, event):
        self.log.info("unplug {vm}", vm=event.interface.iface_id)


server = os.environ.get("OVSDB", "unix:/var/run/openvswitch/db.sock")
application = Application("ports")
service = OvsdbMonitorService(clientFromRemote(reactor, server), OvsdbMonitorFactory([Ports()]))
service.setServiceParent(application)
