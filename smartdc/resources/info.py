"""An account at a glance: its name, its machines and its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from smartdc.core.cells import in_words, size
from smartdc.core.operation import operation
from smartdc.core.paging import at_once
from smartdc.core.resource import Addressable
from smartdc.core.shown import ShownAsTable, Table, is_typed_at_a_prompt
from smartdc.errors import NotAuthorized, SmartDCError

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["HasInfo", "Info"]

T = TypeVar("T")

UNITS: dict[str, Callable[[float], str]] = {"ram": size, "quota": lambda gib: size(gib * 1024)}
"""How to write the values of limits, by their unit; others are plain numbers."""


@dataclass(frozen=True)
class Info(ShownAsTable):
    """An account at a glance, shown to people as a table. `errors` has the calls that were not permitted, or failed."""

    url: str
    """The URL of the account."""
    login: str | None
    email: str | None
    machines: int | None
    """How many machines there are."""
    states: Mapping[str, int]
    """How many machines are in each state."""
    memory: int | None
    """The RAM of all machines together in MiB."""
    disk: int | None
    """The disk space of all machines together in MiB."""
    limits: list[dict[str, Any]] | None
    """The limits, as `DataCenter.limits` returns them."""
    errors: Mapping[str, SmartDCError] = field(default_factory=dict)
    """The parts that could not be read, and why."""

    def __repr__(self) -> str:
        """Show the table in the console, and one line anywhere else."""
        return self.as_text() if is_typed_at_a_prompt(1) else f"<Info {self.login} {self.url}>"

    _repr_pretty_ = ShownAsTable._repr_pretty_

    def _table(self) -> Table:
        states = ", ".join(f"{count} {state}" for state, count in self.states.items())
        values = {
            "account": self.login and f"{self.login} ({self.email})",
            "url": self.url,
            "machines": None if self.machines is None else f"{self.machines:,}{states and f' ({states})'}",
            "memory": None if self.memory is None else size(self.memory),
            "disk": None if self.disk is None else size(self.disk),
        }
        rows = [(name, in_words(value)) for name, value in values.items() if value is not None]
        rows += [_limit_row(limit) for limit in self.limits or []]
        rows += [(name, _refusal(error)) for name, error in self.errors.items()]
        if self.limits == []:
            rows.append(("limits", "none"))
        return Table((), lambda most: rows[:most], len(rows))


class HasInfo(Addressable):
    """Mix-in for objects that represent an account, to show it at a glance."""

    @operation("GetAccount", "ListMachines", "GetAccountLimits")
    def info(self) -> Info:
        """Return the account at a glance: ``GetAccount``, ``ListMachines``, ``GetAccountLimits``, at the same time.

        A part that the caller may not read, or that could not be read for another reason, is missing, and `Info.errors`
        has its error. If no part can be read, the error is raised.
        """
        datacenter: DataCenter = self._datacenter
        reads: dict[str, Callable[[], Any]] = {
            "account": datacenter.account,
            "machines": partial(datacenter.raw_machines, {}),
            "limits": datacenter.limits,
        }
        found: dict[str, Any] = dict(
            zip(reads, at_once([partial(_tried, read) for read in reads.values()]), strict=True)
        )
        errors = {name: error for name, error in found.items() if isinstance(error, SmartDCError)}
        if len(errors) == len(reads):
            raise errors["account"]
        account, machines, limits = (None if name in errors else found[name] for name in reads)
        return Info(
            url=datacenter.url,
            login=account and account.login,
            email=account and account.email,
            machines=None if machines is None else len(machines),
            states=dict(Counter(str(machine.get("state")) for machine in machines or []).most_common()),
            memory=_total(machines, "memory"),
            disk=_total(machines, "disk"),
            limits=limits,
            errors=errors,
        )


def _tried(read: Callable[[], T]) -> T | SmartDCError:
    try:
        return read()
    except SmartDCError as error:
        return error


def _total(machines: list[dict[str, Any]] | None, key: str) -> int | None:
    if machines is None:
        return None
    return sum(value for machine in machines if isinstance(value := machine.get(key), int))


def _limit_row(limit: Mapping[str, Any]) -> tuple[str, str]:
    """Return a limit in words, such as ``limit of ram for os linux: 12 GiB of 100 GiB``."""
    kind = str(limit.get("by") or "machines")
    check = limit.get("check")
    whose = f" for {check} {in_words(limit.get(str(check)))}" if check else ""
    used, most = (_amount(kind, limit.get(key)) for key in ("used", "value"))
    return f"limit of {kind}{whose}", f"{used} of {most}"


def _amount(kind: str, value: object) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return UNITS[kind](value) if is_number and kind in UNITS else in_words(value)  # type: ignore[arg-type]


def _refusal(error: SmartDCError) -> str:
    return f"not permitted: {error}" if isinstance(error, NotAuthorized) else f"{type(error).__name__}: {error}"
