"""Listing and counting machines: every filter, all pages, and one machine by its id."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from kits.cloud import image_id, query, record, sent
from smartdc import (
    BadResponse,
    CallTimeout,
    DataCenter,
    Gone,
    InputError,
    InvalidArgument,
    Machine,
    ResourceNotFound,
    ValidationFailed,
)
from smartdc.core.paging import requests_for
from smartdc.emulator import Emulator

FILTERS: dict[str, tuple[dict[str, Any], dict[str, str], set[str]]] = {
    "machine_type": ({"machine_type": "smartmachine"}, {"type": "smartmachine"}, {"web", "old", "big"}),
    "state": ({"state": "stopped"}, {"state": "stopped"}, {"old"}),
    "memory": ({"memory": 4096}, {"memory": "4096"}, {"big"}),
    "brand": ({"brand": "kvm"}, {"brand": "kvm"}, {"vm"}),
    "docker": ({"docker": True}, {"docker": "true"}, {"big"}),
    "docker=False": ({"docker": False}, {"docker": "false"}, {"web", "old", "vm"}),
    "tags": ({"tags": {"role": "web"}}, {"tag.role": "web"}, {"web"}),
    "tags that are numbers": ({"tags": {"rank": 0}}, {"tag.rank": "0"}, {"web"}),
    "tags that are booleans": ({"tags": {"live": False}}, {"tag.live": "false"}, {"old"}),
    "tags that are whole numbers": ({"tags": {"rank": 0.0}}, {"tag.rank": "0"}, {"web"}),
    "several tags": ({"tags": {"role": "web", "rank": 1}}, {"tag.role": "web", "tag.rank": "1"}, set()),
    "tombstone": ({"tombstone": True}, {"tombstone": "true"}, {"web", "old", "big", "vm", "gone"}),
    "tombstone=1": ({"tombstone": 1}, {"tombstone": "true"}, {"web", "old", "big", "vm", "gone"}),
    "tombstone=0": ({"tombstone": 0}, {}, {"web", "old", "big", "vm"}),
    "tombstone=False": ({"tombstone": False}, {}, {"web", "old", "big", "vm"}),
    "none": ({}, {}, {"web", "old", "big", "vm"}),
}


@pytest.fixture
def fleet(cloud: Emulator) -> set[str]:
    """Five machines that differ, one of them deleted."""
    cloud.populate(1, name="web", tags={"role": "web", "rank": 0})
    cloud.populate(1, name="old", state="stopped", tags={"live": False}, image="minimal-64-lts")
    cloud.populate(1, name="gone", state="deleted")
    cloud.populate(1, name="vm", image="ubuntu-certified-22.04", package="k1-small")
    [big] = cloud.populate(1, name="big", package="g1-medium")
    big.docker = True
    return {"web", "old", "gone", "vm", "big"}


def names(machines: list[Machine]) -> set[str]:
    """Return the names of machines."""
    return {machine.name for machine in machines}


def filters_of(cloud: Emulator, operation: str) -> dict[str, Any]:
    """Return the query of the newest listing, without the page."""
    return {name: value for name, value in query(cloud, operation).items() if name not in {"limit", "offset"}}


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(("given", "asked", "found"), FILTERS.values(), ids=FILTERS)
def test_machines_by(
    dc: DataCenter, cloud: Emulator, given: dict[str, Any], asked: dict[str, str], found: set[str]
) -> None:
    """``ListMachines`` takes the filter, and lists what fits."""
    assert names(dc.machines(**given)) == found
    assert sent(cloud, "ListMachines")[1].startswith("machines?")
    assert filters_of(cloud, "ListMachines") == asked


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(("given", "asked", "found"), FILTERS.values(), ids=FILTERS)
def test_num_machines_by(
    dc: DataCenter, cloud: Emulator, given: dict[str, Any], asked: dict[str, str], found: set[str]
) -> None:
    """``HeadMachines`` takes the same filters, and counts what fits."""
    assert dc.num_machines(**given) == len(found)
    assert sent(cloud, "HeadMachines")[0] == "HEAD"
    assert filters_of(cloud, "HeadMachines") == asked


@pytest.mark.usefixtures("fleet")
def test_machines_by_package(dc: DataCenter) -> None:
    """``ListMachines`` shows packages by name, so an id or the beginning of one is looked up."""
    package = dc.package("g1-medium")

    for given in (package, package.name, package.id, package.id[:8]):
        assert names(dc.machines(package=given)) == {"big"}
        assert dc.num_machines(package=given) == 1


@pytest.mark.parametrize("name", ["web-1", "web", "db-1"])
def test_machines_by_name(dc: DataCenter, cloud: Emulator, name: str) -> None:
    """``ListMachines`` compares the beginning of names: the machines that only begin so are left out and not counted."""
    for there in ("web-1", "web-10", "web-1a"):
        cloud.populate(1, name=there)
    expected = {"web-1"} & {name}
    assert names(dc.machines(name=name)) == names(dc.machines(name=name, paged=True)) == expected
    assert filters_of(cloud, "ListMachines") == {"name": name}
    assert dc.num_machines(name=name) == len(expected)


def test_machine_by_name(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """One machine can be had by its name, which is looked for in ``ListMachines``."""
    cloud.populate(1, name="web-10")
    assert dc.machine("web-1") == machine
    with pytest.raises(ResourceNotFound, match="no machine named 'web'") as caught:
        dc.machine("web")
    assert (caught.value.status, caught.value.code) == (404, "ResourceNotFound")


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("word", ["image", "dataset"])
@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_machines_by_image(dc: DataCenter, cloud: Emulator, word: str, form: str) -> None:
    """``ListMachines`` and ``HeadMachines`` filter by image, under its former name too, however it is given."""
    image = image_id(cloud, "minimal-64-lts")
    given: Any = {"id": image, "name": "minimal-64-lts", "dict": {"id": image}, "resource": dc.image(image)}[form]
    assert names(dc.machines(**{word: given})) == {"old"}
    assert filters_of(cloud, "ListMachines") == {"image": image}
    assert dc.num_machines(**{word: given}) == 1
    assert filters_of(cloud, "HeadMachines") == {"image": image}


@pytest.mark.parametrize("tags", [{"role": None}, {"role": ["web"]}, {1: "web"}, "*", [("role", "web")]])
def test_tags_that_are_none(dc: DataCenter, cloud: Emulator, tags: Any) -> None:
    """A filter by tags that cannot be meant is refused, rather than left out of ``ListMachines``, which would list more."""
    with pytest.raises(InputError, match="tags"):
        dc.machines(tags=tags)
    with pytest.raises(InputError, match="tags"):
        dc.num_machines(tags=tags)
    assert not cloud.trace


def test_machines_with_credentials(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``ListMachines`` with ``credentials`` brings the passwords; without, it does not ask for them."""
    record(cloud, machine).credentials = {"root_pw": "secret"}
    [listed] = dc.machines(credentials=True)
    assert filters_of(cloud, "ListMachines") == {"credentials": "true"}
    assert dict(listed)["metadata"]["credentials"] == {"root": "secret"}
    dc.machines(credentials=False)
    assert filters_of(cloud, "ListMachines") == {}


