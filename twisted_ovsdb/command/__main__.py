# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{python -m twisted_ovsdb.command} is the console script, also where it is not
installed.
"""

from __future__ import annotations

from twisted_ovsdb.command.main import main

if __name__ == "__main__":
    main()
