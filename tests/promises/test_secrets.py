"""Secrets stay secret: in logs of every logger, in what objects show of themselves, in pickles, errors and tracebacks.

What is looked for are the lines of private keys, passphrases, signatures, passwords, tokens, user data and boot
scripts. The frames of this file are left out of tracebacks: what a program keeps in its own variables is its own.
"""

from __future__ import annotations

import base64
import copy
import gc
import logging
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
import requests
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from kits.agent import SSHAgent
from kits.cloud import image_id
from kits.signing import PASSPHRASE, KeyShelf
from kits.ways import LEAN, LONG, PUSHED_BACK, the_long_way
from smartdc import DataCenter, KeyFileError, Machine, Signer, SmartDCError, explain_auth
from smartdc.auth.agent import Agent
from smartdc.auth.identity import Identity
from smartdc.auth.private_key import KeyFileWarning, find_private_key, load_private_key
from smartdc.auth.profile import from_environment
from smartdc.auth.signing import HTTPSignatureAuth
from smartdc.emulator import Emulator, Fault, Server

pytest_plugins = ("kits.signing_fixtures", "kits.ways_fixtures")

USER_DATA = "hush-user-data"
SCRIPT = "#!/bin/sh hush-script"
ROOT = "hush-root-password"
PASSWORD = "hush-password-1"
TOKEN = "hush-token"
WRONG = "hush-wrong-passphrase"
UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"


class Secrets:
    """What must not be seen."""

    def __init__(self) -> None:
        self.texts = {USER_DATA, SCRIPT, ROOT, PASSWORD, TOKEN, PASSPHRASE, WRONG}

    def add_key(self, text: str) -> None:
        """Add the lines of a private key."""
        self.texts |= {line for line in text.splitlines() if len(line) > 20 and not line.startswith("-")}

    def seen_in(self, text: str) -> set[str]:
        """Return those that are in a text."""
        return {secret for secret in self.texts if secret in text}


class Recorder:
    """A signer that takes down its signatures as secrets, and fails when it is told to."""

    def __init__(self, signer: Signer, secrets: Secrets) -> None:
        self._signer, self._secrets = signer, secrets
        self.public_blob, self.algorithm = signer.public_blob, signer.algorithm
        self.broken = False

    def sign(self, data: bytes, /) -> bytes:
        """Sign, and remember with what."""
        if self.broken:
            raise KeyFileError("the token was pulled out")
        signature = self._signer.sign(data)
        self._secrets.texts.add(base64.b64encode(signature).decode())
        return signature


@dataclass
class Setup:
    """A cloud with a machine that has secrets, a client of it, and keys."""

    cloud: Emulator
    url: str | None
    key_of: KeyShelf
    folder: Path
    secrets: Secrets
    signer: Recorder
    dc: DataCenter = field(init=False)

    def __post_init__(self) -> None:
        """Make the client and the machine."""
        [there] = self.cloud.populate(1, name="web-1", metadata={"user-data": USER_DATA, "user-script": SCRIPT})
        there.credentials = {"root_pw": ROOT}
        self.dc = self.client(secret=self.signer)

    def client(self, **changes: Any) -> DataCenter:
        """Make a client, with changes here and there."""
        connection = {**self.cloud.connection(self.url), "headers": {"Cookie": TOKEN}}
        return DataCenter(**{**connection, **changes})

    def text(self, kind: str = "ed25519", form: str = "openssh", *, encrypted: bool = True) -> str:
        """Return the text of a private key."""
        text = self.key_of(kind, form, encrypted).path.read_text()
        self.secrets.add_key(text)
        return text

    def machine(self) -> Machine:
        """Return the machine with its secrets."""
        return self.dc.machine("web-1", credentials=True)

    def script(self) -> Path:
        """Write a boot script."""
        path = self.folder / "boot"
        path.write_text(SCRIPT)
        return path

    def create(self, **changes: Any) -> Machine:
        """Create a machine with user data."""
        wish = {"name": "web-2", "image": image_id(self.cloud, "base-64-lts"), "package": "g1-small", "settle": 1}
        return self.dc.create_machine(**{**wish, "metadata": {"user-data": USER_DATA}, **changes})


