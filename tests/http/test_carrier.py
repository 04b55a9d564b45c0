"""What is set in the `requests` session under a client counts, or is refused with the way to do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth

from kits.http import RawServer, reply
from smartdc.errors import InputError
from smartdc.http.carrier import ELSEWHERE
from smartdc.http.session import Session
from smartdc.http.settings import Settings


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A server of four answers."""
    with RawServer(*(reply(body=[number]) for number in range(1, 5))) as made:
        yield made


@pytest.fixture
def session(server: RawServer) -> Iterator[Session]:
    """A session with this server."""
    made = Session(Settings(server.url))
    yield made
    made.close()


class Noting(HTTPAdapter):
    """An adapter of the user's, which notes what it carries."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Note the path, and send as usual."""
        self.seen.append(request.path_url)
        return super().send(request, *args, **kwargs)


def test_hooks_see_every_answer(session: Session) -> None:
    """Also one that reads the answer itself, and after a change of settings that opens new connections."""
    seen: list[bytes] = []
    session.http.hooks["response"].append(lambda response, **_: seen.append(response.content))

    assert session.request("GET", "/my")[0] == [1]
    session.verify = False
    assert session.request("POST", "/my")[0] == [2]
    assert seen == [b"[1]", b"[2]"]


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_hook_need_not_be_in_a_list(session: Session, *, is_whole: bool) -> None:
    """As `requests` has it; it may be set as an entry, or with the whole."""
    seen: list[bytes] = []

    def note(response: requests.Response, **_: Any) -> None:
        seen.append(response.content)

    if is_whole:
        session.http.hooks = {"response": note}
    else:
        session.http.hooks["response"] = note
    session.request("GET", "/my")
    assert seen == [b"[1]"]


def test_a_hook_may_replace_the_answer(session: Session) -> None:
    """As `requests` has it."""

    def replaced(_: requests.Response, **__: Any) -> requests.Response:
        other = requests.Response()
        other.status_code, other._content = 200, b'"other"'
        return other

    session.http.hooks["response"].append(replaced)
    assert session.request("GET", "/my")[0] == "other"


@pytest.mark.parametrize("prefix", ["http://", "{url}", "{url}/my"])
def test_the_newest_adapter_that_fits_carries_the_calls(session: Session, server: RawServer, prefix: str) -> None:
    """However short its prefix is; it stays after a change that would open new connections."""
    adapter = Noting()
    session.http.mount("https://", HTTPAdapter())
    session.http.mount(prefix.format(url=server.url), adapter)
    session.request("GET", "/my")
    session.verify = False
    session.request("GET", "/my")

    assert adapter.seen == ["/my", "/my"]
    adapter.close()


def test_an_adapter_can_be_taken_away_again(session: Session) -> None:
    """As recorders do, which put back what they found."""
    adapter, found = Noting(), dict(session.http.adapters)
    session.http.mount("http://", adapter)
    for prefix, former in found.items():
        session.http.mount(prefix, former)

    session.request("GET", "/my")
    assert adapter.seen == []


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_would_change_nothing_is_refused(session: Session, name: str) -> None:
    """With the way to do it."""
    with pytest.raises(InputError, match=rf"session\.http\.{name} would change nothing: "):
        setattr(session.http, name, {})
    assert session.request("GET", "/my")[0] == [1]


@pytest.mark.parametrize("name", ["headers", "proxies", "params"])
def test_it_is_refused_in_place_too(session: Session, name: str) -> None:
    """Most scripts write entries, and do not replace the whole."""
    with pytest.raises(InputError, match=f"{name} would change nothing"):
        getattr(session.http, name)["X-Team"] = "blue"
    with pytest.raises(InputError, match=f"{name} would change nothing"):
        getattr(session.http, name).update({"X-Team": "blue"})


def test_an_auth_may_use_hooks() -> None:
    """As that of `requests` for HTTP Digest does, which answers a challenge."""
    challenge = 'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth"'
    with RawServer(reply(401, body={}, headers=[challenge]), reply(body=[1])) as server:
        session = Session(Settings(server.url, auth=HTTPDigestAuth("demo", "secret")))
        assert session.request("GET", "/my")[0] == [1]
        assert len(server.requests) == 2
        session.close()