@pytest.mark.parametrize(
    ("count", "limit", "pages"),
    [
        (1500, None, 1 + 4),
        (2000, None, 1 + 4),
        (1500, 100, 1 + 4 * 4),
        (4959, None, 1 + 4),
        (4960, None, 1 + 2 * 4),
        (0, None, 1),
        (7, 10, 1),
    ],
)
def test_all_machines_are_listed(dc: DataCenter, cloud: Emulator, count: int, limit: int | None, pages: int) -> None:
    """``ListMachines`` is asked for four pages at a time until one is not full, and every machine comes once."""
    there = {machine.id for machine in cloud.populate(count)}
    listed = dc.machines(limit=limit)
    assert len(listed) == count
    assert {machine.id for machine in listed} == there
    assert cloud.trace.operations() == ["ListMachines"] * pages
    assert limit is not None or requests_for(count) == pages


def test_listing_begins_at_the_offset(dc: DataCenter, cloud: Emulator) -> None:
    """``ListMachines`` pages from the offset on, and each page begins with the last machine of the one before."""
    there = [machine.id for machine in cloud.populate(25)]
    assert [machine.id for machine in dc.machines(limit=10, offset=3)] == there[3:]
    assert {asked.query["limit"] for asked in cloud.trace} == {"10"}
    assert sorted(int(asked.query["offset"]) for asked in cloud.trace) == [3, 12, 21, 30, 39]