@pytest.fixture
def setup(cloud: Emulator, door: str, key_of: KeyShelf, tmp_path: Path) -> Iterator[Setup]:
    """The setup at each door."""
    secrets = Secrets()
    secrets.add_key(str(cloud.private_key))
    signer = Recorder(load_private_key(str(cloud.private_key)), secrets)
    if door == "adapter":
        yield Setup(cloud, None, key_of, tmp_path, secrets, signer)
        return
    with Server(cloud) as server:
        setup = Setup(cloud, server.url, key_of, tmp_path, secrets, signer)
        yield setup
        setup.dc.close()


# Tracebacks.


def shown_by(error: BaseException) -> str:
    """Write down all that a debugger or a crash reporter shows of an error, and of those behind it."""
    shown: list[str] = []
    links: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while links:
        link = links.pop()
        if link is None or link in seen:
            continue
        seen.append(link)
        links += [link.__cause__, link.__context__]
        told = traceback.TracebackException(type(link), link, link.__traceback__, capture_locals=True)
        frames = [frame for frame in told.stack if frame.filename != __file__]
        shown += [str(link), repr(link), repr(link.args), repr(vars(link))]
        shown += map(told.stack.format_frame_summary, frames)
    return "\n".join(shown)


def plain(text: str) -> str:
    """Return the last lines of a key's text, which looks like a path then."""
    return "".join(text.splitlines()[1:-1])


def interrupt(_: str) -> str:
    """Be interrupted at the prompt."""
    raise KeyboardInterrupt


def fail(_: str) -> str:
    """Fail to find a passphrase."""
    raise LookupError("the keyring is locked")


def faulty(setup: Setup, fault: Fault, call: Callable[[], object]) -> None:
    """Make a call while something goes wrong."""
    setup.cloud.faults.add(fault)
    call()


def broken(setup: Setup) -> DataCenter:
    """Return the client, whose signer failed after its first signature."""
    setup.dc.account()
    setup.signer.broken = True
    return setup.dc


def sign_twice(setup: Setup) -> None:
    """Sign for `requests` itself, twice, and fail at the second time."""
    auth = HTTPSignatureAuth("/demo/keys/laptop", setup.signer)
    for path in ("a", "b"):
        auth(requests.Request("GET", f"http://127.0.0.1:1/{path}").prepare())
        setup.signer.broken = True


def many(setup: Setup) -> DataCenter:
    """Return the client of a cloud with two pages of machines, the second of which never comes."""
    setup.cloud.populate(1001)
    setup.cloud.faults.add(Fault("ListMachines", kind="reset", skip=1, times=None))
    return setup.dc


def doomed(setup: Setup) -> Setup:
    """Let the next machine fail to be provisioned."""
    setup.cloud.transitions.fail("provision")
    return setup


def jill(setup: Setup) -> Any:
    """Return a user."""
    setup.cloud.state.add_user("jill")
    return setup.dc.user("jill")


