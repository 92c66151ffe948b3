# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One interface of a switch, as an immutable value and as JSON.

An attribute that mirrors a column or a key of the database has its exact
spelling (ovs-vswitchd.conf.db(5)), so that Python, JSON Lines and ovs-vsctl
use one name for one thing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.datum import (
    EMPTY,
    Datum,
    Reader,
    boolean,
    datumFromJSON,
    datumToJSON,
    instanceOf,
    objectOf,
    string,
)
from twisted_ovsdb.errors import describe, withoutSecrets

LOCAL_OFPORT: Final = 65534
"""OFPP_LOCAL: the port of a bridge that has the name of the bridge."""


def saysNothing(ofport: int | None) -> bool:
    """
    Whether an OpenFlow port does not tell if the interface is the local port of a
    bridge: it is empty until ovs-vswitchd assigns one, and -1 if that failed.
    """
    return ofport is None or ofport < 1


class InterfaceKind(enum.Enum):
    """
    The kind of an interface, as L{ClassificationRules
    <twisted_ovsdb.ClassificationRules>} decide it.
    """

    BRIDGE = "bridge"
    VM = "vm"
    TUNNEL = "tunnel"
    PATCH = "patch"


def kindOf(kind: InterfaceKind | str) -> InterfaceKind:
    """
    Accept a kind, or its name such as C{"vm"}.

    @raise ValueError: if there is no such kind; the text names those that there are.
    """
    try:
        return InterfaceKind(kind)
    except ValueError as e:
        kinds = ", ".join(each.value for each in InterfaceKind)
        raise ValueError(f"expected a kind ({kinds}), got {describe(kind)}") from e


def _withoutSecrets(columns: Mapping[Any, Any]) -> str:
    return repr(withoutSecrets(columns))


