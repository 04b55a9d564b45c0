"""An answer belongs to its request: where the server echoes a request's id, another id is no answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
import requests
import responses
from requests.adapters import BaseAdapter

from kits.http import Act, Clock, Line, RawServer, header_of
from kits.mutation import parsed, written
from smartdc import BadResponse, DataCenter, Machine
from smartdc.emulator import Emulator, Fault
from smartdc.http.retry import Retry

OTHER = "00000000-0000-4000-8000-000000000000"
ONCE = Retry(attempts=1)


def answer(
    line: Line, request_id: str | None = None, *, times: int = 1, status: int = 200, body: object = "right"
) -> bool:
    """Answer as CloudAPI does, with the request's own id unless another is given."""
    data = json.dumps(body).encode()
    echoed = header_of(line.request, "X-Request-Id") if request_id is None else request_id
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    line.send((head.encode() + (f"Request-Id: {echoed}\r\n" if echoed else "").encode() + b"\r\n" + data) * times)
    return True


def foreign(line: Line) -> bool:
    """Answer another request."""
    return answer(line, OTHER, body="wrong")


@pytest.fixture
def acts() -> list[Act]:
    """What the server does, one after the other; at the end it answers rightly."""
    return [answer]


@pytest.fixture
def server(acts: list[Act]) -> Iterator[RawServer]:
    """A server that echoes ids until it is told otherwise."""
    with RawServer(*acts, answer) as server:
        yield server


@pytest.fixture
def dc(server: RawServer) -> Iterator[DataCenter]:
    """A client of it, which has had one right answer."""
    with DataCenter(server.url, login="demo", clock=Clock()) as dc:
        assert dc.request("GET", "/my")[0] == "right"
        yield dc


@pytest.mark.parametrize("acts", [[answer, foreign]])
def test_an_answer_to_another_request_is_asked_for_again(dc: DataCenter, server: RawServer) -> None:
    """A GET gets its own answer, over another connection."""
    assert dc.request("GET", "/my")[0] == "right"
    assert (len(server.requests), server.connections) == (3, 2)


@pytest.mark.parametrize("acts", [[answer, foreign], [answer, lambda line: answer(line, OTHER, status=409)]])
def test_an_answer_to_another_post_leaves_its_outcome_unknown(dc: DataCenter, server: RawServer) -> None:
    """Success or refusal: it says nothing of this request, which is not sent again."""
    with pytest.raises(BadResponse, match="belongs to another request") as caught:
        dc.request("POST", "/my/keys", data={})

    assert caught.value.applied is None
    assert len(server.requests) == 2
    assert dc.request("GET", "/my")[0] == "right"
    assert server.connections == 2


def test_a_late_duplicate_is_not_the_next_answer() -> None:
    """What comes twice, and late, is not taken for the answer to what is asked then."""
    sent: list[bytes] = []

    def act(line: Line) -> bool:
        data = json.dumps(len(sent)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        mine = f"{head}Request-Id: {header_of(line.request, 'X-Request-Id')}\r\n\r\n".encode() + data
        late = sent[-1] if len(sent) == 1 else b""
        sent.append(mine)  # the client may ask again before this thread goes on
        line.send(late + mine)
        return True

    with RawServer(act) as server, DataCenter(server.url, login="demo", clock=Clock()) as dc:
        assert [dc.request("GET", "/my")[0] for _ in range(3)] == [0, 2, 3]
        assert server.connections == 2


@pytest.fixture
def crowd(cloud: Emulator) -> Iterator[RawServer]:
    """A server of a cloud with two machines, which counts connections."""

    def act(line: Line) -> bool:
        line.send(written(cloud.handle(parsed(line.request))))
        return True

    cloud.populate(2)
    with RawServer(act) as server:
        yield server


ASKED: dict[str, tuple[str, Callable[[DataCenter, Machine], object]]] = {
    "get": ("GetMachine", lambda dc, machine: dc.machine(machine.id)),
    "refresh": ("GetMachine", lambda _, machine: machine.refresh()),
    "refresh of an image": ("GetImage", lambda dc, _: dc.images()[0].refresh()),
    "create": ("CreateMachine", lambda dc, _: dc.create_machine(name="new", image="debian-12", package="g1-small")),
}


@pytest.mark.parametrize(("operation", "act"), ASKED.values(), ids=ASKED)
def test_an_answer_about_another_machine_ends_its_connection(
    cloud: Emulator, crowd: RawServer, operation: str, act: Callable[[DataCenter, Machine], object]
) -> None:
    """What comes next on that connection may be the answer to yet another request; the machine stays as it was."""
    with DataCenter(**cloud.connection(crowd.url)) as dc:
        machine, other = dc.machines()
        before = dict(machine)
        cloud.faults.add(Fault(operation, status=201, body=dict(other), when="after"))
        refused = contextlib.nullcontext() if operation == "CreateMachine" else pytest.raises(BadResponse)
        with refused:
            act(dc, machine)
        dc.account()

        assert dict(machine) == before
        assert crowd.connections == 2


@pytest.mark.parametrize("acts", [[answer, lambda line: answer(line, "", body="no id")]])
def test_an_answer_without_an_id_is_one(dc: DataCenter) -> None:
    """What comes before CloudAPI, or early in it, has none."""
    assert dc.request("GET", "/my")[0] == "no id"


@pytest.mark.parametrize("acts", [[answer, lambda line: answer(line, "mine", body="mine")]])
def test_an_id_of_ones_own_is_compared(dc: DataCenter) -> None:
    """CloudAPI takes either header, and echoes the one that it has taken."""
    assert dc.request("GET", "/my", headers={"Request-Id": "mine"})[0] == "mine"


@pytest.mark.parametrize(
    "acts", [[answer, lambda line: answer(line, f"{OTHER}, {header_of(line.request, 'X-Request-Id')}")]]
)
def test_one_of_two_ids_is_enough(dc: DataCenter, server: RawServer) -> None:
    """Something in front may add its own."""
    assert dc.request("GET", "/my")[0] == "right"
    assert server.connections == 1


def test_a_server_that_never_echoes_is_believed() -> None:
    """Something in front may send ids of its own, always."""
    with RawServer(foreign) as server, DataCenter(server.url, login="demo", retry=ONCE) as dc:
        assert [dc.request("POST", "/my/keys", data={})[0] for _ in range(3)] == ["wrong"] * 3


class Recording(BaseAdapter):
    """An adapter of somebody else's, that gives recorded answers."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override]
        """Answer with the id of the recording."""
        found = requests.Response()
        found.status_code, found.request, found._content = 200, request, b'"recorded"'
        found.headers.update({"Request-Id": OTHER, "Content-Type": "application/json"})
        return found

    def close(self) -> None:
        """Keep nothing."""


def test_recordings_and_mocks_are_never_compared(server: RawServer, dc: DataCenter) -> None:
    """Not even by a client that was told its own ids before."""
    with responses.RequestsMock() as mock:
        mock.get(f"{server.url}/demo/my", json="mocked", headers={"Request-Id": OTHER})
        assert dc.request("GET", "/my")[0] == "mocked"
    dc.session.http.mount(server.url, Recording())
    assert dc.request("GET", "/my")[0] == "recorded"
