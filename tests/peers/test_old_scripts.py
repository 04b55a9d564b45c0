"""Scripts in the manner of py-smartdc 0.2 run as they were written, in Python 3 and with images of today."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from multiprocessing.dummy import Pool
from operator import methodcaller
from pathlib import Path

import pytest

import smartdc
from kits.cloud import account
from smartdc import DataCenter
from smartdc.emulator import Emulator, Server, WallClock

SIGNATURES: dict[str, dict[str, list[str]]] = {
    "DataCenter": {
        "__init__": ["location", "key_id", "secret", "headers", "login", "known_locations", "allow_agent", "verify", "verbose"],
        "authenticate": ["key_id", "secret", "allow_agent"],
        "request": ["method", "path", "headers", "data"],
        "me": [],
        "account": [],
        "update_account": ["email", "company_name", "first_name", "last_name", "address", "postal_code", "city", "state",
                           "country", "phone"],
        "keys": [],
        "key": ["key_id"],
        "add_key": ["key_id", "key"],
        "delete_key": ["key_id"],
        "datacenters": [],
        "datacenter": ["name"],
        "datasets": ["search", "fields"],
        "dataset": ["identifier"],
        "packages": ["name", "memory", "disk", "swap", "version", "vcpus", "group"],
        "default_package": [],
        "package": ["name"],
        "num_machines": ["machine_type", "dataset", "state", "memory", "tombstone", "tags"],
        "raw_machine_data": ["machine_id", "credentials"],
        "machines": ["machine_type", "name", "dataset", "state", "memory", "tombstone", "tags", "credentials", "paged",
                     "limit", "offset"],
        "create_machine": ["name", "package", "dataset", "metadata", "tags", "boot_script", "credentials", "image",
                           "networks"],
        "machine": ["machine_id", "credentials"],
        "networks": ["search", "fields"],
        "network": ["identifier"],
        "images": ["name", "os", "version", "public", "state", "owner", "type"],
        "image": ["identifier"],
        "delete_image": ["identifier"],
    },
    "Machine": {
        "__init__": ["datacenter", "machine_id", "data", "credentials"],
        "create_in_datacenter": ["datacenter"],
        "refresh": ["credentials"],
        "credentials": [],
        "status": [],
        "stop": [],
        "start": [],
        "reboot": [],
        "resize": ["package"],
        "delete": [],
        "poll_until": ["state", "interval"],
        "poll_while": ["state", "interval"],
        "get_metadata": [],
        "update_metadata": [],
        "delete_metadata_at_key": ["key"],
        "set_boot_script": ["filename"],
        "delete_boot_script": [],
        "delete_all_metadata": [],
        "get_tags": [],
        "add_tags": [],
        "get_tag": ["tag"],
        "delete_tag": ["tag"],
        "delete_all_tags": [],
        "raw_snapshot_data": ["name"],
        "snapshots": [],
        "create_snapshot": ["name"],
        "start_from_snapshot": ["name"],
        "snapshot": ["name"],
    },
    "Snapshot": {
        "__init__": ["machine", "name", "data"],
        "refresh": [],
        "status": [],
        "delete": [],
        "start": [],
    },
}  # fmt: skip


@pytest.fixture
def cloud() -> Emulator:
    """An emulated cloud that goes by the real time, since old scripts know of no other; its jobs end at once."""
    return Emulator(clock=WallClock())


@pytest.fixture
def place(cloud: Emulator) -> Iterator[str]:
    """The URL of the cloud."""
    with Server(cloud) as server:
        yield server.url


@pytest.fixture
def secret(cloud: Emulator, tmp_path: Path) -> str:
    """The file of the private key."""
    path = tmp_path / "id_rsa"
    path.write_text(str(cloud.private_key))
    path.chmod(0o600)
    return str(path)


def test_first_steps(cloud: Emulator, place: str, secret: str) -> None:
    """Connect, look at images, create a machine, wait, take its address, stop and delete it."""
    sdc = DataCenter(location=place, key_id=cloud.key_id, secret=secret)

    images = sdc.images()
    base = [image for image in images if image["name"] == "minimal-64-lts"]

    box = sdc.create_machine(name="first", image=base[0]["id"], package="g1-nano")
    box.poll_until("running")
    address = box.public_ips[0]

    box.stop()
    box.poll_until("stopped")
    box.delete()

    assert address.startswith("198.18.")
    assert sdc.num_machines() == 0
    assert [machine.state for machine in cloud.state.machines.values()] == ["deleted"]


@pytest.mark.filterwarnings("ignore:datasets are called images now:DeprecationWarning")
def test_grand_tour(
    cloud: Emulator, place: str, secret: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Boot scripts, datasets, tags, metadata, snapshots and a change of size, all by their old names."""
    sdc = DataCenter(location=place, key_id=cloud.key_id, secret=secret, verbose=True)
    names = [key["name"] for key in sdc.keys()]  # noqa: SIM118 (it lists the account's keys)
    here = sdc.datacenter("emulator-1")

    with open(tmp_path / "setup.sh", "w") as script:  # noqa: PTH123 (as it was written in those days)
        script.write("#!/bin/sh\ntouch /var/tmp/was-here\n")

    nothing = here.default_package()
    recent = [dataset for dataset in here.datasets("^base-64") if dataset["version"] == "24.4.1"][0]  # noqa: RUF015

    trial = here.create_machine(
        name="trial",
        dataset=recent,
        boot_script=str(tmp_path / "setup.sh"),
        package="g1-small",
        tags={"type": "trial"},
    )
    trial.poll_while("provisioning", interval=3)
    same = trial == here.machines(name="trial")[0]

    trial.create_snapshot("fresh")
    states = [snapshot.status() for snapshot in trial.snapshots()]
    trial.add_tags(stage="late")
    trial.update_metadata(motd="hello")
    told = (trial.get_tag("stage"), trial.get_metadata()["motd"], trial.boot_script)

    trial.stop()
    trial.poll_until("stopped")
    trial.resize("g1-medium")
    trial.snapshot("fresh").start()
    trial.poll_until("running")
    last = (trial.status(), trial.memory)
    trial.delete()

    assert (names, nothing, same) == (list(account(cloud).keys), None, True)
    assert (states, last) == (["created"], ("running", 4096))
    assert told == ("late", "hello", "#!/bin/sh\ntouch /var/tmp/was-here\n")
    assert f"\tGET\t{place}/my/keys\n" in capsys.readouterr().err


