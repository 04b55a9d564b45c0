"""The emulator's WebSockets: who gets one, what it must bring along, and what a registration has to be."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from kits.emulator_signer import Signer
from kits.feed import PATIENCE, change, eventually, in_use, nothing_is_left
from smartdc.emulator import AfterSeconds, Emulator, EmulatorAdapter, Server, WallClock
from smartdc.emulator.state.feed import SUB_RESOURCES, Listener

UPGRADE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
"""What a handshake brings along; the key is that of RFC 6455."""

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What that document has a server answer to it."""

EVERYTHING = json.dumps({"resource": "vm", "subResources": SUB_RESOURCES})


@pytest.fixture
def cloud() -> Emulator:
    """An emulator with a virtual clock and a machine of each kind."""
    cloud = Emulator()
    cloud.populate(1, name="zone-1")
    cloud.populate(1, name="kvm-1", image="ubuntu-certified-22.04")
    return cloud


@pytest.fixture
def server(cloud: Emulator) -> Iterator[Server]:
    """Its HTTP door."""
    with Server(cloud) as server:
        yield server


def machine(cloud: Emulator, name: str = "zone-1") -> str:
    """Return the id of a machine."""
    return next(machine.id for machine in cloud.state.machines.values() if machine.name == name)


def ask(cloud: Emulator, url: str, path: str, **headers: str) -> requests.Response:
    """Ask in the usual way, signed, with further headers."""
    with requests.Session() as session:
        session.mount("http://cloudapi.emulator", EmulatorAdapter(cloud))
        return session.get(f"{url}{path}", auth=Signer(cloud), headers=headers, timeout=PATIENCE)


def signed(cloud: Emulator, url: str) -> dict[str, str]:
    """Return the headers of a signed request."""
    prepared = requests.Request("GET", url, auth=Signer(cloud)).prepare()
    return {name: str(value) for name, value in prepared.headers.items() if name != "Host"}


def dial(cloud: Emulator, server: Server, path: str = "/demo/changefeed", **options: Any) -> ClientConnection:
    """Connect with another library's client."""
    url = f"{server.url}{path}"
    headers = signed(cloud, url)
    options = {"compression": None, "proxy": None, "additional_headers": headers, **options}
    connection: ClientConnection = connect("ws" + url.removeprefix("http"), **options)
    return connection


# Who gets one


def test_without_an_upgrade_there_is_no_feed(cloud: Emulator, server: Server) -> None:
    """The answer is a plain error of JavaScript, through both doors."""
    for url in (server.url, "http://cloudapi.emulator"):
        answer = ask(cloud, url, "/demo/changefeed")

        assert answer.status_code == 500
        assert answer.json() == {"message": "Connection Must Upgrade For WebSockets"}


def test_without_an_upgrade_there_is_no_screen(cloud: Emulator, server: Server) -> None:
    """The brand is looked at first, then the state, and then what was asked for."""
    kvm = machine(cloud, "kvm-1")
    answers = [ask(cloud, server.url, f"/demo/machines/{machine(cloud)}/vnc")]
    answers.append(ask(cloud, server.url, f"/demo/machines/{kvm}/vnc"))
    change(cloud, kvm, state="stopped")
    answers.append(ask(cloud, server.url, f"/demo/machines/{kvm}/vnc"))

    assert [(answer.status_code, *answer.json().values()) for answer in answers] == [
        (400, "MachineHasNoVNCError", "null Instance type joyent does not support VNC connections"),
        (400, "UpgradeRequiredError", "null VNC connect endpoint is a websocket and must be upgraded"),
        (400, "MachineStoppedError", "null Cannot connect to a stopped machine"),
    ]


