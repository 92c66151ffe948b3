# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the tests of several folders share.
"""
