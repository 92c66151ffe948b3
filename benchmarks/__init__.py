# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the package costs, measured beside its peers: C{make bench}.
"""
