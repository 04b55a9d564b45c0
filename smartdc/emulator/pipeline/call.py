"""A call on its way through the stages: what is known about it so far, and what handlers need from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.javascript import written
from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import ApiError, not_found, validation_failed
from smartdc.emulator.core.settings import Settings
from smartdc.emulator.core.versions import Range, parse_range
from smartdc.emulator.pipeline.router import NOWHERE, Match
from smartdc.emulator.signature.authorization_header import Credentials, Signable
from smartdc.emulator.state.records import (
    AccountRecord,
    ImageRecord,
    Job,
    MachineRecord,
    PackageRecord,
    RoleRecord,
    UserRecord,
)
from smartdc.emulator.state.state import State
from smartdc.emulator.state.transitions import Transitions

_ANY_VERSION = parse_range("*")


@dataclass(slots=True)
class Call:
    """A request and what the stages found out about it; handlers get it when it is complete."""

    request: Request
    state: State
    transitions: Transitions
    now: float
    name: str | None = None
    """The operation's name, if the request identifies it."""
    match: Match = NOWHERE
    range: Range = _ANY_VERSION
    accept: str = "application/json"
    credentials: Credentials | None = None
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    past_body: bool = False
    """Whether the body was read; from then on responses have CloudAPI's full set of headers."""

    found_caller: AccountRecord | None = None
    user: UserRecord | None = None
    """The sub-user that signed; None if the account itself did."""
    active_roles: list[RoleRecord] | None = None
    """The roles that granted access; None for a caller that needs none."""
    found_account: AccountRecord | None = None
    found_machine: MachineRecord | None = None
    image: ImageRecord | None = None
    package: PackageRecord | None = None
    request_id: str = ""

    # For handlers

    @property
    def settings(self) -> Settings:
        """The settings of the data centre."""
        return self.state.settings

    @property
    def caller(self) -> AccountRecord:
        """The account that signed; without a signature it is a 401."""
        if not self.found_caller:
            raise ApiError(401, "InvalidCredentials", "You must make authenticated requests to use CloudAPI")
        return self.found_caller

    @property
    def account(self) -> AccountRecord:
        """The account of the path, which is usually the caller."""
        return self.found_account or self.caller

    @property
    def machine(self) -> MachineRecord:
        """The machine of the path; without one it is a 404."""
        if not self.found_machine:
            raise ApiError(404, "ResourceNotFound", "VM not found")
        return self.found_machine

    @property
    def signable(self) -> Signable:
        """The parts of the request that a signature can cover."""
        return Signable(self.request.method, self.request.target, self.request.headers)

    @property
    def reading(self) -> bool:
        """Whether this is a GET or HEAD."""
        return self.request.method in ("GET", "HEAD")

    def since(self, version: str) -> bool:
        """Return whether the caller's version range includes or exceeds this version."""
        return self.range.reaches(version)

    def text(self, name: str) -> str:
        """Return a parameter as the string that JavaScript makes of it, empty if it is missing."""
        value = self.params.get(name)
        return "" if value is None else written(value)

    def find_machine(self, identity: str) -> MachineRecord:
        """Return the account's machine with an id: 404, or 409 if the id is not a UUID."""
        if not UUID.fullmatch(identity):
            raise validation_failed("Invalid Parameters", "uuid", "Invalid", "Invalid UUID")
        machine = self.state.machines.get(identity)
        if not machine or machine.owner != self.account.id:
            raise not_found("VM not found")
        return machine

    def location(self, *segments: str) -> dict[str, str]:
        """Return the Location header for a path below the account."""
        return {"Location": "/".join(["", self.account.login, *segments])}

    def queue(
        self,
        action: str,
        effect: Callable[[MachineRecord], None],
        *,
        machine: MachineRecord | None = None,
        needs: tuple[str, ...] = (),
        during: str | None = None,
        undo: Callable[[MachineRecord], None] | None = None,
        snapshot: str | None = None,
    ) -> Job:
        """Queue a job on the call's machine; ``action`` is what the audit will call it."""
        job = Job(
            id=self.state.ids.uuid("job"),
            machine=machine or self.machine,
            action=action,
            queued=self.state.clock.time(),
            caller=self._context(),
            effect=effect,
            needs=needs,
            during=during,
            undo=undo,
            snapshot=snapshot,
        )
        self.transitions.add(job)
        return job

    def _context(self) -> dict[str, Any]:
        """Return the caller as the audit shows it."""
        key_id = self.credentials.key_id if self.credentials else None
        return {"type": "signature", "ip": self.request.remote, "keyId": key_id}
