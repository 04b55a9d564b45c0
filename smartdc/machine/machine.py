"""`Machine`, and listing, counting and getting machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

from smartdc.core import arguments
from smartdc.core.addresses import is_private, is_public
from smartdc.core.answers import MachineData
from smartdc.core.cells import age, in_columns, mebibytes
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import Brand, MachineState, MachineType
from smartdc.core.lookup import find, id_of, is_short_id, is_uuid
from smartdc.core.operation import operation
from smartdc.core.paging import ListsInPages, unique
from smartdc.core.parameters import parameters_of
from smartdc.core.read_only import ReadOnlyDict
from smartdc.core.resource import listed
from smartdc.errors import BadResponse, Gone, InputError
from smartdc.http.dates import parse_date
from smartdc.http.deadline import Deadline
from smartdc.http.tracebacks import without_frames
from smartdc.machine.action import HasLifecycle
from smartdc.machine.body import NAME, NewMachineAt
from smartdc.machine.disk import HasDisks
from smartdc.machine.filters import MachineCount, MachineFilters, MachineListing, MachineStream
from smartdc.machine.metadata import BOOT_SCRIPT, HasMetadata, harmless, shown, without_passwords
from smartdc.machine.migration import HasMigration
from smartdc.machine.nic import HasNics
from smartdc.machine.snapshot import HasSnapshots, Snapshot
from smartdc.machine.ssh import HasSSH
from smartdc.machine.tag import HasTags, visible
from smartdc.machine.vnc import HasVnc
from smartdc.resources.firewall_rule import HasFirewallRules
from smartdc.resources.image import HasImaging
from smartdc.resources.role_tag import HasRoleTags

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["HasMachines", "Machine", "Snapshot"]


class Machine(
    HasNics,
    HasFirewallRules,
    HasSnapshots,
    HasTags,
    HasMetadata,
    HasDisks,
    HasImaging,
    HasMigration,
    HasRoleTags,
    HasVnc,
    HasSSH,
    HasLifecycle,
):
    """A machine, as CloudAPI last described it.

    Attributes show the server's last answer about the machine; `refresh` fetches it again. The only exception is `ips`
    (and with it `public_ips` and `private_ips`), which fetches the machine while the list is empty.

    Args:
        datacenter: the data centre that it is in.
        machine_id: its id; without `data`, the machine fetches itself: ``GetMachine``.
        data: the server's answer about it; the dict is copied.
        credentials: whether to fetch its passwords too.
    """

    __slots__ = ()

    kind = "machines"
    columns = in_columns(
        name="name",
        state="state",
        primary_ip="primaryIp",
        package="package",
        image="image",
        age=age(),
        id="id",
    )
    hidden = frozenset({"dataset"})
    further = in_columns(
        memory=mebibytes("memory"),
        disk=mebibytes("disk"),
        ips="ips",
        tags=lambda machine: machine.tags,
        metadata=lambda machine: [*machine.metadata],
    )

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name"""
    type = Field[MachineType]()
    """``smartmachine`` for zones, ``virtualmachine`` for hardware virtual machines"""
    brand = Field[Brand]()
    """``joyent``, ``joyent-minimal``, ``lx``, ``bhyve``, ``kvm``"""
    state = Field[MachineState]()
    """its state when it was last fetched: one of `smartdc.machine.action.STATES`"""
    image = Field[str]()
    """the UUID of its image"""
    dataset = Field[str](key="image")
    """the former name of `image`"""
    package = Field[str]()
    """the name of its package; '' if CloudAPI knows none"""
    memory = Field[int]()
    """RAM in MiB"""
    disk = Field[int]()
    """disk space in MiB"""
    networks = Field[list[str]]()
    """the UUIDs of its networks"""
    primary_ip = Field[str | None](key="primaryIp")
    """the address of its primary network interface"""
    firewall_enabled = Field[bool | None]()
    """whether firewall rules apply to it"""
    deletion_protection = Field[bool]()
    """whether CloudAPI refuses to delete it"""
    compute_node = Field[str | None]()
    """the UUID of the server it is on"""
    docker = Field[bool | None]()
    """whether it is a Docker container"""
    dns_names = Field[list[str] | None]()
    """its names in the data centre's DNS"""
    free_space = Field[int | None]()
    """unused disk space of a flexible package in MiB"""
    flexible = Field[bool | None]()
    """whether its disk space can be divided among several disks"""
    encrypted = Field[bool | None]()
    """whether its disk is encrypted"""
    delegate_dataset = Field[bool | None]()
    """whether it manages its own ZFS dataset"""
    created = Field[datetime](read=parse_date)
    """when it was created"""
    updated = Field[datetime](read=parse_date)
    """when it last changed"""

    def __init__(
        self,
        datacenter: DataCenter,
        machine_id: str | Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        credentials: bool = False,
    ) -> None:
        if data is not None or machine_id is None:
            super().__init__(datacenter, machine_id, data)
            return
        answer = datacenter.raw_machine_data(machine_id, credentials=credentials)
        self._parent, self._data = datacenter, {"id": id_of(machine_id), **answer}

    @classmethod
    @without_frames
    @parameters_of(NewMachineAt)
    @operation("CreateMachine")
    def create_in_datacenter(cls, new: NewMachineAt) -> Machine:
        """Provision a machine: ``CreateMachine``, as `DataCenter.create_machine` with the same arguments."""
        return new.datacenter.create_machine(**new.without_place())

    @property
    @operation("GetMachine")
    def ips(self) -> list[str]:
        """Its addresses; while there are none, reading this fetches the machine: ``GetMachine``."""
        if not self.get("ips"):
            self.refresh()
        return list(listed(self, "ips"))

    @property
    def public_ips(self) -> list[str]:
        """The public addresses among `ips`."""
        return [address for address in self.ips if is_public(address)]

    @property
    def private_ips(self) -> list[str]:
        """The private addresses among `ips`."""
        return [address for address in self.ips if is_private(address)]

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata without passwords, as a read-only dict; `update_metadata` changes it.

        The boot script is in `boot_script`. It is also in this dict after `get_metadata` and the other methods that
        return all metadata, until the machine is fetched again.
        """
        entries = self._part("metadata")
        seen = without_passwords(entries) if self._shows_boot_script else shown(entries)
        return ReadOnlyDict(seen, "call update_metadata() or delete_metadata_at_key()")

    @property
    def boot_script(self) -> str | None:
        """The script that runs at every boot."""
        script = self._part("metadata").get(BOOT_SCRIPT)
        return None if script is None else str(script)

    @property
    def tags(self) -> dict[str, Any]:
        """The tags, as a read-only dict; `add_tags` changes them. Their values are strings, numbers or booleans.

        The tag with the token is left out; ``machine["tags"]``, the server's whole answer, has it.
        """
        return ReadOnlyDict(visible(self._part("tags")), "call add_tags(), replace_tags() or delete_tag()")

    @operation("GetMachine")
    def refresh(self, credentials: bool = False) -> Self:
        """Fetch the machine again and return it: ``GetMachine``; with `credentials`, its passwords too.

        A deleted machine is not an error here: its state is then ``deleted``.
        """
        try:
            self._keep(self.datacenter.raw_machine_data(self.id, credentials=credentials))
        except Gone as gone:
            if not isinstance(gone.data, dict) or gone.data.get("id") != self.id:
                raise
            self._keep(gone.data)
        return self

    @operation("GetMachine")
    def credentials(self) -> dict[str, str]:
        """Return the passwords by login: ``GetMachine``, if they are not known yet."""
        found = self._part("metadata").get("credentials", self._credentials)
        if found is None:
            self.refresh(credentials=True)
            found = self._part("metadata").get("credentials") or {}
        if not isinstance(found, dict):
            raise BadResponse(f"{self}: its credentials are not an object")
        return dict(found)

    def __eq__(self, other: object) -> bool:
        """Compare by id; a dict with the machine's id is equal too, as in the original."""
        if isinstance(other, dict):
            return bool(other.get("id") == self.id)
        return super().__eq__(other)

    __hash__ = HasLifecycle.__hash__

    def __getstate__(self) -> dict[str, Any]:
        """Leave out passwords, the boot script and user data when the machine is pickled."""
        return {**super().__getstate__(), "_credentials": None}

    def _without_secrets(self) -> dict[str, Any]:
        if "metadata" not in self._data:
            return self._data
        metadata = self._data["metadata"]
        return {**self._data, "metadata": harmless(metadata) if isinstance(metadata, dict) else {}}

    def _summary(self) -> list[str]:
        return [repr(self.name), str(self.state), self.id]


