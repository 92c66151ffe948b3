# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Events and interfaces as the web shows them: the objects of JSON Lines, without
secrets. A file of events is readable for its owner; a port on the loopback address
is readable for every user of the host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from twisted_ovsdb.errors import HIDDEN, isSecret
from twisted_ovsdb.events import Event, OvsInterface, ProblemFound
from twisted_ovsdb.observers.jsonlines import eventToJSON

_MAPS: Final = ("external_ids", "options", "extra")
"""The members of an interface that may hold secrets, such as the key of a tunnel."""


MESSAGE_LIMIT: Final = 65536
"""
Bytes of one event or one interface. The texts of a switch have no limit of their own,
and what is sent here is kept for every browser.
"""

_TEXT: Final = 200
"""Characters that are left of each text of a longer one; the maps are left out."""


def encoded(value: dict[str, Any]) -> bytes:
    """
    One line of JSON, in ASCII. If it would be too long, its interface has no maps
    and short texts, and C{"shortened":true} says so.
    """
    line = _line(value)
    if len(line) <= MESSAGE_LIMIT:
        return line
    short = _shortened(value)
    return _line({**short, "shortened": True})


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key[:_TEXT]: {} if key in _MAPS else _shortened(each)
            for key, each in value.items()
            if key != "changes"
        }
    return value[:_TEXT] if isinstance(value, str) else value


def sizeOf(interface: OvsInterface) -> int:
    """About how many bytes an interface has in JSON."""
    size = 400 + len(interface.name) + len(interface.error or "")
    for map in (interface.external_ids, interface.options):
        for key, value in map.items():
            size += len(key) + len(value)
    return size + len(str(interface.extra)) if interface.extra else size


def shownEvent(event: Event, now: datetime) -> dict[str, Any]:
    """An event as JSON Lines have it, without secrets."""
    value = eventToJSON(event, now)
    if value.get("interface") is not None:
        value["interface"] = _hidden(value["interface"])
    if "changes" in value:
        value["changes"] = {
            column: [_withoutSecrets(each) for each in change]
            for column, change in value["changes"].items()
        }
    return value


def shownInterface(interface: OvsInterface) -> dict[str, Any]:
    """An interface as JSON Lines have it, without secrets."""
    return _hidden(interface.toJSON())


def shownProblem(problem: ProblemFound) -> dict[str, Any]:
    """A problem, without its interface."""
    return {"problem": problem.problem.value, "since": problem.since, "detail": problem.detail}


def _hidden(value: dict[str, Any]) -> dict[str, Any]:
    for name in _MAPS:
        if value[name]:
            value[name] = _withoutSecrets(value[name])
    return value


def _withoutSecrets(value: Any) -> Any:
    # Unlike errors.withoutSecrets this shortens nothing.
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isSecret(key) else _withoutSecrets(each) for key, each in value.items()
        }
    if isinstance(value, list):
        return [
            [each[0], HIDDEN]
            if isinstance(each, list) and len(each) == 2 and isSecret(each[0])
            else each
            for each in value
        ]
    return value
