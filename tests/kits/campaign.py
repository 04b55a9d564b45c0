"""The fault-injection campaign: failure modes, operations, and the harness that runs one against the other."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import requests

from smartdc import DataCenter, Machine, SmartDCError
from smartdc.emulator import Emulator, Fault, Server


@dataclass(frozen=True)
class FailureMode:
    """One way to fail, as a fault of the emulator.

    `slow` takes real time over sockets, and `tls` needs a server that speaks TLS. With a `fatal` one not even a careful
    client gets a machine created. `creates_only`: CloudAPI fails in this way only when a machine is created.
    """

    name: str
    kind: str
    when: str = ""
    slow: bool = False
    tls: bool = False
    fatal: bool = False
    creates_only: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def connecting(self) -> bool:
        """Whether it hits connections, whatever they are for."""
        return self.tls or self.kind in {"refused", "hangup"}


@dataclass(frozen=True)
class Injection:
    """A failure mode to inject into an operation `times` times; None is for ever, and ``*`` every operation."""

    mode: FailureMode
    operation: str
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0

    def __str__(self) -> str:
        """Name the mode, how often and where."""
        return f"{self.mode.name} x {self.times or 'for ever'} on {self.operation}"

    @property
    def everywhere(self) -> bool:
        """Whether it may also hit the requests with which the client looks for the outcome."""
        return self.mode.connecting or self.operation == "*"

    def fault(self) -> Fault:
        """Return it as a fault for the emulator."""
        mode = self.mode
        return Fault(
            "*" if mode.connecting else self.operation,
            mode.kind,
            mode.when,
            self.times,
            self.skip,
            self.probability,
            **mode.options,
        )


def _both(kind: str, *, slow: bool = False, **options: Any) -> list[FailureMode]:
    return [FailureMode(f"{kind} {when}", kind, when, slow=slow, options=options) for when in ("before", "after")]


SECRET = "a password of the user's own"
"""What no error may show."""

SETTLE = 20.0
"""Seconds for which a lost machine is looked for."""

NOT_FOUND = {"status": 404, "code": "ResourceNotFound"}
HERE, THERE = {"Location": "/my/machines"}, {"Location": "https://elsewhere.invalid/my/machines"}

FAILURE_MODES = [
    FailureMode("refused", "refused"),
    FailureMode("accepted and reset", "hangup"),
    FailureMode("reset in mid-request", "interrupt"),
    *_both("reset"),
    *_both("close"),
    *_both("stall", slow=True),
    FailureMode("stall in the body", "stall-body", slow=True),
    FailureMode("dribble", "dribble", slow=True, options={"seconds": 5.0}),
    FailureMode("length too long", "long-length", slow=True),
    *_both("delay", seconds=0.01),
    FailureMode("truncated", "truncate"),
    FailureMode("length too short", "short-length"),
    FailureMode("two lengths", "double-length"),
    FailureMode("chunk garbage", "chunk-garbage"),
    *_both("empty"),
    *_both("garbage"),
    *_both("wrong-type"),
    *_both("html"),
    *_both("unavailable"),
    *_both("status", status=500),
    FailureMode("404 before", "status", "before", fatal=True, options={**NOT_FOUND, "message": "it is not found"}),
    FailureMode("404 after", "status", "after", creates_only=True, options={**NOT_FOUND, "message": "VM not found"}),
    FailureMode("429", "throttled"),
    FailureMode("420", "status", options={"status": 420, "code": "RequestThrottled"}),
    FailureMode("maintenance, over soon", "maintenance", options={"seconds": 20.0}),
    FailureMode("maintenance, long", "maintenance", fatal=True),
    *_both("bomb"),
    *_both("endless"),
    *(
        FailureMode(f"redirect here {when}", "redirect", when, options={"headers": HERE})
        for when in ("before", "after")
    ),
    *(
        FailureMode(f"redirect there {when}", "redirect", when, options={"headers": THERE})
        for when in ("before", "after")
    ),
    *(FailureMode(f"redirect in a loop {when}", "redirect-loop", when) for when in ("before", "after")),
    FailureMode("certificate expired", "expired", tls=True, fatal=True),
    FailureMode("certificate of another", "misnamed", tls=True, fatal=True),
    FailureMode("certificate self-signed", "self-signed", tls=True, fatal=True),
    FailureMode("handshake cut", "cut-handshake", tls=True),
]


class TimedDataCenter(DataCenter):
    """A client that records how long each of its calls takes, by its own clock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.took: list[float] = []

    def request(self, *args: Any, **kwargs: Any) -> tuple[Any, requests.Response]:
        """Send a request, and record its duration."""
        began = self.clock.monotonic()
        try:
            return super().request(*args, **kwargs)
        finally:
            self.took.append(self.clock.monotonic() - began)


class FastClock:
    """The real clock, except that sleeping advances it at once; `woken` is called after each sleep."""

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
        """Advance the clock."""
        self.skipped += seconds
        if self.woken:
            self.woken()


class ShortPauses(random.Random):
    """A random source with which pauses are short."""

    def uniform(self, a: float, b: float) -> float:
        """Return nearly the minimum."""
        return a + (b - a) / 1000


