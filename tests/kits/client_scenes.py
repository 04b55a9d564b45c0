"""The same faults for several clients of CloudAPI, over HTTP, and a judge of what came of it.

A create has an emulated data centre of its own, where one thing goes wrong. What the client said, which is what it
printed or its exception, is then compared with what that data centre has on its books. The clients themselves are in
`kits.other_clients`.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from smartdc.emulator import AfterSeconds, Emulator, Fault, Server, WallClock
from smartdc.emulator.core.settings import Throttle

IMAGE, PACKAGE = "base-64-lts@24.4.1", "g1-small"
TIMEOUT = 10.0
"""The timeout in seconds of every client that is given one."""
LATE = 15.0
"""The seconds after which an answer comes that is too late for it."""
PATIENCE = 240.0
"""The seconds after which a client counts as hung; ours looks for a lost machine for 180."""
READS = 60


class Key(NamedTuple):
    """The key of the account, which is in ``~/.ssh`` of a folder too."""

    home: Path
    public: str
    private: str


def write_key(home: Path) -> Key:
    """Make an RSA key, which is what the oldest of the clients takes, and write both halves of it."""
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " account"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    path = home / ".ssh" / "id_rsa"
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text(private)
    path.with_suffix(".pub").write_text(public)
    return Key(home, public, private)


class Site(NamedTuple):
    """An emulated data centre that a client is sent to."""

    cloud: Emulator
    url: str
    key: Key

    @property
    def image(self) -> str:
        """The id of the image."""
        name, _, version = IMAGE.partition("@")
        return next(i.id for i in self.cloud.state.images.values() if (i.name, i.version) == (name, version))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program that is to find it."""
        found = {"PATH": os.environ["PATH"], "HOME": str(self.key.home), "NODE_NO_WARNINGS": "1"}
        for prefix in ("TRITON", "SDC"):
            found |= {f"{prefix}_URL": self.url, f"{prefix}_ACCOUNT": self.cloud.login}
            found[f"{prefix}_KEY_ID"] = self.cloud.key_id.rpartition("/")[2]
        return {**found, "TRITON_PROFILE": "env"}


@contextlib.contextmanager
def open_site(key: Key, spoil: Callable[[Emulator], object]) -> Iterator[Site]:
    """Serve a data centre where something is wrong, while a with-block lasts."""
    cloud = Emulator(clock=WallClock(), transitions=AfterSeconds(0.2), public_key=key.public)
    spoil(cloud)
    with Server(cloud) as server:
        yield Site(cloud, server.url, key)


# What goes wrong


@dataclass(frozen=True)
class Scene:
    """Something that goes wrong in a create, most often once: later attempts are served."""

    title: str
    spoil: Callable[[Emulator], object]
    name: str | None = None
    """The name that the user gives the machine; without one CloudAPI makes one up."""


def fault(kind: str, when: str = "", **choice: Any) -> Callable[[Emulator], object]:
    """Return what adds a fault of creates to a data centre."""
    return lambda cloud: cloud.faults.add(Fault("CreateMachine", kind, when, **choice))


def then_silence(cloud: Emulator) -> None:
    """Let a create be applied, and every connection be reset from then on."""
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    cloud.faults.add(Fault("*", "reset", times=None, where=lambda _: bool(cloud.state.machines)))


NO_FAULT = Scene("nothing goes wrong", lambda _: None)
LOST = Scene("applied, connection reset", fault("reset", "after"))
SCENES = (
    NO_FAULT,
    LOST,
    Scene("the same, with a name", fault("reset", "after"), name="web-1"),
    Scene("reset before it is applied", fault("reset", "before")),
    Scene("applied, 502 of a proxy", fault("html", "after")),
    Scene("applied, 503 of HAProxy", fault("unavailable", "after")),
    Scene("applied, 500 of CloudAPI", fault("status", "after", status=500)),
    Scene("applied, answer too late", fault("delay", "after", seconds=LATE)),
    Scene("applied, then no answers", then_silence),
    Scene("503 with Retry-After", fault("maintenance", seconds=2.0)),
    Scene("429, three times", fault("throttled", times=3)),
    Scene("the job fails", lambda cloud: cloud.transitions.fail("provision", "no server has room")),
)


# What came of it


class Said(NamedTuple):
    """How a client ended, and what it said: what it printed, or its exception. None has not ended."""

    well: bool | None
    text: str


RIGHT, REFUSED, NAMED = "one", "none", "named"
LOST_MACHINE, TWICE, UNTOLD, HUNG = "lost", "two", "untold", "hung"
OUTCOMES = {
    RIGHT: "one machine, and the caller has its id",
    REFUSED: "no machine, and an error",
    NAMED: "one machine, and an error that names it",
    LOST_MACHINE: "one machine, and an error that does not name it",
    TWICE: "two machines",
    UNTOLD: "no machine, and no error",
    HUNG: f"no end within {PATIENCE:.0f} seconds",
}


def judge(cloud: Emulator, said: Said) -> str:
    """Return which of the outcomes it was."""
    assert isinstance(cloud.clock, WallClock)
    cloud.clock.advance(60)  # so that every job has ended
    with cloud.transitions.lock:
        cloud.transitions.settle()
        alive = [machine for machine in cloud.state.machines.values() if machine.alive]
    if len(alive) > 1:
        return TWICE
    if said.well is None:
        return HUNG
    if not alive:
        return UNTOLD if said.well else REFUSED
    [machine] = alive
    if said.well and machine.id in said.text:
        return RIGHT
    return NAMED if machine.id in said.text or machine.name in said.text else LOST_MACHINE


# Creates and reads


@dataclass(frozen=True)
class Client:
    """A client: how it creates a machine and waits, if it can wait, and how it lists the packages many times.

    `create` takes the name or None, and returns what was said; `read` returns how many answers came.
    """

    title: str
    create: Callable[[Site, str | None], Said]
    read: Callable[[Site], int]
    count: int
    """How many creates of each scene are enough: programs take half a second each to start."""
    at_once: int


class Tried(NamedTuple):
    """What came of a scene: how often which outcome, and the seconds that one took, as a median."""

    outcomes: Counter[str]
    seconds: float


def try_creates(client: Client, scene: Scene, key: Key, count: int) -> Tried:
    """Let a client create so many machines, each in a data centre of its own, and judge what came of it."""

    def once(_: int) -> tuple[str, float]:
        with open_site(key, scene.spoil) as site:
            began = time.monotonic()
            said = client.create(site, scene.name)
            return judge(site.cloud, said), time.monotonic() - began

    with ThreadPoolExecutor(client.at_once) as pool:
        outcomes, seconds = zip(*pool.map(once, range(count)), strict=True)
    return Tried(Counter(outcomes), statistics.median(seconds))


READ_SCENES: dict[str, Callable[[Emulator], object]] = {
    f"{READS} lists, throttled": lambda cloud: setattr(cloud.state.settings, "throttle", Throttle()),
    f"{READS} lists, 6 reset": lambda cloud: [
        cloud.faults.add(Fault("ListPackages", "reset", "before", skip=skip)) for skip in range(5, 55, 9)
    ],
}
"""What goes wrong while the packages are listed again and again; the throttle is CloudAPI's own."""


def try_reads(client: Client, title: str, key: Key) -> int:
    """Let a client read, and return how many answers it got."""
    with open_site(key, READ_SCENES[title]) as site:
        return client.read(site)
