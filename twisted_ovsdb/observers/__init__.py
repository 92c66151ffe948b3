# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observers that ship: a base class, the log, JSON Lines, and filters. It uses
L{twisted_ovsdb.openvswitch} and the shared values; it needs nothing of
L{twisted_ovsdb.connection}.
"""
