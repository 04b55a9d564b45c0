"""Several data centres are one cloud: asked at the same time, and none is forgotten when it does not answer."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from kits.campaign import FastClock
from smartdc import (
    Cloud,
    CloudList,
    ConfigError,
    DataCenter,
    FleetFailed,
    InputError,
    InvalidCredentials,
    JournalFinished,
    Machine,
    Retry,
    SmartDCError,
    TransportError,
)
from smartdc.emulator import Emulator, Fault, Server, VirtualClock, WallClock

SLOW_SECONDS = 0.4


@pytest.fixture
def emulators() -> dict[str, Emulator]:
    """Three clouds that know one key."""
    first = Emulator(clock=WallClock())
    more = {name: Emulator(seed, clock=WallClock(), public_key=first.public_key) for seed, name in ((2, "b"), (3, "c"))}
    return {"a": first, **more}


@pytest.fixture
def servers(emulators: dict[str, Emulator]) -> Iterator[dict[str, Server]]:
    """A server of each, over HTTP."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Server(cloud)) for name, cloud in emulators.items()}


@pytest.fixture
def cloud(emulators: dict[str, Emulator], servers: dict[str, Server]) -> Iterator[Cloud]:
    """All three as one, each with one machine called web."""
    for each in emulators.values():
        each.populate(1, name="web")
    secret = emulators["a"].private_key
    with Cloud(
        {
            name: DataCenter(
                **{**emulators[name].connection(server.url), "secret": secret}, timeout=20, retry=Retry(attempts=1)
            )
            for name, server in servers.items()
        }
    ) as cloud:
        yield cloud


def test_machines_of_all_are_one_list_and_know_their_data_centre(cloud: Cloud) -> None:
    """What is done to a machine is done where it is."""
    machines = cloud.machines(name="web")

    assert [cloud.name_of(machine) for machine in machines] == ["a", "b", "c"]
    assert [machine.datacenter for machine in machines] == [cloud["a"], cloud["b"], cloud["c"]]
    assert machines.complete
    machines[1].rename("mail", wait=True)
    assert [machine.name for machine in cloud["b"].machines()] == ["mail"]
    assert [machine.name for machine in cloud.machines()] == ["web", "mail", "web"]


def test_what_has_one_id_everywhere_is_told_apart_by_its_data_centre(cloud: Cloud) -> None:
    """A public image has one UUID, and is three things."""
    images = cloud.images(name="debian-12")
    [identifier] = {image.id for image in images}

    assert list(images.by_key) == [("a", identifier), ("b", identifier), ("c", identifier)]
    assert images.by_key["c", identifier].datacenter is cloud["c"]
    assert [key.name for key in cloud.ssh_keys().by_datacenter["b"]] == ["emulator"]


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda found: found[1:], ["b", "c"]),
        (lambda found: found[::-1], ["c", "b", "a"]),
        (lambda found: found[:1] + found[2:], ["a", "c"]),
        (lambda found: [found[0], *found[2:]] + found[:1], ["a", "c", "a"]),  # noqa: RUF005 (it is the sum that is tried)
        (lambda found: found.copy(), ["a", "b", "c"]),
        (lambda found: found[:1] * 2, ["a", "a"]),
        (copy.copy, ["a", "b", "c"]),
    ],
)
def test_what_is_made_of_a_list_knows_where_things_are(
    cloud: Cloud, make: Callable[[CloudList[Machine]], CloudList[Machine]], names: list[str]
) -> None:
    """A slice, a sum, a multiple and a copy are lists of the same kind, in their own order, and list what they have."""
    found = cloud.machines()
    made = make(found)

    assert type(made) is CloudList
    assert [row.split()[0] for row in made.as_text().splitlines()[1:]] == names
    assert list(made.by_datacenter) == ["a", "b", "c"]
    assert sum(map(len, made.by_datacenter.values())) == len(names)
    assert list(found.by_key) == [(name, machine.id) for name, machine in zip("abc", found, strict=True)]


