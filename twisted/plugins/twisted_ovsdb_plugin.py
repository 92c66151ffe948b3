# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

from twisted.application.service import ServiceMaker

ovsdbMonitor = ServiceMaker(
    "twisted_ovsdb",
    "twisted_ovsdb.tap",
    "Tell which Open vSwitch interfaces come, go and change.",
    "ovsdb-monitor",
)
