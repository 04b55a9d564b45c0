"""A campaign against the client: every trouble, every deed, and what then stands on the server's books."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import requests

from smartdc import CreateOutcomeUnknown, DataCenter, Machine, SmartDCError
from smartdc.emulator import Emulator, Fault, Server

GRACE = 0.25
"""Seconds by which a call may miss its deadline: what a busy machine needs to notice."""

FOREVER = None


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong, as a fault of the emulator; `slow` takes time where sockets are real.

    `hopeless` says that not even a careful client can have a machine made in spite of it.
    """

    name: str
    kind: str
    when: str = ""
    slow: bool = False
    tls: bool = False
    hopeless: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def connecting(self) -> bool:
        """Whether it happens to connections, whatever they are for."""
        return self.tls or self.kind in {"refused", "hangup"}

    def fault(self, operation: str, times: int | None) -> Fault:
        """Return the fault that it is."""
        return Fault("*" if self.connecting else operation, self.kind, self.when, times, **self.options)


def _both(kind: str, *, slow: bool = False, **options: Any) -> list[Trouble]:
    return [Trouble(f"{kind} {when}", kind, when, slow=slow, options=options) for when in ("before", "after")]


NOT_FOUND = {"status": 404, "code": "ResourceNotFound"}
HERE, THERE = {"Location": "/my/machines"}, {"Location": "https://elsewhere.invalid/my/machines"}

TROUBLES = [
    Trouble("refused", "refused"),
    Trouble("accepted and reset", "hangup"),
    Trouble("reset in mid-request", "interrupt"),
    *_both("reset"),
    *_both("close"),
    *_both("stall", slow=True),
    Trouble("stall in the body", "stall-body", slow=True),
    Trouble("dribble", "dribble", slow=True, options={"seconds": 5.0}),
    Trouble("length too long", "long-length", slow=True),
    *_both("delay", seconds=0.01),
    Trouble("truncated", "truncate"),
    Trouble("length too short", "short-length"),
    Trouble("two lengths", "double-length"),
    Trouble("chunk garbage", "chunk-garbage"),
    *_both("empty"),
    *_both("garbage"),
    *_both("wrong-type"),
    *_both("html"),
    *_both("unavailable"),
    *_both("status", status=500),
    Trouble("404 before", "status", "before", hopeless=True, options={**NOT_FOUND, "message": "it is not found"}),
    Trouble("404 after", "status", "after", options={**NOT_FOUND, "message": "VM not found"}),
    Trouble("429", "throttled"),
    Trouble("420", "status", options={"status": 420, "code": "RequestThrottled"}),
    Trouble("maintenance, over soon", "maintenance", options={"seconds": 20.0}),
    Trouble("maintenance, long", "maintenance", hopeless=True),
    *_both("bomb"),
    *_both("endless"),
    *(Trouble(f"redirect here {when}", "redirect", when, options={"headers": HERE}) for when in ("before", "after")),
    *(Trouble(f"redirect there {when}", "redirect", when, options={"headers": THERE}) for when in ("before", "after")),
    *(Trouble(f"redirect in a loop {when}", "redirect-loop", when) for when in ("before", "after")),
    Trouble("certificate expired", "expired", tls=True, hopeless=True),
    Trouble("certificate of another", "misnamed", tls=True, hopeless=True),
    Trouble("certificate self-signed", "self-signed", tls=True, hopeless=True),
    Trouble("handshake cut", "cut-handshake", tls=True),
]


class Watched(DataCenter):
    """A client that notes how long each of its calls takes, by its own clock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.took: list[float] = []

    def request(self, *args: Any, **kwargs: Any) -> tuple[Any, requests.Response]:
        """Send a request as ever."""
        began = self.clock.monotonic()
        try:
            return super().request(*args, **kwargs)
        finally:
            self.took.append(self.clock.monotonic() - began)


class HastyClock:
    """The real time, to which sleeping adds at once; whenever somebody has slept, `woken` is called."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.woken: Callable[[], None] | None = None

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time() + self.skipped

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic() + self.skipped

    def sleep(self, seconds: float, /) -> None:
        """Let the seconds pass at once."""
        self.skipped += seconds
        if self.woken:
            self.woken()


class HastyRandom(random.Random):
    """A source of chance by which pauses are short."""

    def uniform(self, a: float, b: float) -> float:
        """Return the least."""
        return a + (b - a) / 1000


