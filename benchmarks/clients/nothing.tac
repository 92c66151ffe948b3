# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An application for twistd that ends when it runs.
"""

from twisted.application.service import Application, Service


class Ending(Service):
    def startService(self):
        from twisted.internet import reactor

        reactor.callWhenRunning(reactor.stop)


application = Application("nothing")
Ending().setServiceParent(application)
