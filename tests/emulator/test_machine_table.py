"""The index of machines: what it finds is what a search through all of them would find, whatever was changed before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kits.emulator_signer import Asker
from smartdc.emulator import Emulator
from smartdc.emulator.core.ids import Ids
from smartdc.emulator.state.machine_table import MachineTable
from smartdc.emulator.state.records import MachineRecord
from smartdc.emulator.state.state import ADDRESS_RESERVE

OWNERS = ("ann", "ben")
NAMES = ("", "a", "ab", "abc", "b", "a-1", "é", "\U0010ffff", "ab\U0010ffff")
STATES = ("provisioning", "running", "stopped", "failed", "deleted")

owners, names, states = st.sampled_from(OWNERS), st.sampled_from(NAMES), st.sampled_from(STATES)
changes = st.one_of(
    st.tuples(st.just("create"), owners, names, states),
    st.tuples(st.just("name"), st.integers(0, 9), names),
    st.tuples(st.just("state"), st.integers(0, 9), states),
    st.tuples(st.just("owner"), st.integers(0, 9), owners),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("replace"), st.integers(0, 9), names),
)


def new(identity: str, owner: str, name: str, state: str = "running") -> MachineRecord:
    """Return a machine that no table knows yet."""
    return MachineRecord(identity, owner, name, "joyent", "", "", 1, 1, 0.0, 0.0, state)


def apply(table: MachineTable, number: int, change: tuple[Any, ...]) -> None:
    """Make one change; machines are chosen by their place in the table."""
    kind, *values = change
    if kind == "create":
        table[f"machine-{number}"] = new(f"machine-{number}", *values)
        return
    ids = list(table)
    if not ids:
        return
    identity = ids[values[0] % len(ids)]
    if kind == "remove":
        del table[identity]
    elif kind == "replace":
        table[identity] = new(identity, "ann", values[1])
    else:
        setattr(table[identity], kind, values[1])


@given(st.lists(changes, max_size=40))
def test_the_index_finds_what_a_scan_finds(history: list[tuple[Any, ...]]) -> None:
    """After creates, renames, deletions and changes of owner, in any order and of any machine."""
    table = MachineTable()
    for number, change in enumerate(history):
        apply(table, number, change)

    for owner in (*OWNERS, "nobody"):
        owned = [machine for machine in table.values() if machine.owner == owner]
        living = [machine for machine in owned if machine.alive]
        assert list(table.owned_by(owner)) == owned
        assert list(table.living_of(owner)) == living
        for name in NAMES:
            candidates = table.living_candidates(owner, name)
            assert table.has_living(owner, name) == any(machine.name == name for machine in living)
            assert [each for each in candidates if each.name.startswith(name)] == [
                each for each in living if each.name.startswith(name)
            ]


def test_a_removed_machine_changes_no_index() -> None:
    """Whoever still holds its record can change that."""
    table = MachineTable()
    table["one"] = machine = new("one", "ann", "web")
    del table["one"]
    machine.name, machine.state = "other", "stopped"

    assert not table.has_living("ann", "other")
    assert (machine.name, machine.state) == ("other", "stopped")


def test_a_rare_prefix_is_found_without_the_others() -> None:
    """A name narrows the search down to a few machines."""
    table = MachineTable()
    for number in range(100):
        table[str(number)] = new(str(number), "ann", f"machine-{number}")

    assert [machine.name for machine in table.living_candidates("ann", "machine-4")] == [
        "machine-4",
        *(f"machine-4{digit}" for digit in range(10)),
    ]
    assert table.living_candidates("ann", "machine-") is table.living_of("ann")


# Through the API


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client of an emulator with fifty machines, some of which are deleted, failed, stopped or renamed."""
    machines = cloud.populate(50, name="web-{n}")
    for machine in machines[::5]:
        machine.state = "deleted"
    for machine in machines[1::7]:
        machine.name = f"db-{machine.name}"
    for machine in machines[2::9]:
        machine.state = "stopped"
    machines[3].state = "failed"
    return Asker(cloud)


@pytest.mark.parametrize(
    "query", ["", "name=web-1", "name=w", "name=db-web", "name=none", "state=stopped", "type=smartmachine"]
)
def test_pages_add_up_to_the_list(ask: Asker, query: str) -> None:
    """Pages of any size have the same machines in the same order as a scan through all records."""
    name, _, value = query.partition("=")
    expected = [
        machine.id
        for machine in ask.cloud.state.machines.values()
        if machine.alive
        and (name != "name" or machine.name.startswith(value))
        and (name != "state" or machine.state == value)
    ]

    for limit in (7, 1000):
        pages = [
            ask.get(f"/my/machines?{query}&limit={limit}&offset={offset}").json() for offset in range(0, 60, limit)
        ]
        assert [machine["id"] for page in pages for machine in page] == expected


@pytest.mark.parametrize("query", ["tombstone=true", "state=destroyed"])
def test_deleted_machines_are_listed_on_request(ask: Asker, query: str) -> None:
    """They are in the order of creation as well."""
    expected = [
        machine.id
        for machine in ask.cloud.state.machines.values()
        if machine.state == "deleted" or query == "tombstone=true"
    ]

    assert [machine["id"] for machine in ask.get(f"/my/machines?{query}").json()] == expected


def test_a_page_is_not_searched_beyond_its_end(cloud: Emulator) -> None:
    """Filters are not tried on machines that come after the page."""

    class Untouchable(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            raise AssertionError(f"{key} was looked up")

    machines = cloud.populate(9, tags={"role": "web"})
    machines[4].tags = Untouchable()
    answer = Asker(cloud).get("/my/machines?tag.role=web&limit=2&offset=2")

    assert [machine["id"] for machine in answer.json()] == [machine.id for machine in machines[2:4]]


# Populations


def test_populating_spreads_over_the_networks(cloud: Emulator) -> None:
    """Public networks first, and machines can still be created through the API on each of them."""
    networks = {network.name: network for network in cloud.state.networks.values()}
    for name in ("external", "external-2", "internal"):
        network = networks[name]
        network.end = str(network.first + ADDRESS_RESERVE + 9)
    machines = cloud.populate(35)
    taken = [len(networks[name].taken) for name in ("external", "external-2", "internal")]

    assert taken == [15, 10, 10]
    assert len({machine.nics[0].ip for machine in machines}) == 35
    assert Asker(cloud).create()
    assert cloud.check_invariants() == []


def test_there_is_room_for_a_hundred_thousand_machines(cloud: Emulator) -> None:
    """The networks that populating fills have enough addresses beyond the reserve."""
    shared = [network for network in cloud.state.networks.values() if network.public or network.name == "internal"]

    assert sum(network.free - ADDRESS_RESERVE for network in shared) >= 100_000


@pytest.mark.parametrize("seed", [0, 1, 7, 2**64 - 1])
def test_mac_addresses_do_not_repeat(seed: int) -> None:
    """Tens of thousands of interfaces have as many addresses."""
    ids = Ids(seed)

    assert len({ids.mac() for _ in range(20_000)}) == 20_000
