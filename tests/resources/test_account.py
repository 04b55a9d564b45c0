"""The account: reading and changing it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kits.cloud import account, sent
from smartdc import DataCenter
from smartdc.emulator import Emulator

FIELDS = {
    "email": ("email", "bob@example.com"),
    "company_name": ("companyName", "Bob & Söhne"),
    "first_name": ("firstName", "Bob"),
    "last_name": ("lastName", "Smith"),
    "address": ("address", "1 Main Street"),
    "postal_code": ("postalCode", "0123"),
    "city": ("city", "Bern"),
    "state": ("state", "BE"),
    "country": ("country", "CH"),
    "phone": ("phone", "+41 0"),
}


@pytest.mark.parametrize("method", ["account", "me"])
def test_account(dc: DataCenter, cloud: Emulator, method: str) -> None:
    """``GetAccount`` gives the account, by either name."""
    found = getattr(dc, method)()
    assert sent(cloud, "GetAccount") == ("GET", "", {})
    there = account(cloud)
    assert (found.id, found.login, found.email) == (there.id, "demo", "demo@example.com")
    assert (found.triton_cns_enabled, found.created) == (False, datetime.fromtimestamp(there.created, UTC))


@pytest.mark.parametrize(("name", "key", "value"), [(name, *field) for name, field in FIELDS.items()], ids=FIELDS)
def test_update_account(dc: DataCenter, cloud: Emulator, name: str, key: str, value: str) -> None:
    """``UpdateAccount`` sends only what is given, in the body and never in the URL."""
    updated = dc.update_account(**{name: value})  # type: ignore[arg-type]
    assert sent(cloud, "UpdateAccount") == ("POST", "", {key: value})
    assert account(cloud).profile[key] == updated[key] == value


@pytest.mark.parametrize("enabled", [True, False])
def test_update_triton_cns_enabled(dc: DataCenter, cloud: Emulator, enabled: bool) -> None:
    """``UpdateAccount`` switches the names in DNS on and off."""
    account(cloud).cns_enabled = not enabled
    assert dc.update_account(triton_cns_enabled=enabled).triton_cns_enabled is enabled
    assert sent(cloud, "UpdateAccount")[2] == {"triton_cns_enabled": enabled}
    assert account(cloud).cns_enabled is enabled


def test_update_account_by_position(dc: DataCenter, cloud: Emulator) -> None:
    """The arguments of ``UpdateAccount`` come in the order that they always had."""
    dc.update_account(*(value for _, value in FIELDS.values()))
    assert sent(cloud, "UpdateAccount")[2] == dict(FIELDS.values())


def test_update_account_sends_empty_texts(dc: DataCenter, cloud: Emulator) -> None:
    """An empty text is sent with ``UpdateAccount``: what it means is for CloudAPI to say, which ignores it."""
    dc.update_account(city="")
    assert sent(cloud, "UpdateAccount")[2] == {"city": ""}


def test_account_shows_what_was_changed(dc: DataCenter) -> None:
    """The attributes show what ``UpdateAccount`` has changed."""
    names: dict[str, Any] = {"company_name": "X", "first_name": "Bob", "last_name": "Smith", "phone": "1"}
    found = dc.update_account(**names)
    assert {name: getattr(found, name) for name in names} == names


def test_limits(dc: DataCenter, cloud: Emulator) -> None:
    """``GetAccountLimits`` tells limits together with what is used of them."""
    cloud.populate(2)
    cloud.state.settings.limits = [{"by": "machines", "value": 5, "check": "os", "os": "smartos"}]

    assert dc.limits() == [{"by": "machines", "value": 5, "check": "os", "os": "smartos", "used": 2}]
    assert sent(cloud, "GetAccountLimits") == ("GET", "limits", {})


def test_limits_of_nobody(dc: DataCenter) -> None:
    """``GetAccountLimits`` is empty where the operator limits nobody."""
    assert dc.limits() == []


def test_account_does_not_change_who_asks(dc: DataCenter) -> None:
    """After ``GetAccount`` the data centre is the same as before."""
    before = (dc.login, dc.url)
    dc.account()
    assert (dc.login, dc.url) == before


def test_path_is_that_of_the_data_centre(dc: DataCenter) -> None:
    """The account is what everything else is below."""
    assert (dc.account().path, dc.path) == ("", "")


def test_equality(dc: DataCenter) -> None:
    """The account of one data centre is one account."""
    assert dc.account() == dc.me()
    assert hash(dc.account()) == hash(dc.me())