class Target:
    """An emulated data centre with one machine, and a client of it."""

    def __init__(self, cloud: Emulator, client: TimedDataCenter) -> None:
        self.cloud, self.client = cloud, client
        [self.record] = cloud.populate(1, name="web-1")
        self.machine = client.machine(self.record.id)
        self.network = next(n.id for n in cloud.state.networks.values() if not n.public and not n.fabric)

    def create(self) -> Machine:
        """Create a second machine."""
        image, package = self.record.image, self.record.package
        secrets = {"user-data": SECRET, "credentials": {"root": SECRET}}
        return self.client.create_machine(name="web-2", image=image, package=package, metadata=secrets, settle=SETTLE)

    def created(self) -> list[str]:
        """Return the ids of the second machines; there should be at most one."""
        return [machine.id for machine in self.cloud.state.machines.values() if machine.name == "web-2"]

    def alive(self) -> list[str]:
        """Return the ids of the machines that a listing should show."""
        return sorted(machine.id for machine in self.cloud.state.machines.values() if machine.alive)

    def jobs(self, action: str) -> int:
        """Count the machine's jobs of one kind."""
        return sum(job.action == action for job in self.record.jobs)

    def keys(self) -> int:
        """Count the keys that were added."""
        return len(self.cloud.state.accounts[self.cloud.login].keys) - 1

    def nics(self) -> list[str]:
        """Return the MAC addresses of the interfaces that were added."""
        return [nic.mac for nic in self.record.nics[1:]]

    def listed(self) -> list[str]:
        """Return the ids of the machines as the client sees them."""
        return sorted(machine.id for machine in self.client.machines())


@dataclass(frozen=True)
class Operation:
    """A call of the client.

    `count` returns how often the server has applied it, and `fits` whether the result agrees with the server's state.
    Applying a `repeatable` one twice is the same as once; one that `reads` changes nothing.
    """

    name: str
    cloudapi_name: str
    do: Callable[[Target], Any]
    count: Callable[[Target], int]
    fits: Callable[[Target, Any], bool] = lambda _site, _result: True
    repeatable: bool = False
    reads: bool = False


OTHER_KEY = Emulator(seed=7).public_key

CREATE = Operation(
    "create machine",
    "CreateMachine",
    Target.create,
    lambda target: len(target.created()),
    lambda target, result: result.id in target.created(),
)
OPERATIONS = [
    CREATE,
    Operation("action", "StopMachine", lambda target: target.machine.stop(), lambda target: target.jobs("stop")),
    Operation(
        "delete",
        "DeleteMachine",
        lambda target: target.machine.delete(),
        lambda target: target.jobs("destroy"),
        repeatable=True,
    ),
    Operation(
        "write tags",
        "AddMachineTags",
        lambda target: target.machine.add_tags(a="b"),
        lambda target: target.jobs("set_tags"),
        lambda _, result: bool(result == {"a": "b"}),
        repeatable=True,
    ),
    Operation(
        "write metadata",
        "UpdateMachineMetadata",
        lambda target: target.machine.update_metadata({"user-data": SECRET}),
        lambda target: target.jobs("set_metadata"),
        lambda _, result: bool(result == {"user-data": SECRET}),
        repeatable=True,
    ),
    Operation(
        "create snapshot",
        "CreateMachineSnapshot",
        lambda target: target.machine.create_snapshot("monday"),
        lambda target: target.jobs("create_snapshot"),
        lambda _, result: bool(result.name == "monday"),
    ),
    Operation(
        "add key",
        "CreateKey",
        lambda target: target.client.add_key("laptop", OTHER_KEY),
        Target.keys,
        lambda _, result: bool(result.name == "laptop"),
    ),
    Operation(
        "add NIC",
        "AddNic",
        lambda target: target.machine.add_nic(target.network),
        lambda target: len(target.nics()),
        lambda target, result: result.mac in target.nics(),
    ),
    Operation(
        "list", "ListMachines", Target.listed, lambda _: 0, lambda target, result: result == target.alive(), reads=True
    ),
]


class Harness:
    """An emulated data centre behind one door, in which scenarios run one after the other.

    Args:
        door: ``adapter`` or ``http``.
        slow: go by the real time, with short time-outs; otherwise time passes only by sleeping.
        tls: speak TLS; only at the door ``http``.
        kept: begin each operation over a connection that has been used, where faults come after connecting.
    """

    def __init__(self, door: str, *, slow: bool = False, tls: bool = False, kept: bool = False) -> None:
        self.alone = not slow
        self.kept = kept
        self.timeout = 0.3 if slow and door == "http" else 60.0
        self.clock = FastClock()
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
    def target(self) -> Iterator[Target]:
        """Reset the data centre, and open a new client."""
        self.cloud.reset()
        where = (self.server.url, self.server.ca) if self.server else ()
        parts = {"clock": self.clock, "rng": ShortPauses(0)}
        with TimedDataCenter(**{**self.cloud.connection(*where), **parts}) as client:
            yield Target(self.cloud, client)

    @contextlib.contextmanager
    def inject(self, *injections: Injection) -> Iterator[None]:
        """Inject faults while a with-block lasts."""
        with contextlib.ExitStack() as gone:
            gone.callback(self.clear)
            for injection in injections:
                if injection.mode.kind == "refused" and self.server:
                    gone.enter_context(self.server.away())
                    self.clock.woken = _after(injection.times, gone.close)
                else:
                    self.cloud.faults.add(injection.fault())
            yield

    def wait_until_quiet(self, target: Target) -> None:
        """Wait until the server has done with every request that was sent, also those that nobody waits for any more."""
        if not self.server:
            return
        with contextlib.suppress(SmartDCError):
            target.listed()  # whoever connected before has been let in by now
        target.client.close()
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:  # so `socketserver` calls that of a connection
                thread.join(10)
                assert not thread.is_alive(), "a connection was left open"

    def clear(self) -> None:
        """Remove all faults."""
        self.cloud.faults.clear()
        self.clock.woken = None


def _after(times: int | None, act: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls `act` when it is called the given number of times."""
    left = itertools.count(1)

    def woken() -> None:
        if next(left) == times:
            act()

    return woken
