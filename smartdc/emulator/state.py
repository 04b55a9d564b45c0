"""The one State of an emulator: who is there, what they have, and the books that must balance."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from . import catalogue
from .clock import Clock
from .ids import Ids
from .public_key import PublicKey
from .records import Account, Bucket, Image, Key, Machine, Network, Nic, Package
from .reply import ApiError, invalid_argument
from .settings import Settings


class State:
    """Everything an emulator knows; a reset replaces it by a new one."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.clock = clock
        self.ids = Ids(seed)
        self.settings = Settings()
        self.accounts: dict[str, Account] = {}
        self.machines: dict[str, Machine] = {}
        self.images = catalogue.images()
        self.packages = catalogue.packages()
        self.networks = catalogue.networks()
        self.buckets: dict[tuple[str, str], Bucket] = {}

    # Accounts

    def add_account(self, login: str, public_key: str | None = None, **profile: str) -> Account:
        """Create an account, with a key when one is given, and return it."""
        now = self.clock.time()
        profile = {"email": f"{login}@example.com", **profile}
        account = Account(self.ids.uuid("account"), login, now, now, profile)
        self.accounts[login] = account
        if public_key:
            self.add_key(account, public_key)
        return account

    def account(self, name: str) -> Account | None:
        """Find an account by login or id."""
        if found := self.accounts.get(name):
            return found
        return next((account for account in self.accounts.values() if account.id == name), None)

    def add_key(self, account: Account, text: str, name: str | None = None) -> Key:
        """Give an account a key from its OpenSSH line; a bad or known one is refused as CloudAPI does."""
        try:
            public = PublicKey(text)
        except ValueError as error:
            raise invalid_argument("key already exists or is invalid") from error
        name = name or public.comment or public.fingerprint
        if account.key(name) or account.key(public.fingerprint):
            raise invalid_argument("key already exists or is invalid")
        account.keys[name] = Key(name, public)
        return account.keys[name]

    # Machines

    def machines_of(self, account: Account) -> list[Machine]:
        """Return the account's machines, oldest first, deleted ones too."""
        return [machine for machine in self.machines.values() if machine.owner == account.id]

    def name_taken(self, account: Account, name: str, but: Machine | None = None) -> bool:
        """Say whether a living machine of the account has the name."""
        return any(
            machine.name == name and machine.alive and machine is not but for machine in self.machines_of(account)
        )

    def package_named(self, name: str, account: Account | None = None) -> Package | None:
        """Find the newest active package of a name that the account may use."""
        found = [
            package
            for package in self.packages.values()
            if package.name == name and package.active and (not account or package.visible_to(account.id))
        ]
        return max(found, key=_release, default=None)

    def image_named(self, name: str) -> Image | None:
        """Find the newest active image of a name."""
        found = [image for image in self.images.values() if image.name == name and image.state == "active"]
        return max(found, key=lambda image: image.published, default=None)

    def populate(
        self,
        count: int,
        *,
        name: str = "machine-{n}",
        image: str = "base-64-lts",
        package: str = "g1-small",
        state: str = "running",
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        account: Account | None = None,
    ) -> list[Machine]:
        """Put machines there without asking the API, and return them.

        ``{n}`` in the name counts from 0; image and package go by name; the default account is the first.
        """
        owner = account or next(iter(self.accounts.values()))
        chosen, size = self.image_named(image), self.package_named(package)
        if not chosen or not size:
            raise ValueError(f"There is no active image {image!r} or no active package {package!r} here.")
        network = next(net for net in self.networks.values() if net.public)
        return [
            self._put(owner, name.replace("{n}", str(number)), chosen, size, network, state, tags or {}, metadata or {})
            for number in range(count)
        ]

    def _put(
        self,
        owner: Account,
        name: str,
        image: Image,
        package: Package,
        network: Network,
        state: str,
        tags: Mapping[str, Any],
        metadata: Mapping[str, Any],
    ) -> Machine:
        now = self.clock.time()
        brand = image.requirements.get("brand", self.settings.default_container_brand)
        machine = Machine(
            self.ids.uuid("machine"),
            owner.id,
            name,
            brand,
            image.id,
            package.id,
            package.memory,
            package.disk,
            now,
            now,
            state,
            tags=dict(tags),
            metadata=dict(metadata),
            compute_node=catalogue.COMPUTE_NODE,
        )
        machine.nics = [self.new_nic(network, machine.id, primary=True)]
        self.machines[machine.id] = machine
        return machine

    # Addresses

    def new_nic(self, network: Network, machine: str, *, primary: bool = False, ip: str | None = None) -> Nic:
        """Take an address from a network for a machine's id and return the interface that has it."""
        address = ip or _free_address(network)
        network.taken[address] = machine
        return Nic(self.ids.mac(), address, network.id, str(network.subnet.netmask), network.gateway, primary=primary)

    def release(self, nics: list[Nic]) -> None:
        """Give back the addresses of these interfaces."""
        for nic in nics:
            self.networks[nic.network].taken.pop(nic.ip, None)

    # Books

    def books(self) -> dict[str, Any]:
        """Count what there is, and list under ``errors`` what does not add up; that list should be empty."""
        held = {
            (nic.network, nic.ip): machine.id
            for machine in self.machines.values()
            if machine.alive
            for nic in machine.nics
        }
        taken = {(network.id, ip): owner for network in self.networks.values() for ip, owner in network.taken.items()}
        names = Counter((machine.owner, machine.name) for machine in self.machines.values() if machine.alive)
        macs = Counter(nic.mac for machine in self.machines.values() for nic in machine.nics)
        errors = [f"address {ip} of network {network}" for (network, ip), _ in held.items() ^ taken.items()]
        errors += [f"name {name} is there {count} times" for (_, name), count in names.items() if count > 1]
        errors += [f"MAC {mac} is there {count} times" for mac, count in macs.items() if count > 1]
        return {
            "machines": dict(Counter(machine.state for machine in self.machines.values())),
            "addresses": len(taken),
            "jobs": dict(Counter(job.execution for machine in self.machines.values() for job in machine.jobs)),
            "errors": errors,
        }


def _release(package: Package) -> list[int]:
    return [int(part) for part in package.version.split(".")]


def _free_address(network: Network) -> str:
    """Return the next free address; the search starts where the last one ended and wraps around once."""
    size = network.subnet.num_addresses - 1
    for step in range(size):
        host = 5 + (network.next_host - 5 + step) % (size - 5)
        address = str(network.subnet[host])
        if address not in network.taken:
            network.next_host = host + 1
            return address
    raise ApiError(507, "SubnetFull", f"All addresses of network {network.id} are in use")