@attrs.frozen
class OvsInterface:
    """
    One row of the Interface table (ovs-vswitchd.conf.db(5)).

    @ivar uuid: the row's UUID, which is the identity of the interface.
    @ivar name: the interface's name; it never changes.
    @ivar type: the column C{type}: empty for a system device, C{internal},
        C{patch}, C{vxlan}, ...
    @ivar ofport: the OpenFlow port number; None until ovs-vswitchd assigns
        one, -1 when it could not.
    @ivar error: why ovs-vswitchd could not configure the interface, or None.
    @ivar external_ids: what other programs have noted on the row, read-only.
    @ivar options: the type's options, read-only.
    @ivar kind: the interface's kind, or None when it has none.
    @ivar extra: the columns asked for beyond these, by name, read-only: an
        atom; None for an empty set; a frozenset for a set of two or more; a
        read-only mapping for a map.
    @ivar local_port: whether it is the local port of a bridge: its ofport is
        65534, or was the last time that it had one. An empty or failed ofport
        says nothing.
    @ivar bridge: the name of the bridge that it is on; None while it is on none,
        or if the monitor does not ask for bridges.
    """

    uuid: str
    name: str
    type: str = ""
    ofport: int | None = None
    error: str | None = None
    external_ids: Mapping[str, str] = attrs.field(default=EMPTY, repr=_withoutSecrets)
    options: Mapping[str, str] = attrs.field(default=EMPTY, repr=_withoutSecrets)
    kind: InterfaceKind | None = None
    extra: Mapping[str, Datum] = attrs.field(default=EMPTY, repr=_withoutSecrets)
    local_port: bool = False
    bridge: str | None = None

    def __attrs_post_init__(self) -> None:
        if not saysNothing(self.ofport):
            object.__setattr__(self, "local_port", self.ofport == LOCAL_OFPORT)

    def __hash__(self) -> int:
        # Equal interfaces have equal UUIDs; the mappings cannot be hashed.
        return hash(self.uuid)

    def __reduce__(self) -> tuple[Any, ...]:
        # pickle and copy.deepcopy refuse a mappingproxy.
        return _restore, (self.toJSON(),)

    @property
    def iface_id(self) -> str | None:
        """C{external_ids:iface-id}, which names a VM's port; None if empty."""
        return self.external_ids.get("iface-id") or None

    @property
    def attached_mac(self) -> str | None:
        """C{external_ids:attached-mac}: the MAC address inside the VM."""
        return self.external_ids.get("attached-mac") or None

    @property
    def remote_ip(self) -> str | None:
        """C{options:remote_ip}: the other end of a tunnel."""
        return self.options.get("remote_ip") or None

    @property
    def peer(self) -> str | None:
        """C{options:peer}: the other end of a patch port."""
        return self.options.get("peer") or None

    @property
    def ready(self) -> bool:
        """Whether ovs-vswitchd gave it an OpenFlow port and has no error."""
        return self.ofport is not None and self.ofport >= 1 and self.error is None

    @property
    def failed(self) -> bool:
        """Whether ovs-vswitchd could not configure it."""
        return self.ofport == -1 or self.error is not None

    def toJSON(self) -> dict[str, Any]:
        """
        The interface as JSON Lines have it: of dicts, lists, strings,
        numbers, booleans and None only. L{fromJSON} reads it.

        In C{extra} a set of two or more is a sorted list; a map is an object,
        or, if its keys are not strings, a list of pairs C{[key, value]}.
        """
        return {
            "uuid": self.uuid,
            "name": self.name,
            "type": self.type,
            "kind": None if self.kind is None else self.kind.value,
            "ofport": self.ofport,
            "local_port": self.local_port,
            "bridge": self.bridge,
            "ready": self.ready,
            "error": self.error,
            "iface_id": self.iface_id,
            "attached_mac": self.attached_mac,
            "remote_ip": self.remote_ip,
            "peer": self.peer,
            "external_ids": dict(self.external_ids),
            "options": dict(self.options),
            "extra": {column: datumToJSON(value) for column, value in self.extra.items()},
        }

    @classmethod
    def fromJSON(cls, value: object) -> OvsInterface:
        """
        Read what L{toJSON} wrote, also after C{json.dumps} and C{json.loads}.

        C{uuid} and C{name} are required. Other columns that are missing have
        their default values, as in the constructor. Keys that are derived
        from others (such as C{ready}) and unknown keys are ignored.

        @raise ValueError: if it is not an interface; the text names the key
            and says what is wrong with its value.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"an interface is an object, not {describe(value)}")
        columns: dict[str, Any] = {}
        for key, read in _FROM_JSON.items():
            if key in value:
                try:
                    columns[key] = read(value[key])
                except ValueError as e:
                    raise ValueError(f"{key}: {e}") from e
            elif key in ("uuid", "name"):
                raise ValueError(f"{key}: missing")
        return cls(**columns)


# Makers of frozen values


def thawed(kind: type) -> type:
    """
    Make a subclass of a frozen class, whose values can be changed. Such a value
    becomes a frozen one when its C{__class__} is set to the frozen class: both
    have the same slots.
    """
    # With both methods of object, the interpreter calls neither for a slot.
    unfrozen = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"Thawed{kind.__name__}", (kind,), {"__slots__": (), **unfrozen})


_new: Final = object.__new__
_Thawed: Final = thawed(OvsInterface)


def makeInterface(
    uuid: str,
    name: str,
    type: str,
    ofport: int | None,
    error: str | None,
    external_ids: Mapping[str, str],
    options: Mapping[str, str],
    kind: InterfaceKind | None,
    extra: Mapping[str, Datum] = EMPTY,
    local_port: bool = False,
    bridge: str | None = None,
) -> OvsInterface:
    """
    Make an interface as C{OvsInterface(...)} does, but faster: the constructor
    of a frozen class calls C{object.__setattr__} for each attribute; here they
    are set before the value is frozen.
    """
    interface: Any = _new(_Thawed)
    interface.uuid = uuid
    interface.name = name
    interface.type = type
    interface.ofport = ofport
    interface.error = error
    interface.external_ids = external_ids
    interface.options = options
    interface.kind = kind
    interface.extra = extra
    interface.local_port = local_port
    interface.bridge = bridge
    interface.__class__ = OvsInterface
    return interface  # type: ignore[no-any-return]


def _restore(value: object) -> OvsInterface:
    # pickle cannot have the class method itself: twisted.persisted.styles looks
    # class methods up in the metaclass.
    return OvsInterface.fromJSON(value)


def _kindFromJSON(value: object) -> InterfaceKind | None:
    return None if value is None else kindOf(value)  # type: ignore[arg-type]


_FROM_JSON: Final[Mapping[str, Reader]] = {
    "uuid": string,
    "name": string,
    "type": string,
    "ofport": instanceOf("an integer or null", int, type(None)),
    "error": instanceOf("a string or null", str, type(None)),
    "external_ids": objectOf(string),
    "options": objectOf(string),
    "kind": _kindFromJSON,
    "extra": objectOf(datumFromJSON),
    "local_port": boolean,
    "bridge": instanceOf("a string or null", str, type(None)),
}
"""How each attribute is read from JSON."""