class HasMachines(ListsInPages):
    """Mix-in for owners of machines."""

    @without_frames
    @parameters_of(MachineListing)
    @operation("ListMachines")
    def machines(self, listing: MachineListing) -> ResourceList[Machine]:
        """List all matching machines: ``ListMachines``.

        `name` and `package` may contain ``*`` and ``?``, as in ``web-*``; `package` is a name, an id, a dict or a
        `Package`. `type` (also `machine_type`) is ``smartmachine`` or ``virtualmachine``, and `state` is one of
        ``active``, ``running``, ``stopped``, ``provisioning``, ``stopping`` and ``destroyed``. `tags` are strings,
        numbers and booleans. `docker` selects containers, or all others. `memory` is in MiB, or a text such as ``2G``.
        `dataset` is the former name of `image`. `search` is a regular expression that is matched with `fields`. Deleted
        and failed machines are listed only with `tombstone`.

        With `paged`, only one page is fetched: `limit` machines (1 to 1,000) from `offset` on. Without it, all pages
        are fetched, four at a time after the first one, and `limit` is the size of a page. All pages together have the
        time of one call. If the list has changed twice while it was read, a WARNING is logged: it may be incomplete.

        CloudAPI cannot filter by patterns, by `package` or by `search`, and lists every name that begins with `name`;
        the library filters the rest itself.
        """
        package = self._package_name(listing)
        entries = self.raw_machines(self._query(listing), listing.limit, listing.offset, paged=listing.paged)
        return self.machines_from(listing.select(entries, package))

    @without_frames
    @parameters_of(MachineStream)
    @operation("ListMachines")
    def iter_machines(self, listing: MachineStream) -> Iterator[Machine]:
        """Return an iterator over the machines that `machines` would list, fetched as needed: ``ListMachines``.

        The first page, of `limit` machines (1,000 at most and by default), is fetched when the iteration begins, and
        four more whenever the fetched ones are used up. Each page has the time of one call; the iteration may take any
        time.

        No machine comes twice. A machine that is created meanwhile may be included or not. If machines vanish
        meanwhile, others may be missed; if the library notices that, it logs a WARNING at the end. Each machine is as
        it was when its page was read.
        """
        query, package = self._query(listing), self._package_name(listing)
        clock = self._datacenter.clock
        entries = self._listing("machines", query, listing.limit, listing.offset, deadline=Deadline(None, clock))
        found = (each for entry in entries.stream("id") for each in listing.select([entry], package))
        return (machine for entry in found for machine in self.machines_from([entry]))

    @operation("ListMachines")
    def raw_machines(
        self, query: Mapping[str, Any], limit: int | None = None, offset: int | None = None, *, paged: bool = False
    ) -> list[dict[str, Any]]:
        """Return the server's data of the machines that match a query, or one page of it: ``ListMachines``.

        The query has CloudAPI's form: `name` is the beginning of names, and a tag is like ``tag.role``.
        """
        if not paged:
            return self._listing("machines", query, limit, offset).entries("id")
        cut = arguments.integers(limit=limit, offset=offset)
        return unique(self._list("machines", params={**query, **cut}), "id")

    def machines_from(self, entries: Iterable[dict[str, Any]]) -> ResourceList[Machine]:
        """Make machines of the entries of a listing, without a request."""
        return Machine.from_answers(self._datacenter, entries)

    @parameters_of(MachineCount)
    @operation("HeadMachines")
    def num_machines(self, count: MachineCount) -> int:
        """Count the machines that `machines` would list for the same arguments: ``HeadMachines``.

        With a `name`, a `package` or a `search` they are listed and counted here, since CloudAPI cannot count them.
        """
        query, package = self._query(count), self._package_name(count)
        if not count.are_complete:
            return len(count.select(self.raw_machines(query), package))
        return self._listing("machines", query, method="HEAD").count()

    def _query(self, filters: MachineFilters) -> dict[str, Any]:
        """Build the query of a listing; the only request is for the id of an image's name."""
        image = filters.dataset if filters.image is None else filters.image
        return filters.query(None if image is None else self._datacenter.image_id(image))

    def _package_name(self, filters: MachineFilters) -> str | None:
        """Return the package's name, since machines show only that; the only request is for the name of an id."""
        text = None if filters.package is None else id_of(filters.package, "name", "id")
        return self._datacenter.package(text).name if text and (is_uuid(text) or is_short_id(text)) else text

    @operation("GetMachine")
    def raw_machine_data(self, machine_id: str | Mapping[str, Any], credentials: bool = False) -> MachineData:
        """Return the server's data of one machine: ``GetMachine``; with `credentials`, its passwords too."""
        shown = arguments.flags(credentials=credentials)
        return cast("MachineData", self._get("machines", id_of(machine_id), params=shown))

    @operation("GetMachine", "ListMachines")
    def machine(self, machine_id: str | Mapping[str, Any], credentials: bool = False) -> Machine:
        """Get a machine by its id, the beginning of its id, or its name: ``GetMachine``, ``ListMachines``.

        The id of a deleted machine raises `Gone`; the name of a deleted or failed machine is not found.
        """
        text = id_of(machine_id)
        if is_uuid(text):
            return Machine(self._datacenter, text, credentials=credentials)
        if not NAME.fullmatch(text):
            raise InputError(f"{text!r} is neither the id nor the name of a machine")
        shown = arguments.flags(credentials=credentials)
        named = self.machines_from(self.raw_machines({"name": text, **shown}))
        return find(text, "machine", named, everything=partial(self.machines, credentials=credentials))

    @operation("ListMachines")
    def machine_id(self, machine: str | Mapping[str, Any]) -> str:
        """Return the id of a machine; only a name, or the beginning of an id, is looked up: ``ListMachines``."""
        text = id_of(machine)
        return text if is_uuid(text) else self.machine(text).id
