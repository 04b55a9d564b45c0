"""The tables of faults agree with each other."""

from __future__ import annotations

from types import ModuleType

import pytest

from smartdc.emulator.faults import adapter, server
from smartdc.emulator.faults.plan import ON_THE_WIRE


@pytest.mark.parametrize("door", [adapter, server], ids=["adapter", "server"])
def test_each_door_knows_every_kind_on_the_wire(door: ModuleType) -> None:
    """A kind that a door does not know would end as a bug of the emulator, which clients take for a broken connection."""
    assert set(vars(door)["_FAULTS"]) == set(ON_THE_WIRE)
