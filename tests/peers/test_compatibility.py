"""What py-smartdc 0.2 did wrong is done right, by its own names: one test for each known defect."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from kits.cloud import image_id, network_id, query, record, sent
from smartdc import (
    KNOWN_LOCATIONS,
    ConfigError,
    DataCenter,
    DeletionProtected,
    InputError,
    KeyFileError,
    Machine,
    ServerError,
    Snapshot,
)
from smartdc.emulator import Emulator, Fault

WEB = {"id": "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b", "name": "web-1"}


# What broke outright


def test_d01_images_are_listed(dc: DataCenter) -> None:
    """``ListImages`` works, with and without a type."""
    assert dc.images()
    assert {image.type for image in dc.images(type="zvol")} == {"zvol"}


def test_d02_machines_are_created_below_the_account(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachine`` goes to the account's machines."""
    dc.create_machine(package="g1-small", image=image_id(cloud, "base-64-lts"))
    assert cloud.trace[-1].path == "/demo/machines"


def test_d03_lists_do_not_stop_at_a_thousand(dc: DataCenter, cloud: Emulator) -> None:
    """``ListMachines`` gives every machine, and with ``paged`` and ``limit`` one page and no more."""
    cloud.populate(1500)
    assert len(dc.machines()) == 1500
    assert len(dc.machines(paged=True, limit=5, offset=10)) == 5


def test_d04_module_is_for_python_3() -> None:
    """The old modules can be imported under their names."""
    for module in ("smartdc", "smartdc.datacenter", "smartdc.machine.machine"):
        assert importlib.import_module(module)


def test_d05_datetimes_convert_to_epoch_seconds(offline: DataCenter) -> None:
    """A time of a machine is a moment, the same in every time zone."""
    machine = Machine(offline, data={**WEB, "created": "2026-01-01T00:00:00.500Z"})
    assert machine.created.timestamp() == 1_767_225_600.5


def test_d06_packages_can_be_searched(dc: DataCenter) -> None:
    """A regular expression finds packages."""
    assert {package.name for package in dc.packages(search="^b1-")} == {"b1-small", "b1-large", "b1-fixed"}


def test_d07_address_lists_can_be_indexed(machine: Machine) -> None:
    """Addresses come in lists."""
    assert machine.public_ips[0] == "198.18.0.5"
    assert machine.private_ips == []


# D8 is about packaging: the distribution has a static version in pyproject.toml, which is built and installed elsewhere.


# What gave wrong answers without a word


def test_d09_machines_are_counted_by_what_they_are(dc: DataCenter, cloud: Emulator) -> None:
    """``HeadMachines`` is sent every filter."""
    cloud.populate(3, tags={"type": "test"})
    cloud.populate(2, name="other-{n}")
    assert dc.num_machines("smartmachine", None, "running", 1024, None, {"type": "test"}) == 3
    assert query(cloud, "HeadMachines").items() >= {
        "type": "smartmachine", "state": "running", "memory": "1024", "tag.type": "test",
    }.items()  # fmt: skip
    assert dc.num_machines(tags={"type": "none"}) == 0


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


@pytest.mark.parametrize("form", [list, tuple, set, iter])
def test_d16_networks_come_in_any_row(dc: DataCenter, cloud: Emulator, form: Any) -> None:
    """``CreateMachine`` is sent the networks, whatever they were put in."""
    internal = network_id(cloud, "internal")
    dc.create_machine("web-1", "g1-small", image_id(cloud, "base-64-lts"), networks=form([internal]))
    assert sent(cloud, "CreateMachine")[2]["networks"] == [internal]


def test_d17_dicts_need_nothing_but_the_id(dc: DataCenter, cloud: Emulator) -> None:
    """A dict with an id is enough wherever a thing is wanted."""
    image = {"id": image_id(cloud, "base-64-lts")}
    with pytest.warns(DeprecationWarning, match="images"):
        assert dc.dataset(image).id == image["id"]
    assert dc.machines(dataset=image) == []
    assert dc.create_machine("web-1", {"name": "g1-small"}, image).image == image["id"]


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


def test_d19_tag_is_asked_for_as_text(machine: Machine, cloud: Emulator) -> None:
    """``GetMachineTag`` is sent its Accept header."""
    machine.add_tags(role="web")
    assert machine.get_tag("role") == "web"
    assert cloud.trace[-1].headers["accept"] == "text/plain"


