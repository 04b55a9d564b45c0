"""The emulator's books as the tests with node read them: things by name, and what should be printed of each.

All is taken from the records themselves, and nothing from what the emulator makes of them in its answers.
"""

from __future__ import annotations

from typing import Any

from smartdc.emulator import Emulator, records
from smartdc.emulator.clock import iso
from smartdc.emulator.storage import Migration, Volume


class Books:
    """What the emulator knows of its one account; a word in brackets is an id, as commands need them."""

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud

    def __getitem__(self, word: str) -> str:
        name, _, what = word.partition(" ")
        if what == "disk":
            return str(self.machine(name).disks[-1]["id"])
        if what == "mac":
            return self.machine(name).nics[-1].mac
        if what == "machine":
            return self.machine(name).id
        if what == "image":
            return self.image(name).id
        if what == "network":
            return self.network(name).id
        if what == "package":
            return self.package(name).id
        if what == "user":
            return self.user(name).id
        return {"rule": lambda: self.rules[-1].id, "account": lambda: self.account.id}[word]()

    @property
    def account(self) -> records.Account:
        """The account."""
        return self.cloud.state.accounts[self.cloud.login]

    @property
    def machines(self) -> list[records.Machine]:
        """The machines that are not gone, oldest first."""
        return [machine for machine in self.cloud.state.machines.values() if machine.alive]

    @property
    def rules(self) -> list[records.FirewallRule]:
        """The firewall rules, oldest first."""
        return list(self.cloud.state.firewall_rules.values())

    def machine(self, name: str) -> records.Machine:
        """Return the newest machine of a name, gone or not."""
        return [machine for machine in self.cloud.state.machines.values() if machine.name == name][-1]

    def image(self, name: str) -> records.Image:
        """Return the newest image of a name."""
        return max((each for each in self.cloud.state.images.values() if each.name == name), key=_age)

    def images(self, name: str) -> list[records.Image]:
        """Return the active images of a name, oldest first."""
        found = [each for each in self.cloud.state.images.values() if each.name == name and each.state == "active"]
        return sorted(found, key=_age)

    def network(self, name: str) -> records.Network:
        """Return the network of a name."""
        return next(network for network in self.cloud.state.networks.values() if network.name == name)

    def package(self, name: str) -> records.Package:
        """Return the package of a name."""
        package = self.cloud.state.package_named(name)
        assert package is not None
        return package

    def packages(self) -> list[records.Package]:
        """Return the packages that are sold."""
        return [package for package in self.cloud.state.packages.values() if package.active]

    def vlan(self, number: int) -> records.Vlan:
        """Return the VLAN of a number."""
        return self.cloud.state.vlans[self.account.id, number]

    def volume(self, name: str) -> Volume:
        """Return the volume of a name."""
        return next(volume for volume in self.cloud.state.volumes.values() if volume.name == name)

    def migration(self, name: str) -> Migration:
        """Return the migration of a machine."""
        return self.cloud.state.migrations[self.machine(name).id]

    def user(self, login: str) -> records.User:
        """Return the user of a login."""
        user = self.account.user(login)
        assert user is not None
        return user

    def role(self, name: str) -> records.Role:
        """Return the role of a name."""
        return next(role for role in self.account.roles.values() if role.name == name)

    def policy(self, name: str) -> records.Policy:
        """Return the policy of a name."""
        return next(policy for policy in self.account.policies.values() if policy.name == name)

    def has(self, things: object, name: str) -> bool:
        """Say whether one of the things has a name."""
        assert isinstance(things, dict)
        return any(getattr(thing, "name", None) == name for thing in things.values())


def _age(image: records.Image) -> float:
    return image.published


# What should be printed of a thing


