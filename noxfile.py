# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The unit tests on every supported Python that is on this machine, with the
newest and with the oldest versions of what the package needs: C{nox}, or
C{nox -s newest-3.12} for one of them.

C{make matrix} runs all of them and prints a table.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")

PYPROJECT = nox.project.load_toml("pyproject.toml")

DEPENDENCIES = PYPROJECT["project"]["dependencies"]
"""What the package needs, with its lower bounds."""

CLIENT = PYPROJECT["project"]["optional-dependencies"]["nats"]
"""The client of the broker, with its lower bound."""

TOOLS = nox.project.dependency_groups(PYPROJECT, "test")
"""What the unit tests need beyond that."""

RESULTS = Path(".nox", "results")
"""Where tools/matrix.py finds the results."""

VERSIONS = """
import json, platform
from importlib.metadata import version
found = {name: version(name) for name in ("twisted", "attrs", "zope.interface")}
print(json.dumps({"python": platform.python_version(), **found}))
"""

nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


def usePyenv() -> None:
    """
    Let every interpreter of pyenv be found, where there is a pyenv. By itself
    pyenv offers only those that are chosen.
    """
    if shutil.which("pyenv"):
        listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True)
        found = re.findall(r"^3\.\d+\.\d+$", listed.stdout, re.MULTILINE)
        os.environ["PYENV_VERSION"] = ":".join(reversed(found))


def isHere(version: str) -> bool:
    """
    Whether this Python can be run.
    """
    python = shutil.which(f"python{version}")
    return python is not None and subprocess.run([python, "-c", ""]).returncode == 0


def counts(output: str) -> dict[str, int]:
    """
    How many tests passed, failed and were skipped, from trial's last line.
    """
    last = re.findall(r"^(?:PASSED|FAILED) \((.*)\)$", output, re.MULTILINE)[-1:]
    found = {key: int(n) for line in last for key, n in re.findall(r"(\w+)=(\d+)", line)}
    return {
        "passed": found.get("successes", 0),
        "failed": found.get("failures", 0) + found.get("errors", 0),
        "skipped": found.get("skips", 0),
    }


def check(session: nox.Session, *requirements: str) -> None:
    """
    Install these requirements, run the unit tests and keep the result.
    """
    result = RESULTS / f"{session.name}.json"
    result.unlink(missing_ok=True)
    session.install("--quiet", "--upgrade", *TOOLS, *requirements)
    versions = session.run("python", "-c", VERSIONS, silent=True, log=False)
    listed = session.run("python", "-m", "tools.unittests", "--matrix", silent=True, log=False)
    assert isinstance(versions, str) and isinstance(listed, str)
    files = listed.split()
    session.log(f"trial: {len(files)} modules of tests")
    output = session.run(
        *("python", "-m", "twisted.trial", "--reporter=text"),
        f"--jobs={os.cpu_count() or 1}",
        f"--temp-directory={Path(session.create_tmp(), 'trial')}",
        *files,
        env={"PYTHONPATH": os.getcwd()},
        silent=True,
        log=False,
        success_codes=range(256),
    )
    assert isinstance(output, str)
    found = counts(output)
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps({**json.loads(versions), **found}), "utf-8")
    told = "{passed} passed, {failed} failed, {skipped} skipped".format_map(found)
    if found["failed"] or not found["passed"]:
        print(output)
        session.error(told)
    session.log(told)


usePyenv()


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """With the newest releases for this Python."""
    check(session, *DEPENDENCIES)


@nox.session(python=next(filter(isHere, PYTHONS), PYTHONS[0]))
def oldest(session: nox.Session) -> None:
    """With the lower bounds of pyproject.toml, on the oldest Python that is here."""
    check(session, *(line.replace(">=", "==") for line in (*DEPENDENCIES, *CLIENT)))
