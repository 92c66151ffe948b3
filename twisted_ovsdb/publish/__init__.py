# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Events for a broker: several monitors speak as one. The switch's lock decides which
of them speaks, and the broker holds what was last told. They use
L{twisted_ovsdb.observers} and what is below it; only C{natsconnection} and C{natsrequests}
know a broker's client.
"""
