"""Test a script of your own without a data centre.

pytest test_script.py

The fixture cloudapi comes with the library. It is an emulated CloudAPI, fresh for each
test, whose clock advances only when the script waits.
"""

import pytest

from smartdc import DataCenter, Machine, WaitFailed
from smartdc.emulator import Emulator, Fault


def deploy(dc: DataCenter, name: str) -> Machine:
    """Create a web server. This is what is tested; import it from your script instead."""
    return dc.create_machine(
        name, image="base-64-lts@24.4.1", package="g1-small", tags={"role": "web"}, wait=True
    )


def test_it_runs(cloudapi: Emulator) -> None:
    """The machine that comes back runs, and is found by its tag."""
    dc = DataCenter(**cloudapi.connection())
    machine = deploy(dc, "web-1")

    assert machine.state == "running"
    assert dc.machines(tags={"role": "web"}) == [machine]


def test_a_lost_answer_makes_no_second_machine(cloudapi: Emulator) -> None:
    """The machine is made, and the answer never arrives."""
    cloudapi.faults.add(Fault("CreateMachine", "reset", "after"))
    deploy(DataCenter(**cloudapi.connection()), "web-1")

    assert len(cloudapi.state.machines) == 1


def test_a_failure_is_told(cloudapi: Emulator) -> None:
    """The data centre has no room, and the error says so."""
    cloudapi.transitions.fail("provision", "no server has room")
    with pytest.raises(WaitFailed, match="provision failed"):
        deploy(DataCenter(**cloudapi.connection()), "web-1")
