"""Waiting until changes of tags and metadata show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kits.cloud import record, sent
from smartdc import InputError, Machine, WaitFailed, WaitTimeout
from smartdc.emulator import AfterSeconds, Emulator

BEFORE = {"role": "db", "old": 1}


@pytest.fixture
def machine(machine: Machine, cloud: Emulator) -> Machine:
    """A machine with tags, metadata and a boot script, whose jobs take 30 seconds."""
    found = record(cloud, machine)
    found.tags, found.metadata = dict(BEFORE), {**BEFORE, "user-script": "old"}
    cloud.transitions.policy = AfterSeconds(30)
    return machine.refresh()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A boot script."""
    path = tmp_path / "boot.sh"
    path.write_text("new")
    return path


CHANGES: dict[str, tuple[Callable[..., Any], Callable[..., Any], Any]] = {
    "add_tags": (
        lambda m, _, **k: m.add_tags({"role": "web"}, **k),
        lambda r: r.tags,
        {"role": "web", "old": 1},
    ),
    "replace_tags": (lambda m, _, **k: m.replace_tags({"role": "web"}, **k), lambda r: r.tags, {"role": "web"}),
    "delete_tag": (lambda m, _, **k: m.delete_tag("old", **k), lambda r: r.tags, {"role": "db"}),
    "delete_all_tags": (lambda m, _, **k: m.delete_all_tags(**k), lambda r: r.tags, {}),
    "update_metadata": (
        lambda m, _, **k: m.update_metadata(role="web", **k),
        lambda r: r.metadata,
        {"role": "web", "old": 1, "user-script": "old"},
    ),
    "delete_metadata_at_key": (
        lambda m, _, **k: m.delete_metadata_at_key("old", **k),
        lambda r: r.metadata,
        {"role": "db", "user-script": "old"},
    ),
    "delete_all_metadata": (
        lambda m, _, **k: m.delete_all_metadata(**k),
        lambda r: {name for name in r.metadata if "uuid" not in name},
        set(),
    ),
    "set_boot_script": (
        lambda m, script, **k: m.set_boot_script(script, **k),
        lambda r: r.metadata["user-script"],
        "new",
    ),
    "delete_boot_script": (lambda m, _, **k: m.delete_boot_script(**k), lambda r: r.metadata, BEFORE),
}


@pytest.mark.parametrize("method", CHANGES)
def test_it_waits_until_the_change_shows(machine: Machine, cloud: Emulator, script: Path, method: str) -> None:
    """With `wait` the server has the change when the method returns; without, it comes later."""
    change, seen, expected = CHANGES[method]
    begun = cloud.clock.monotonic()
    change(machine, script, wait=True, timeout=60)
    assert cloud.clock.monotonic() - begun == pytest.approx(30, abs=2)
    assert seen(record(cloud, machine)) == expected


@pytest.mark.parametrize("method", CHANGES)
def test_without_wait_it_returns_at_once(machine: Machine, cloud: Emulator, script: Path, method: str) -> None:
    """``wait=False`` is no entry either."""
    change, seen, expected = CHANGES[method]
    begun = cloud.clock.monotonic()
    change(machine, script, wait=False, timeout=60)
    assert cloud.clock.monotonic() == begun
    assert seen(record(cloud, machine)) != expected


FAILING = {
    "add_tags": "set_tags",
    "replace_tags": "replace_tags",
    "delete_tag": "remove_tags",
    "update_metadata": "set_metadata",
    "delete_metadata_at_key": "remove_metadata",
    "delete_all_metadata": "replace_metadata",
}


@pytest.mark.parametrize("method", FAILING)
def test_it_reports_a_failed_job(machine: Machine, cloud: Emulator, script: Path, method: str) -> None:
    """A job that failed ends the wait, with what the audit says of it; one that failed before does not."""
    change, seen, expected = CHANGES[method]
    cloud.transitions.fail(FAILING[method], "out of luck")
    with pytest.raises(WaitFailed, match=f"did not {FAILING[method]}; its audit says that {FAILING[method]} failed"):
        change(machine, script, wait=True, timeout=60)
    machine.get_tags()
    change(machine, script, wait=True, timeout=60)
    assert seen(record(cloud, machine)) == expected


def test_it_ends_with_the_time(machine: Machine) -> None:
    """A change that does not show in time is a `WaitTimeout`."""
    with pytest.raises(WaitTimeout, match=r"does not show the change \(set_tags\) after 10 s"):
        machine.add_tags({"role": "web"}, wait=True, timeout=10)


def test_the_answer_is_what_shows(machine: Machine, cloud: Emulator) -> None:
    """With `wait` the methods return what the server has, not what it was going to have."""
    cloud.transitions.policy = AfterSeconds(30)
    record(cloud, machine).tags["other"] = "theirs"
    assert machine.add_tags(role="web", wait=True) == machine.tags == {"role": "web", "old": 1, "other": "theirs"}
    assert machine.delete_metadata_at_key("old", wait=True) == machine.metadata == {"role": "db", "user-script": "old"}


@pytest.mark.parametrize("method", ["add_tags", "replace_tags", "update_metadata"])
@pytest.mark.parametrize("entries", [{"wait": "a"}, {"timeout": "b"}, {"wait": "a", "timeout": "b"}])
def test_texts_stay_entries(machine: Machine, cloud: Emulator, method: str, entries: dict[str, Any]) -> None:
    """What old scripts may have is sent as it was, with a warning that points to the script."""
    with pytest.warns(UserWarning, match="sets a (tag|metadata entry) of that name; write it as") as caught:
        getattr(machine, method)(role="web", **entries)
    assert {warning.filename for warning in caught} == {__file__}
    operation = {"add_tags": "AddMachineTags", "replace_tags": "ReplaceMachineTags"}.get(
        method, "UpdateMachineMetadata"
    )
    assert sent(cloud, operation)[2] == {"role": "web", **entries}


@pytest.mark.parametrize("method", ["add_tags", "replace_tags", "update_metadata"])
def test_a_mapping_may_have_any_name(machine: Machine, cloud: Emulator, method: str) -> None:
    """Entries that are called wait or timeout go into it, whatever their values, without a warning."""
    getattr(machine, method)({"wait": True, "timeout": 5}, wait=True)
    seen = record(cloud, machine)
    assert (seen.metadata if "metadata" in method else seen.tags).items() >= {"wait": True, "timeout": 5}.items()


def test_a_text_beside_the_keyword(machine: Machine, cloud: Emulator) -> None:
    """A boolean `wait` is ours also where `timeout` is a text, and so an entry."""
    with pytest.warns(UserWarning, match="timeout= with a text sets a tag"):
        machine.add_tags(wait=True, timeout="b")
    assert record(cloud, machine).tags == {**BEFORE, "timeout": "b"}


@pytest.mark.parametrize("given", [{"wait": 1}, {"wait": 0.5}, {"timeout": 5}, {"wait": True, "timeout": -1}])
def test_what_may_be_meant_either_way(machine: Machine, cloud: Emulator, given: Any) -> None:
    """Neither a tag nor a wait is made of it; the error says how to write either."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match=r"wait|timeout"):
        machine.add_tags(role="web", **given)
    assert len(cloud.trace) == before
