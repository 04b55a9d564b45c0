"""Find the address, port and user with which ssh reaches a machine, by the rules of ``triton ssh``.

The default is the primary address, port 22 and a direct connection; tags of the machine can change them, and a tag of
its image names the user. Their values become parts of command lines, so only addresses, user names and port numbers are
accepted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smartdc.core.resource import listed
from smartdc.errors import InputError

__all__ = ["ADDRESS_TAG", "PORT_TAG", "PROXY_TAG", "PROXY_USER_TAG", "Target", "find_target"]

ADDRESS_TAG = "tritoncli.ssh.ip"
PORT_TAG = "tritoncli.ssh.port"
PROXY_TAG = "tritoncli.ssh.proxy"
PROXY_USER_TAG = "tritoncli.ssh.proxyuser"
USER_TAG = "default_user"
"""The tag of an image that names the user to log in as."""

DEFAULT_PORT = 22

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Target:
    """An address for ssh, with a user, a port, and perhaps another machine to connect through."""

    address: str
    user: str
    port: int = DEFAULT_PORT
    proxy: Target | None = None

    @property
    def jump(self) -> str:
        """The target in the form for ``ProxyJump``: ``user@address``, and the port if it is not 22."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.user}@{address}{'' if self.port == DEFAULT_PORT else f':{self.port}'}"


def find_target(
    machine: Mapping[str, Any],
    *,
    image_tags: Callable[[str], Mapping[str, Any]],
    machine_called: Callable[[str], Mapping[str, Any]],
    user: str | None = None,
    proxy: bool = True,
) -> Target:
    """Return how to reach a machine; `image_tags` and `machine_called` look up its image's tags and its proxy.

    The user on a proxy is the one in its own tag, or else `user`, or else the one of its image.
    """
    tags = machine.get("tags") or {}
    through: Target | None = None
    if proxy and tags.get(PROXY_TAG):
        other = machine_called(str(tags[PROXY_TAG]))
        theirs = (other.get("tags") or {}).get(PROXY_USER_TAG) or user
        through = Target(_address(other), _user(other, theirs, image_tags), _port(other))
    return Target(_address(machine), _user(machine, user, image_tags), _port(machine), through)


def _address(machine: Mapping[str, Any]) -> str:
    tagged = (machine.get("tags") or {}).get(ADDRESS_TAG)
    if tagged and tagged not in listed(machine, "ips"):
        raise InputError(f"the tag {ADDRESS_TAG} of {_name(machine)} is {tagged!r}, which is not one of its addresses")
    address = tagged or machine.get("primaryIp")
    if not address:
        raise InputError(f"{_name(machine)} has no address yet")
    try:
        # An IPv6 address may end in a zone, which can be any text; so zones are refused.
        if "%" not in address:
            return str(ipaddress.ip_address(address))
    except (TypeError, ValueError):
        pass
    raise InputError(f"{_name(machine)} has an invalid address: {address!r}")


def _user(machine: Mapping[str, Any], given: Any, image_tags: Callable[[str], Mapping[str, Any]]) -> str:
    user = given or image_tags(str(machine.get("image"))).get(USER_TAG) or "root"
    if not isinstance(user, str) or not _USER.fullmatch(user):
        raise InputError(f"not a user name to log in to {_name(machine)} with: {user!r}")
    return user


def _port(machine: Mapping[str, Any]) -> int:
    tagged = (machine.get("tags") or {}).get(PORT_TAG) or DEFAULT_PORT
    port = int(tagged) if re.fullmatch(r"[0-9]{1,5}", str(tagged)) else 0
    if not 0 < port < 2**16:
        raise InputError(f"the tag {PORT_TAG} of {_name(machine)} is {tagged!r}, which is not a port")
    return port


def _name(machine: Mapping[str, Any]) -> str:
    return str(machine.get("name") or machine.get("id"))
