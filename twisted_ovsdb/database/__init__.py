# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Any table of any schema: types, schemas, replicas, and the dialects in which a
server reports rows (C{monitor}, C{monitor_cond}). It uses L{twisted_ovsdb.wire}
and the shared values: no Twisted, no I/O, no clock.
"""
