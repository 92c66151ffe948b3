# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What README.md and the pages of docs/ claim: the blocks that they show, and the
command lines in them.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from twisted_ovsdb.command.main import arguments

CHECKOUT = Path(__file__).parents[2]

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.rst"))]

PRINTS = "prints"
"""The caption of a block that shows what the Python before it prints."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_DIRECTIVE = re.compile(
    r"^\.\. code-block:: (\w+)\n((?:   :.*\n)*)((?:(?:   .*)?\n)+)", re.MULTILINE
)

_ASSIGNMENTS = re.compile(r"^(\w+=\S*\s+)*")

_PLACEHOLDER = re.compile(r"\.\.\.|\b[A-Z]{2,}\b")
"""A part that the reader has to replace."""


@attrs.frozen
class Block:
    """
    A block of a page, such as code or output.

    @ivar language: the language in which it is highlighted.
    @ivar text: its text, without indentation.
    @ivar line: the line of the page in which it begins, from 1.
    @ivar caption: its caption, or an empty string.
    """

    language: str
    text: str
    line: int
    caption: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """
    The blocks of a page that name their language, in order.
    """
    text = page.read_text("utf-8")
    if page.suffix == ".md":
        for match in _FENCED.finditer(text):
            yield Block(match.group(1), match.group(2), _lineOf(text, match.start(2)))
        return
    for match in _DIRECTIVE.finditer(text + "\n"):
        caption = re.search(r":caption: (.*)", match.group(2))
        body = match.group(3)
        start = match.start(3) + len(body) - len(body.lstrip("\n"))
        yield Block(
            match.group(1),
            textwrap.dedent(body).strip("\n") + "\n",
            _lineOf(text, start),
            caption.group(1) if caption else "",
        )


def _lineOf(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def commands(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """
    The arguments of each C{twistd ... ovsdb-monitor ...}, and of each
    C{ovsdb-monitor ...} as twistd gets them, on a page or in a unit: first
    twistd's own, then ours. A command that the reader has to complete is left
    out.
    """
    text = path.read_text("utf-8").replace("\\\n", " ")
    # Literals in a sentence, and lines of a block.
    found = re.findall(r"`+(twistd [^`]*)`+", text)
    found += re.findall(r"^(?:ExecStart=|[ ]+)(?:\$ )?((?:\w+=\S* )*\S*twistd .*)$", text, re.M)
    scripts = r"^(?:ExecStart=\S*/|[ ]+\$ )(ovsdb-monitor .*)$"
    found += re.findall(scripts, text, re.M)
    for line in found:
        words = shlex.split(_ASSIGNMENTS.sub("", line), comments=True)
        own = words[1:]
        if "|" in own:
            own = own[: own.index("|")]
        if words[0] == "ovsdb-monitor":
            own = arguments(own)
        if "ovsdb-monitor" not in own or _PLACEHOLDER.search(" ".join(own)):
            continue
        place = own.index("ovsdb-monitor")
        yield own[:place], own[place + 1 :]


def load(path: Path) -> Any:
    """
    Import a program, such as one of examples/.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
