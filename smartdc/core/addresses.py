"""Tell public addresses from private ones."""

from __future__ import annotations

import ipaddress

from smartdc.http.tracebacks import let_pass

__all__ = ["is_private", "is_public"]

PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def is_private(text: str) -> bool:
    """Return whether `text` is an address that cannot be reached from the internet."""
    address = _address(text)
    return address is not None and any(address in network for network in PRIVATE)


def is_public(text: str) -> bool:
    """Return whether `text` is a public address; words such as ``dhcp`` are not addresses."""
    return _address(text) is not None and not is_private(text)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        let_pass(error)
        return None
