# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The clients that are compared. Each module is run as a process of its own and
prints JSON lines, the last of which has its figures. All but L{ours
<benchmarks.clients.ours>} need nothing but the standard library.
"""
