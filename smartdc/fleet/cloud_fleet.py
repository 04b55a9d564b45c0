"""`CloudFleet`: the fleets of several data centres as one, and actions on all of their machines."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, Protocol

from smartdc.core import arguments
from smartdc.core.shown import ShownAsTable, Table, is_typed_at_a_prompt
from smartdc.errors import InputError, SmartDCError
from smartdc.fleet.fleet import Fleet
from smartdc.fleet.journal import JournalFinished
from smartdc.fleet.options import Options
from smartdc.fleet.report import Report, failure
from smartdc.machine.machine import Machine

__all__ = ["CloudFleet", "Found"]

log = logging.getLogger(__name__)

P = ParamSpec("P")


class Found(Protocol):
    """The machines that data centres have listed, and the errors of those that did not answer."""

    errors: dict[str, SmartDCError]

    @property
    def by_datacenter(self) -> dict[str, list[Machine]]:
        """The machines of each data centre that has answered, by its name."""

    def _table(self) -> Table | None: ...


def _in_turn(method: Callable[Concatenate[Fleet, P], Report]) -> Callable[Concatenate[CloudFleet, P], Report]:
    """Turn a method of `Fleet` into one that acts on the fleets of several data centres, with the same parameters."""

    @functools.wraps(method)
    def act(self: CloudFleet, /, *args: P.args, **kwargs: P.kwargs) -> Report:
        call: Callable[..., Report] = method
        name = method.__name__
        return self._act(lambda fleet, **own: call(fleet, *args, **own), name, kwargs)

    return act


class CloudFleet(ShownAsTable):
    """The selected machines of several data centres; `Fleet` describes the actions.

    Every action first lists the machines of all data centres; if one of them does not answer, it does nothing, unless
    the fleet is `partial`. Then it goes through the data centres one after the other. `budget` and `expect` are for all
    of them together. Each data centre has its own journal: the given path, followed by the data centre's name.
    """

    def __init__(self, fleets: Mapping[str, Fleet], find: Callable[[], Found], *, partial: bool = False) -> None:
        self._fleets, self._find, self._partial = dict(fleets), find, partial

    def machines(self) -> Any:
        """List the selected machines as they are now: ``ListMachines`` in every data centre."""
        return self._find()

    def __iter__(self) -> Iterator[Machine]:
        return (machine for machines in self._find().by_datacenter.values() for machine in machines)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        """Show the machines in the console; anywhere else show the data centres, without a request."""
        return self.as_text() if is_typed_at_a_prompt(1) else f"<CloudFleet in {', '.join(self._fleets)}>"

    _repr_pretty_ = ShownAsTable._repr_pretty_

    def _table(self) -> Table | None:
        return self._find()._table()  # noqa: SLF001 (shown as that list is)

    start = _in_turn(Fleet.start)
    stop = _in_turn(Fleet.stop)
    reboot = _in_turn(Fleet.reboot)
    resize = _in_turn(Fleet.resize)
    delete = _in_turn(Fleet.delete)
    add_tags = _in_turn(Fleet.add_tags)
    create_snapshot = _in_turn(Fleet.create_snapshot)
    rotate_snapshots = _in_turn(Fleet.rotate_snapshots)
    replace = _in_turn(Fleet.replace)
    each = _in_turn(Fleet.each)

    def _act(self, method: Callable[..., Report], name: str, options: Mapping[str, Any]) -> Report:
        """Act in one data centre after the other, until all is done or too many machines have failed."""
        shared = Options(**{key: options[key] for key in ("budget", "check") if key in options})
        found = self._complete(options.get("expect"))
        total = Report(name)
        may_fail = shared.may_fail(sum(map(len, found.by_datacenter.values())))
        finished: list[JournalFinished] = []
        for datacenter, machines in found.by_datacenter.items():
            left = may_fail - len(total.failed) - len(total.unknown)
            if left < 0:
                total.untouched += machines
                continue
            own = {**options, "budget": left, "check": False, "journal": _journal(options.get("journal"), datacenter)}
            own.pop("expect", None)
            try:
                with _reported_in(total):
                    total.add(method(self._fleets[datacenter], **own))
            except JournalFinished as error:
                log.info("%s in %s was done before: %s", name, datacenter, error)
                finished.append(error)
        if finished and len(finished) == len(found.by_datacenter):
            raise finished[0]
        if shared.check and (len(total.failed) + len(total.unknown) > may_fail or total.untouched):
            raise failure(total)
        return total

    def _complete(self, expect: object) -> Found:
        """List all machines; refuse to continue if some may be missing, or if their number is not the expected one."""
        wanted = arguments.integers(expect=expect).get("expect")
        found = self._find()
        if found.errors and not self._partial:
            missing = "; ".join(f"{name}: {error}" for name, error in found.errors.items())
            raise InputError(
                f"not all data centres have answered ({missing}): nothing was done; partial=True continues without them"
            )
        count = sum(map(len, found.by_datacenter.values()))
        if len({machine.id for machines in found.by_datacenter.values() for machine in machines}) < count:
            raise InputError("two of the data centres have the same machines, and would act on them twice")
        if wanted is not None and wanted != count:
            raise InputError(f"expected {wanted} machines, but {count} are selected: nothing was done")
        return found


@contextmanager
def _reported_in(total: Report) -> Iterator[None]:
    """Let an exception that ends the run carry the report on all data centres, as a single one's carries its own."""
    try:
        yield
    except JournalFinished:
        raise
    except BaseException as stop:
        if isinstance(report := getattr(stop, "report", None), Report):
            total.add(report)
        stop.report = total  # type: ignore[attr-defined]
        raise


def _journal(path: str | os.PathLike[str] | None, datacenter: str) -> str | None:
    """Return the path of a data centre's own journal; a slash in its name must not make a folder."""
    return None if path is None else f"{os.fspath(path)}.{datacenter.replace('/', '%2F')}"