FAILING_CALLS: dict[str, Callable[[Setup], object]] = {
    # Before there is a client.
    "location": lambda s: s.client(location="no where", secret=s.text(), passphrase=PASSPHRASE),
    "identity": lambda s: s.client(login=None, key_id="laptop", secret=s.text(), passphrase=PASSPHRASE),
    "key id": lambda s: Identity("a/b", account="demo", secret=s.text(), passphrase=PASSPHRASE),
    "time-out": lambda s: s.client(timeout=-1, secret=s.text(), passphrase=PASSPHRASE),
    "header": lambda s: s.client(headers={"X-Auth-Token": f"{TOKEN}\n"}),
    "user in the URL": lambda s: s.client(location=f"https://demo:{PASSWORD}@cloud.example"),
    "another key": lambda s: s.dc.authenticate("a/b", s.text()),
    # The key.
    "mismatch": lambda s: s.client(key_id="SHA256:" + "A" * 43, secret=s.text(encrypted=False)).account(),
    "passphrase missing": lambda s: s.client(secret=s.text()).account(),
    "passphrase wrong": lambda s: s.client(secret=s.text(), passphrase=WRONG).account(),
    "passphrase wrong, PEM": lambda s: s.client(secret=s.text("rsa-2048", "pem"), passphrase=WRONG).account(),
    "passphrase wrong, PKCS#8": lambda s: s.client(secret=s.text("ecdsa-256", "pkcs8"), passphrase=WRONG).account(),
    "passphrase not found": lambda s: s.client(secret=s.text(), passphrase=fail).account(),
    "passphrase interrupted": lambda s: s.client(secret=s.text(), passphrase=interrupt).account(),
    "key without its first line": lambda s: s.client(secret=plain(s.text())).account(),
    "key damaged": lambda s: s.client(secret=s.text().replace("b3BlbnNz", "b3BlbnN!")).account(),
    "key of another kind": lambda s: load_private_key(s.text().replace("OPENSSH", "DSA"), PASSPHRASE),
    "key not in the folder": lambda s: find_private_key("SHA256:" + "A" * 43, s.folder, PASSPHRASE),
    "identity alone": lambda s: Identity("x", account="demo", secret=s.text(), passphrase=WRONG).signer(),
    "URL": lambda s: s.client(secret=s.text(), passphrase=WRONG).presign("GET", "/machines"),
    # Signing and sending.
    "signing": lambda s: broken(s).packages(),
    "signing elsewhere": sign_twice,
    "refused signature": lambda s: s.client(secret=s.signer, key_id="/demo/keys/laptop").account(),
    "nothing there": lambda s: s.dc.machine(UNKNOWN),
    "path": lambda s: s.dc.request("POST", "/../machines", data={"password": PASSWORD}),
    "body": lambda s: s.dc.request("POST", "/machines", data={"password": PASSWORD, "x": object()}),
    "long body": lambda s: s.dc.request("POST", "/machines", data={"password": PASSWORD * 20_000}),
    "headers": lambda s: s.dc.request("GET", "", headers={"X-Auth-Token": TOKEN, "X-Bad": "\n"}),
    "kind of answer": lambda s: faulty(
        s, Fault("GetMachine", status=200, body=[ROOT]), lambda: s.dc.machine(UNKNOWN, credentials=True)
    ),
    "second page": lambda s: many(s).machines(credentials=True),
    # What is sent with it.
    "metadata of others": lambda s: s.machine().update_metadata({"user-data": USER_DATA, "machine": "x"}),
    "metadata too long": lambda s: s.machine().update_metadata({"user-data": "x" * 100_000 + USER_DATA}),
    "boot script": lambda s: faulty(
        s, Fault("UpdateMachineMetadata", status=409), lambda: s.machine().set_boot_script(s.script())
    ),
    "creation of nonsense": lambda s: s.create(metadata={"user-data": USER_DATA, "list": [1]}),
    "creation of a twin": lambda s: s.create(name="web-1"),
    "creation with a script": lambda s: s.create(name="web-1", boot_script=s.script(), metadata=None),
    "creation by its class": lambda s: Machine.create_in_datacenter(s.dc, name="!", metadata={"user-data": USER_DATA}),
    "creation without an answer": lambda s: faulty(s, Fault("CreateMachine", kind="reset", times=None), s.create),
    "creation that fails": lambda s: doomed(s).create(wait=True),
    "password": lambda s: jill(s).change_password(PASSWORD.replace("1", "")),
    "user": lambda s: s.dc.create_user("!", "a@example.com", PASSWORD),
    "user without an answer": lambda s: faulty(
        s, Fault("CreateUser", kind="reset", times=None), lambda: s.dc.create_user("jack", "a@example.com", PASSWORD)
    ),
    "token": lambda s: s.dc.foreign_datacenters(TOKEN),
    "another token": lambda s: s.dc.add_foreign_datacenter("east", "https://east.example", TOKEN, auth_token=TOKEN),
}
"""What can fail, with secrets on its way."""


@pytest.mark.parametrize("call", FAILING_CALLS)
def test_traceback(setup: Setup, call: str) -> None:
    """An error at any stage shows no secret, neither itself nor in the variables of the frames that it went through."""
    with pytest.raises((SmartDCError, KeyboardInterrupt)) as caught:
        FAILING_CALLS[call](setup)
    assert setup.secrets.seen_in(shown_by(caught.value)) == set()
    assert setup.secrets.seen_in("".join(traceback.format_exception(caught.value))) == set()


WIRE = {
    **dict.fromkeys(("reset", "close", "truncate", "garbage", "throttled", "maintenance", "stall"), LEAN),
    **dict.fromkeys(("html", "unavailable"), PUSHED_BACK),
}
"""What may happen to a request, and the way that it takes over an open connection."""