def test_paged_gives_one_page(dc: DataCenter, cloud: Emulator) -> None:
    """With ``paged`` a single ``ListMachines`` is sent, and its page is all."""
    there = [machine.id for machine in cloud.populate(25)]
    assert [machine.id for machine in dc.machines(paged=True, limit=10, offset=20)] == there[20:]
    assert [machine.id for machine in dc.machines(paged=True, limit=10)] == there[:10]
    assert [asked.query for asked in cloud.trace] == [{"limit": "10", "offset": "20"}, {"limit": "10"}]


@pytest.mark.parametrize(("count", "pages"), [(1500, 5), (1000, 5), (999, 1), (0, 1)])
def test_all_machines_are_counted(dc: DataCenter, cloud: Emulator, count: int, pages: int) -> None:
    """``HeadMachines`` tells the length of one page, so every page is counted."""
    cloud.populate(count)
    assert dc.num_machines() == count
    assert cloud.trace.operations() == ["HeadMachines"] * pages


def test_num_machines_counts_what_it_filters(dc: DataCenter, cloud: Emulator) -> None:
    """``HeadMachines`` with tags counts over all pages, and only the machines that have them."""
    cloud.populate(1200, tags={"role": "web"})
    cloud.populate(300, name="other-{n}")
    assert dc.num_machines(tags={"role": "web"}) == 1200
    assert dc.num_machines(tags={"role": "db"}) == 0


def test_limit_of_zero_is_sent(dc: DataCenter) -> None:
    """A limit that CloudAPI does not take is not dropped in silence: ``ListMachines`` refuses it."""
    with pytest.raises(ValidationFailed, match="number must be >= 1 and <= 1000"):
        dc.machines(limit=0)


def test_state_that_is_none_is_refused_by_the_server(dc: DataCenter) -> None:
    """``ListMachines`` says which states it can filter by."""
    with pytest.raises(InvalidArgument, match="deleted is not a valid state"):
        dc.machines(state="deleted")  # type: ignore[arg-type]


def test_state_that_there_is_not_is_refused_with_those_there_are(dc: DataCenter, cloud: Emulator) -> None:
    """A mistyped one costs no request, for lists and counts alike."""
    before = len(cloud.trace)
    expected = "active, running, stopped, provisioning, stopping, destroyed"
    for method in (dc.machines, dc.num_machines, dc.iter_machines):
        with pytest.raises(InputError, match=f"unknown machine state 'runing'; expected one of {expected}$"):
            method(state="runing")  # type: ignore[arg-type]
    assert len(cloud.trace) == before