def of_machine(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of a machine."""
    machine = books.machine(name)
    return {
        "id": machine.id,
        "name": name,
        "brand": machine.brand,
        "state": machine.state,
        "image": machine.image,
        "package": books.cloud.state.packages[machine.package].name,
        "memory": machine.memory,
        "disk": machine.disk,
        "ips": [nic.ip for nic in machine.nics],
        "primaryIp": next(nic.ip for nic in machine.nics if nic.primary),
        "tags": machine.tags,
        "metadata": machine.metadata,
        "firewall_enabled": machine.firewall_enabled,
        "deletion_protection": machine.deletion_protection,
        "created": iso(machine.created),
        "updated": iso(machine.updated),
        "compute_node": machine.compute_node,
    }


def of_machines(books: Books) -> list[dict[str, Any]]:
    """Return what is known of every machine."""
    return [of_machine(books, machine.name) for machine in books.machines]


def of_jobs(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what became of a machine's jobs, the newest first."""
    jobs = [job for job in books.machine(name).jobs if job.finished]
    return [
        {"action": job.action, "success": "no" if job.error else "yes", "time": iso(job.finished)}
        for job in reversed(jobs)
    ]


def of_nic(nic: records.Nic) -> dict[str, Any]:
    """Return what is known of a network interface of a running machine."""
    shown = {name: getattr(nic, name) for name in ("mac", "ip", "primary", "network", "netmask", "gateway")}
    return {**shown, "state": "running"}


def of_nics(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the network interfaces of a running machine."""
    return [of_nic(nic) for nic in books.machine(name).nics]


def of_disks(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the disks of a machine."""
    return [{key: disk[key] for key in ("id", "size", "pci_slot")} for disk in books.machine(name).disks]


def of_snapshots(books: Books, name: str) -> list[dict[str, Any]]:
    """Return what is known of the snapshots of a machine."""
    snapshots = books.machine(name).snapshots
    return [{"name": each.name, "state": "created", "size": each.size, "created": iso(each.created)} for each in snapshots]


def of_migration(books: Books, name: str) -> dict[str, Any]:
    """Return what is known of the migration of a machine."""
    migration = books.migration(name)
    shown = {key: getattr(migration, key) for key in ("machine", "phase", "state", "automatic")}
    return {**shown, "progress_history": migration.history}


def of_image(image: records.Image) -> dict[str, Any]:
    """Return what is known of an image."""
    names = ("id", "name", "version", "os", "type", "owner", "state", "public")
    optional = {name: getattr(image, name) or None for name in ("description", "homepage", "acl", "tags", "origin")}
    return {**{name: getattr(image, name) for name in names}, **optional, "published_at": iso(image.published)}


def of_package(package: records.Package) -> dict[str, Any]:
    """Return what is known of a package."""
    names = ("id", "name", "version", "memory", "disk", "vcpus", "group", "description", "brand", "default")
    return {name: getattr(package, name) for name in names}


def of_network(network: records.Network) -> dict[str, Any]:
    """Return what is known of a network: of a fabric's own more than of others."""
    shown = {name: getattr(network, name) for name in ("id", "name", "public")}
    shown |= {"description": network.description or None}
    if not network.fabric:
        return shown
    shown |= {"fabric": True, "subnet": str(network.subnet), "provision_start_ip": str(network.first)}
    shown |= {"provision_end_ip": str(network.last), "vlan_id": network.vlan_id, "gateway": network.gateway}
    return {**shown, "resolvers": network.resolvers, "routes": network.routes or None}


def of_address(books: Books, network: str, address: str) -> dict[str, Any]:
    """Return what is known of an address that no machine has."""
    net = books.network(network)
    managed = address in net.managed
    return {"ip": address, "managed": managed, "reserved": managed or address in net.reserved}


def of_vlan(vlan: records.Vlan) -> dict[str, Any]:
    """Return what is known of a VLAN."""
    return {name: getattr(vlan, name) for name in ("vlan_id", "name", "description")}


def of_rule(rule: records.FirewallRule) -> dict[str, Any]:
    """Return what is known of a firewall rule."""
    shown = {name: getattr(rule, name) for name in ("id", "enabled", "log")}
    return {**shown, "rule": str(rule.rule), "description": rule.description or None}


def of_volume(volume: Volume) -> dict[str, Any]:
    """Return what is known of a volume that is ready."""
    names = ("id", "name", "size", "type", "state", "networks", "tags")
    shown = {name: getattr(volume, name) for name in names}
    return {**shown, "owner_uuid": volume.owner, "filesystem_path": volume.path, "created": iso(volume.created)}


def of_key(key: records.Key) -> dict[str, Any]:
    """Return what is known of a key."""
    return {"name": key.name, "fingerprint": key.public.fingerprint, "key": key.public.text}


def of_person(person: records.Person) -> dict[str, Any]:
    """Return what is known of an account or a user."""
    shown = {"id": person.id, "login": person.login, **person.profile}
    return {**shown, "created": iso(person.created), "updated": iso(person.updated)}


def of_policy(policy: records.Policy) -> dict[str, Any]:
    """Return what is known of a policy."""
    return {name: getattr(policy, name) for name in ("id", "name", "rules", "description")}


def of_role(books: Books, role: records.Role) -> dict[str, Any]:
    """Return what is known of a role; its members and policies go by their names."""
    users, policies = books.account.users, books.account.policies
    return {
        "id": role.id,
        "name": role.name,
        "members": [users[member].login for member in role.members],
        "default_members": [users[member].login for member in role.default_members],
        "policies": [policies[policy].name for policy in role.policies],
    }
