"""Where the campaign takes place: what can go wrong, what is asked for, and an emulated data centre to ask."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import requests

from smartdc import DataCenter, Machine
from smartdc.emulator import Emulator, Fault, Server


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong, as a fault of the emulator.

    `slow` takes time where sockets are real, and `tls` needs a server that speaks TLS. `hopeless` says that not even a
    careful client can have a machine made in spite of it, and `odd` that CloudAPI does so to creates of machines only.
    """

    name: str
    kind: str
    when: str = ""
    slow: bool = False
    tls: bool = False
    hopeless: bool = False
    odd: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def connecting(self) -> bool:
        """Whether it happens to connections, whatever they are for."""
        return self.tls or self.kind in {"refused", "hangup"}


@dataclass(frozen=True)
class Mishap:
    """A trouble that is to happen to an operation, so many times; None is for ever, and ``*`` every operation."""

    trouble: Trouble
    operation: str
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0

    def __str__(self) -> str:
        """Tell what, how often and to what."""
        return f"{self.trouble.name} x {self.times or 'for ever'} on {self.operation}"

    @property
    def everywhere(self) -> bool:
        """Whether it may keep the client from looking what became of its request."""
        return self.trouble.connecting or self.operation == "*"

    def fault(self) -> Fault:
        """Return the fault that it is."""
        trouble = self.trouble
        return Fault(
            "*" if trouble.connecting else self.operation,
            trouble.kind,
            trouble.when,
            self.times,
            self.skip,
            self.probability,
            **trouble.options,
        )


def _both(kind: str, *, slow: bool = False, **options: Any) -> list[Trouble]:
    return [Trouble(f"{kind} {when}", kind, when, slow=slow, options=options) for when in ("before", "after")]


SETTLE = 20.0
"""Seconds for which a lost machine is looked for."""

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
    Trouble("404 after", "status", "after", odd=True, options={**NOT_FOUND, "message": "VM not found"}),
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
        return self.client.create_machine(name="web-2", image=image, package=package, settle=SETTLE)

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
    To do it twice may be the same as to do it once: `repeatable`; or it changes nothing: `reads`.
    """

    name: str
    operation: str
    do: Callable[[Site], Any]
    count: Callable[[Site], int]
    fits: Callable[[Site, Any], bool] = lambda _site, _result: True
    repeatable: bool = False
    reads: bool = False


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
        lambda _, result: bool(result == {"a": "b"}),
        repeatable=True,
    ),
    Deed(
        "write metadata",
        "UpdateMachineMetadata",
        lambda site: site.machine.update_metadata(a="b"),
        lambda site: site.jobs("set_metadata"),
        lambda _, result: bool(result == {"a": "b"}),
        repeatable=True,
    ),
    Deed(
        "create snapshot",
        "CreateMachineSnapshot",
        lambda site: site.machine.create_snapshot("monday"),
        lambda site: site.jobs("create_snapshot"),
        lambda _, result: bool(result.name == "monday"),
    ),
    Deed(
        "add key",
        "CreateKey",
        lambda site: site.client.add_key("laptop", OTHER_KEY),
        Site.keys,
        lambda _, result: bool(result.name == "laptop"),
    ),
    Deed(
        "add NIC",
        "AddNic",
        lambda site: site.machine.add_nic(site.network),
        lambda site: len(site.nics()),
        lambda site, result: result.mac in site.nics(),
    ),
    Deed("list", "ListMachines", Site.listed, lambda _: 0, lambda site, result: result == site.alive(), reads=True),
]


class Stage:
    """A door into an emulated data centre, on which one scene after the other is played.

    Args:
        door: ``adapter`` or ``http``.
        slow: go by the real time, with short time-outs; otherwise time passes only by sleeping.
        tls: speak TLS; only at the door ``http``.
    """

    def __init__(self, door: str, *, slow: bool = False, tls: bool = False) -> None:
        self.alone = not slow
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
    def trouble(self, *mishaps: Mishap) -> Iterator[None]:
        """Let things go wrong while a with-block lasts."""
        with contextlib.ExitStack() as gone:
            gone.callback(self.calm)
            for mishap in mishaps:
                if mishap.trouble.kind == "refused" and self.server:
                    gone.enter_context(self.server.away())
                    self.clock.woken = _after(mishap.times, gone.close)
                else:
                    self.cloud.faults.add(mishap.fault())
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
