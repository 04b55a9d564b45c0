"""What should be printed of things: machines, images, roles and so on, as they stand on the emulator's books.

All is taken from the records themselves, and nothing from what the emulator makes of them in its answers.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from peers.node_books import Books
from smartdc.emulator.core.clock import iso
from smartdc.emulator.state import records


def _some(thing: object, names: str, **more: Any) -> dict[str, Any]:
    """Return attributes under their own names; what is empty is printed by nobody."""
    found = {name: getattr(thing, name) for name in names.split()}
    return {name: None if value == "" else value for name, value in found.items()} | more


def of_machine(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a machine."""
    machine = books.machine(name)
    names = "id name brand state image memory disk tags metadata firewall_enabled deletion_protection compute_node"
    return _some(
        machine,
        names,
        package=books.cloud.state.packages[machine.package].name,
        ips=[nic.ip for nic in machine.nics],
        primaryIp=next(nic.ip for nic in machine.nics if nic.primary),
        networks=[nic.network for nic in machine.nics],
        created=iso(machine.created),
        updated=iso(machine.updated),
    )


def of_machines(books: Books) -> list[dict[str, Any]]:
    """Return what is known of every machine."""
    return [of_machine(books, machine.name) for machine in books.machines()]


def of_jobs(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what became of a machine's jobs, the newest first."""
    return [
        {"action": job.action, "success": "no" if job.error else "yes", "time": iso(job.finished), "caller": job.caller}
        for job in reversed(books.machine(name).jobs)
    ]


def of_nic(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of the newest network interface of a running machine."""
    return of_nics(books, name)[-1]


def of_nics(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the network interfaces of a running machine."""
    return [_some(nic, "mac ip primary network netmask gateway", state="running") for nic in books.machine(name).nics]


def of_disk(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of the newest disk of a machine."""
    return of_disks(books, name)[-1]


def of_disks(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the disks of a machine."""
    return [{key: disk[key] for key in ("id", "size", "pci_slot")} for disk in books.machine(name).disks]


def of_snapshot(books: Books, name: str, snapshot: str) -> dict[str, Any]:
    """Return what is known of a snapshot of a machine."""
    found = books.snapshot(name, snapshot)
    return _some(found, "name size", state="created", created=iso(found.created), updated=iso(found.created))


def of_snapshots(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the snapshots of a machine."""
    return [of_snapshot(books, name, each.name) for each in books.machine(name).snapshots]


def of_migration(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of the migration of a machine."""
    migration = books.migration(name)
    history = [{**entry, "duration_ms": _milliseconds(entry)} for entry in migration.history]
    return _some(migration, "machine phase state automatic", progress_history=history)


def _milliseconds(entry: dict[str, Any]) -> int:
    """Return how long a finished phase has taken."""
    began, ended = (datetime.fromisoformat(entry[f"{name}_timestamp"]) for name in ("started", "finished"))
    return round((ended - began).total_seconds() * 1000)


def of_end(books: Books, name: str) -> dict[str, Any]:
    """Return what is shown of a migration in the end."""
    return _some(books.migration(name), "phase state", type="end")


def of_image(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of an image."""
    return _of_image(books.image(name))


def of_images(books: Books, name: str = "") -> list[dict[str, Any]]:
    """Return what is known of the active images, of one name or of all that are not for Docker, oldest first."""
    images = [each for each in books.cloud.state.images.values() if each.state == "active" and each.type != "docker"]
    found = [image for image in images if name in ("", image.name)]
    return [_of_image(image) for image in sorted(found, key=lambda image: image.published)]


def _of_image(image: records.ImageRecord) -> dict[str, Any]:
    facts = _some(image, "id name version os type owner state public description homepage origin")
    return {**facts, "acl": image.acl or None, "tags": image.tags or None, "published_at": iso(image.published)}


def of_package(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a package."""
    return _of_package(books.package(name))


def of_packages(books: Books) -> list[dict[str, Any]]:
    """Return what is known of all packages that are sold."""
    return [_of_package(package) for package in books.cloud.state.packages.values() if package.active]


def _of_package(package: records.PackageRecord) -> dict[str, Any]:
    return _some(package, "id name version memory disk vcpus group description brand default")


def of_network(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a network: of one on a fabric more than of others."""
    network = books.network(name)
    facts = _some(network, "id name public description")
    if not network.fabric:
        return facts
    facts |= _some(network, "fabric vlan_id gateway internet_nat resolvers", subnet=str(network.subnet))
    ends = {"provision_start_ip": str(network.first), "provision_end_ip": str(network.last)}
    return {**facts, **ends, "routes": network.routes or None}


def of_networks(books: Books) -> list[dict[str, Any]]:
    """Return what is known of the networks."""
    return [of_network(books, network.name) for network in books.cloud.state.networks.values()]


def of_address(books: Books, network: str, address: str) -> dict[str, Any]:
    """Return what is known of an address that no machine has."""
    net = books.network(network)
    managed = address in net.managed
    return {"ip": address, "managed": managed, "reserved": managed or address in net.reserved}


def of_addresses(books: Books, network: str) -> list[dict[str, Any]]:
    """Return what is known of the addresses of a network that no machine has."""
    net = books.network(network)
    return [of_address(books, network, address) for address in sorted(net.managed | net.reserved, key=IPv4Address)]


def of_vlan(books: Books, number: int) -> dict[str, Any]:
    """Return what is known of a VLAN."""
    return _some(books.vlan(number), "vlan_id name description")


def of_vlans(books: Books) -> list[dict[str, Any]]:
    """Return what is known of the VLANs."""
    return [_some(vlan, "vlan_id name description") for vlan in books.cloud.state.vlans.values()]


def of_rule(books: Books) -> dict[str, Any]:
    """Return what is known of the newest firewall rule."""
    return of_rules(books)[-1]


def of_rules(books: Books) -> list[dict[str, Any]]:
    """Return what is known of the firewall rules."""
    rules = books.cloud.state.firewall_rules.values()
    return [_some(rule, "id enabled log description", rule=str(rule.rule)) for rule in rules]


def of_volume(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a volume that is ready."""
    volume = books.volume(name)
    facts = _some(volume, "id name size type state networks", tags=volume.tags or None)
    return {**facts, "owner_uuid": volume.owner, "filesystem_path": volume.path, "created": iso(volume.created)}


def of_volumes(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the volumes of a name."""
    return [of_volume(books, each.name) for each in books.cloud.state.volumes.values() if each.name == name]


def of_key(books: Books, name: str, user: str = "") -> dict[str, Any]:
    """Return what is known of a key of the account, or of a user."""
    key = books.key(name, user)
    return {"name": name, "fingerprint": key.public.fingerprint, "key": key.public.text}


def of_keys(books: Books, user: str = "") -> list[dict[str, Any]]:
    """Return what is known of the keys of the account, or of a user."""
    owner = books.user(user) if user else books.account()
    return [of_key(books, key, user) for key in owner.keys]


def of_account(books: Books) -> dict[str, Any]:
    """Return what is known of the account."""
    return {**_of_person(books.account()), "triton_cns_enabled": books.account().cns_enabled}


def of_user(books: Books, login: str) -> dict[str, Any]:
    """Return what is known of a user."""
    return _of_person(books.user(login))


def of_users(books: Books) -> list[dict[str, Any]]:
    """Return what is known of the users."""
    return [_of_person(user) for user in books.account().users.values()]


def _of_person(person: records.Person) -> dict[str, Any]:
    return _some(person, "id login", **person.profile, created=iso(person.created), updated=iso(person.updated))


def of_policy(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a policy."""
    return _some(books.policy(name), "id name rules description")


def of_policies(books: Books) -> list[dict[str, Any]]:
    """Return what is known of the policies."""
    return [of_policy(books, policy.name) for policy in books.account().policies.values()]


def of_role(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a role as version 9 has it: members and policies are objects."""
    role, users, policies = books.role(name), books.account().users, books.account().policies
    members = [{"type": "subuser", "id": each, "login": users[each].login} for each in role.members]
    return _some(
        role,
        "id name",
        members=[member | ({"default": True} if member["id"] in role.default_members else {}) for member in members],
        policies=[{"id": policy, "name": policies[policy].name} for policy in role.policies],
    )


def of_old_role(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a role as older versions have it: members and policies are names."""
    role, users, policies = books.role(name), books.account().users, books.account().policies
    return _some(
        role,
        "id name",
        members=[users[member].login for member in role.members],
        default_members=[users[member].login for member in role.default_members],
        policies=[policies[policy].name for policy in role.policies],
    )


def of_roles(books: Books) -> list[dict[str, Any]]:
    """Return what is known of the roles."""
    return [of_role(books, role.name) for role in books.account().roles.values()]
