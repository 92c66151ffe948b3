# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What C{--http} costs: a scrape of Prometheus with 1,000 switches, many browsers, and
one that never reads. C{python -m benchmarks.web} measures it.
"""
