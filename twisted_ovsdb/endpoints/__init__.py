# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where a server is, or where switches dial in: the notations of Open vSwitch and
Twisted, a connector for endpoints, clusters and TLS. It uses only the shared
values; it needs nothing of L{twisted_ovsdb.connection}.
"""
