# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

from setuptools import setup

# All metadata is in pyproject.toml.
setup()
