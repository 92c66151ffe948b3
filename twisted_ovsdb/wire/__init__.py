# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Bytes, messages and values: framing, strict JSON, JSON-RPC, OVSDB's notation, and
the row reader, which exists for speed. It uses only the shared values (errors,
events): no Twisted, no I/O, no clock.
"""
