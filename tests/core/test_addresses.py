"""Public and private addresses of a machine."""

from __future__ import annotations

import pytest

from smartdc import DataCenter, Machine
from smartdc.core.addresses import is_private, is_public

PRIVATE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
    "100.64.0.1", "100.127.255.255", "169.254.1.1", "127.0.0.1", "::1", "fd00::1", "fc00::1", "fe80::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "198.18.0.5", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.1", "192.167.255.255",
    "192.169.0.1", "100.63.255.255", "100.128.0.0", "169.253.0.1", "2001:4860:4860::8888",
]  # fmt: skip
NEITHER = ["dhcp", "addrconf", "", "10.0.0", "10.0.0.1/24", "machine.example.com"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private(address: str) -> None:
    """What nothing on the internet reaches is private, to the ends of each range."""
    assert (is_private(address), is_public(address)) == (True, False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    """Every other address is public, right beside the private ranges too."""
    assert (is_private(address), is_public(address)) == (False, True)


@pytest.mark.parametrize("word", NEITHER)
def test_neither(word: str) -> None:
    """What is no address is neither."""
    assert (is_private(word), is_public(word)) == (False, False)


def test_machine_sorts_its_addresses() -> None:
    """A machine's lists keep the order of its addresses, can be indexed, and leave words out."""
    ips = ["10.0.0.2", "198.18.0.5", "dhcp", "fd00::1", "2001:db8::5"]
    machine = Machine(DataCenter("http://127.0.0.1:1"), data={"id": "m", "ips": ips})
    assert machine.ips == ips
    assert machine.public_ips == ["198.18.0.5", "2001:db8::5"]
    assert machine.private_ips == ["10.0.0.2", "fd00::1"]
    assert (machine.public_ips[0], machine.private_ips[-1]) == ("198.18.0.5", "fd00::1")
