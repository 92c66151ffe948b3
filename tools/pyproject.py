# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What pyproject.toml says, for the tools that install from it.

    python -m tools.pyproject [EXTRA ...]

prints the package's dependencies, and those of these extras, one a line. pip installs
dependencies only together with their package, and an installed package would hide the
checkout.
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


def dependencies(*extras: str) -> list[str]:
    """
    The package's dependencies and those of extras, with their lower bounds.
    """
    read: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    found = list(read["project"]["dependencies"])
    for extra in extras:
        found += read["project"]["optional-dependencies"][extra]
    return found


if __name__ == "__main__":
    print("\n".join(dependencies(*sys.argv[1:])))