def test_a_handshake_is_accepted(cloud: Emulator, server: Server) -> None:
    """The answer is that of RFC 6455, with no more headers than CloudAPI sends."""
    with requests.Session() as session:
        answer = session.get(
            f"{server.url}/demo/changefeed", auth=Signer(cloud), headers=UPGRADE, stream=True, timeout=PATIENCE
        )
        headers = dict(answer.headers)
        answer.raw.close()

    assert answer.status_code == 101
    assert headers == {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": ACCEPT}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/demo/changefeed", {"Accept-Version": "~6.5"}, 400),
        ("/demo/changefeed", {"Authorization": "x"}, 400),
        ("/other/changefeed", {}, 404),
        ("/demo/there/is/no/such/place", {}, 404),
        ("/demo/machines", {}, 200),
    ],
)
def test_a_refused_upgrade_has_no_body(
    cloud: Emulator, server: Server, path: str, headers: dict[str, str], status: int
) -> None:
    """All that is left of an answer is its status, and the connection ends."""
    with requests.Session() as session:
        prepared = session.prepare_request(requests.Request("GET", f"{server.url}{path}", auth=Signer(cloud)))
        prepared.headers.update({**UPGRADE, **headers})
        answer = session.send(prepared, timeout=PATIENCE)

    assert (answer.status_code, answer.reason, answer.content) == (status, "Connection Not Upgraded", b"")
    assert set(answer.headers) == {"Connection", "Date"}


@pytest.mark.parametrize(
    "change",
    [
        {"Upgrade": "h2c"},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Protocol": "binary"},
    ],
    ids=["other protocol", "no key", "other version", "subprotocol"],
)
def test_a_malformed_handshake_ends_the_connection(cloud: Emulator, server: Server, change: dict[str, str]) -> None:
    """CloudAPI does not survive it; the changefeed knows no subprotocols."""
    with pytest.raises(requests.ConnectionError):
        ask(cloud, server.url, "/demo/changefeed", **{**UPGRADE, **change})

    assert cloud.trace[-1].status == 0


def test_a_malformed_handshake_for_a_screen_is_refused(cloud: Emulator, server: Server) -> None:
    """There it is caught, and answered with a body."""
    path = f"/demo/machines/{machine(cloud, 'kvm-1')}/vnc"
    answer = ask(cloud, server.url, path, **{**UPGRADE, "Sec-WebSocket-Key": ""})

    assert (answer.status_code, answer.reason) == (500, "Upgrade Rejected")
    assert answer.json() == {"code": "InternalServerError", "message": ""}


@pytest.mark.parametrize(("offers", "chosen"), [(["rfb"], "rfb"), (["x", "binary"], "binary"), (None, None)])
def test_screens_know_subprotocols(cloud: Emulator, server: Server, offers: list[Any] | None, chosen: str) -> None:
    """None needs to be offered."""
    with dial(cloud, server, f"/demo/machines/{machine(cloud, 'kvm-1')}/vnc", subprotocols=offers) as screen:
        assert screen.subprotocol == chosen
        assert screen.recv(PATIENCE) == b"RFB 003.008\n"
        screen.send("text is passed over")
        screen.send(b"echo")
        assert screen.recv(PATIENCE) == b"echo"


def test_other_doors_have_no_websockets(cloud: Emulator) -> None:
    """Without a connection there is nothing to upgrade, and the answer says what to use."""
    answer = ask(cloud, "http://cloudapi.emulator", "/demo/changefeed", **UPGRADE)

    assert (answer.status_code, answer.json()["code"]) == (501, "NotImplementedError")
    assert "smartdc.emulator.Server" in answer.json()["message"]


def test_refusals_keep_their_words_at_other_doors(cloud: Emulator) -> None:
    """There an upgrade is a request like any other."""
    answer = ask(cloud, "http://cloudapi.emulator", "/other/changefeed", **UPGRADE)

    assert answer.json() == {"code": "ResourceNotFound", "message": "other does not exist"}


