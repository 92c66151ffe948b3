# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The version. pyproject.toml reads it here, and so do programs at run time.
"""

__version__ = "0.1.0"