def test_a_sum_knows_the_data_centres_of_both(cloud: Cloud, servers: dict[str, Server]) -> None:
    """Also those that did not answer, and where one list is added to another."""
    a, bc = Cloud({"a": cloud["a"]}), Cloud({"b": cloud["b"], "c": cloud["c"]})
    servers["b"].__exit__(None, None, None)
    total = a.machines()
    total += bc.machines()

    assert total == a.machines() + bc.machines() == sorted(total, key=total.index)
    assert {name: len(found) for name, found in total.by_datacenter.items()} == {"a": 1, "c": 1}
    assert list(total.errors) == ["b"]
    assert not total.complete


def test_a_copy_is_one_of_its_own(cloud: Cloud) -> None:
    """Whatever is added to it, the list that it was made of stays as it is."""
    images = cloud.images()
    shallow, deep = copy.copy(images), copy.deepcopy(images)
    shallow.errors["fra"] = SmartDCError("down")

    assert images.errors == {}
    assert shallow.by_datacenter == deep.by_datacenter == images.by_datacenter


def test_many_sums_cost_no_more_than_their_resources(cloud: Cloud) -> None:
    """Each data centre is kept once, however often a list was added up."""
    machines = cloud.machines()
    total = sum([machines] * 12, machines)

    assert len(total.copy()) == 13 * len(machines)
    assert len(vars(total)["_homes"]) == len(vars(total.copy())["_homes"]) == len(cloud)


def test_a_thing_of_no_data_centre_is_in_none() -> None:
    """Nor in one that has answered with an empty list."""
    snaps: CloudList[Any] = CloudList({"sjc": []}, {})
    snaps.append("mine")

    assert snaps.by_datacenter == {"sjc": [], "?": ["mine"]}