def test_cleaning_up(cloud: Emulator, place: str, secret: str) -> None:
    """Many machines with a common tag are stopped and deleted by a pool of threads."""
    cloud.populate(20, name="trial-{n}", tags={"type": "trial"})
    cloud.populate(2, name="keep-{n}")
    sdc = DataCenter(location=place, key_id=cloud.key_id, secret=secret)

    workers = Pool(min(sdc.num_machines(tags={"type": "trial"}), 8))
    old = sdc.machines(tags={"type": "trial"})
    workers.map(methodcaller("stop"), old)
    workers.map(methodcaller("poll_until", "stopped"), old)
    states = workers.map(methodcaller("status"), old)
    workers.map(methodcaller("delete"), old)
    left = sdc.num_machines(tags={"type": "trial"})
    workers.close()
    workers.join()

    assert (len(old), set(states), left) == (20, {"stopped"}, 0)
    assert {machine.name for machine in sdc.machines()} == {"keep-0", "keep-1"}


@pytest.mark.parametrize(
    ("noun", "method", "names"),
    [(noun, method, names) for noun, methods in SIGNATURES.items() for method, names in methods.items()],
)
def test_arguments_are_where_they_were(noun: str, method: str, names: list[str]) -> None:
    """Every method of the old classes is there, with its arguments in the old order."""
    parameters = inspect.signature(getattr(getattr(smartdc, noun), method)).parameters
    positional = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD and name != "self"]
    assert positional[: len(names)] == names
    later = [parameters[name] for name in positional[len(names) :]]
    assert all(parameter.default is not parameter.empty for parameter in later)


@pytest.mark.parametrize(
    "attribute", ["url", "base_url", "login", "location", "headers", "known_locations", "verify", "verbose", "auth"]
)
def test_attributes_of_a_data_centre_are_there(attribute: str) -> None:
    """What could be read off a data centre still can."""
    assert hasattr(DataCenter("http://127.0.0.1:1"), attribute)


def test_names_can_be_imported_from_where_they_were() -> None:
    """The old modules have the old names."""
    for module, names in {
        "smartdc": ("DataCenter", "KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS", "__version__"),
        "smartdc.datacenter": ("DataCenter", "KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS"),
        "smartdc.machine": ("Machine", "Snapshot"),
    }.items():
        found = importlib.import_module(module)
        assert not [name for name in names if not hasattr(found, name)]
