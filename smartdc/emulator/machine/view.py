"""The JSON of a machine."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import MachineRecord, NicRecord


def view(machine: MachineRecord, call: Call, *, alone: bool = True) -> dict[str, Any]:
    """Return the machine's JSON for a call; ``alone`` if it is not an item of a list.

    The order of the fields is CloudAPI's. As in CloudAPI, a value that the machine does not have is left out.
    """
    package = call.state.packages.get(machine.package)
    nics = machine.ready_nics
    shown: dict[str, Any] = {
        "id": machine.id,
        "name": machine.name,
        "type": "virtualmachine" if machine.hvm else "smartmachine",
        "brand": machine.brand,
        "state": machine.state,
        "image": machine.image,
        "ips": [nic.ip for nic in nics],
        "memory": machine.memory,
        "disk": machine.disk,
        "deletion_protection": machine.deletion_protection,
        "metadata": _metadata(machine, call),
        "tags": machine.tags,
    }
    if "credentials" in call.params:
        shown["credentials"] = call.params["credentials"]
    shown["created"] = iso(machine.created)
    shown["updated"] = iso(machine.updated)
    shown |= _flag("docker", on=machine.docker)
    if not _is_first_version(call):
        shown["networks"] = [nic.network for nic in nics]
    shown |= _flag("delegate_dataset", on=machine.delegate_dataset)
    if nics:
        shown |= {"nics": [nic_view(nic, machine) for nic in nics], "primaryIp": _primary(nics).ip}
    shown["firewall_enabled"] = machine.firewall_enabled
    shown["compute_node"] = machine.compute_node
    shown["package"] = package.name if package else ""
    if alone:
        shown |= _dns(machine, call)
    return {**shown, **_bhyve(machine), **_flag("encrypted", on=machine.encrypted)}


def first_view(machine: MachineRecord, call: Call) -> dict[str, Any]:
    """Return the JSON that answers a create; it has no package, because CloudAPI writes it before it looks that up."""
    shown = view(machine, call, alone=False)
    return {name: value for name, value in shown.items() if name not in ("flexible", "free_space")} | {"package": ""}


def nic_view(nic: NicRecord, machine: MachineRecord) -> dict[str, Any]:
    """Return the JSON of a network interface, whose state follows its machine's."""
    state = "stopped" if machine.state in ("stopped", "failed", "deleted") else "running"
    shown = {
        "mac": nic.mac,
        "primary": nic.primary,
        "ip": nic.ip,
        "netmask": nic.netmask,
        "state": state if nic.ready and machine.state != "provisioning" else "provisioning",
        "network": nic.network,
    }
    return shown | ({"gateway": nic.gateway} if nic.gateway else {})


def stripped_credentials(machine: MachineRecord) -> dict[str, Any]:
    """Return the passwords by login, without the suffix ``_pw`` of their keys."""
    return {name.removesuffix("_pw"): value for name, value in machine.credentials.items() if name.endswith("_pw")}


def _metadata(machine: MachineRecord, call: Call) -> dict[str, Any]:
    if call.params.get("credentials") and (passwords := stripped_credentials(machine)):
        return {**machine.metadata, "credentials": passwords}
    return machine.metadata


def _flag(name: str, *, on: bool) -> dict[str, bool]:
    """Return a field that is present only if it is true."""
    return {name: True} if on else {}


def _primary(nics: list[NicRecord]) -> NicRecord:
    return next((nic for nic in nics if nic.primary), nics[0])


def _is_first_version(call: Call) -> bool:
    """Return whether the range is literally 7.0, which has no ``networks``."""
    text = call.range.text.removeprefix("~")
    return text == "7.0" or (text.startswith("7.0.") and text[4:].isdigit())


def _dns(machine: MachineRecord, call: Call) -> dict[str, Any]:
    """Return the names that CNS gives to a machine, by its id and by its name, if data centre and account use CNS."""
    if not (call.settings.cns and call.account.cns_enabled):
        return {}
    zone = f"{call.account.id}.{call.settings.datacenter}.cns.emulator.invalid"
    return {"dns_names": [f"{machine.id}.inst.{zone}", f"{machine.name}.inst.{zone}"]}


def _bhyve(machine: MachineRecord) -> dict[str, Any]:
    if machine.brand != "bhyve":
        return {}
    extra: dict[str, Any] = {"flexible": machine.flexible}
    if machine.flexible:
        extra["free_space"] = machine.disk - sum(disk["size"] for disk in machine.disks)
    extra["disks"] = [{key: disk[key] for key in disk if key != "pci_slot"} for disk in machine.disks]
    return extra
