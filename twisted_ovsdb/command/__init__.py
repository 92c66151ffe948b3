# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What C{twistd ovsdb-monitor} is made of: the options' values and their mistakes,
completions, and where lines go. It may use every folder but
L{twisted_ovsdb.testing}; only L{twisted_ovsdb.tap} uses it.
"""
