# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
When to connect, and when to connect again: the life of one connection, the
factories for both directions, and the services. It uses
L{twisted_ovsdb.monitoring}, L{twisted_ovsdb.endpoints} and what these may use.
"""
