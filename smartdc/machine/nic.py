"""Network interfaces: list, add and remove them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import NicState
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.errors import CallError, InputError, Redirected, ResourceNotFound
from smartdc.machine.job import HasJobs, MachinePart, way_on
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, create_once
from smartdc.waiting.interrupts import noting_interrupts
from smartdc.waiting.lost_answer import Search
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll

__all__ = ["HasNics", "Nic"]

_MAC = re.compile(r"[0-9a-f]{12}")


class Nic(MachinePart):
    """A network interface of a machine."""

    __slots__ = ()

    kind = "nics"
    id_key = "mac"
    columns = in_columns(
        mac="mac",
        state="state",
        address="ip",
        netmask="netmask",
        primary="primary",
        gateway="gateway",
        network="network",
    )

    mac = Field[str]()
    """its MAC address, with colons"""
    ip = Field[str]()
    """its IPv4 address"""
    netmask = Field[str]()
    """the netmask of its network"""
    gateway = Field[str | None]()
    """the gateway of its network, if there is one"""
    network = Field[str]()
    """the UUID of its network; if a pool was requested, the pool's member that it is on"""
    primary = Field[bool]()
    """whether the machine's default route uses it"""
    state = Field[NicState]()
    """``provisioning``, ``running`` or ``stopped``"""

    @property
    def path(self) -> str:
        """The path below the account, in which the MAC address has no colons."""
        return self._below_parent(self.kind, self._identity)

    @property
    def _identity(self) -> str:
        return plain(str(self.mac))

    @operation("GetNic")
    def status(self) -> NicState:
        """Fetch the interface again and return its state: ``GetNic``."""
        self.refresh()
        return cast("NicState", self._string("state"))

    @operation("RemoveNic")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Remove the interface; the machine reboots: ``RemoveNic``, as `remove_nic`."""
        self.machine.remove_nic(self, wait=wait, timeout=timeout)

    def _summary(self) -> list[str]:
        return [self.mac, str(self.ip), str(self.state)]


class HasNics(HasJobs):
    """Mix-in for owners of network interfaces."""

    __slots__ = ()

    @operation("ListNics")
    def nics(self) -> ResourceList[Nic]:
        """List the network interfaces, including those that are being added: ``ListNics``.

        Without a request, ``machine["nics"]`` has the interfaces of the machine's last fetch.
        """
        return Nic.from_answers(self, self._list("nics"))

    @operation("HeadNics")
    def num_nics(self) -> int:
        """Count the network interfaces that `nics` would list: ``HeadNics``."""
        return self._count("nics")

    @operation("GetNic")
    def nic(self, mac: str | Mapping[str, Any]) -> Nic:
        """Get a network interface by its MAC address: ``GetNic``.

        CloudAPI checks that it belongs to the account, but not that it belongs to this machine.
        """
        return Nic.from_answer(self, self._get("nics", plain(id_of(mac, "mac"))))

    @operation("ListNics", "AddNic", "GetNic")
    def add_nic(
        self,
        network: str | Mapping[str, Any],
        *,
        ip: str | None = None,
        primary: bool | None = None,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Nic:
        """Connect the machine to a network, and return the interface: ``ListNics``, ``AddNic``.

        **The machine reboots.** The returned interface is ``provisioning``; with `wait` the machine already has it, or
        `WaitFailed` or `WaitTimeout` (after `timeout` seconds) is raised: ``GetNic``.

        If the machine is already on the network, nothing changes, and its interface there is returned; `Redirected` is
        raised if that interface does not have the requested `ip`, or is not `primary` as requested. For a pool,
        CloudAPI does not check this: every call adds an interface.

        If the answer is lost, the interface is looked for among the new ones before the request is sent again.

        Args:
            network: an id, a name, a dict or a `Network`, or a dict with ``ipv4_uuid`` and ``ipv4_ips``.
            ip: the requested address; only on networks with owners, such as fabric networks.
            primary: whether it becomes the machine's primary interface.
            wait: whether to return only when the machine has the interface.
            timeout: the maximum time of the wait in seconds; None waits for ever.
        """
        checked_timeout(timeout)
        body = {"network": self._wanted(network, ip), **arguments.booleans(primary=primary)}
        before = {nic.mac for nic in self.nics()}
        with noting_interrupts(f"{self.label}: add NIC may have been requested; machine.nics() shows it"):
            nic = create_once(
                lambda: self._send_nic(body),
                lambda: self._new_nics(body, before),
                self._clock,
                JOB_SETTLE_SECONDS,
                watcher=Search(self.datacenter),
            )
        if wait:
            plugged, goal, words = (
                partial(self._has_plugged, nic),
                f"has no working NIC {nic.mac}",
                f"add NIC {nic.mac}",
            )
            poll(self, plugged, goal, timeout=timeout, job=words, hint=way_on("add_nics"))
            self.refresh()
        return nic

    @operation("RemoveNic")
    def remove_nic(
        self, mac: str | Mapping[str, Any], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Remove a network interface by its MAC address; the machine reboots: ``RemoveNic``.

        With `wait`, it returns when that is done, and raises `WaitFailed` if it failed, or `WaitTimeout`.
        """
        address = id_of(mac, "mac")
        below, words = ("nics", plain(address)), f"remove NIC {address}"
        self.request_job("remove_nics", *below, method="DELETE", wait=wait, timeout=timeout, words=words)

    def _wanted(self, network: str | Mapping[str, Any], ip: str | None) -> str | dict[str, Any]:
        """Return the network in the form for ``AddNic``, with the address if one is given."""
        arguments.strings(ip=ip)
        if isinstance(network, Mapping) and "ipv4_uuid" in network:
            return {**network, **({} if ip is None else {"ipv4_ips": [ip]})}
        identity = self.datacenter.network_id(network)
        return identity if ip is None else {"ipv4_uuid": identity, "ipv4_ips": [ip]}

    def _send_nic(self, body: Mapping[str, Any]) -> Nic:
        job = self._planned("add_nics")
        try:
            data, response = self._call("POST", "nics", data=body)
        except Redirected as there:
            return self._there_already(there, body)
        self._remember(job, response)
        return Nic.from_answer(self, self._expect(dict, data, response))

    def _there_already(self, there: Redirected, body: Mapping[str, Any]) -> Nic:
        """Return the existing interface to which CloudAPI redirects, if it matches the request."""
        found = (there.location or "").rpartition("/")[2]
        try:
            nics = [self.nic(found)] if _MAC.fullmatch(found) else self._on(network_of(body))
        except CallError as error:
            error.applied = None
            raise
        ip = address_of(body)
        for nic in nics:
            if (ip is None or nic.ip == ip) and (nic.primary or not body.get("primary")):
                return nic
        there.applied = False if nics else None
        there.add_note(f"the machine is already on that network, but not as requested: {nics}")
        raise there

    def _on(self, network: str) -> list[Nic]:
        return [nic for nic in self.nics() if nic.network == network]

    def _new_nics(self, body: Mapping[str, Any], before: set[str]) -> list[Nic]:
        """Return the new interfaces on a network; those of a pool are on networks that no listing has."""
        new = [nic for nic in self.nics() if nic.mac not in before]
        found = [nic for nic in new if nic.network == network_of(body)]
        if found or not new:
            return found
        listed = {network.id for network in self.datacenter.networks()}
        return [nic for nic in new if nic.network not in listed]

    def _has_plugged(self, nic: Nic) -> bool:
        """Fetch an interface and return whether the machine has it; if it is gone, it could not be added."""
        try:
            return nic.status() != "provisioning"
        except ResourceNotFound:
            self._raise_wait_failed(f"could not get the NIC {nic.mac}", self._failure_reason())


def plain(mac: str) -> str:
    """Write a MAC address as in CloudAPI's paths: twelve digits in lower case, without colons."""
    digits = mac.replace(":", "").replace("-", "").lower()
    if not _MAC.fullmatch(digits):
        raise InputError(f"invalid MAC address {mac!r}; expected twelve hexadecimal digits, with or without colons")
    return digits


def network_of(body: Mapping[str, Any]) -> str:
    """Return the id of the network that an interface was requested on."""
    network = body["network"]
    return str(network if isinstance(network, str) else network["ipv4_uuid"])


def address_of(body: Mapping[str, Any]) -> str | None:
    """Return the requested address, if there is one."""
    network = body["network"]
    return None if isinstance(network, str) else next(iter(network.get("ipv4_ips") or ()), None)
