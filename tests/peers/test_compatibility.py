"""What py-smartdc 0.2 did wrong is done right: where each of the 48 known defects has its test.

Most are shown by a step of ``test_original.py``, which both libraries make, or by the test of what they are about; those
in `ELSEWHERE` are not shown again here.
"""

from __future__ import annotations

import ast
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from kits.cloud import account, query, record, sent
from peers.original_cloud import SCRIPTS
from smartdc import (
    KNOWN_LOCATIONS,
    ConfigError,
    DataCenter,
    DeletionProtected,
    InputError,
    InvalidCredentials,
    Machine,
    ServerError,
    Snapshot,
)
from smartdc.emulator import Emulator, Fault

TESTS = Path(__file__).parents[1]
WEB = {"id": "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b", "name": "web-1"}

STEPS = {
    1: "dc.images(name, os, version)",
    2: "dc.create_machine(by position)",
    3: "dc.machines(limit=)",
    4: "names in smartdc.machine",
    5: "machine.created",
    9: "dc.num_machines(tags=)",
    27: "fields of dc.raw_machine_data()",
    33: "dc == dc",
    35: "dc.login after me()",
    37: "dc.create_machine() of a bad name",
    44: "dc.datasets()",
}
"""Defects that a step of ``original_machine.txt`` or ``original_datacenter.txt`` shows."""

ELSEWHERE = {
    6: "resources/test_package.py::test_packages_that_match",
    16: "machine/test_create.py::test_networks_are_taken_in_every_form",
    17: "machine/test_listing.py::test_machines_by_image",
    19: "machine/test_tag.py::test_get_tag_asks_for_plain_text",
    21: "auth/test_location.py::test_location",
    22: "resources/test_account.py::test_update_account",
    23: "machine/test_create.py::test_credentials",
    24: "test_datacenter.py::test_datacenter_keeps_class_and_settings",
    25: "machine/test_metadata.py::test_metadata_never_shows_passwords",
    26: "machine/test_machine.py::test_credentials_that_were_changed_replace_the_old",
    28: "http/test_dates.py::test_timestamps_are_aware_and_in_utc",
    29: "core/test_addresses.py::test_machine_sorts_its_addresses",
    30: "machine/test_waiting.py::test_deadline",
    31: "machine/test_waiting.py::test_deleted",
    32: "machine/test_waiting.py::test_poll_while_of_an_action_that_does_not_show_yet",
    36: "machine/test_machine.py::test_constructor_takes_data",
    39: "machine/test_tag.py::test_add_tags_of_any_name",
    40: "http/test_transport.py::test_connections_are_kept",
    42: "auth/test_private_key.py::test_nobody_is_asked_without_a_terminal",
    46: "resources/test_key.py::test_add_key",
    47: "core/test_search.py::test_search",
    48: "peers/test_original_documentation.py::test_tutorial",
}
"""Defects that another test shows. The eighth was about packaging: the version is a static one now."""


def test_every_defect_has_its_test() -> None:
    """Each is shown: by a test here that bears its number, by a step, or by another test."""
    here = {int(name[6:8]) for name in globals() if name.startswith("test_d")}
    assert sorted([*here, *STEPS, *ELSEWHERE]) == [number for number in range(1, 49) if number != 8]
    assert set(STEPS.values()) <= {name for steps in SCRIPTS.values() for name, _ in steps}
    for file, test in (place.split("::") for place in ELSEWHERE.values()):
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_d07_address_lists_can_be_indexed(machine: Machine) -> None:
    """Addresses come in lists."""
    assert machine.public_ips[0] == "198.18.0.5"
    assert machine.private_ips == []


def test_d10_headers_belong_to_one_client(cloud: Emulator) -> None:
    """Headers and versions of one data centre reach no other."""
    DataCenter(**cloud.connection(), headers={"X-Team": "blue"}, api_version="~7.2")
    with DataCenter(**cloud.connection()) as dc:
        dc.keys()
    assert "x-team" not in cloud.trace[-1].headers
    assert cloud.trace[-1].headers["accept-version"] == DataCenter.API_VERSION


def test_d11_locations_belong_to_one_client(dc: DataCenter) -> None:
    """What a server says of other places is believed by nobody else."""
    assert "emulator-2" in dc.datacenters()
    assert "emulator-2" not in KNOWN_LOCATIONS
    with pytest.raises(ConfigError):
        DataCenter("emulator-2")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 429, 499, 500, 502, 503, 507, 599])
@pytest.mark.parametrize("ask", ["account", "keys", "packages", "machines"])
def test_d12_no_error_is_taken_for_data(cloud: Emulator, status: int, ask: str) -> None:
    """Every status from 400 on is raised."""
    cloud.faults.add(Fault(status=status, code="X", message="no", times=None))
    with DataCenter(**cloud.connection()) as dc, pytest.raises(requests.HTTPError) as caught:
        getattr(dc, ask)()
    assert caught.value.response.status_code == status


def test_d12_failed_calls_change_nothing_here(machine: Machine, cloud: Emulator) -> None:
    """Metadata, tags and snapshots stay what they were when the server fails."""
    machine.update_metadata(motd="hi")
    cloud.faults.add(Fault(status=500, times=None))
    for ask in (machine.get_metadata, machine.get_tags, machine.snapshots, machine.refresh):
        with pytest.raises(ServerError):
            ask()
    assert machine.metadata == {"motd": "hi"}