def test_d20_names_are_quoted_or_refused(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """No name leads to another address than its own."""
    machine.add_tags({"a/b?c": "x"})
    machine.delete_tag("a/b?c")
    assert sent(cloud, "DeleteMachineTag")[1] == f"{machine.path}/tags/a%2Fb%3Fc"
    assert record(cloud, machine).tags == {}
    for refused in ("..", "", "."):
        with pytest.raises(InputError):
            dc.key(refused)


def test_d21_location_may_be_a_url_or_a_host() -> None:
    """URLs, hosts and hosts with a port are all taken for what they are."""
    assert DataCenter("https://cloud.example").base_url == "https://cloud.example"
    assert DataCenter("cloud.example:8443").base_url == "https://cloud.example:8443"


def test_d22_personal_data_is_in_no_url(dc: DataCenter, cloud: Emulator) -> None:
    """``UpdateAccount`` is a body."""
    dc.update_account(email="bob@example.com", city="Bern")
    assert sent(cloud, "UpdateAccount") == ("POST", "", {"email": "bob@example.com", "city": "Bern"})


def test_d23_authenticate_without_a_secret_does_something(dc: DataCenter) -> None:
    """A new key id alone is looked for in the agent and in ``~/.ssh``."""
    dc.authenticate("/demo/keys/laptop")
    with pytest.raises(KeyFileError, match="none of"):
        dc.account()


def test_d23_credentials_come_with_a_new_machine(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachine`` with ``credentials`` fetches the passwords."""
    wish: dict[str, Any] = {"image": image_id(cloud, "base-64-lts"), "metadata": {"credentials": '{"root": "secret"}'}}
    assert dc.create_machine("web-1", "g1-small", credentials=True, **wish).credentials() == {"root": "secret"}


def test_d24_other_data_centres_are_of_the_same_kind(offline: DataCenter) -> None:
    """A data centre reached from another keeps class, versions and login."""

    class Mine(DataCenter):
        API_VERSION = "~8"

    other = Mine("https://cloud.example", login="bob").datacenter("https://west.example")
    assert (type(other), other.headers["Accept-Version"], other.login) == (Mine, "~8", "bob")
    assert type(offline.datacenter("us-central-1")) is DataCenter


def test_d25_metadata_is_the_same_by_every_way(machine: Machine, cloud: Emulator) -> None:
    """What a method returned is the metadata, with the boot script; passwords are never in it."""
    there = record(cloud, machine)
    there.metadata, there.credentials = {"motd": "hi", "user-script": "#!/bin/sh"}, {"root_pw": "secret"}
    assert machine.refresh(credentials=True).metadata == {"motd": "hi"}
    everything = {"motd": "hi", "user-script": "#!/bin/sh"}
    assert machine.get_metadata() == machine.metadata == everything
    assert machine.update_metadata(motd="hi") == machine.metadata == everything


def test_d26_passwords_do_not_outlive_their_change(machine: Machine, cloud: Emulator) -> None:
    """Credentials are those of the last answer."""
    for passwords in ({"root_pw": "a", "bob_pw": "b"}, {"root_pw": "c"}):
        record(cloud, machine).credentials = passwords
        machine.refresh(credentials=True)
    assert machine.credentials() == {"root": "c"}


def test_d27_nothing_that_the_server_says_is_lost(dc: DataCenter, machine: Machine) -> None:
    """A machine is a mapping over the whole answer, and ``dataset`` is the image."""
    assert dict(machine) == dc.raw_machine_data(machine.id)
    assert machine.dataset == machine.image == machine["image"]
    assert (machine.package, machine.brand, machine.primary_ip) == ("g1-small", "joyent", machine["primaryIp"])


def test_d28_times_are_moments(offline: DataCenter) -> None:
    """Times know their zone and their fractions, and may be missing."""
    machine = Machine(offline, data={**WEB, "created": "2026-01-01T02:00:00.250+02:00"})
    assert machine.created == datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert machine.created.utcoffset() == timedelta(0)
    assert [machine.updated] == [None]
    assert Snapshot(machine, data={"name": "s"}).created is None


def test_d29_private_addresses_are_private(offline: DataCenter) -> None:
    """Shared, link-local and unique local addresses are private, and words are no addresses."""
    ips = ["100.64.0.1", "169.254.0.1", "fd00::1", "172.16.0.1", "172.15.0.1", "172.32.0.1", "dhcp"]
    machine = Machine(offline, data={**WEB, "ips": ips})
    assert machine.private_ips == ["100.64.0.1", "169.254.0.1", "fd00::1", "172.16.0.1"]
    assert machine.public_ips == ["172.15.0.1", "172.32.0.1"]
