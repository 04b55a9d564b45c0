"""Metadata and the boot script: what a machine can read from inside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kits.cloud import record, sent
from smartdc import InputError, InvalidArgument, Machine, ResourceNotFound
from smartdc.emulator import Emulator

SCRIPT = "#!/bin/sh\necho hällo\n"
THERE: dict[str, Any] = {
    "motd": "hello",
    "n": 0,
    "on": False,
    "user-script": SCRIPT,
    "root_authorized_keys": "ssh-rsa x",
}
SHOWN = {name: value for name, value in THERE.items() if name != "user-script"}


@pytest.fixture
def described(machine: Machine, cloud: Emulator) -> Machine:
    """The machine, with metadata, a boot script and passwords."""
    there = record(cloud, machine)
    there.metadata, there.credentials = dict(THERE), {"root_pw": "secret"}
    return machine.refresh()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The file of a boot script."""
    path = tmp_path / "boot.sh"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def test_get_metadata(described: Machine, cloud: Emulator) -> None:
    """``ListMachineMetadata`` gives all entries, the boot script too, and the machine shows them until it is fetched."""
    assert described.get_metadata() == described.metadata == THERE
    assert sent(cloud, "ListMachineMetadata") == ("GET", f"{described.path}/metadata", {})
    assert described.boot_script == SCRIPT
    assert described.refresh().metadata == SHOWN


def test_get_metadata_with_credentials(machine: Machine, cloud: Emulator) -> None:
    """``ListMachineMetadata`` brings the passwords where they are asked for; they are known then, and not shown."""
    record(cloud, machine).credentials = {"root_pw": "secret"}
    assert machine.get_metadata(credentials=True) == machine.metadata == {}
    assert cloud.trace[-1].query == {"credentials": "true"}
    assert machine.credentials() == {"root": "secret"}
    assert cloud.trace[-1].operation == "ListMachineMetadata"


def test_get_metadata_at_key(described: Machine, cloud: Emulator) -> None:
    """``GetMachineMetadata`` gives one entry."""
    assert described.get_metadata("motd") == "hello"
    assert sent(cloud, "GetMachineMetadata") == ("GET", f"{described.path}/metadata/motd", {})


def test_get_metadata_at_key_that_is_not_there(described: Machine) -> None:
    """``GetMachineMetadata`` says that there is no such entry."""
    with pytest.raises(ResourceNotFound, match="not found"):
        described.get_metadata("nothing")


def test_update_metadata(described: Machine, cloud: Emulator) -> None:
    """``UpdateMachineMetadata`` sets some entries beside the others, and returns all but the boot script."""
    everything = described.update_metadata(motd="bye", count=3)
    assert sent(cloud, "UpdateMachineMetadata") == ("POST", f"{described.path}/metadata", {"motd": "bye", "count": 3})
    assert everything == described.metadata == {**THERE, "motd": "bye", "count": 3}
    assert record(cloud, described).metadata == {**THERE, "motd": "bye", "count": 3}


def test_update_metadata_of_any_key(machine: Machine, cloud: Emulator) -> None:
    """Keys that are no identifiers, or that Python uses itself, go in a mapping; both ways can be mixed."""
    machine.update_metadata({"self": 1, "mapping": 2, "a-b c": ""}, motd="hi")
    assert record(cloud, machine).metadata == {"self": 1, "mapping": 2, "a-b c": "", "motd": "hi"}


@pytest.mark.parametrize("value", ["x", "", 0, 7, 0.25, True, False])
def test_values_keep_their_types(machine: Machine, value: Any) -> None:
    """What is set by ``UpdateMachineMetadata`` is read back by ``ListMachineMetadata`` as it was."""
    assert machine.update_metadata(key=value) == machine.get_metadata() == {"key": value}
    assert type(machine.get_metadata()["key"]) is type(value)


def test_delete_metadata_at_key(described: Machine, cloud: Emulator) -> None:
    """``DeleteMachineMetadata`` deletes one entry, and what is left is returned: ``ListMachineMetadata``."""
    rest = described.delete_metadata_at_key("motd")
    assert sent(cloud, "DeleteMachineMetadata") == ("DELETE", f"{described.path}/metadata/motd", {})
    assert rest == described.metadata == {name: value for name, value in THERE.items() if name != "motd"}
    assert "motd" not in record(cloud, described).metadata


def test_deleted_entry_is_gone_though_the_job_still_runs(described: Machine, cloud: Emulator) -> None:
    """What was deleted does not come back in the answer when the server is slow."""
    cloud.transitions.policies["remove_metadata"] = cloud.transitions.policies["replace_metadata"] = _Never()
    assert "motd" not in described.delete_metadata_at_key("motd")
    assert described.delete_all_metadata() == {"root_authorized_keys": "ssh-rsa x"}


class _Never:
    """A policy by which no job ends."""

    def due(self, *_: object) -> None:
        """Tell that the job still runs."""


def test_delete_metadata_that_cannot_be_deleted(described: Machine) -> None:
    """``DeleteMachineMetadata`` says which entries stay."""
    with pytest.raises(InvalidArgument, match="root_authorized_keys can not be deleted"):
        described.delete_metadata_at_key("root_authorized_keys")


