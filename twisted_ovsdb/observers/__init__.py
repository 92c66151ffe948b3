# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observers that ship: a base class, the log, JSON Lines, and filters. They
use L{twisted_ovsdb.openvswitch} and the shared values, and nothing of
L{twisted_ovsdb.connection}.
"""
