# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is known of a switch, and what each observer was told: the session on one
connection, the monitor that outlives it, delivery to observers, and questions.
It uses L{twisted_ovsdb.connection}, L{twisted_ovsdb.openvswitch} and what these
may use.
"""
