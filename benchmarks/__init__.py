# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Measures what the package costs, beside other clients: C{make bench}.
"""