def test_without_the_library_there_are_no_websockets(
    cloud: Emulator, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else works, and the answer says what to install."""
    monkeypatch.delitem(sys.modules, "smartdc.emulator.pipeline.websocket", raising=False)
    monkeypatch.setitem(sys.modules, "websockets.exceptions", None)
    answer = ask(cloud, server.url, "/demo/changefeed", **UPGRADE)

    assert answer.status_code == 501
    assert "pip install 'websockets>=15'" in answer.json()["message"]
    assert ask(cloud, server.url, "/demo/machines").status_code == 200


# Registrations


class Notes:
    """An ear that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def send(self, message: str | bytes) -> None:
        """Keep a message."""
        self.told.append(json.loads(message))

    def end(self, reason: str = "") -> None:
        """Keep that it is over."""
        self.told.append({"end": reason})

    cut = mute = end


@pytest.fixture
def listener(cloud: Emulator) -> Iterator[Listener]:
    """One who listens to the account's machines, and has not said to what of them."""
    account = cloud.state.accounts[cloud.login].id
    with cloud.changefeed.listening(Listener(account, Notes(), lambda machine: {"id": machine.id})) as listener:
        yield listener


def heard(listener: Listener) -> list[list[str]]:
    """Return what changed, message by message."""
    assert isinstance(listener.ear, Notes)
    return [message["changeKind"]["subResources"] for message in listener.ear.told]


def test_nothing_is_told_before_a_registration(cloud: Emulator, listener: Listener) -> None:
    """Connecting alone is not enough."""
    change(cloud, machine(cloud), name="zone-2")

    assert heard(listener) == []
    assert (len(cloud.changefeed), cloud.changefeed.registered) == (1, 0)


@pytest.mark.parametrize(
    "wish",
    [
        b"{}",
        "{",
        "[]",
        "1",
        "{}",
        '{"resource": "vm"}',
        '{"resource": "image", "subResources": ["alias"]}',
        '{"resource": "vm", "subResources": "alias"}',
        '{"resource": "vm", "subResources": ["alias", "colour"]}',
        '{"resource": "vm", "subResources": ["alias"], "vms": "11111111-1111-4111-8111-111111111111"}',
        '{"resource": "vm", "subResources": ["alias"], "vms": ["zone-1"]}',
        '{"resource": "vm", "subResources": ["alias"], "vms": [1]}',
        '{"resource": "vm", "subResources": ["alias"], "vms": {}}',
    ],
    ids=range(13),
)
def test_an_unsound_registration_is_passed_over(cloud: Emulator, listener: Listener, wish: str | bytes) -> None:
    """Nobody is told, and what was registered before still holds."""
    listener.hear(EVERYTHING)
    listener.hear(wish)
    change(cloud, machine(cloud), name="zone-2")

    assert heard(listener) == [["alias"]]


@pytest.mark.parametrize(("vms", "count"), [("null", 2), ('""', 2), ("0", 2), ("[]", 0), ("ID", 1)])
def test_a_registration_may_be_for_some_machines(cloud: Emulator, listener: Listener, vms: str, count: int) -> None:
    """What JavaScript takes for nothing is all of them, and an empty list is none."""
    vms = vms.replace("ID", f'["{machine(cloud)}"]')
    listener.hear(f'{{"resource": "vm", "subResources": ["alias"], "vms": {vms}}}')
    for identity in list(cloud.state.machines):
        change(cloud, identity, name=f"other-{identity}")

    assert len(heard(listener)) == count


def test_a_later_registration_takes_the_place_of_the_first(cloud: Emulator, listener: Listener) -> None:
    """One connection has one registration."""
    listener.hear('{"resource": "vm", "subResources": ["alias"]}')
    listener.hear('{"resource": "vm", "subResources": ["tags"]}')
    identity = machine(cloud)
    change(cloud, identity, name="zone-2")
    change(cloud, identity, tags={"a": 1})

    assert heard(listener) == [["tags"]]


# Messages


def test_a_message_has_the_form_of_cloudapis(cloud: Emulator, server: Server) -> None:
    """The machine is that of version 9.14, whatever was asked for, without its package and its names."""
    cloud.state.settings.cns = cloud.state.accounts[cloud.login].cns_enabled = True
    with dial(cloud, server) as feed:
        feed.send(EVERYTHING)
        eventually(lambda: cloud.changefeed.registered)
        change(cloud, machine(cloud), state="stopping")
        message = json.loads(feed.recv(PATIENCE))

    shown = message.pop("resourceObject")
    assert message == {
        "changeKind": {"resource": "vm", "subResources": ["state"]},
        "changedResourceId": machine(cloud),
        "published": str(int(cloud.clock.time() * 1000)),
        "resourceState": "shutting_down",
    }
    assert (shown["state"], shown["package"]) == ("stopping", "")
    assert "networks" in shown
    assert "dns_names" not in shown


@pytest.mark.parametrize(
    ("state", "raw"), [("deleted", "destroyed"), ("offline", "unreachable"), ("stopped", "stopped")]
)
def test_states_are_vmapis_too(cloud: Emulator, listener: Listener, state: str, raw: str) -> None:
    """CloudAPI passes them on as they are."""
    listener.hear(EVERYTHING)
    change(cloud, machine(cloud), state=state)

    assert isinstance(listener.ear, Notes)
    assert listener.ear.told[0]["resourceState"] == raw


def test_what_is_no_change_is_not_told(cloud: Emulator, listener: Listener) -> None:
    """Memory is no part that anybody can listen to."""
    listener.hear(EVERYTHING)
    change(cloud, machine(cloud), memory=2048, name="zone-1")

    assert heard(listener) == []


def test_a_job_that_fails_is_told(cloud: Emulator, listener: Listener) -> None:
    """The machine goes back to what it was."""
    listener.hear(EVERYTHING)
    cloud.transitions.fail("provision")
    with requests.Session() as session:
        session.mount("http://cloudapi.emulator", EmulatorAdapter(cloud))
        wish = {"name": "new-1", "image": cloud.state.image_named("base-64-lts").id, "package": "g1-small"}  # type: ignore[union-attr]
        session.post(
            "http://cloudapi.emulator/demo/machines", json=wish, auth=Signer(cloud), timeout=PATIENCE
        ).raise_for_status()
    cloud.transitions.settle()

    assert isinstance(listener.ear, Notes)
    assert [message["resourceState"] for message in listener.ear.told] == ["provisioning", "failed"]


def test_a_job_ends_though_nobody_asks() -> None:
    """The feed itself looks at the time."""
    cloud = Emulator(clock=WallClock(), transitions=AfterSeconds(0.05))
    [there] = cloud.populate(1)
    with Server(cloud) as server, dial(cloud, server) as feed:
        feed.send(EVERYTHING)
        eventually(lambda: cloud.changefeed.registered)
        with requests.Session() as session:
            session.post(
                f"{server.url}/demo/machines/{there.id}?action=stop", auth=Signer(cloud), timeout=PATIENCE
            ).raise_for_status()

        assert [json.loads(feed.recv(PATIENCE))["resourceState"] for _ in range(2)] == ["shutting_down", "stopped"]


# The connection


def test_messages_may_come_in_pieces(cloud: Emulator, server: Server) -> None:
    """A registration in fragments is one all the same."""
    with dial(cloud, server) as feed:
        feed.send([EVERYTHING[:10], EVERYTHING[10:20], EVERYTHING[20:]])
        eventually(lambda: cloud.changefeed.registered)

        assert len(cloud.changefeed) == 1


def test_pings_are_answered_in_their_turn(cloud: Emulator, server: Server) -> None:
    """After the answer to a ping, what was sent before it has been read."""
    for _ in range(20):
        with dial(cloud, server) as feed:
            feed.send(EVERYTHING)
            assert feed.ping().wait(PATIENCE)
            assert cloud.changefeed.registered == 1
        eventually(lambda: not len(cloud.changefeed))


@pytest.mark.parametrize("how", ["end", "cut"])
def test_connections_can_be_dropped(cloud: Emulator, server: Server, how: str) -> None:
    """With a goodbye or without one; the number of them comes back."""
    with dial(cloud, server) as feed:
        eventually(lambda: len(cloud.changefeed))
        assert cloud.changefeed.drop(how) == 1
        with pytest.raises(ConnectionClosed) as caught:
            feed.recv(PATIENCE)

    assert isinstance(caught.value, ConnectionClosedError) == (how == "cut")


def test_a_mute_connection_lives_and_is_dead(cloud: Emulator, server: Server) -> None:
    """It answers no pings, and ends with its client."""
    before = len(cloud.changefeed)
    with dial(cloud, server, close_timeout=0.05) as feed:
        eventually(lambda: len(cloud.changefeed))
        cloud.changefeed.drop("mute")
        assert not feed.ping().wait(0.1)
    eventually(lambda: len(cloud.changefeed) == before)


def test_a_reset_drops_all_connections(cloud: Emulator, server: Server) -> None:
    """Nothing of the old cloud is told any more."""
    with dial(cloud, server) as feed:
        eventually(lambda: len(cloud.changefeed))
        cloud.reset()
        with pytest.raises(ConnectionClosed):
            feed.recv(PATIENCE)

    assert len(cloud.changefeed) == 0


def test_controls_drop_connections_too(cloud: Emulator, server: Server) -> None:
    """For tests in other processes."""
    with dial(cloud, server) as feed:
        eventually(lambda: len(cloud.changefeed))
        headers = {"X-Emulator-Token": cloud.token}
        answer = requests.delete(f"{server.url}/--emulator/changefeed", headers=headers, timeout=PATIENCE)
        with pytest.raises(ConnectionClosed):
            feed.recv(PATIENCE)

    assert answer.json() == {"dropped": 1}


def test_the_end_of_the_server_ends_connections(cloud: Emulator) -> None:
    """Nobody stays behind, neither threads nor descriptors."""
    before = in_use()
    with Server(cloud) as server, dial(cloud, server) as feed:
        eventually(lambda: len(cloud.changefeed))
        server.__exit__(None, None, None)
        with pytest.raises(ConnectionClosed):
            feed.recv(PATIENCE)

    nothing_is_left(before)


def test_what_is_no_frame_ends_the_connection(cloud: Emulator, server: Server) -> None:
    """As the protocol demands."""
    with dial(cloud, server) as feed:
        eventually(lambda: len(cloud.changefeed))
        feed.socket.sendall(Frame(Opcode.TEXT, b"unmasked").serialize(mask=False))
        with pytest.raises(ConnectionClosed):
            feed.recv(PATIENCE)
    eventually(lambda: not len(cloud.changefeed))


def test_a_goodbye_is_answered(cloud: Emulator, server: Server) -> None:
    """At once, so that nobody waits for it."""
    feed = dial(cloud, server)
    with feed:
        eventually(lambda: len(cloud.changefeed))

    assert feed.close_code == 1000
    eventually(lambda: not len(cloud.changefeed))


def test_many_connections_are_told_the_same(cloud: Emulator, server: Server) -> None:
    """Each has a thread of its own."""
    feeds = [dial(cloud, server) for _ in range(8)]
    for feed in feeds:
        feed.__enter__()
        feed.send(EVERYTHING)
    eventually(lambda: cloud.changefeed.registered == 8)
    change(cloud, machine(cloud), name="zone-2")
    messages = {feed.recv(PATIENCE) for feed in feeds}
    for closing in [threading.Thread(target=feed.close) for feed in feeds]:
        closing.start()

    assert len(messages) == 1
    eventually(lambda: not len(cloud.changefeed))


def test_changes_do_not_wait_for_a_slow_reader(cloud: Emulator, server: Server) -> None:
    """Who changes machines holds the lock that the thread of the connection waits for; what was sent arrives later."""
    identity, count = machine(cloud), 5_000

    def change_all() -> None:
        with cloud.transitions.lock:
            for number in range(count):
                change(cloud, identity, name=f"zone-{number}")

    with dial(cloud, server) as feed:
        feed.send(EVERYTHING)
        eventually(lambda: cloud.changefeed.registered)
        changing = threading.Thread(target=change_all, daemon=True)
        changing.start()
        changing.join(3 * PATIENCE)
        assert not changing.is_alive()
        found = [json.loads(feed.recv(PATIENCE))["resourceObject"]["name"] for _ in range(count)]

    assert found == [f"zone-{number}" for number in range(count)]


def test_strangers_are_refused(cloud: Emulator, server: Server) -> None:
    """A signature is wanted here too, and another library's client understands the refusal."""
    with pytest.raises(InvalidStatus) as caught:
        connect("ws" + server.url.removeprefix("http") + "/demo/changefeed", proxy=None)

    assert caught.value.response.status_code == 401
    assert cloud.trace[-1].operation == "GetChangefeed"
