# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests of what is shown on the web.
"""