def test_delete_all_metadata(described: Machine, cloud: Emulator) -> None:
    """``DeleteAllMachineMetadata`` deletes every entry but those that CloudAPI keeps, and returns these."""
    kept = {"root_authorized_keys": "ssh-rsa x"}
    assert described.delete_all_metadata() == described.metadata == kept
    assert sent(cloud, "DeleteAllMachineMetadata") == ("DELETE", f"{described.path}/metadata", {})
    assert described.boot_script is None
    assert record(cloud, described).metadata.items() >= kept.items()
    assert "motd" not in record(cloud, described).metadata


@pytest.mark.parametrize("form", [str, Path])
def test_set_boot_script(machine: Machine, cloud: Emulator, script: Path, form: Any) -> None:
    """``UpdateMachineMetadata`` makes the text of a file the boot script."""
    machine.set_boot_script(form(script))
    assert sent(cloud, "UpdateMachineMetadata") == ("POST", f"{machine.path}/metadata", {"user-script": SCRIPT})
    assert machine.boot_script == record(cloud, machine).metadata["user-script"] == SCRIPT
    assert machine.metadata == {}


def test_set_boot_script_from_home(machine: Machine, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with ``~``."""
    monkeypatch.setenv("HOME", str(script.parent))
    machine.set_boot_script("~/boot.sh")
    assert machine.boot_script == SCRIPT


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"#" * 100_001, "100,001 bytes; CloudAPI takes at most 100,000"), (b"\xff\xfe", "is not UTF-8 text")],
)
def test_boot_script_that_cannot_be_sent(
    machine: Machine, cloud: Emulator, script: Path, content: bytes, problem: str
) -> None:
    """A file that CloudAPI would not take is refused before anything is sent."""
    script.write_bytes(content)
    before = len(cloud.trace)
    with pytest.raises(InputError, match=problem):
        machine.set_boot_script(script)
    assert len(cloud.trace) == before


def test_a_file_without_end_is_no_boot_script(machine: Machine, script: Path) -> None:
    """No more of a disk image is read than CloudAPI would take."""
    os.truncate(script, 1 << 40)
    with pytest.raises(InputError, match="at least 100,001 bytes; CloudAPI takes at most 100,000"):
        machine.set_boot_script(script)


def test_delete_boot_script(described: Machine, cloud: Emulator) -> None:
    """``DeleteMachineMetadata`` deletes the boot script."""
    described.get_metadata()
    described.delete_boot_script()
    assert "user-script" not in described.metadata
    assert sent(cloud, "DeleteMachineMetadata") == ("DELETE", f"{described.path}/metadata/user-script", {})
    assert described.boot_script is None
    assert "user-script" not in record(cloud, described).metadata


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a?b", "a#b", "a%b", "a\nb"])
@pytest.mark.parametrize("method", ["get_metadata", "delete_metadata_at_key", "update_metadata"])
def test_key_that_does_not_come_through(machine: Machine, cloud: Emulator, method: str, key: str) -> None:
    """A key that CloudAPI does not pass on as it is, is refused before anything is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        getattr(machine, method)({key: "x"} if method == "update_metadata" else key)
    assert len(cloud.trace) == before


@pytest.mark.parametrize(
    "entries",
    [
        {}, {"machine": "x"}, {"account": "x"}, {"uuid": "x"}, {"owner_uuid": "x"}, {"credentials": "x"},
        {"image": "x"}, {"origin": "x"}, {"package": "x"}, {"dataset": "x"}, {"networks": "x"}, {"root_pw": "x"}, {"key": None}, {"key": ["x"]}, {"key": {"a": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_entries_that_would_be_lost(machine: Machine, cloud: Emulator, entries: dict[str, Any]) -> None:
    """Keys that CloudAPI would take for its own or drop, and values that it does not take, are refused."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        machine.update_metadata(entries)
    assert len(cloud.trace) == before


def test_metadata_never_shows_passwords(described: Machine) -> None:
    """Passwords are in ``credentials`` and nowhere else, however the machine was fetched."""
    described.refresh(credentials=True)
    assert described.metadata == SHOWN
    assert described.get_metadata(credentials=True) == described.metadata == THERE
    assert described.update_metadata(n=1).keys() == THERE.keys()
    assert described.delete_metadata_at_key("n").keys() == described.metadata.keys() == THERE.keys() - {"n"}


def test_returned_metadata_is_a_copy(machine: Machine) -> None:
    """Changing what was returned changes nothing that the machine shows."""
    machine.update_metadata(motd="hi").clear()
    machine.get_metadata().clear()
    assert machine.metadata == {"motd": "hi"}


def test_metadata_is_read_only(machine: Machine) -> None:
    """Who changes `metadata` means to change the machine, and is told what to call."""
    machine.update_metadata(motd="hi")
    with pytest.raises(TypeError, match=r"cannot be changed: call update_metadata\(\)"):
        machine.metadata["x"] = 1
    assert machine.metadata == {"motd": "hi"}


def test_boot_script_stays_where_it_shows(described: Machine, script: Path) -> None:
    """To set the boot script neither shows it in the metadata nor hides it."""
    described.set_boot_script(script)
    assert described.metadata == SHOWN
    described.get_metadata()
    described.set_boot_script(script)
    assert described.metadata == {**THERE, "user-script": SCRIPT}