class Site:
    """An emulated data centre with one machine, and a client of it."""

    def __init__(self, cloud: Emulator, client: Watched) -> None:
        self.cloud, self.client = cloud, client
        [self.books] = cloud.populate(1, name="web-1")
        self.machine = client.machine(self.books.id)
        self.network = next(n.id for n in cloud.state.networks.values() if not n.public and not n.fabric)

    def create(self) -> Machine:
        """Make a second machine."""
        image, package = self.books.image, self.books.package
        return self.client.create_machine(name="web-2", image=image, package=package)

    def made(self) -> list[str]:
        """Return the ids of the second machines: there should be one at most."""
        return [machine.id for machine in self.cloud.state.machines.values() if machine.name == "web-2"]

    def alive(self) -> list[str]:
        """Return the ids of the machines that a list should have."""
        return sorted(machine.id for machine in self.cloud.state.machines.values() if machine.alive)

    def jobs(self, action: str) -> int:
        """Count the machine's jobs of one kind."""
        return sum(job.action == action for job in self.books.jobs)

    def keys(self) -> int:
        """Count the keys that were added."""
        return len(self.cloud.state.accounts[self.cloud.login].keys) - 1

    def nics(self) -> list[str]:
        """Return the MAC addresses of the interfaces that were added."""
        return [nic.mac for nic in self.books.nics[1:]]

    def listed(self) -> list[str]:
        """Return the ids of the machines as the client sees them."""
        return sorted(machine.id for machine in self.client.machines())


@dataclass(frozen=True)
class Deed:
    """Something that is asked of a data centre.

    `count` says how often the server's books have it, and `fits` whether what the client returned is what they have.
    To do it twice may be the same as to do it once, or not: `repeatable`.
    """

    name: str
    operation: str
    do: Callable[[Site], Any]
    count: Callable[[Site], int]
    fits: Callable[[Site, Any], bool] = lambda site, result: True
    repeatable: bool = False


OTHER_KEY = Emulator(seed=7).public_key

CREATE = Deed(
    "create machine",
    "CreateMachine",
    Site.create,
    lambda site: len(site.made()),
    lambda site, result: result.id in site.made(),
)
DEEDS = [
    CREATE,
    Deed("action", "StopMachine", lambda site: site.machine.stop(), lambda site: site.jobs("stop")),
    Deed(
        "delete",
        "DeleteMachine",
        lambda site: site.machine.delete(),
        lambda site: site.jobs("destroy"),
        repeatable=True,
    ),
    Deed(
        "write tags",
        "AddMachineTags",
        lambda site: site.machine.add_tags(a="b"),
        lambda site: site.jobs("set_tags"),
        lambda site, result: result == {"a": "b"},
        repeatable=True,
    ),
    Deed(
        "write metadata",
        "UpdateMachineMetadata",
        lambda site: site.machine.update_metadata(a="b"),
        lambda site: site.jobs("set_metadata"),
        lambda site, result: result == {"a": "b"},
        repeatable=True,
    ),
    Deed(
        "create snapshot",
        "CreateMachineSnapshot",
        lambda site: site.machine.create_snapshot("monday"),
        lambda site: site.jobs("create_snapshot"),
        lambda site, result: bool(result.name == "monday"),
    ),
    Deed(
        "add key",
        "CreateKey",
        lambda site: site.client.add_key("laptop", OTHER_KEY),
        Site.keys,
        lambda site, result: bool(result.name == "laptop"),
    ),
    Deed(
        "add NIC",
        "AddNic",
        lambda site: site.machine.add_nic(site.network),
        lambda site: len(site.nics()),
        lambda site, result: result.mac in site.nics(),
    ),
    Deed("list", "ListMachines", Site.listed, lambda site: 0, lambda site, result: result == site.alive(), True),
]


@dataclass
class Report:
    """What a campaign found: how much was asked, and every single thing that was wrong, by kind."""

    scenes: int = 0
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in WRONGS})

    def __str__(self) -> str:
        """Tell the figures in one line."""
        wrongs = ", ".join(f"{kind} {len(found)}" for kind, found in self.wrong.items())
        ends = ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common())
        return f"{self.scenes} scenes, {self.calls} calls; {wrongs}; ended as: {ends}"

    def problems(self) -> list[str]:
        """Return everything that was wrong, a line each."""
        return [f"{kind}: {where}" for kind, several in self.wrong.items() for where in several]


WRONGS = ("doubled", "orphaned", "stranger", "late", "false success", "false refusal", "lost", "next call wrong")
"""A thing made twice; made and neither returned nor told of; an exception that is not ours; past its deadline; said to be
done and not done; said not to be done and done; not in hand though it could be; and the next call on the same client."""


