# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One connection to a server: the protocol, the requests of RFC 7047, the callbacks
for updates and locks, and whether the server is still there. It uses
L{twisted_ovsdb.database} and L{twisted_ovsdb.wire}, and knows nothing of
interfaces.
"""