@pytest.mark.parametrize("kind", WIRE)
@pytest.mark.parametrize("hooked", [False, True])
def test_traceback_of_the_wire(setup: Setup, door: str, kind: str, hooked: bool, ways: list[str]) -> None:
    """Whatever happens to a request under way, its signature, its body and the answer are in no variable."""
    machine = setup.machine()
    ways.clear()
    setup.dc.session.timeout = 0.5
    setup.cloud.faults.add(Fault("UpdateMachineMetadata", kind=kind, times=None, seconds=2))
    with pytest.raises(SmartDCError) as caught, the_long_way() if hooked else nullcontext():
        machine.update_metadata({"user-data": USER_DATA})
    assert ways[:1] == ([LONG if hooked else WIRE[kind]] if door == "http" else [])
    assert setup.secrets.seen_in(shown_by(caught.value)) == set()
    assert caught.value.__cause__ is None or caught.value.__cause__.__traceback__ is None


class Interrupted(requests.adapters.HTTPAdapter):
    """A connection that is interrupted from the keyboard while the request is under way."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Keep what was to be sent in a variable, and be interrupted."""
        headers = dict(request.headers)
        assert "Authorization" in headers
        raise KeyboardInterrupt


def test_traceback_of_an_interrupt(setup: Setup) -> None:
    """An interrupt leaves no signature behind either."""
    client = setup.client(secret=setup.signer, adapter=Interrupted())
    with pytest.raises(KeyboardInterrupt) as caught:
        client.account()
    assert setup.secrets.seen_in(shown_by(caught.value)) == set()
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "send" not in frames


def test_traceback_of_a_warning(setup: Setup) -> None:
    """A warning about an open key file that is an error is no leak of its passphrase."""
    path = setup.folder / "key"
    path.write_text(setup.text())
    path.chmod(0o644)
    with pytest.raises(KeyFileWarning) as caught:
        setup.client(secret=path, passphrase=PASSPHRASE).account()
    assert setup.secrets.seen_in(shown_by(caught.value)) == set()


def test_frames_of_mistakes_are_kept(setup: Setup) -> None:
    """An error that is not this library's own comes with all its frames, since it has to be found."""

    class Mistaken(dict[str, str]):
        def items(self) -> NoReturn:
            raise LookupError

    with pytest.raises(LookupError) as caught:
        setup.dc.request("GET", "", params=Mistaken(a="b"))
    assert len(traceback.extract_tb(caught.value.__traceback__)) > 3


def test_reason_of_a_failing_prompt_is_kept(setup: Setup) -> None:
    """What fails to find a passphrase is the cause of the error, with its own frames."""
    with pytest.raises(
        KeyFileError, match="the passphrase callback failed: LookupError: the keyring is lock"
    ) as caught:
        load_private_key(setup.text(), fail)
    assert isinstance(caught.value.__cause__, LookupError)
    assert traceback.extract_tb(caught.value.__cause__.__traceback__)[-1].name == "fail"


def fail_twice(setup: Setup) -> None:
    """Make a call that fails while another failure is handled."""
    try:
        fail("")
    except LookupError:
        setup.dc.machine(UNKNOWN)


def test_error_that_is_handled_meanwhile_is_left_alone(setup: Setup) -> None:
    """A program's own error, during whose handling a call fails, keeps its frames."""
    with pytest.raises(SmartDCError) as caught:
        fail_twice(setup)
    handled = caught.value.__context__
    assert isinstance(handled, LookupError)
    assert traceback.extract_tb(handled.__traceback__)[-1].name == "fail"


# What objects show of themselves.


def reachable(*roots: object) -> list[Any]:
    """Return all instances that can be reached from some objects, without going through modules, classes or code."""
    code = (type, ModuleType, type(reachable), type(gc.collect), type(sys._getframe()))
    found: dict[int, Any] = {}
    todo = list(roots)
    while todo:
        thing = todo.pop()
        if id(thing) in found or isinstance(thing, code):
            continue
        found[id(thing)] = thing
        todo += gc.get_referents(thing)
    return list(found.values())


def own(things: list[Any]) -> list[Any]:
    """Return those that are of this library, of requests or of urllib3, and not of the emulator."""
    mine = ("smartdc.", "requests.", "urllib3.")
    return [
        thing
        for thing in things
        if type(thing).__module__.startswith(mine) and not type(thing).__module__.startswith("smartdc.emulator")
    ]


