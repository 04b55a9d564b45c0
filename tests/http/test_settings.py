"""Settings are replaced, never changed, and a session that gets others keeps what still fits."""

from __future__ import annotations

import re
import threading
import types
from dataclasses import replace
from typing import Any

import pytest
import responses
from requests.adapters import HTTPAdapter

from kits.http import Clock, RawServer, Stamp, reply
from smartdc import DataCenter
from smartdc.errors import ConfigError, InputError
from smartdc.http.retry import Retry
from smartdc.http.session import Session
from smartdc.http.settings import Headers, Setting, Settings

CHANGES: dict[str, Any] = {
    "timeout": 5,
    "headers": Headers({"X-Team": "blue"}),
    "auth": Stamp(),
    "verbose": True,
    "verify": False,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_what_was_learnt(name: str) -> None:
    """The clock's offset, the retries that are left and the random numbers outlive a change."""
    session = Session(Settings("https://cloud.test"))
    session.clock_offset = 3600.0
    budget, rng = session.budget, session.rng
    while session.budget.take():
        pass
    setattr(session, name, CHANGES[name])

    assert getattr(session, name) == CHANGES[name]
    assert session.clock_offset == 3600.0
    assert (session.budget, session.rng) == (budget, rng)
    assert not session.budget.take()


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "verify"])
def test_a_change_keeps_the_connection(name: str) -> None:
    """What a connection does not depend on leaves it open: the next call goes over the same one."""
    with RawServer(reply(body=[1]), reply(body=[2])) as server:
        session = Session(Settings(server.url))
        assert session.request("GET", "/my")[0] == [1]
        setattr(session, name, CHANGES[name])
        assert session.request("GET", "/my")[0] == [2]
        session.close()
        assert server.connections == 1


def test_other_checks_of_certificates_need_other_connections() -> None:
    """What was connected under the old checks is closed, and the next call connects anew."""
    with RawServer(reply(body=[1]), reply(body=[2])) as server:
        session = Session(Settings(server.url))
        assert session.request("GET", "/my")[0] == [1]
        old = session.http.get_adapter(server.url)
        session.verify = False
        assert session.http.get_adapter(server.url) is not old
        assert old._pools == {}  # type: ignore[attr-defined]
        assert session.request("GET", "/my")[0] == [2]
        assert server.connections == 2
        session.close()


def test_the_same_checks_keep_the_connections() -> None:
    """To set what is set already changes nothing."""
    session = Session(Settings("https://cloud.test"))
    http = session.http
    session.verify = True
    assert session.http is http


def test_what_is_refused_changes_nothing() -> None:
    """A value that cannot be used leaves the old one in force."""
    session = Session(Settings("https://cloud.test"))
    before, http = session.settings, session.http
    with pytest.raises(InputError):
        session.timeout = -1
    with pytest.raises(ConfigError):
        session.verify = "/no/bundle"
    assert session.settings is before
    assert session.http is http


@pytest.mark.parametrize("change", [{"base_url": "https://elsewhere.test"}, {"pool_size": 3}], ids=str)
def test_what_connections_are_made_by_stays(change: dict[str, Any]) -> None:
    """A session cannot be turned into one to another place."""
    session = Session(Settings("https://cloud.test"))
    with pytest.raises(InputError, match="make another DataCenter"):
        session.settings = replace(session.settings, **change)


@responses.activate
def test_a_call_ends_by_the_settings_that_it_began_with() -> None:
    """A change in the middle of a call, such as by another thread, counts for the next one."""
    first, second = Stamp(), Stamp()
    session = Session(Settings("https://cloud.test", auth=first, clock=Clock()))

    def swap(_: Any) -> tuple[int, dict[str, str], str]:
        session.auth = second
        return 503, {}, ""

    responses.add_callback("GET", "https://cloud.test/my", swap)
    responses.get("https://cloud.test/my", json=[1])
    session.request("GET", "/my")
    assert (len(first.dates), len(second.dates)) == (2, 0)
    session.request("GET", "/my")
    assert (len(first.dates), len(second.dates)) == (2, 1)


def test_settings_that_threads_change_at_the_same_moment_are_all_kept(offline: DataCenter) -> None:
    """A thread that sets one of them while another is set loses neither."""

    def settle() -> None:
        offline.settle = 7

    other = threading.Thread(target=settle)

    class Meeting(float):
        """A number that lets the other thread set something at the moment when it is checked."""

        __slots__ = ()

        def __gt__(self, bound: float) -> bool:
            if other.ident is None:
                other.start()
                other.join(0.05)
            return super().__gt__(bound)

    offline.timeout = Meeting(5)
    other.join()

    assert (offline.timeout, offline.settle) == (5.0, 7.0)


@pytest.mark.parametrize("size", [0, -1, True, 2.5, "5", None])
def test_a_pool_that_cannot_be_is_refused(size: Any) -> None:
    """Without a connection every call would only wait for its time to be up."""
    with pytest.raises(InputError, match=r"pool_size must be a whole number of at least 1, got"):
        DataCenter("https://cloud.test", login="demo", pool_size=size)


def test_an_auth_that_cannot_sign_is_refused_at_once() -> None:
    """`requests` takes a tuple for HTTP Basic; here it would fail only at the first call, and without words."""
    auth: Any = ("demo", "secret")
    with pytest.raises(InputError, match=r"HTTPBasicAuth.* not a tuple") as caught:
        DataCenter("http://127.0.0.1:1", auth=auth)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clock", 3),
        ("clock", types.SimpleNamespace(time=len)),
        ("rng", 3),
        ("adapter", "https://"),
        ("retry", False),
        ("retry", 0),
        ("timeout", True),
        ("known_locations", "https://cloud.test"),
        ("known_locations", 3),
    ],
)
def test_a_setting_that_no_call_could_use_is_refused_at_once(name: str, value: Any) -> None:
    """And not in the middle of the first retry; no retries are ``Retry(attempts=1)``, and never a default in silence."""
    settings: dict[str, Any] = {name: value}
    with pytest.raises(InputError, match=f"^{name} must "):
        DataCenter("https://cloud.test", login="demo", **settings)


@pytest.mark.parametrize("name", ["retry", "adapter", "pool_size"])
def test_what_counts_only_at_the_beginning_cannot_be_set_later(offline: DataCenter, name: str) -> None:
    """It would be an attribute that no call reads."""
    values = {"retry": Retry(attempts=1), "adapter": HTTPAdapter(), "pool_size": 3}
    with pytest.raises(InputError, match=f"{name}.* cannot be changed: make another DataCenter"):
        setattr(offline, name, values[name])


@pytest.mark.parametrize(
    ("name", "value"), [("login", 5), ("known_locations", 5), ("active_roles", "reader"), ("clock", 5), ("auth", 5)]
)
def test_a_setting_of_a_wrong_type_is_refused_later_too(offline: DataCenter, name: str, value: Any) -> None:
    """And the former one stays."""
    before = getattr(offline, name)
    with pytest.raises(InputError, match=f"^{name} must "):
        setattr(offline, name, value)
    assert getattr(offline, name) is before


def test_each_setting_says_what_it_is() -> None:
    """In the reference and in ``help``, in the words of `Settings`; none has those of another one."""
    texts = [setting.__doc__ for setting in vars(DataCenter).values() if isinstance(setting, Setting)]

    assert len(texts) > 10
    assert len(set(texts)) == len(texts)
    assert all(re.fullmatch(r"[A-Z].+[.]", text or "") for text in texts)