def test_a_pickle_knows_where_things_are(
    cloud: Cloud, servers: dict[str, Server], emulators: dict[str, Emulator], tmp_path: Path
) -> None:
    """A key that is a file is found again where the list is read."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(str(emulators["a"].private_key))
    here = {name: DataCenter(**{**emulators[name].connection(servers[name].url), "secret": str(key)}) for name in cloud}
    found = pickle.loads(pickle.dumps(Cloud(here).machines()))  # noqa: S301 (made here)

    assert {name: len(machines) for name, machines in found.by_datacenter.items()} == {"a": 1, "b": 1, "c": 1}


def test_a_list_that_is_sorted_is_shown_so(cloud: Cloud) -> None:
    """The table and the list have one order; what was put in by hand is somewhere."""
    machines = cloud.machines()
    machines.sort(key=cloud.name_of, reverse=True)
    machines.append(Machine(DataCenter(**Emulator().connection()), data={"id": "x", "name": "other"}))

    assert [row.split()[0] for row in machines.as_text().splitlines()[1:]] == ["c", "b", "a", "?"]


def test_all_are_asked_at_the_same_time(cloud: Cloud) -> None:
    """Nobody is asked only after another one has answered."""
    meeting = Barrier(3)
    found, _ = cloud.ask(lambda dc: (meeting.wait(timeout=10), dc.num_machines())[1])

    assert found == {"a": 1, "b": 1, "c": 1}


def test_one_dead_and_one_slow_leave_two_answers_an_error_and_a_warning(
    cloud: Cloud, servers: dict[str, Server], emulators: dict[str, Emulator], caplog: pytest.LogCaptureFixture
) -> None:
    """The answers come in the time of the slow one."""
    emulators["c"].faults.add(Fault("ListMachines", "delay", seconds=SLOW_SECONDS))
    with servers["b"].away(), caplog.at_level(logging.WARNING, "smartdc.cloud"):
        started = time.monotonic()
        machines = cloud.machines()
        seconds = time.monotonic() - started

    assert list(machines.by_datacenter) == ["a", "c"]
    assert len(machines) == 2
    assert not machines.complete
    assert isinstance(machines.errors["b"], TransportError)
    assert SLOW_SECONDS <= seconds < SLOW_SECONDS + 4
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["no result from the data centre b"]


def test_one_that_hangs_costs_no_more_than_its_deadline(cloud: Cloud, emulators: dict[str, Emulator]) -> None:
    """The image is looked for first, and both requests have the time of one call."""
    cloud["b"].timeout = 0.5
    emulators["b"].faults.add(Fault("*", "delay", seconds=30, times=9))
    started = time.monotonic()
    machines = cloud.machines(image="debian-12")

    assert time.monotonic() - started < 5
    assert list(machines.errors) == ["b"]


def test_where_none_answers_the_error_is_raised(cloud: Cloud, servers: dict[str, Server]) -> None:
    """An empty list would be taken for an empty cloud; a mistake of the caller is one everywhere."""
    with servers["a"].away(), servers["b"].away(), servers["c"].away(), pytest.raises(TransportError) as dead:
        cloud.packages()

    assert dead.value.__notes__ == ["None of the data centres a, b, c has answered."]
    with pytest.raises(InputError, match="state"):
        cloud.machines(state=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no_such_filter"):
        cloud.machines(no_such_filter=1)  # type: ignore[call-arg]


def test_a_mistake_in_a_function_is_raised_though_others_have_answered(cloud: Cloud) -> None:
    """Only what a data centre does is its error."""
    with pytest.raises(ZeroDivisionError):
        cloud.ask(lambda dc: 1 // (dc is not cloud["b"]))


def test_an_argument_of_a_wrong_type_is_no_failure_of_a_data_centre(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """It is raised, whatever the others have answered, and no data centre is blamed in the log."""
    with caplog.at_level(logging.WARNING, "smartdc.cloud"), pytest.raises(InputError, match="state"):
        cloud.ask(lambda dc: dc.machines(state=1 if dc is cloud["b"] else None))  # type: ignore[arg-type]

    assert caplog.records == []


def test_everywhere_signs_for_each_with_the_same_key(
    emulators: dict[str, Emulator], servers: dict[str, Server]
) -> None:
    """The data centre that is asked is itself a part of the cloud."""
    emulators["a"].state.settings.elsewhere = {name: servers[name].url for name in ("b", "c")}
    with DataCenter(**emulators["a"].connection(servers["a"].url)) as dc, Cloud.everywhere(dc) as cloud:
        assert list(cloud) == ["emulator-1", "b", "c"]
        assert cloud["emulator-1"] is dc
        assert len(cloud.ssh_keys()) == 3
        assert cloud["c"].auth is dc.auth


def test_another_key_is_an_error_of_that_data_centre(cloud: Cloud) -> None:
    """Refusals are errors like any other."""
    cloud["a"].authenticate(key_id="/demo/keys/emulator", secret=Emulator(seed=9).private_key)

    assert isinstance(cloud.machines().errors["a"], InvalidCredentials)


def test_profiles_become_data_centres_of_their_names(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two profiles of one account in one data centre are one."""
    environment.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="no profiles"):
        Cloud.from_profiles()
    folder = tmp_path / ".triton" / "profiles.d"
    folder.mkdir(parents=True)
    for name, host in (("east", "east.invalid"), ("other-east", "east.invalid"), ("west", "west.invalid")):
        entries = {"url": f"https://{host}", "account": "demo", "keyId": "SHA256:" + "a" * 43}
        (folder / f"{name}.json").write_text(json.dumps(entries))

    cloud = Cloud.from_profiles(timeout=7)
    assert {name: dc.base_url for name, dc in cloud.items()} == {
        "east": "https://east.invalid",
        "west": "https://west.invalid",
    }
    assert cloud["west"].timeout == 7
    assert repr(Cloud.from_profiles(["west"])) == repr(Cloud.from_profiles("west")) == "<Cloud west>"
    with pytest.raises(ConfigError, match="there is no profile 'north'"):
        Cloud.from_profiles(["north"])


def test_a_cloud_is_made_of_data_centres(offline: DataCenter) -> None:
    """Anything else is refused at once, and so is a machine of another cloud."""
    with pytest.raises(InputError, match="at least one"):
        Cloud({})
    with pytest.raises(InputError, match="got str"):
        Cloud({"a": "https://a.invalid"})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="objects by name, but a name is a string, not int"):
        Cloud({1: offline})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="objects by name, got list"):
        Cloud([offline])  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no data centre 'b' in a Cloud of a"):
        Cloud({"a": offline})["b"]
    assert Cloud({"a": offline}).get("b") is None
    stranger = DataCenter(**Emulator(clock=VirtualClock()).connection()).images()[0]
    with pytest.raises(InputError, match="'web-1' is in none of the data centres a"):
        Cloud({"a": offline}).name_of("web-1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is in none of the data centres a"):
        Cloud({"a": offline}).name_of(stranger)


