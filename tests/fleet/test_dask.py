"""Workers of Dask create machines and go through fleets, and one of them is killed: nothing doubled, nothing lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartdc import DataCenter
from smartdc.emulator import Emulator, Fault, Server

distributed = pytest.importorskip("distributed", reason="smartdc[dask] is not installed")
cloudpickle = pytest.importorskip("cloudpickle", reason="smartdc[dask] is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")
"""What Dask warns of is none of our business."""

MACHINES = 40


# What the guide shows


def create(dc: DataCenter, number: int) -> str:
    """Create one machine of a batch: exactly one, however often this runs, and wherever."""
    name = f"batch-{number:02}"
    token = f"july-{name}"
    return dc.create_machine(name, image="debian-12", package="g1-small", token=token).id


def stop(dc: DataCenter, journal: str) -> dict[str, int]:
    """Stop the machines of one data centre; resume where a killed worker stopped."""
    report = dc.fleet(name="batch-*").stop(at_once=5, journal=journal, check=False)
    return {"done": len(report.done), "failed": len(report.failed)}


# How it is tried


@pytest.fixture(scope="module")
def frames() -> Iterator[list[bytes]]:
    """What client and scheduler send, as it goes out."""
    sent: list[bytes] = []
    module = sys.modules["distributed.comm.tcp"]
    to_frames = module.to_frames

    async def recorded(*args: Any, **options: Any) -> Any:
        found = await to_frames(*args, **options)
        sent.extend(bytes(frame) for frame in found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "to_frames", recorded)
        yield sent


@pytest.fixture(scope="module")
def client(frames: list[bytes]) -> Iterator[Any]:
    """A cluster of two worker processes; their environment has no key."""
    assert not frames
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None, protocol="tcp://"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def dc(cloud: Emulator, tmp_path: Path) -> Iterator[DataCenter]:
    """A data centre behind HTTP, whose key is known by the path of its file."""
    key = tmp_path / "id_cloud"
    key.touch(0o600)
    key.write_text(str(cloud.private_key))
    cloud.faults.add(Fault("CreateMachine", "delay", seconds=0.05, times=None))
    with Server(cloud) as server:
        yield DataCenter(server.url, key_id=cloud.key_id, secret=str(key), login=cloud.login)


@pytest.fixture
def cloud() -> Emulator:
    """A cloud by the real time."""
    return Emulator()


def test_a_worker_is_killed_while_machines_are_created(
    cloud: Emulator, dc: DataCenter, client: Any, frames: list[bytes], tmp_path: Path
) -> None:
    """``CreateMachine``: exactly as many machines as were asked for, and the key travels in no pickle."""
    victim = min(client.run(os.getpid).values())
    futures = client.map(create, [dc] * MACHINES, range(MACHINES), pure=False)
    until = time.monotonic() + 60
    while len(cloud.state.machines) < MACHINES // 4:
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    made = len(cloud.state.machines)
    os.kill(victim, signal.SIGKILL)
    ids = client.gather(futures)

    assert made < MACHINES
    assert len({*ids}) == MACHINES
    assert {*ids} == {*cloud.state.machines}
    assert sorted(machine.name for machine in cloud.state.machines.values()) == [
        f"batch-{n:02}" for n in range(MACHINES)
    ]
    everything = b"".join(frames)
    assert str(tmp_path / "id_cloud").encode() in everything
    lines = [line for line in str(cloud.private_key).splitlines() if line and not line.startswith("-----")]
    assert lines
    assert not [line for line in lines if line.encode() in everything]


def test_each_data_centre_has_a_journalled_step(cloud: Emulator, dc: DataCenter, client: Any, tmp_path: Path) -> None:
    """``StopMachine``: a step that is run again after it has ended is refused by its journal."""
    cloud.populate(6, name="batch-{n}")
    places = {"east": dc}
    futures = {
        name: client.submit(stop, place, str(tmp_path / f"stop.{name}"), pure=False) for name, place in places.items()
    }

    assert client.gather(futures) == {"east": {"done": 6, "failed": 0}}
    assert {machine.state for machine in cloud.state.machines.values()} == {"stopped"}
    with pytest.raises(Exception, match="is of a stop that ended at"):
        client.submit(stop, dc, str(tmp_path / "stop.east"), pure=False).result()
