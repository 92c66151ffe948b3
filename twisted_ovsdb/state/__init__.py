# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What observers were told, kept on disk over the end of the process. What a commit
is, and what lines of an events file add up to, do no I/O; the store has a thread
of its own. This folder uses the shared values, L{twisted_ovsdb.openvswitch},
L{twisted_ovsdb.monitoring} and L{twisted_ovsdb.observers}.
"""