class Stage:
    """A door into an emulated data centre, on which one scene after the other is played.

    Args:
        door: ``adapter`` or ``http``.
        slow: go by the real time, with short time-outs; otherwise time passes only by sleeping.
        tls: speak TLS; only at the door ``http``.
    """

    def __init__(self, door: str, *, slow: bool = False, tls: bool = False) -> None:
        self.timeout = 0.3 if slow and door == "http" else 60.0
        self.clock = HastyClock()
        self.cloud = Emulator(clock=self.clock)
        self.server = Server(self.cloud, tls=tls) if door == "http" else None

    def __enter__(self) -> Self:
        """Open the door."""
        if self.server:
            self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the door."""
        if self.server:
            self.server.__exit__(None, None, None)

    @contextlib.contextmanager
    def site(self) -> Iterator[Site]:
        """Begin anew, with another client."""
        self.cloud.reset()
        where = (self.server.url, self.server.ca) if self.server else ()
        parts = {"clock": self.clock, "rng": HastyRandom(0)}
        with Watched(**{**self.cloud.connection(*where), **parts}) as client:
            yield Site(self.cloud, client)

    @contextlib.contextmanager
    def trouble(self, trouble: Trouble, operation: str, times: int | None) -> Iterator[None]:
        """Let something go wrong while a with-block lasts."""
        with contextlib.ExitStack() as gone:
            gone.callback(self.calm)
            if trouble.kind == "refused" and self.server:
                gone.enter_context(self.server.away())
                self.clock.woken = _after(times, gone.close)
            else:
                self.cloud.faults.add(trouble.fault(operation, times))
            yield

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.cloud.faults.clear()
        self.clock.woken = None


def _after(times: int | None, act: Callable[[], None]) -> Callable[[], None]:
    """Return what acts when it is called for the last of so many times."""
    left = itertools.count(1)

    def woken() -> None:
        if next(left) == times:
            act()

    return woken


def play(stage: Stage, report: Report, trouble: Trouble, deed: Deed, times: int | None, operation: str = "") -> None:
    """Do one deed in one kind of trouble, look at the books, and note what is wrong."""
    where = f"{deed.name}, {trouble.name}, {times or 'for ever'}{f' on {operation}' if operation else ''}"
    with stage.site() as site:
        site.client.close()
        site.client.session.timeout = stage.timeout
        result: Any = None
        try:
            with stage.trouble(trouble, operation or deed.operation, times):
                result = deed.do(site)
        except Exception as error:  # noqa: BLE001  what else comes out is what is looked for
            result = error
        late = any(took > stage.timeout + GRACE for took in site.client.took)
        site.client.session.timeout = 60.0
        judge(Scene(site, trouble, deed, times, operation, late), result, report, where)


@dataclass(frozen=True)
class Scene:
    """What was played."""

    site: Site
    trouble: Trouble
    deed: Deed
    times: int | None
    operation: str
    late: bool


def judge(scene: Scene, result: Any, report: Report, where: str) -> None:
    """Compare what the client says with the books."""
    site, deed, failed = scene.site, scene.deed, isinstance(result, Exception)
    told = type(result).__name__ if failed else "done"
    report.scenes += 1
    report.outcomes[told] += 1
    site.cloud.transitions.settle()
    count = deed.count(site)
    where = f"{where}: {told} {result if failed else ''}, {count} on the books"

    def note(kind: str, wrong: bool) -> None:
        if wrong:
            report.wrong[kind].append(where)

    note("doubled", count > 1 and not deed.repeatable)
    note("stranger", failed and not isinstance(result, SmartDCError))
    note("false success", not failed and (not deed.fits(site, result) or (deed.name != "list" and count == 0)))
    note("false refusal", failed and count > 0 and getattr(result, "applied", None) is False)
    note("late", scene.late)
    note("orphaned", failed and deed is CREATE and count > 0 and not _told(result))
    note("lost", failed and deed is CREATE and _could_be_had(scene, count))
    try:
        note("next call wrong", site.listed() != site.alive())
        if isinstance(result, CreateOutcomeUnknown):
            found = [machine.id for machine in site.client.machines_by_token(result.token or "")]
            note("next call wrong", found != site.made())
    except SmartDCError as error:
        where = f"{where}: {error!r}"
        note("next call wrong", True)
    report.calls += len(site.client.took)


def _told(error: Any) -> bool:
    """Tell whether an error says that something may have been made, and how to look for it."""
    return isinstance(error, CreateOutcomeUnknown) and error.applied is None and bool(error.token)


def _could_be_had(scene: Scene, count: int) -> bool:
    """Tell whether a careful client would have the machine: one thing went wrong, or it can be looked for."""
    once = scene.times == 1 and not scene.trouble.hopeless
    return once or (count > 0 and not scene.trouble.connecting and not scene.operation)