def test_repr(setup: Setup, tmp_path: Path) -> None:
    """Of all objects within reach of a client, its answers and its errors, none shows a secret."""
    path = tmp_path / "key"
    path.write_text(str(setup.cloud.private_key))
    path.chmod(0o600)
    text = setup.client(secret=str(setup.cloud.private_key), passphrase=PASSPHRASE)
    named = setup.client(secret=path, passphrase=PASSPHRASE)
    machine = setup.machine()
    key = setup.dc.create_access_key()
    assert key.secret
    setup.secrets.texts.add(key.secret)
    _, response = setup.dc.request("POST", f"{machine.path}/metadata", data={"user-data": USER_DATA})
    with pytest.raises(SmartDCError) as caught:
        setup.dc.machine(UNKNOWN)
    profile = from_environment({"TRITON_KEY_MATERIAL": str(setup.cloud.private_key)})
    for dc in (text, named):
        dc.account()
    things = own(reachable(text, named, setup.dc, machine, key, response, caught.value, profile, explain_auth()))
    kinds = {kind.__name__ for thing in things for kind in type(thing).__mro__}
    assert kinds >= {"DataCenter", "Session", "Identity", "HTTPSignatureAuth", "PrivateKey", "Machine", "AccessKey"}
    assert kinds >= {"Response", "PreparedRequest", "ResourceNotFound", "Profile", "Explanation"}
    for thing in things:
        # Headers show what they are made of, as a dict does; what a program itself put there is no secret to it.
        allowed = {TOKEN} if isinstance(thing, CaseInsensitiveDict) else set()
        for show in (repr, str, format):
            assert (type(thing), setup.secrets.seen_in(show(thing)) - allowed) == (type(thing), set())


def test_headers_of_what_was_sent(setup: Setup) -> None:
    """A signature does not outlive its request: no answer and no error has it."""
    machine = setup.machine()
    _, response = setup.dc.request("GET", machine.path)
    with pytest.raises(SmartDCError) as caught:
        setup.dc.machine(UNKNOWN)
    assert isinstance(caught.value, requests.RequestException)
    for request in (response.request, caught.value.request):
        assert request is not None
        assert "Authorization" not in (request.headers or {})


def sentry(thing: object) -> str:
    """Show what sentry-sdk sends: it asks for this method first, and dumps any other mapping whole."""
    return str(type(thing).__sentry_repr__(thing))  # type: ignore[attr-defined]


def rich(thing: object) -> str:
    """Show what rich prints of the variables of a traceback."""
    return str(pytest.importorskip("rich.pretty").pretty_repr(thing))


@pytest.mark.parametrize("show", [sentry, rich])
def test_reporters_of_errors_show_the_repr_only(setup: Setup, show: Callable[[object], str]) -> None:
    """A machine is a mapping, and reporters dump mappings; users have all of it as ``dict(machine)``."""
    machine = setup.machine()

    assert show(machine) == repr(machine)
    assert dict(machine)["metadata"]["user-data"] == USER_DATA


def test_what_people_look_at_has_no_secrets(setup: Setup) -> None:
    """IPython and notebooks show the fields of a machine, and of its metadata the keys."""
    machine = setup.machine()
    shown = pytest.importorskip("IPython.lib.pretty").pretty(machine) + machine._repr_html_()

    assert machine.id in shown
    assert "user-data" in shown
    assert USER_DATA not in shown
    assert not [each for each in setup.dc.machines()[0]["metadata"].values() if str(each) in shown]


def test_repr_of_half_a_client(setup: Setup) -> None:
    """A client that could not be made is in no frame, so that nothing stumbles over showing it."""
    with pytest.raises(SmartDCError) as caught:
        setup.client(location="no where")
    assert not [thing for thing in reachable(caught.value.__traceback__) if type(thing) is DataCenter]


def test_repr_of_the_agent_s_keys(key_of: KeyShelf, tmp_path: Path) -> None:
    """An agent's key has no secret to show."""
    file = key_of("ed25519")
    with SSHAgent(tmp_path) as agent:
        agent.add(file)
        [key] = Agent(agent.path).keys()
        secrets = Secrets()
        secrets.add_key(file.path.read_text())
        assert secrets.seen_in(f"{key!r}{key}{pickle.dumps(key)!r}{vars(Agent(agent.path))!r}") == set()


# Pickles.


