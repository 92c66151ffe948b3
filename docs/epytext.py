# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Lets Sphinx read our docstrings, which are epytext as Twisted's are: as much of
it as we use, turned into reStructuredText.
"""

from __future__ import annotations

import re
from importlib import import_module
from inspect import cleandoc
from typing import Any

import attrs

_INLINE = re.compile(r"([LCIB])\{([^{}]*)\}")

_FIELD = re.compile(r"@(param|return|raise|ivar|cvar)\b([^:]*):")

_SPECIAL = re.compile(r"([*`|\\])")
"""What means something to reStructuredText and nothing to epytext."""

_AUTOINTERFACE = re.compile(r"^\.\. autointerface:: (\S+)\.(\w+)$", re.MULTILINE)

_INTERFACE = re.compile(r"<InterfaceClass [\w.]+\.(\w+)>")

_ATTRS_DEFAULT = re.compile(r"attr_dict\['(\w+)'\]\.default")
"""What autodoc sees in the methods that attrs makes."""


def _mark(match: re.Match[str]) -> str:
    kind, text = match.group(1), " ".join(match.group(2).split())
    if kind == "L":
        return f":py:obj:`{text}`"
    if kind == "C":
        return f"``{text}``"
    return f"*{text}*" if kind == "I" else f"**{text}**"


def _line(text: str) -> str:
    """
    Convert inline markup; what is around it is plain text.
    """
    done, position = "", 0
    for match in _INLINE.finditer(text):
        done += _SPECIAL.sub(r"\\\1", text[position : match.start()])
        # reStructuredText ends markup only at the end of a word.
        joined = text[match.end() : match.end() + 1].isalnum()
        done += _mark(match) + ("\\ " if joined else "")
        position = match.end()
    return done + _SPECIAL.sub(r"\\\1", text[position:])


def toReST(lines: list[str]) -> list[str]:
    """
    Convert a docstring.

    @param lines: its lines, without their common indentation.
    """
    # Converted as a whole: markup may go on in the next line.
    converted: list[str] = []
    inFields = False
    for line in _line("\n".join(lines)).split("\n"):
        field = _FIELD.match(line)
        if field is not None:
            if converted and converted[-1] and not inFields:
                converted.append("")
            inFields = True
            name = f"{field.group(1)}{field.group(2).rstrip()}"
            line = f":{name}:{line[field.end() :]}"
        elif not line:
            inFields = False
        converted.append(line)
    return converted


def _convert(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = toReST(lines)


def _sign(
    app: Any,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """
    Write interfaces by their name, and defaults of attrs by their value.
    """

    def default(match: re.Match[str]) -> str:
        value = attrs.fields_dict(obj)[match.group(1)].default
        return repr(value) if "<" not in repr(value) else "..."

    def readable(text: str | None) -> str | None:
        if text is None:
            return None
        text = _ATTRS_DEFAULT.sub(default, _INTERFACE.sub(r"\1", text))
        return text.replace("= NOTHING", "= ...")

    return readable(signature), readable(returned)


def _describe(interface: Any) -> str:
    """
    An interface of zope, which is no class to autodoc.
    """
    text = [f".. py:class:: {interface.__name__}", ""]
    text += [f"   {line}" for line in toReST(cleandoc(interface.getDoc()).splitlines())]
    for name, attribute in interface.namesAndDescriptions():
        text += ["", f"   .. py:method:: {name}{attribute.getSignatureString()}", ""]
        text += [f"      {line}" for line in toReST(cleandoc(attribute.getDoc()).splitlines())]
    return "\n".join(text)


def _expand(app: Any, page: str, source: list[str]) -> None:
    def describe(match: re.Match[str]) -> str:
        return _describe(getattr(import_module(match.group(1)), match.group(2)))

    source[0] = _AUTOINTERFACE.sub(describe, source[0])


def setup(app: Any) -> dict[str, bool]:
    """
    Have Sphinx ask us.
    """
    app.connect("autodoc-process-docstring", _convert)
    app.connect("autodoc-process-signature", _sign)
    app.connect("source-read", _expand)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
