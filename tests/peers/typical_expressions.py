"""Typical expressions of users, which type checkers read and nobody runs: their types, and mistakes that are found.

`test_type_checkers` has mypy and pyright read it. A line whose mistake a checker does not find fails there, since its
``ignore`` then is one too many.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, assert_type

import smartdc
from smartdc import DataCenter, Image, Key, Machine, Migration, Network, Nic, Package, Snapshot, Volume, WaitFailed
from smartdc.auth.signing import Signer
from smartdc.core.answers import Config, Limit, MigrationEvent, NicData, Pong, SnapshotData, VolumeSize
from smartdc.core.listing import ResourceList
from smartdc.core.literals import Action, Brand, ImageState, MachineState, MachineType, NicState, SnapshotState


def settings(signer: Signer) -> None:
    """The ways to begin."""
    DataCenter(location="https://cloudapi.example.com", key_id="/ann/keys/laptop", secret="~/.ssh/id_ed25519")
    DataCenter(secret=signer, timeout=None, retry=smartdc.Retry(attempts=2))
    DataCenter(secret=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    DataCenter(auth="me:password")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    DataCenter(tiemout=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def listings(dc: DataCenter) -> None:
    """What lists, and by what."""
    assert_type(dc.machines(), ResourceList[Machine])
    assert_type(dc.machines(name="web-*", state="running", memory="2G")[:3], ResourceList[Machine])
    assert_type(dc.machines()[0].name, str)
    assert_type(dc.iter_machines(brand="lx"), Iterator[Machine])
    assert_type(sorted(dc.machines()), list[Machine])
    assert_type([machine.name for machine in dc.machines() if machine.state == "running"], list[str])
    assert_type(dc.num_machines(type="smartmachine"), int)
    assert_type(dc.images(name="base-*", state="active"), ResourceList[Image])
    assert_type(dc.packages(memory="4G"), ResourceList[Package])
    assert_type(dc.networks(), ResourceList[Network])
    assert_type(dc.keys(), ResourceList[Key])
    assert_type(dc.volumes(size="10G", state="ready"), ResourceList[Volume])
    dc.machines(state="runing")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dc.machines(brand="kmv")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dc.machines(type="zone")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dc.images(state="activ")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dc.volumes(type="nfs")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def one_machine(dc: DataCenter) -> None:
    """What a machine says of itself."""
    machine = dc.machine("web-1")
    assert_type(machine, Machine)
    assert_type(machine.state, MachineState)
    assert_type(machine.brand, Brand)
    assert_type(machine.type, MachineType)
    assert_type(machine.memory, int)
    assert_type(machine.created, datetime)
    assert_type(machine.ips, list[str])
    assert_type(machine.refresh(), Machine)
    assert_type(machine.status(), MachineState)
    assert_type(machine.to_dict(), dict[str, Any])
    assert_type(machine.audit()[0].action, Action)
    assert_type(dc.raw_machine_data(machine)["state"], MachineState)
    machine.state = "stopped"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    _ = machine.brand == "kmv"  # type: ignore[comparison-overlap]  # pyright: ignore[reportUnnecessaryComparison]


def waits(dc: DataCenter, machine: Machine, volume: Volume, image: Image) -> None:
    """What waits, and for what."""
    machine.poll_until("running")
    machine.poll_until(["running", "stopped"], timeout=60)
    machine.poll_while("provisioning")
    volume.poll_until(("ready", "failed"))
    assert_type(dc.wait_for([machine], "stopped").arrived, list[Machine])
    machine.poll_until("runing")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    machine.poll_until(["running", "stoped"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    volume.poll_until("running")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    image.poll_until("ready")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dc.wait_for([machine], "up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    try:
        machine.start(wait=True)
    except WaitFailed as error:
        if isinstance(error.resource, Machine):
            assert_type(error.resource.state, MachineState)


def plain_answers(dc: DataCenter, machine: Machine, migration: Migration) -> None:
    """Dicts whose entries are known."""
    assert_type(dc.config(), Config)
    assert_type(dc.config().get("default_network"), str | None)
    assert_type(dc.limits(), list[Limit])
    assert_type(dc.ping(), Pong)
    assert_type(dc.volume_sizes(), list[VolumeSize])
    assert_type(dc.volume_sizes()[0]["size"], int)
    assert_type(migration.progress_history[-1], MigrationEvent)
    assert_type(dc.raw_machine_data("web-1").get("nics"), list[NicData] | None)
    assert_type(machine.raw_snapshot_data("before"), SnapshotData)
    dc.config()["default_netwrok"]  # type: ignore[typeddict-item]  # pyright: ignore[reportGeneralTypeIssues]


def parts(machine: Machine, image: Image) -> None:
    """What belongs to a machine, and where it came from."""
    assert_type(machine.nics(), ResourceList[Nic])
    assert_type(machine.nics()[0].state, NicState)
    assert_type(machine.create_snapshot("before"), Snapshot)
    assert_type(machine.snapshots()[0].state, SnapshotState)
    assert_type(machine.migrate("begin") if False else machine.migration(), Migration)
    assert_type(image.state, ImageState)
    assert_type(machine.add_tags({"role": "web"}), dict[str, str | int | float | bool])


def data(dc: DataCenter) -> None:
    """What goes to other programs."""
    assert_type(smartdc.to_json(dc.machines()), str)
    assert_type(json.dumps(dc.machines(), default=smartdc.as_dict), str)
    words: Literal["running"] = "running"
    assert_type(dc.machines(state=words), ResourceList[Machine])
