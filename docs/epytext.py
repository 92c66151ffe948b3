# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Lets Sphinx read our docstrings. They are epytext, as Twisted's are; the part of
epytext that we use is turned into reStructuredText.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from inspect import cleandoc
from types import MappingProxyType
from typing import Any

import attrs

_INLINE = re.compile(r"([LCIB])\{([^{}]*)\}")

_FIELD = re.compile(r"@(param|return|raise|ivar|cvar)\b([^:]*):")

_SPECIAL = re.compile(r"([*`|\\])")
"""Characters that have a meaning in reStructuredText, and none in epytext."""

_AUTOINTERFACE = re.compile(r"^\.\. autointerface:: (\S+)\.(\w+)$", re.MULTILINE)

_INTERFACE = re.compile(r"<InterfaceClass [\w.]+\.(\w+)>")

_ATTRS_DEFAULT = re.compile(r"attr_dict\['(\w+)'\]\.default")
"""What autodoc sees in the methods that attrs makes."""

_CONSTANT = re.compile(r"(?<= = )[A-Z][A-Z0-9_]+(?=[,)]|$)")
"""A default that is the name of a constant."""


def _mark(match: re.Match[str]) -> str:
    kind, text = match.group(1), " ".join(match.group(2).split())
    if kind == "L":
        return f":py:obj:`{text}`"
    if kind == "C":
        return f"``{text}``"
    return f"*{text}*" if kind == "I" else f"**{text}**"


def _line(text: str) -> str:
    """
    Convert inline markup; the text around it is plain.
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
    Write interfaces by their name, and defaults by their value.
    """
    function = inspect.unwrap(obj.__init__ if inspect.isclass(obj) else obj)
    names = getattr(function, "__globals__", {})

    def attribute(match: re.Match[str]) -> str:
        return _value(attrs.fields_dict(obj)[match.group(1)].default, match.group())

    def constant(match: re.Match[str]) -> str:
        return _value(names.get(match.group(), attrs.NOTHING), match.group())

    def readable(text: str | None) -> str | None:
        if text is None:
            return None
        text = _ATTRS_DEFAULT.sub(attribute, _INTERFACE.sub(r"\1", text))
        text = text.replace("= NOTHING", "= ...")
        return _CONSTANT.sub(constant, text)

    return readable(signature), readable(returned)


def _value(value: object, name: str) -> str:
    """
    A default as a reader would write it.

    @param name: what stands there, if the value cannot be written.
    """
    if isinstance(value, MappingProxyType):
        value = dict(value)
    if isinstance(value, (int, float, str, tuple, dict, type(None))):
        return repr(value)
    if attrs.has(type(value)) and value == type(value)():
        return f"{type(value).__name__}()"
    return "..." if name.startswith("attr_dict") else name


def _describe(interface: Any) -> str:
    """
    The text for an interface of zope, which autodoc does not take for a class.
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
    Connect the functions above to Sphinx.
    """
    app.connect("autodoc-process-docstring", _convert)
    app.connect("autodoc-process-signature", _sign)
    app.connect("source-read", _expand)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
