# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The rules that decide which kind an interface has. They are data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Final

import attrs

from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import InterfaceKind
from twisted_ovsdb.parameters import checkFlags

# Looked up once: CPython 3.11 is slow to find a member of an enum.
_BRIDGE, _VM = InterfaceKind.BRIDGE, InterfaceKind.VM
_TUNNEL, _PATCH = InterfaceKind.TUNNEL, InterfaceKind.PATCH

TUNNEL_TYPES: Final = (
    "vxlan",
    "gre",
    "geneve",
    "lisp",
    "stt",
    "erspan",
    "ip6erspan",
    "ip6gre",
    "gtpu",
    "bareudp",
    "srv6",
    # Of older versions and of vendors' builds.
    "ipsec_gre",
    "gre64",
    "ipsec_gre64",
    "capwap",
    "gtp",
)
"""The tunnels among the types in ovs-vswitchd.conf.db(5), now and before."""


def _strings(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError(f"a sequence of strings is needed, not the string {values!r}")
    strings = tuple(values)
    if not all(isinstance(value, str) for value in strings):
        raise TypeError(f"a sequence of strings is needed, not {values!r}")
    return strings


def _matcher(names: tuple[str, ...]) -> Callable[[str], object]:
    """A function that tells whether a name matches one of these patterns."""
    if names == ("*",):
        return bool  # every interface has a name
    # An empty tuple matches no name.
    return re.compile("|".join(map(translate, names)) or r"(?!)").match


@attrs.frozen
class ClassificationRules:
    """
    The rules, in this order: bridge by its OpenFlow port; patch by type; tunnel
    by type and C{options:remote_ip}; vm by an iface-id; bridge by type
    C{internal} and name. Names are shell patterns (fnmatchcase).

    @ivar bridgeNames: which internal interfaces are bridges.
    @ivar vmNames: which interfaces with an iface-id are VMs.
    @ivar tunnelNames: which interfaces of a tunnel type are tunnels.
    @ivar tunnelTypes: the tunnel types, in lower case; any case matches.
    @ivar vmKeys: keys in external_ids. A VM has a value that is not empty for
        at least one of them.
    @ivar localPorts: whether the local port of a bridge is a bridge, whatever
        its name, its type and its other columns: ovs-vswitchd treats it as
        internal.
    """

    bridgeNames: tuple[str, ...] = attrs.field(default=("br*",), converter=_strings)
    vmNames: tuple[str, ...] = attrs.field(default=("*",), converter=_strings)
    tunnelNames: tuple[str, ...] = attrs.field(default=("*",), converter=_strings)
    tunnelTypes: tuple[str, ...] = attrs.field(default=TUNNEL_TYPES, converter=_strings)
    vmKeys: tuple[str, ...] = attrs.field(default=("iface-id",), converter=_strings)
    localPorts: bool = True
    _isBridgeName: Callable[[str], object] = attrs.field(init=False, repr=False, eq=False)
    _isVmName: Callable[[str], object] = attrs.field(init=False, repr=False, eq=False)
    _isTunnelName: Callable[[str], object] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        checkFlags(localPorts=self.localPorts)
        object.__setattr__(self, "_isBridgeName", _matcher(self.bridgeNames))
        object.__setattr__(self, "_isVmName", _matcher(self.vmNames))
        object.__setattr__(self, "_isTunnelName", _matcher(self.tunnelNames))

    @classmethod
    def dragonflow(cls) -> ClassificationRules:
        """
        The rules of Dragonflow's "OVSDB Monitor" specification, which also
        demand its name patterns for each kind.
        """
        return cls(
            bridgeNames=("br-int", "br-tun", "br-ex"),
            vmNames=("tap*",),
            tunnelNames=("df*",),
            localPorts=False,
        )

    def classify(
        self,
        name: str,
        type: str,
        localPort: bool,
        external_ids: Mapping[str, str],
        options: Mapping[str, str],
        byName: bool = True,
    ) -> InterfaceKind | None:
        """
        Decide the kind of an interface with these columns.

        @param localPort: whether it is the local port of a bridge.
        @param byName: whether an internal interface may be a bridge by its name.
        @return: None if it has no kind.
        """
        if localPort and self.localPorts:
            return _BRIDGE
        if type == "patch":
            return _PATCH
        if options and type.lower() in self.tunnelTypes and options.get("remote_ip"):
            if self._isTunnelName(name):
                return _TUNNEL
        if external_ids and self._isVm(external_ids) and self._isVmName(name):
            return _VM
        if type == "internal" and byName and self._isBridgeName(name):
            return _BRIDGE
        return None

    def classifyOnBridge(
        self,
        name: str,
        type: str,
        bridge: str | None,
        external_ids: Mapping[str, str],
        options: Mapping[str, str],
    ) -> InterfaceKind | None:
        """
        As L{classify}, where the bridge of the interface is known. The interface
        with the name of its bridge is the bridge; no other one is.
        """
        if name == bridge and (self.localPorts or self._isBridgeName(name)):
            return _BRIDGE
        return self.classify(name, type, False, external_ids, options, byName=False)

    def _isVm(self, external_ids: Mapping[str, str]) -> bool:
        # This runs for every row, and any() with its generator is slow.
        for key in self.vmKeys:  # noqa: SIM110
            if external_ids.get(key):
                return True
        return False

    def explain(self, name: str, type: str, external_ids: Mapping[str, str]) -> str:
        """Say in a few words why an interface has no kind."""
        reasons = []
        if type.lower() in self.tunnelTypes:
            shown = printable(type)
            reasons.append(f"type {shown}, but no remote_ip, or not named {self.tunnelNames}")
        if self._isVm(external_ids):
            reasons.append(f"not named {self.vmNames}")
        elif self.vmKeys:
            reasons.append(f"no {' or '.join(self.vmKeys)} in external_ids")
        if type == "internal":
            reasons.append(f"internal, but not named {self.bridgeNames}")
        return f"{printable(name)} (type '{printable(type)}'): " + "; ".join(reasons)


def checkRules(rules: ClassificationRules) -> None:
    """@raise TypeError: if these are no rules, or the class of them."""
    if not isinstance(rules, ClassificationRules):
        raise TypeError(f"rules must be ClassificationRules(...), not {rules!r}")
