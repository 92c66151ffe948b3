# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Where a server is, and where to listen for switches: the notations of Open
vSwitch and of Twisted, the connector, clusters and TLS. This folder uses only
the shared values, and nothing of L{twisted_ovsdb.connection}.
"""
