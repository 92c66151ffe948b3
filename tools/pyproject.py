# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What pyproject.toml says, for the tools that install from it.

    python -m tools.pyproject

prints the package's dependencies, one a line. pip installs dependencies only
together with their package, and an installed package would hide the checkout.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    # Python 3.10 reads no TOML by itself; its pip does.
    from pip._vendor import tomli as tomllib  # type: ignore[import-untyped,unused-ignore]

CHECKOUT = Path(__file__).parent.parent


def dependencies() -> list[str]:
    """
    The package's dependencies, with their lower bounds.
    """
    read: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    return list(read["project"]["dependencies"])


if __name__ == "__main__":
    print("\n".join(dependencies()))
