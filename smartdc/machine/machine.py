"""`Machine`, and listing, counting and getting machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from smartdc.core import arguments
from smartdc.core.addresses import is_private, is_public
from smartdc.core.parameters import parameters_of
from smartdc.core.resource import Addressable, Field, id_of, is_uuid, listed, only, whole_number
from smartdc.errors import BadResponse, Gone, InputError
from smartdc.http.dates import parse_date
from smartdc.http.tracebacks import without_frames
from smartdc.machine.action import HasLifecycle
from smartdc.machine.body import NAME, MachineCount, MachineFilters, MachineListing, NewMachineAt
from smartdc.machine.disk import HasDisks
from smartdc.machine.metadata import BOOT_SCRIPT, HasMetadata, harmless, shown
from smartdc.machine.migration import HasMigration
from smartdc.machine.nic import HasNics
from smartdc.machine.snapshot import HasSnapshots, Snapshot
from smartdc.machine.tag import HasTags
from smartdc.machine.vnc import HasVnc
from smartdc.resources.firewall_rule import HasFirewallRules
from smartdc.resources.image import HasImaging
from smartdc.resources.role_tag import HasRoleTags

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["HasMachines", "Machine", "Snapshot"]

MAX_PAGES = 10_000
"""How many pages a list of machines can have: a server that sends more will never end."""


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
    HasLifecycle,
):
    """A machine, as CloudAPI last described it.

    Attributes show what the server said when the machine was last fetched: `refresh` fetches it again. The one
    exception is `ips` (and with it `public_ips` and `private_ips`), which fetches while the list is empty.

    Args:
        datacenter: where it is.
        machine_id: its id; without `data` the machine then fetches itself: ``GetMachine``.
        data: what the server said of it; the dict is copied.
        credentials: whether to fetch its passwords too.
    """

    kind = "machines"

    id = Field[str]("its UUID")
    name = Field[str]("its name")
    type = Field[str]("``smartmachine`` for zones, ``virtualmachine`` for hardware virtual machines")
    brand = Field[str]("``joyent``, ``joyent-minimal``, ``lx``, ``bhyve``, ``kvm``")
    state = Field[str]("its state when it was last fetched: one of `smartdc.machine.action.STATES`")
    image = Field[str]("the UUID of the image it was made from")
    dataset = Field[str]("the former name of `image`", key="image")
    package = Field[str]("the name of its package; '' when CloudAPI knows none")
    memory = Field[int]("RAM in MiB")
    disk = Field[int]("disk space in MiB")
    networks = Field[list[str]]("the UUIDs of its networks")
    primary_ip = Field[str | None]("the address of its primary network interface", key="primaryIp")
    firewall_enabled = Field[bool | None]("whether firewall rules apply to it")
    deletion_protection = Field[bool]("whether CloudAPI refuses to delete it")
    compute_node = Field[str | None]("the UUID of the server it is on")
    docker = Field[bool | None]("whether it is a Docker container")
    dns_names = Field[list[str] | None]("its names in the data centre's DNS")
    free_space = Field[int | None]("MiB of a flexible package that no disk uses")
    flexible = Field[bool | None]("whether its disk space may be divided among disks")
    encrypted = Field[bool | None]("whether its disk is encrypted")
    delegate_dataset = Field[bool | None]("whether it manages a dataset of its own")
    created = Field[datetime]("when it was created", read=parse_date)
    updated = Field[datetime]("when it last changed", read=parse_date)

    def __init__(
        self,
        datacenter: DataCenter,
        machine_id: str | Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        credentials: bool = False,
    ) -> None:
        if data is None and machine_id is not None:
            data = datacenter.raw_machine_data(machine_id, credentials=credentials)
        super().__init__(datacenter, machine_id, data)

    @classmethod
    @without_frames
    @parameters_of(NewMachineAt)
    def create_in_datacenter(cls, new: NewMachineAt) -> Machine:
        """Provision a machine: ``CreateMachine``, as `DataCenter.create_machine` with the same arguments."""
        return new.datacenter.create_machine(**new.without_place())

    @property
    def ips(self) -> list[str]:
        """Its addresses; while there are none the machine is fetched again: ``GetMachine``."""
        if not self.get("ips"):
            self.refresh()
        return list(listed(self, "ips"))

    @property
    def public_ips(self) -> list[str]:
        """Those of `ips` that the internet may reach."""
        return [address for address in self.ips if is_public(address)]

    @property
    def private_ips(self) -> list[str]:
        """Those of `ips` that only private networks reach."""
        return [address for address in self.ips if is_private(address)]

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata, without the boot script and the passwords."""
        return shown(self._part("metadata"))

    @property
    def boot_script(self) -> str | None:
        """The script that runs at every boot."""
        script = self._part("metadata").get(BOOT_SCRIPT)
        return None if script is None else str(script)

    @property
    def tags(self) -> dict[str, Any]:
        """The tags; their values are strings, numbers or booleans."""
        return dict(self._part("tags"))

    def refresh(self, credentials: bool = False) -> Self:
        """Fetch the machine again and return it: ``GetMachine``; with `credentials`, its passwords too.

        A machine that was deleted is no error here: its state then is ``deleted``.
        """
        try:
            self._keep(self.datacenter.raw_machine_data(self.id, credentials=credentials))
        except Gone as gone:
            if not isinstance(gone.data, dict) or gone.data.get("id") != self.id:
                raise
            self._keep(gone.data)
        return self

    def credentials(self) -> dict[str, str]:
        """Return the passwords by login: ``GetMachine``, if they are not known yet."""
        if "credentials" not in self._part("metadata"):
            self.refresh(credentials=True)
        found = self._part("metadata").get("credentials") or {}
        if not isinstance(found, dict):
            raise BadResponse(f"{self}: its credentials are not an object")
        return dict(found)

    def __eq__(self, other: object) -> bool:
        """Compare by address; a dict with the machine's id is equal too, as it always was."""
        if isinstance(other, dict):
            return bool(other.get("id") == self.id)
        return super().__eq__(other)

    __hash__ = HasLifecycle.__hash__

    def __getstate__(self) -> dict[str, Any]:
        """Leave passwords, the boot script and user data behind when the machine is pickled."""
        data = dict(self._data)
        if "metadata" in data:
            data["metadata"] = harmless(data["metadata"]) if isinstance(data["metadata"], dict) else {}
        return {**vars(self), "_data": data}

    def _summary(self) -> list[str]:
        return [repr(self.name), str(self.state), self.id]


