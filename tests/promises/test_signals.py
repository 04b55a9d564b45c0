"""Whatever a signal handler raises amid a call is the program's own: it passes unchanged, with the token, without secrets."""

from __future__ import annotations

import contextlib
import functools
import io
import pkgutil
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from kits.cloud import image_id
from kits.interrupts import interrupt
from kits.signals import locals_of
from kits.signing import KeyShelf
from kits.thorough import amount
from smartdc import CallTimeout, DataCenter, KeyFileError
from smartdc.auth.agent import Agent
from smartdc.auth.private_key import find_private_key, load_private_key
from smartdc.auth.profile import chosen
from smartdc.auth.ssh_key import public_line
from smartdc.emulator import Emulator, Fault, Server
from smartdc.fleet import journal as fleet_journal
from smartdc.http import status_line, tls
from smartdc.websocket.connection import WebSocketConnection

SECRET = "the user's own secret"
SOON = 0.05

pytest_plugins = ["kits.signing_fixtures"]

Alarm = Callable[[BaseException], None]


class SoftTimeLimitExceeded(Exception):
    """What Celery raises in a task that takes too long; pytest-timeout does the like."""


class Cancelled(BaseException):
    """What other frameworks end a program with."""


RAISED = [
    SystemExit(143),
    KeyboardInterrupt(),
    SoftTimeLimitExceeded("too slow"),
    Cancelled("over"),
    TimeoutError("the program's own"),
    OSError(5, "the program's own"),
    ConnectionResetError("the program's own"),
    ValueError("the program's own"),
]


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    """A function that lets an alarm raise something soon."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread hears signals")
    raised: list[BaseException] = []

    def handler(*_: object) -> None:
        raise raised[-1]

    def ring(error: BaseException) -> None:
        error.__traceback__ = error.__context__ = None
        raised.append(error)
        signal.setitimer(signal.ITIMER_REAL, SOON)

    before = signal.signal(signal.SIGALRM, handler)
    yield ring
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def slow(cloud: Emulator) -> Iterator[DataCenter]:
    """A client of a server that makes machines and takes an hour to say so."""
    cloud.faults.add(Fault("CreateMachine", "stall", "after", times=None))
    with Server(cloud) as server, DataCenter(**{**cloud.connection(server.url), "clock": None}) as dc:
        dc.account()
        yield dc


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_what_a_handler_raises_amid_a_create_passes_with_the_token(
    cloud: Emulator, slow: DataCenter, alarm: Alarm, error: BaseException
) -> None:
    """``CreateMachine``: the exception is the same one, names the token, and its frames hold no secret."""
    image = image_id(cloud, "debian-12")
    alarm(error)
    with pytest.raises(type(error)) as caught:
        slow.create_machine(name="web-1", image=image, package="g1-small", metadata={"user-data": SECRET})
    cloud.faults.clear()
    [token] = re.findall(r"machines_by_token\('(\w+)'\)", "".join(error.__notes__))

    assert caught.value is error
    assert SECRET not in locals_of(error)
    assert [machine.id for machine in slow.machines_by_token(token)] == list(cloud.state.machines)
    del error.__notes__


@pytest.mark.parametrize("operation", ["GetAccount", "StopMachine"])
def test_a_timeout_of_the_program_s_own_is_not_the_network_s(cloud: Emulator, alarm: Alarm, operation: str) -> None:
    """A handler's TimeoutError is neither retried nor made an error of the library's."""
    error = TimeoutError("the program's own")
    with Server(cloud) as server, DataCenter(**{**cloud.connection(server.url), "clock": None}) as dc:
        machine = dc.create_machine(name="web-1", image="debian-12", package="g1-small", wait=True)
        cloud.faults.add(Fault(operation, "stall", times=None))
        alarm(error)
        with pytest.raises(TimeoutError) as caught:
            machine.stop() if operation == "StopMachine" else dc.account()
        cloud.faults.clear()

        assert caught.value is error
        assert error.__cause__ is None
        assert dc.account().login == "demo"
        assert [entry.operation for entry in cloud.trace].count(operation) <= 2


class Answers(BaseAdapter):
    """An adapter that always answers the same."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self.status, self.body = status, body

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Answer."""
        response = requests.Response()
        response.request, response.status_code, response.raw = request, self.status, io.BytesIO(self.body)
        response.headers["Content-Type"] = "application/json"
        return response

    def close(self) -> None:
        """Close nothing."""


LIKE_OURS: list[Exception] = [
    ValueError("the program's own"),
    RecursionError("the program's own"),
    IndexError("the program's own"),
    UnicodeDecodeError("utf-8", b"", 0, 0, "the program's own"),
]


def asked(dc: DataCenter) -> Iterator[object]:
    """Yield a field of an answer, or the exception.

    An exception between two steps of Python's, where no real signal comes, can leave that another one is being handled.
    A generator takes this with it when it ends, so that it does not show in later tests.
    """
    try:
        yield dc.account().created
    except Exception as raised:  # noqa: BLE001 (that is what is looked at)
        yield raised


@pytest.mark.parametrize("error", LIKE_OURS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("status", "body"), [(200, b'{"id": "x", "created": "2026-01-01"}'), (409, b'{"code": "x"}')])
def test_no_exception_of_a_handler_is_taken_for_a_bad_answer(error: Exception, status: int, body: bytes) -> None:
    """At whatever step of reading an answer it comes, it comes out as it is, and not as a `BadResponse` or nothing."""

    def handler(*_: object) -> None:
        raise error

    step, files = LIKE_OURS.index(error), {"response.py", "decoder.py", "dates.py", "field.py"}
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with DataCenter("https://cloud.invalid", adapter=Answers(status, body)) as dc:
            while True:
                step += amount(4, 1)
                error.__traceback__ = error.__context__ = error.__cause__ = None
                with interrupt(step, files, handler) as left:
                    result = next(asked(dc))
                if left[0] > 0:
                    break
                assert result is error, step
    finally:
        signal.signal(signal.SIGALRM, before)
    assert step > 100


@dataclass
class Desk:
    """What operations outside of calls need: a folder, and a key in it."""

    folder: Path
    key: Path

    @classmethod
    def at(cls, folder: Path, key_of: KeyShelf) -> Desk:
        """Lay everything out."""
        return cls(folder, key_of("ed25519", "openssh", False).path)

    def journal(self) -> object:
        """Begin a journal, and leave it at once."""
        return fleet_journal._opened(self.folder / "journal")


def profile(desk: Desk) -> object:
    """Read a profile of the ``triton`` command."""
    profiles = desk.folder / ".triton/profiles.d"
    profiles.mkdir(parents=True)
    (profiles / "east.json").touch()
    return chosen("east", {"HOME": str(desk.folder)})


def websocket(_: Desk) -> None:
    """Close a WebSocket."""
    server, client = socket.socketpair()
    protocol = ClientProtocol(parse_uri("ws://server.test/"), state=State.OPEN)
    with server, contextlib.closing(WebSocketConnection(client, protocol, [])) as connection:
        connection.close()


AMID: dict[str, tuple[str, Callable[[Desk], object]]] = {
    "looking for the agent": ("pathlib.Path.stat", lambda desk: Agent(desk.folder / "agent").keys()),
    "looking for a key": ("pathlib.Path.stat", lambda desk: load_private_key(desk.key)),
    "reading a key": ("pathlib.Path.read_bytes", lambda desk: load_private_key(desk.key)),
    "decrypting a key": (
        "cryptography.hazmat.primitives.serialization.load_ssh_private_key",
        lambda desk: load_private_key(desk.key),
    ),
    "searching a folder": ("pathlib.Path.iterdir", lambda desk: find_private_key("00:" * 15 + "00", desk.folder)),
    "reading a public key": ("pathlib.Path.open", lambda desk: public_line(desk.key.with_suffix(".pub"))),
    "reading a profile": ("pathlib.Path.read_bytes", profile),
    "loading a CA bundle": (
        "ssl.SSLContext.load_verify_locations",
        lambda desk: tls.context_for(str(desk.folder / "ca.pem")),
    ),
    "loading a certificate": ("ssl.SSLContext.load_cert_chain", lambda _: tls.context_for(False, ("c", "k"))),
    "opening a journal": ("os.open", Desk.journal),
    "locking a journal": ("fcntl.flock", Desk.journal),
    "measuring the terminal": ("os.get_terminal_size", lambda _: status_line.room()),
    "waking a WebSocket's thread": ("socket.socket.send", websocket),
}
"""Operations that take an error of the system for one of theirs, and the function amid which the alarm comes."""


@pytest.mark.parametrize("error", [TimeoutError, FileNotFoundError, ValueError], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("amid", "act"), AMID.values(), ids=AMID)
def test_no_exception_of_a_handler_is_taken_for_a_problem_of_a_file(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    key_of: KeyShelf,
    amid: str,
    act: Callable[[Desk], object],
    error: type[Exception],
) -> None:
    """Whatever is read, looked for or written outside of a call when the alarm comes, its exception passes."""

    def handler(*_: object) -> None:
        raise error("the program's own")

    desk, mine, original = Desk.at(tmp_path, key_of), threading.get_ident(), pkgutil.resolve_name(amid)

    def ring(*args: Any, **options: Any) -> Any:
        if threading.get_ident() != mine:
            return original(*args, **options)
        return signal.raise_signal(signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(amid, ring)
            with pytest.raises(error, match=r"^the program's own$") as caught:
                act(desk)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert type(caught.value) is error


class SaysTimeout(BaseAdapter):
    """An adapter, or a mock, that raises a built-in TimeoutError when nothing answers."""

    def send(self, *_: Any, **__: Any) -> requests.Response:
        """Raise it."""
        raise TimeoutError("timed out")

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.usefixtures("alarm")
def test_a_timeout_of_an_adapter_is_the_network_s() -> None:
    """What no handler has raised is still made a `CallTimeout`, though there is a handler."""
    with DataCenter("https://cloud.invalid", adapter=SaysTimeout(), timeout=0.1) as dc, pytest.raises(CallTimeout):
        dc.account()


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("handler", ["method", "partial", "object"])
def test_handlers_of_every_kind_are_known(cloud: Emulator, handler: str) -> None:
    """A handler may be a bound method, a partial or an object that can be called."""

    class Handler:
        def ring(self, *_: object) -> None:
            raise TimeoutError(handler)

        __call__ = ring

    kinds: dict[str, Any] = {
        "method": Handler().ring,
        "partial": functools.partial(Handler().ring),
        "object": Handler(),
    }
    signal.signal(signal.SIGALRM, kinds[handler])
    cloud.faults.add(Fault("GetAccount", "stall", times=None))
    with Server(cloud) as server, DataCenter(**{**cloud.connection(server.url), "clock": None}) as dc:
        signal.setitimer(signal.ITIMER_REAL, SOON)
        with pytest.raises(TimeoutError, match=f"^{handler}$") as caught:
            dc.account()
    assert type(caught.value) is TimeoutError


def test_an_alarm_at_the_prompt_is_no_failure_of_the_callback(alarm: Alarm, key_of: KeyShelf) -> None:
    """Who is too slow to type the passphrase is told so by the program's own exception."""

    def ask(_: str) -> str:
        time.sleep(5)
        return ""

    path = key_of("ed25519", "openssh", True).path  # made before the alarm is set
    alarm(SoftTimeLimitExceeded("too slow"))
    with pytest.raises(SoftTimeLimitExceeded):
        load_private_key(path, ask)
    with pytest.raises(KeyFileError, match="the passphrase callback failed: TimeoutError"):
        load_private_key(path, lambda _: (_ for _ in ()).throw(TimeoutError()))


def test_a_mistake_keeps_its_lines_and_loses_its_variables(cloud: Emulator) -> None:
    """``CreateMachine``: a bug can be found by where it was, and a password cannot."""

    class Broken(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise ZeroDivisionError

    with DataCenter(**cloud.connection()) as dc, pytest.raises(ZeroDivisionError) as caught:
        dc.create_machine(image=Broken("debian-12"), package="g1-small", metadata={"user-data": SECRET})

    assert len(traceback.extract_tb(caught.value.__traceback__)) > 3
    assert SECRET not in locals_of(caught.value)