def test_d13_errors_say_why(dc: DataCenter, machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    """The server's reason is in the exception, and nothing is printed."""
    machine.enable_deletion_protection(wait=True)
    with pytest.raises(DeletionProtected, match='Instance has "deletion_protection" enabled') as caught:
        machine.delete()
    assert (caught.value.status, caught.value.code, caught.value.method) == (409, "CannotDestroyMachineError", "DELETE")
    assert str(caught.value.request_id) in str(caught.value)
    assert dc.machines() == [machine]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_d14_json_is_json_whatever_else_its_type_says(odd_server: Any, odd_dc: DataCenter, kind: str) -> None:
    """A charset behind the content type changes nothing."""
    odd_server.get("http://odd.test/my/keys", body='[{"name": "laptop"}]', content_type=kind)
    assert [key.name for key in odd_dc.keys()] == ["laptop"]  # noqa: SIM118 (it lists the account's keys)


def test_d14_answer_without_a_type_is_no_crash(odd_server: Any, odd_dc: DataCenter) -> None:
    """An answer without a content type is text."""
    odd_server.get("http://odd.test/my/x", body="plain", content_type=None)
    assert odd_dc.request("GET", "/x")[0] == "plain"


@pytest.mark.parametrize("word", [True, "true"])
def test_d15_default_package_is_found(odd_server: Any, odd_dc: DataCenter, word: Any) -> None:
    """The default is recognised as a boolean and as the old word."""
    packages = [
        {"id": "1", "name": "a", "default": False},
        {"id": "2", "name": "b", "default": word},
        {"id": "3", "name": "c"},
    ]
    odd_server.get("http://odd.test/my/packages", json=packages)
    default = odd_dc.default_package()
    assert default is not None
    assert default.name == "b"


def test_d18_zero_and_empty_are_values(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """0, False and '' are sent; only None is 'not said'. An empty body is a body."""
    dc.packages(vcpus=0, group="")
    assert query(cloud, "ListPackages") == {"vcpus": "0", "group": ""}
    dc.images(public=False)
    assert query(cloud, "ListImages") == {"public": "false"}
    dc.update_account(phone="")
    assert sent(cloud, "UpdateAccount")[2] == {"phone": ""}
    machine.add_tags(rank=0, live=False, text="")
    assert record(cloud, machine).tags == {"rank": 0, "live": False, "text": ""}
    dc.request("POST", "", data={})
    assert cloud.trace[-1].headers["content-length"] == "2"


def test_d20_names_are_quoted_or_refused(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """No name leads to another address than its own."""
    machine.add_tags({"a/b?c": "x"})
    machine.delete_tag("a/b?c")
    assert sent(cloud, "DeleteMachineTag")[1] == f"{machine.path}/tags/a%2Fb%3Fc"
    assert record(cloud, machine).tags == {}
    for refused in ("..", "", "."):
        with pytest.raises(InputError):
            dc.key(refused)


def test_d34_attributes_send_nothing(dc: DataCenter, cloud: Emulator) -> None:
    """No attribute is fetched behind one's back, but for the addresses, which say so, while there are none."""
    machine = Machine(dc, data={**WEB, "ips": ["198.18.0.5"]})
    for name in dir(Machine):
        if not name.startswith("_") and not callable(getattr(Machine, name)):
            getattr(machine, name)
    assert (repr(machine), str(machine), cloud.trace) == (repr(machine), machine.id, [])


def test_d38_what_is_equal_has_the_same_hash(offline: DataCenter) -> None:
    """Machines of any id, and snapshots, can be compared and put in sets."""
    odd = Machine(offline, data={"id": "not a UUID"})
    assert len({odd, Machine(offline, data={"id": "not a UUID"}), Machine(offline, data=WEB)}) == 2
    assert odd == {"id": "not a UUID"}
    one, same, other = (Snapshot(odd, data={"name": name}) for name in ("a", "a", "b"))
    assert len({one, same, other}) == 2


def test_d41_refused_signature_is_an_error_of_its_own(dc: DataCenter, cloud: Emulator) -> None:
    """A 401 is raised at once, and no other key is tried."""
    account(cloud).keys.clear()
    with pytest.raises(InvalidCredentials):
        dc.account()
    assert len(cloud.trace) == 1


def test_d43_date_is_that_of_the_clock(dc: DataCenter, cloud: Emulator, environment: pytest.MonkeyPatch) -> None:
    """Requests are dated by the epoch, whatever the local zone and its summer time are."""
    environment.setenv("TZ", "Europe/Zurich")
    cloud.clock.sleep(1_792_890_600 - cloud.clock.time())  # 2026-10-25 02:30 in Zurich, for the second time
    dc.account()
    assert parsedate_to_datetime(cloud.trace[-1].headers["date"]).timestamp() == cloud.clock.time()


class Stranger(AuthBase):
    """A way to sign that this library knows nothing of."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign."""
        request.headers["Authorization"] = "Stranger Bob"
        return request


@pytest.mark.parametrize("auth", [Stranger(), HTTPBasicAuth("bob", "secret")])
def test_d45_any_auth_will_do(odd_server: Any, auth: AuthBase) -> None:
    """Whatever `requests` takes as auth is taken, and its refusal is an ordinary 401."""
    odd_server.get("http://odd.test/my", status=401, json={"code": "InvalidCredentials", "message": "no"})
    with DataCenter("http://odd.test", auth=auth) as dc, pytest.raises(InvalidCredentials):
        dc.account()
    assert len(odd_server.calls) == 1
