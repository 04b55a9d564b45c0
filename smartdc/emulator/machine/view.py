"""A machine as CloudAPI writes it."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import MachineRecord, NicRecord


def view(machine: MachineRecord, call: Call, *, alone: bool = True) -> dict[str, Any]:
    """Return the machine's JSON for a call; ``alone`` when it is not one of a list."""
    package = call.state.packages.get(machine.package)
    nics = [] if machine.state == "provisioning" else [nic for nic in machine.nics if nic.ready]
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
    shown["created"], shown["updated"] = iso(machine.created), iso(machine.updated)
    if machine.docker:
        shown["docker"] = True
    if not _is_first_version(call):
        shown["networks"] = [nic.network for nic in nics]
    if machine.delegate_dataset:
        shown["delegate_dataset"] = True
    if nics:
        shown["nics"] = [nic_view(nic, machine) for nic in nics]
        shown["primaryIp"] = _primary(nics).ip
    shown["firewall_enabled"] = machine.firewall_enabled
    shown["compute_node"] = machine.compute_node
    shown["package"] = package.name if package else ""
    if alone and call.settings.cns and call.account.cns_enabled:
        shown["dns_names"] = dns_names(machine, call)
    if machine.brand == "bhyve":
        shown |= _bhyve(machine)
    if machine.encrypted:
        shown["encrypted"] = True
    return shown


def first_view(machine: MachineRecord, call: Call) -> dict[str, Any]:
    """Return the JSON that answers a create: it is written before the package is looked up, and names none."""
    shown = view(machine, call, alone=False)
    return {name: value for name, value in shown.items() if name not in ("flexible", "free_space")} | {"package": ""}


def nic_view(nic: NicRecord, machine: MachineRecord) -> dict[str, Any]:
    """Return a network interface as CloudAPI writes it; it is up when its machine is."""
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


def dns_names(machine: MachineRecord, call: Call) -> list[str]:
    """Return the names that CNS gives to a machine: by its id and by its own name."""
    zone = f"{call.account.id}.{call.settings.datacenter}.cns.emulator.invalid"
    return [f"{machine.id}.inst.{zone}", f"{machine.name}.inst.{zone}"]


def stripped_credentials(machine: MachineRecord) -> dict[str, Any]:
    """Return the passwords by login, without the ``_pw`` that marks them inside."""
    return {name.removesuffix("_pw"): value for name, value in machine.credentials.items() if name.endswith("_pw")}


def _metadata(machine: MachineRecord, call: Call) -> dict[str, Any]:
    if call.params.get("credentials") and (passwords := stripped_credentials(machine)):
        return {**machine.metadata, "credentials": passwords}
    return machine.metadata


def _primary(nics: list[NicRecord]) -> NicRecord:
    return next((nic for nic in nics if nic.primary), nics[0])


def _is_first_version(call: Call) -> bool:
    """Say whether the range is literally 7.0, the one that had no networks."""
    text = call.range.text.removeprefix("~")
    return text == "7.0" or (text.startswith("7.0.") and text[4:].isdigit())


def _bhyve(machine: MachineRecord) -> dict[str, Any]:
    extra: dict[str, Any] = {"flexible": machine.flexible}
    if machine.flexible:
        extra["free_space"] = machine.disk - sum(disk["size"] for disk in machine.disks)
    extra["disks"] = [{key: disk[key] for key in disk if key != "pci_slot"} for disk in machine.disks]
    return extra