class HasMachines(Addressable):
    """Mix-in for owners of machines."""

    @without_frames
    @parameters_of(MachineListing)
    def machines(self, listing: MachineListing) -> list[Machine]:
        """List the machines that equal what is given, all of them: ``ListMachines``.

        `machine_type` is ``smartmachine`` or ``virtualmachine``, and `state` one of ``active``, ``running``,
        ``stopped``, ``provisioning``, ``stopping`` and ``destroyed``; `tags` are strings, numbers and booleans, and
        `docker` selects containers, or all others. Machines that are deleted or failed are listed only with `tombstone`. With `paged` only one page is fetched,
        of `limit` machines (1 to 1,000) from the one at `offset` on; without it `limit` is the size of the pages
        that are fetched until there are no more. `memory` is in MiB. `dataset` is the former name of `image`. CloudAPI
        lists every name that begins with `name`; those that only begin so are left out here.
        """
        query = self._query(listing)
        cut = arguments.integers(limit=listing.limit, offset=listing.offset)
        if listing.paged:
            pages = [self._list("machines", params={**query, **cut})]
        else:
            pages = [page for page, _ in self._pages(query, listing.limit, listing.offset)]
        entries = (data for page in pages for data in page if listing.name is None or listing.name == data.get("name"))
        unique = {machine.id: machine for machine in self.machines_from(entries)}
        return list(unique.values())

    def machines_from(self, entries: Iterable[Mapping[str, Any]]) -> list[Machine]:
        """Make machines of the entries of a listing; nothing is sent."""
        return [Machine(self._datacenter, data=entry) for entry in entries]

    @parameters_of(MachineCount)
    def num_machines(self, count: MachineCount) -> int:
        """Count the machines that equal what is given, as `machines` would list them: ``HeadMachines``.

        With a `name` they are listed instead, since CloudAPI would count every name that begins so.
        """
        query = self._query(count)
        if count.name is not None:
            pages = self._pages(query, None, None)
            return sum(entry.get("name") == count.name for page, _ in pages for entry in page)
        return sum(length for _, length in self._pages(query, None, None, method="HEAD"))

    def _query(self, filters: MachineFilters) -> dict[str, Any]:
        """Build the query of a listing; only an image's name asks CloudAPI, for its id."""
        return filters.query(self._image(filters.dataset if filters.image is None else filters.image))

    def _image(self, image: str | Mapping[str, Any] | None) -> str | None:
        return None if image is None else self._datacenter.image_id(image)

    def _pages(
        self, filters: Mapping[str, Any], limit: int | None, offset: int | None, method: str = "GET"
    ) -> Iterator[tuple[list[Any], int]]:
        """Yield every page and its length.

        CloudAPI reports no total, and may apply a smaller limit than the one given (``x-query-limit``). So pages are
        fetched one after the other, each from where the last one ended, until one is shorter than the limit that was
        applied. A server that repeats a page, or never sends a short one, is a `BadResponse`.
        """
        size, start = 1000 if limit is None else limit, offset or 0
        before: list[Any] = []
        for _ in range(MAX_PAGES):
            answer, response = self._call(method, "machines", params={**filters, "limit": size, "offset": start})
            page = self._expect(list, answer, response) if method == "GET" else []
            if page and page == before:
                raise BadResponse("GET /machines: the server keeps sending the same page")
            count = len(page) if method == "GET" else self._counted(response)
            yield page, count
            if count == 0 or count < whole_number(response, "x-query-limit", size):
                return
            start, before = start + count, page
        raise BadResponse(f"{method} /machines: the list has not ended after {start:,} machines")

    def raw_machine_data(self, machine_id: str | Mapping[str, Any], credentials: bool = False) -> dict[str, Any]:
        """Return what the server says of one machine: ``GetMachine``; with `credentials`, its passwords too."""
        return self._get("machines", id_of(machine_id), params=arguments.flags(credentials=credentials))

    def machine(self, machine_id: str | Mapping[str, Any], credentials: bool = False) -> Machine:
        """Get a machine by its id, or by its name: ``GetMachine``, ``ListMachines``.

        One that was deleted raises `Gone`; by name, machines that are deleted or failed are not found.
        """
        text = id_of(machine_id)
        if is_uuid(text):
            return Machine(self._datacenter, data=self.raw_machine_data(text, credentials))
        if not NAME.fullmatch(text):
            raise InputError(f"{text!r} is neither the id nor the name of a machine")
        return only(self.machines(name=text, credentials=credentials), text, "machine")
