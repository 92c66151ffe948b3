# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The clients that are compared. Each module is run in its own process and prints
JSON lines; the last line has its figures. L{ours <benchmarks.clients.ours>}
needs this package, and L{pyovs <benchmarks.clients.pyovs>} needs python-ovs.
The others need only the standard library.
"""
