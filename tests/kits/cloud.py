"""What tests ask the emulated cloud when a call is over: what was sent, and what stands on its books."""

from __future__ import annotations

from typing import Any

from kits.operations import CHECKED
from smartdc import Machine
from smartdc.emulator import Emulator
from smartdc.emulator.pipeline.trace import TraceEntry
from smartdc.emulator.state import records


def sent(cloud: Emulator, operation: str) -> tuple[str, str, dict[str, Any]]:
    """Return method, path below the account (as resources have it) and body of the newest request for an operation."""
    asked = _newest(cloud, operation)
    below = asked.path.removeprefix(f"/{cloud.login}")
    return asked.method, below if below == asked.path else below.removeprefix("/"), asked.body


def query(cloud: Emulator, operation: str) -> dict[str, Any]:
    """Return the query of the newest request for an operation."""
    return _newest(cloud, operation).query


def _newest(cloud: Emulator, operation: str) -> TraceEntry:
    asked = next((asked for asked in reversed(cloud.trace) if asked.operation == operation), None)
    assert asked, f"{operation} was not asked for, only {cloud.trace.operations()}"
    CHECKED.add(operation)
    return asked


def record(cloud: Emulator, machine: Machine) -> records.MachineRecord:
    """Return what the server knows of a machine, when every job that is due has ended."""
    cloud.transitions.settle()
    return cloud.state.machines[machine.id]


def account(cloud: Emulator) -> records.AccountRecord:
    """Return what the server knows of the account."""
    return cloud.state.accounts[cloud.login]


def image_id(cloud: Emulator, name: str) -> str:
    """Return the id of the newest active image of a name."""
    image = cloud.state.image_named(name)
    assert image is not None
    return image.id


def package_id(cloud: Emulator, name: str) -> str:
    """Return the id of the newest active package of a name."""
    package = cloud.state.package_named(name)
    assert package is not None
    return package.id


def network_id(cloud: Emulator, name: str) -> str:
    """Return the id of the network of a name."""
    return next(network.id for network in cloud.state.networks.values() if network.name == name)
