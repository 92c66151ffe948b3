# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Interface table: how its rows are read and classified, and which events the
difference of two states makes. It uses L{twisted_ovsdb.database} and what that
may use: no Twisted, no I/O, no clock.
"""
