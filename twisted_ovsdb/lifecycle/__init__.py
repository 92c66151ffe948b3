# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
When to connect, and when to connect again: the life of one connection, the
factory that connects, the listener to which switches connect, the services, and
the hook that is told of all connections. It uses L{twisted_ovsdb.monitoring},
L{twisted_ovsdb.endpoints} and what these may use.
"""