def test_machine(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``GetMachine`` gives one machine by id."""
    found = dc.machine(machine.id)
    assert sent(cloud, "GetMachine") == ("GET", f"machines/{machine.id}", {})
    assert found == machine
    assert dict(found) == dict(machine.refresh())


@pytest.mark.parametrize("form", [dict, lambda machine: {"id": machine.id}, lambda machine: machine])
def test_machine_by_something_that_has_its_id(dc: DataCenter, machine: Machine, form: Any) -> None:
    """``GetMachine`` takes a dict or a machine in place of the id."""
    assert dc.machine(form(machine)) == machine


def test_machine_with_credentials(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``GetMachine`` with ``credentials`` brings the passwords."""
    record(cloud, machine).credentials = {"root_pw": "secret"}
    assert dc.machine(machine.id, credentials=True).credentials() == {"root": "secret"}
    assert query(cloud, "GetMachine") == {"credentials": "true"}


def test_machine_that_was_deleted(dc: DataCenter, machine: Machine) -> None:
    """``GetMachine`` of a deleted machine raises ``Gone``, with what it last was."""
    machine.delete(wait=True)
    with pytest.raises(Gone, match=f"machine {machine.id} was deleted") as caught:
        dc.machine(machine.id)
    assert caught.value.data["name"] == "web-1"


@pytest.mark.parametrize("nobody", ["", None, {}, {"name": "web-1"}, "..", "a\nb"])
def test_machine_without_an_id_is_refused(dc: DataCenter, cloud: Emulator, nobody: Any) -> None:
    """What addresses no machine is refused before anything is sent."""
    with pytest.raises(InputError):
        dc.machine(nobody)
    assert not cloud.trace


def test_raw_machine_data(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``GetMachine`` can be had as a plain dict, as the server sent it."""
    raw = dc.raw_machine_data(machine.id)
    assert sent(cloud, "GetMachine") == ("GET", machine.path, {})
    assert (type(raw), raw["name"], raw["primaryIp"]) == (dict, "web-1", machine.primary_ip)
    dc.raw_machine_data({"id": machine.id}, credentials=True)
    assert query(cloud, "GetMachine") == {"credentials": "true"}


def test_raw_machine_data_of_nobody(dc: DataCenter) -> None:
    """``GetMachine`` of an id that nobody has raises ``ResourceNotFound``."""
    with pytest.raises(ResourceNotFound, match="VM not found"):
        dc.raw_machine_data("b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b")


def test_listing_ends_when_the_server_ignores_the_offset(
    odd_server: responses.RequestsMock, odd_dc: DataCenter
) -> None:
    """A server that sends the same full page again and again ends the listing with an error, not never."""
    headers = {"x-resource-count": "2", "x-query-limit": "2"}
    odd_server.get("http://odd.test/my/machines", json=[{"id": "one"}, {"id": "two"}], headers=headers)
    with pytest.raises(BadResponse, match=r"keeps sending the same page$"):
        odd_dc.machines(limit=2)


def test_listing_goes_by_the_limit_that_the_server_chose(
    odd_server: responses.RequestsMock, odd_dc: DataCenter
) -> None:
    """A server that gives smaller pages than were asked for is asked for the rest."""
    for page in ([{"id": "one"}, {"id": "two"}], [{"id": "three"}]):
        headers = {"x-resource-count": str(len(page)), "x-query-limit": "2"}
        odd_server.get("http://odd.test/my/machines", json=page, headers=headers)
    assert [machine.id for machine in odd_dc.machines()] == ["one", "two", "three"]


def test_listing_without_its_headers_is_counted_here(odd_server: responses.RequestsMock, odd_dc: DataCenter) -> None:
    """Where a listing does not tell its length, its machines are counted: one that is not full is the last."""
    odd_server.get("http://odd.test/my/machines", json=[{"id": "one"}, {"id": "two"}])
    assert [machine.id for machine in odd_dc.machines()] == ["one", "two"]


def test_count_that_does_not_count_is_no_answer(odd_server: responses.RequestsMock, odd_dc: DataCenter) -> None:
    """A count without a number is an error and not zero."""
    odd_server.head("http://odd.test/my/machines")
    with pytest.raises(BadResponse, match="invalid or missing x-resource-count header"):
        odd_dc.num_machines()


# Lists that change, or do not end


@pytest.mark.parametrize("number", [1, 3, 5, 7])
def test_machines_that_are_there_throughout_are_listed(
    dc: DataCenter, cloud: Emulator, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others that are deleted between two ``ListMachines`` hide none that stay."""
    there = cloud.populate(400)
    asked = itertools.count()
    transmit = dc.session.transmit

    def delete_some(*args: Any) -> requests.Response:
        if next(asked) == number:
            for machine in there[:30]:
                machine.state = "deleted"
        return transmit(*args)

    monkeypatch.setattr(dc.session, "transmit", delete_some)
    listed = {machine.id for machine in dc.machines(limit=50)}

    assert {machine.id for machine in there[30:]} <= listed


def test_a_list_without_an_end_has_one_deadline(
    cloud: Emulator, odd_server: responses.RequestsMock, odd_dc: DataCenter
) -> None:
    """Pages that always bring something new are read for the time of one call, and not for that of each page."""

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        cloud.clock.sleep(0.1)
        start = int(parse_qs(urlsplit(str(request.url)).query)["offset"][0])
        return 200, {}, json.dumps([{"id": str(number)} for number in range(start, start + 10)])

    odd_server.add_callback(responses.GET, "http://odd.test/my/machines", answer, content_type="application/json")
    started = cloud.clock.monotonic()
    with pytest.raises(
        CallTimeout, match=r"GET /machines: the time for the whole list has passed after [\d,]+ entries"
    ):
        odd_dc.machines(limit=10)

    assert 60 <= cloud.clock.monotonic() - started < 61
