# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is known, over HTTP: a page for people, a stream of events, answers in JSON,
metrics for Prometheus, and health for whatever starts this program. It reads the
monitors and is an observer of them; it changes nothing. It imports from observers
and from below; C{recent}, C{watch}, C{query} and C{switches} do no I/O.
"""