def test_pickles(setup: Setup, tmp_path: Path) -> None:
    """Whatever can be pickled is pickled without secrets; what holds a key cannot be."""
    path = tmp_path / "key"
    path.write_text(str(setup.cloud.private_key))
    path.chmod(0o600)
    client = setup.client(secret=path, passphrase=PASSPHRASE, clock=None, adapter=None)
    used = setup.client(secret=path, passphrase=PASSPHRASE)
    used.account()
    for secret in (str(setup.cloud.private_key), str(setup.cloud.private_key).encode(), setup.signer):
        with pytest.raises(TypeError, match="the path of the key's file") as refused:
            pickle.dumps(setup.client(secret=secret))
        assert setup.secrets.seen_in(shown_by(refused.value)) == set()
    with pytest.raises(SmartDCError) as caught:
        setup.create(name="web-1")
    key = setup.dc.create_access_key()
    setup.secrets.texts.add(str(key.secret))
    machine = Machine(client, data=setup.machine())
    key._parent = client
    for thing in [client, used.auth, machine, key, caught.value]:
        pickled = pickle.dumps(thing)
        assert setup.secrets.seen_in(pickled.decode("latin-1")) == set()
        assert setup.secrets.seen_in(pickled.decode("utf-8", "replace")) == set()
        assert type(pickle.loads(pickled)) is type(thing)  # noqa: S301 (it is our own)


@pytest.mark.parametrize("twin", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_key_is_not_duplicated(cloud: Emulator, twin: Callable[[object], object]) -> None:
    """A loaded key, and what signs with it, refuse to be pickled or copied."""
    key = load_private_key(str(cloud.private_key))
    for thing in (key, HTTPSignatureAuth("/demo/keys/laptop", key)):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            twin(thing)


# Logs.


class Watch(logging.Handler):
    """Keep every record, with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write down all that another handler could show."""
        self.lines.append(f"{record.name} {record.getMessage()} {record.args!r} {record.exc_text}")


@pytest.fixture
def watch() -> Iterator[Watch]:
    """All loggers that there are, each at DEBUG."""
    watch = Watch()
    names = [None, *(name for name in logging.root.manager.loggerDict if not name.startswith("hypothesis"))]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(watch)
    yield watch
    logging.getLogger().removeHandler(watch)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_logs(setup: Setup, watch: Watch, door: str, capfd: pytest.CaptureFixture[str]) -> None:
    """At DEBUG, with urllib3 and all others, neither logs nor ``verbose`` tell a secret, whatever is done."""
    key = setup.text("ecdsa-256")
    setup.cloud.state.add_key(
        setup.cloud.state.accounts["demo"], setup.key_of("ecdsa-256", "openssh", True).public_line
    )
    with setup.client(key_id="", secret=key, passphrase=PASSPHRASE, verbose=True) as client:
        client.account()
    with setup.client(secret=setup.signer, verbose=True, headers={}) as dc:
        machine = dc.create_machine(
            name="web-2",
            image=image_id(setup.cloud, "base-64-lts"),
            package="g1-small",
            metadata={"user-data": USER_DATA},
            boot_script=setup.script(),
            credentials=True,
        )
        machine.update_metadata({"user-data": USER_DATA})
        machine.set_boot_script(setup.script())
        assert dc.machine("web-1").credentials() == {"root": ROOT}
        dc.create_user("jack", "jack@example.com", PASSWORD).change_password(f"{PASSWORD}2")
        setup.secrets.texts.add(str(dc.create_access_key().secret))
        setup.secrets.texts.add(dc.presign("GET", "/machines").rpartition("signature=")[2])
        for kind in ("reset", "garbage", "html", "truncate"):
            setup.cloud.faults.add(Fault("GetAccount", kind=kind))
            dc.account()
        with pytest.raises(SmartDCError):
            dc.machine(UNKNOWN)
        assert dc.explain_auth().ok
    told = "\n".join(watch.lines)
    assert "smartdc.http.call" in told
    assert "smartdc.auth.signing" in told
    assert ("urllib3.connectionpool" in told) is (door == "http")
    assert setup.secrets.seen_in(told) == set()
    assert setup.secrets.seen_in("".join(capfd.readouterr())) == set()


class Stamp(AuthBase):
    """An auth of one's own, with a secret in its header."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Stamp the request."""
        request.headers["Authorization"] = f"Token {TOKEN}"
        return request


def test_auth_of_ones_own(setup: Setup, watch: Watch) -> None:
    """What another auth writes into its header is treated like a signature."""
    client = setup.client(key_id=None, secret=None, auth=Stamp(), headers=None)
    with pytest.raises(SmartDCError) as caught:
        client.account()
    assert setup.secrets.seen_in(shown_by(caught.value)) == set()
    assert setup.secrets.seen_in("\n".join(watch.lines)) == set()
