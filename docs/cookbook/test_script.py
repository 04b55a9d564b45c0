"""Test a script of your own without a data centre.

pytest test_script.py

The fixture cloudapi comes with the library. It is an emulated CloudAPI, new for each test,
and its clock advances only when the script waits.
"""

import pytest

from smartdc import DataCenter, Machine, WaitFailed
from smartdc.emulator import Emulator, Fault


def deploy(dc: DataCenter, name: str) -> Machine:
    """Create a web server. Import the code under test from your script instead."""
    return dc.create_machine(
        name, image="base-64-lts@24.4.1", package="g1-small", tags={"role": "web"}, wait=True
    )


def test_it_runs(cloudapi: Emulator) -> None:
    """The new machine runs, and its tag finds it."""
    dc = DataCenter(**cloudapi.connection())
    machine = deploy(dc, "web-1")

    assert machine.state == "running"
    assert dc.machines(tags={"role": "web"}) == [machine]


def test_a_lost_answer_makes_no_second_machine(cloudapi: Emulator) -> None:
    """The machine is created, but the answer never arrives."""
    cloudapi.faults.add(Fault("CreateMachine", "reset", "after"))
    deploy(DataCenter(**cloudapi.connection()), "web-1")

    assert len(cloudapi.state.machines) == 1


def test_a_failure_is_told(cloudapi: Emulator) -> None:
    """The data centre has no room, and the error says so."""
    cloudapi.transitions.fail("provision", "no server has room")
    with pytest.raises(WaitFailed, match="provision failed"):
        deploy(DataCenter(**cloudapi.connection()), "web-1")
