"""An account at a glance."""

from __future__ import annotations

import pytest

from kits.rbac import as_user, give_role, open_to
from smartdc import DataCenter, NotAuthorized
from smartdc.emulator import Emulator


def rows(text: str) -> dict[str, str]:
    """Return a table of two columns by its first."""
    return {name.strip(): value.strip() for name, _, value in (line.partition("  ") for line in text.splitlines())}


def test_it_counts_what_the_account_has(dc: DataCenter, cloud: Emulator) -> None:
    """Machines by state, memory and disk together, and limits with what is used of them, in three requests."""
    cloud.populate(3)
    cloud.state.settings.limits = [
        {"by": "machines", "value": 5, "check": "os", "os": "smartos"},
        {"by": "ram", "value": 8192},
        {"by": "quota", "value": 2048},
    ]
    dc.machines()[0].stop(wait=True)
    before = len(cloud.trace.operations())
    info = dc.info()

    assert sorted(map(str, cloud.trace.operations()[before:])) == ["GetAccount", "GetAccountLimits", "ListMachines"]
    assert (info.machines, info.states, info.memory, info.disk) == (3, {"running": 2, "stopped": 1}, 3072, 76800)
    assert rows(info.as_text(100)) == {
        "account": "demo (demo@example.com)",
        "url": dc.url,
        "machines": "3 (2 running, 1 stopped)",
        "memory": "3 GiB",
        "disk": "75 GiB",
        "limit of machines for os smartos": "3 of 5",
        "limit of ram": "3 GiB of 8 GiB",
        "limit of quota": "75 GiB of 2 TiB",
    }
    assert "<th>memory</th><td>3 GiB</td>" in (info._repr_html_() or "")
    assert repr(info) == f"<Info demo {dc.url}>"


def test_what_is_not_permitted_is_shown_as_such(dc: DataCenter, cloud: Emulator) -> None:
    """A sub-user who may list machines sees these, and why there is no more."""
    user = cloud.state.add_user("ann")
    open_to(cloud, "/machines", give_role(cloud, "looker", user, rules=["CAN listmachines"]))
    info = as_user(cloud, dc, user).info()

    assert info.machines == 0
    assert set(info.errors) == {"account", "limits"}
    assert rows(info.as_text(200))["account"].startswith("not permitted: GET /demo: 403 NotAuthorized")


def test_what_cannot_be_read_at_all_is_an_error(dc: DataCenter, cloud: Emulator) -> None:
    """A user who may do nothing is told so."""
    user = cloud.state.add_user("ann")
    with pytest.raises(NotAuthorized):
        as_user(cloud, dc, user).info()
