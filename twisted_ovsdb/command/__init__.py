# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The parts of C{twistd ovsdb-monitor}: its options, what their values mean,
and where lines go. This folder may use every other one except
L{twisted_ovsdb.testing}; only L{twisted_ovsdb.tap} uses it.
"""
