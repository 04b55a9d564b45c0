"""The emulator's books as the tests with node read them: the records of things, by their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from smartdc.emulator import Emulator
from smartdc.emulator.state import records
from smartdc.emulator.state.records import VolumeRecord
from smartdc.emulator.state.storage import MigrationRecord

Thing = TypeVar("Thing")


class Books:
    """What the emulator knows of its one account; what is not there is a `LookupError`.

    In brackets are the ids that commands need: ``web-1 machine``, ``web-1 mac``, ``rule`` for the newest one.
    """

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud

    def __getitem__(self, words: str) -> str:
        *name, what = words.rsplit(" ", 1)
        if what == "mac":
            return self.machine(*name).nics[-1].mac
        if what == "disk":
            return str(self.machine(*name).disks[-1]["id"])
        if what == "key":
            return self.key(*" ".join(name).split("/")).public.fingerprint
        return str(getattr(self, what)(*name).id)

    def account(self) -> records.AccountRecord:
        """Return the account."""
        return self.cloud.state.accounts[self.cloud.login]

    def machines(self) -> list[records.MachineRecord]:
        """Return the machines that are not gone, oldest first."""
        return [machine for machine in self.cloud.state.machines.values() if machine.alive]

    def machine(self, name: str) -> records.MachineRecord:
        """Return the newest machine of a name, gone or not."""
        return _named(name, self.cloud.state.machines.values())

    def snapshot(self, name: str, snapshot: str) -> records.SnapshotRecord:
        """Return a snapshot of a machine."""
        return _named(snapshot, self.machine(name).snapshots)

    def job(self, name: str) -> records.Job:
        """Return the newest job of a machine."""
        return self.machine(name).jobs[-1]

    def migration(self, name: str) -> MigrationRecord:
        """Return the migration of a machine."""
        return self.cloud.state.migrations[self.machine(name).id]

    def image(self, name: str) -> records.ImageRecord:
        """Return the newest image of a name."""
        return _named(name, sorted(self.cloud.state.images.values(), key=lambda image: image.published))

    def package(self, name: str) -> records.PackageRecord:
        """Return the newest package of a name."""
        return _named(name, self.cloud.state.packages.values())

    def network(self, name: str) -> records.NetworkRecord:
        """Return the network of a name."""
        return _named(name, self.cloud.state.networks.values())

    def default_network(self) -> records.NetworkRecord:
        """Return the network that containers of Docker come to by default."""
        return self.cloud.state.networks[self.account().default_network or ""]

    def vlan(self, number: int) -> records.VlanRecord:
        """Return the VLAN of a number."""
        return self.cloud.state.vlans[self.account().id, number]

    def rule(self) -> records.FirewallRuleRecord:
        """Return the newest firewall rule."""
        return list(self.cloud.state.firewall_rules.values())[-1]

    def volume(self, name: str) -> VolumeRecord:
        """Return the volume of a name."""
        return _named(name, self.cloud.state.volumes.values())

    def key(self, name: str, user: str = "") -> records.KeyRecord:
        """Return a key of the account, or of a user."""
        return (self.user(user) if user else self.account()).keys[name]

    def user(self, login: str) -> records.UserRecord:
        """Return the user of a login."""
        if user := self.account().user(login):
            return user
        raise LookupError(login)

    def role(self, name: str) -> records.RoleRecord:
        """Return the role of a name."""
        return _named(name, self.account().roles.values())

    def policy(self, name: str) -> records.PolicyRecord:
        """Return the policy of a name."""
        return _named(name, self.account().policies.values())

    def role_tags(self, name: str) -> list[str]:
        """Return the names of the roles that a machine is tagged with."""
        return [self.account().roles[role].name for role in self.machine(name).role_tags]


def _named(name: str, things: Iterable[Thing]) -> Thing:
    found = [thing for thing in things if getattr(thing, "name", None) == name]
    if not found:
        raise LookupError(name)
    return found[-1]