# Fleets


@pytest.fixture
def fast(cloud: Cloud) -> Cloud:
    """The same cloud, in which nobody waits by the real time."""
    for dc in cloud.values():
        dc.clock = FastClock()
    return cloud


def test_a_fleet_does_nothing_twice(cloud: Cloud) -> None:
    """``RebootMachine``: one data centre under two names has each of its machines only once."""
    with pytest.raises(InputError, match="two of the data centres have the same machines"):
        Cloud({**cloud, "again": cloud["a"]}).fleet(name="web").reboot()


def test_a_fleet_goes_through_all_data_centres(fast: Cloud, tmp_path: Path) -> None:
    """``StopMachine``: in every data centre, each with a journal of its own."""
    fleet = fast.fleet(name="web")
    report = fleet.stop(journal=tmp_path / "stop")

    assert [fast.name_of(machine) for machine in report] == ["a", "b", "c"]
    assert {machine.state for machine in fast.machines()} == {"stopped"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stop.a", "stop.b", "stop.c"]
    with pytest.raises(JournalFinished):
        fleet.stop(journal=tmp_path / "stop")
    assert {machine.package for machine in fleet.resize("g1-medium")} == {"g1-medium"}


def test_a_journal_stays_where_it_was_asked_for(fast: Cloud, tmp_path: Path) -> None:
    """``StopMachine``: names come from profiles and from the server, and may have a slash in them."""
    Cloud({"prod/a": fast["a"], "x/../b": fast["b"]}).fleet(name="web").stop(journal=tmp_path / "stop")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["stop.prod%2Fa", "stop.x%2F..%2Fb"]


def test_a_fleet_refuses_to_act_where_some_may_be_missing(
    fast: Cloud, servers: dict[str, Server], emulators: dict[str, Emulator]
) -> None:
    """``DeleteMachine``: a data centre that is dead is no reason to believe that it has no machines."""
    servers["b"].__exit__(None, None, None)

    with pytest.raises(InputError, match=r"not all data centres have answered \(b: .*nothing was done; partial=True"):
        fast.fleet(name="web").delete()
    assert {entry.method for each in emulators.values() for entry in each.trace} == {"GET"}

    assert len(fast.fleet(name="web", partial=True).delete(expect=2).done) == 2


def test_a_fleet_of_another_size_is_refused(cloud: Cloud, emulators: dict[str, Emulator]) -> None:
    """``expect`` counts the machines of all data centres together."""
    with pytest.raises(InputError, match="expected 1 machines, but 3 are selected: nothing was done"):
        cloud.fleet(name="web").delete(expect=1)
    with pytest.raises(InputError, match="name is None"):
        cloud.fleet(name=None)
    assert {entry.method for each in emulators.values() for entry in each.trace} == {"GET"}


def test_a_budget_is_for_all_data_centres_together(fast: Cloud, emulators: dict[str, Emulator]) -> None:
    """``StopMachine``: the second failure leaves the third data centre alone."""
    for name in ("a", "b"):
        emulators[name].faults.add(Fault("StopMachine", status=409, code="InvalidArgument"))

    with pytest.raises(FleetFailed, match="stop of 3 machines: 2 failed, 1 untouched"):
        fast.fleet(name="web").stop(budget=1)
    assert "StopMachine" not in [entry.operation for entry in emulators["c"].trace]


def test_the_table_names_who_is_missing(cloud: Cloud, servers: dict[str, Server]) -> None:
    """What is not there is the first thing that is read."""
    servers["b"].__exit__(None, None, None)
    machines = cloud.machines()

    head, first, *rest = machines.as_text(width=200).splitlines()
    assert head.split()[:3] == ["data", "centre", "name"]
    assert first.startswith("b            no answer: ")
    assert [line.split()[:2] for line in rest] == [["a", "web"], ["c", "web"]]
    assert "no answer" in str(machines._repr_html_())
