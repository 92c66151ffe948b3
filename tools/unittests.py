# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which tests are unit tests: the one list that C{make unit} and the matrix use.

    python -m tools.unittests             # prints the files, one a line
    python -m tools.unittests --matrix    # those that each interpreter runs
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

CHECKOUT = Path(__file__).parent.parent

NOT_UNIT: Final = ("live", "soak")
"""
The folders of tests that have a command of their own: C{make test} runs live
too, C{make soak} runs soak. Every other file of tests is a unit test.
"""

ONCE: Final = ("test_documentation", "test_types", "test_wheel")
"""
Tests of what is shipped. They do not depend on the interpreter, are slow and
need other tools, so only C{make unit} runs them.
"""


def unitTests(matrix: bool = False) -> list[str]:
    """
    The files of unit tests, by their paths in the checkout.

    @param matrix: whether to leave out L{ONCE}.
    """
    found = [path.relative_to(CHECKOUT) for path in (CHECKOUT / "tests").rglob("test_*.py")]
    return sorted(
        str(path)
        for path in found
        if path.parts[1] not in NOT_UNIT and not (matrix and path.stem in ONCE)
    )


if __name__ == "__main__":
    print("\n".join(unitTests(matrix="--matrix" in sys.argv[1:])))
