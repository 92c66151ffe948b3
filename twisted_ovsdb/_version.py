# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The version, for setup.py and for whoever asks at run time.
"""

__version__ = "0.1.0"
