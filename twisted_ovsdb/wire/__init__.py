# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
From bytes to messages and values, and back: framing, strict JSON, JSON-RPC,
OVSDB's notation, and the row reader, which is all that exists for speed alone.
It uses only the shared values (errors, events): no Twisted, no I/O, no clock.
"""
