"""The audit: what was done to a machine, by whom, when, and whether it worked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kits.cloud import image_id, record, sent
from smartdc import AuditEntry, DataCenter, Machine
from smartdc.core.listing import ResourceList
from smartdc.emulator import Emulator
from smartdc.emulator.state.transitions import AfterSeconds
from smartdc.machine.audit import newer


def test_audit(dc: DataCenter, cloud: Emulator) -> None:
    """``MachineAudit`` lists what was done, newest first, failures included."""
    machine = dc.create_machine("web-1", "g1-small", image=image_id(cloud, "base-64-lts"), wait=True)
    machine.start()
    machine.rename("web-2")
    entries = machine.audit()
    assert sent(cloud, "MachineAudit") == ("GET", f"{machine.path}/audit", {})
    told = [(entry.action, entry.succeeded) for entry in entries]
    assert told == [("rename", True), ("start", False), ("provision", True)]
    assert [job.action for job in record(cloud, machine).jobs] == ["provision", "start", "rename"]


def test_entry_is_what_the_server_said(machine: Machine, cloud: Emulator) -> None:
    """An entry is a dict of the answer to ``MachineAudit``, with readable attributes."""
    cloud.clock.sleep(90)
    machine.stop()
    [entry] = machine.audit()
    assert isinstance(entry, AuditEntry)
    assert entry == {
        "action": "stop",
        "success": "yes",
        "time": "2026-01-01T00:01:30.000Z",
        "caller": {"type": "signature", "ip": "127.0.0.1", "keyId": cloud.key_id},
    }
    assert entry.time == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert entry.caller["keyId"] == cloud.key_id


def test_unfinished_jobs_are_not_listed(machine: Machine, cloud: Emulator) -> None:
    """What still runs is not in the ``MachineAudit``."""
    cloud.transitions.policy = AfterSeconds(30)
    machine.stop()
    assert machine.audit() == []
    cloud.clock.sleep(30)
    assert [entry.action for entry in machine.audit()] == ["stop"]


def test_caller_may_be_missing() -> None:
    """An entry without a caller has an empty one."""
    entry = AuditEntry(success="no", action="stop", time="2026-01-01T00:00:00.000Z")
    assert (entry.caller, entry.succeeded) == ({}, False)


def test_an_entry_shows_what_happened() -> None:
    """An audit of many entries can be read at a prompt."""
    entry = AuditEntry(action="reboot", success="no", time="2026-01-01T00:01:30.000Z", caller={"ip": "127.0.0.1"})

    assert repr(entry) == "<AuditEntry reboot 2026-01-01T00:01:30.000Z failed>"
    assert repr(AuditEntry()) == "<AuditEntry unknown None failed>"


@pytest.mark.parametrize(("seen", "count"), [(0, 3), (2, 1), (3, 0), (4, 0), (5, 0)])
def test_only_what_was_added_is_newer(seen: int, count: int) -> None:
    """An audit that has become shorter has nothing that is newer."""
    entries = [AuditEntry(action=action) for action in ("stop", "start", "provision")]

    assert newer(entries, seen) == entries[:count]


def test_an_entry_is_told_in_words() -> None:
    """With who requested it and when, as far as CloudAPI knows."""
    entry = {"action": "stop", "success": "yes", "time": "2026-01-01T00:01:30.000Z"}
    caller = {"ip": "127.0.0.1", "keyId": "/demo/keys/laptop"}
    told = "stop succeeded at 2026-01-01T00:01:30.000Z"

    assert AuditEntry(entry).describe() == told
    assert AuditEntry(entry, caller=caller).describe() == f"{told}, requested with key /demo/keys/laptop from 127.0.0.1"
    assert AuditEntry(entry, caller={"ip": "127.0.0.1"}).describe() == f"{told}, requested from 127.0.0.1"
    assert AuditEntry(action="stop", caller="me").describe() == "stop failed at an unknown time"


def test_a_table_shows_who_did_it() -> None:
    """Account and user come before what is too long for a terminal: address and key."""
    fingerprint = ":".join(["7a"] * 16)
    callers: list[object] = [
        {"type": "signature", "ip": "203.0.113.7", "keyId": f"/demo/users/jill/keys/{fingerprint}"},
        {"type": "signature", "ip": "203.0.113.7", "keyId": "/demo/keys/laptop"},
        {"type": "basic", "ip": "203.0.113.7", "user": "demo"},
        {"type": "operator"},
        None,
        "nonsense",
    ]
    entry = {"action": "rollback_snapshot", "success": "yes", "time": "2026-01-01T00:01:30.000Z"}
    table = ResourceList(AuditEntry({**entry, "caller": caller}) for caller in callers)
    head, *lines = table.as_text(width=100).splitlines()

    assert head.split() == ["time", "action", "success", "by", "ip", "key"]
    words = [line.split("yes")[1].split() for line in lines]
    assert words[0][:2] == ["demo/jill", "203.0.113.7"]
    assert words[0][2].startswith("7a:7a:7a:")
    assert words[1:] == [
        ["demo", "203.0.113.7", "laptop"],
        ["demo", "203.0.113.7", "-"],
        ["operator", "-", "-"],
        ["-", "-", "-"],
        ["-", "-", "-"],
    ]
