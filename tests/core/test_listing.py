"""The list that methods return: a list in every way, whose slices, copies and sums are of its class."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from smartdc import DataCenter, Machine
from smartdc.core.listing import ResourceList

ONE_TO_THREE = ResourceList([1, 2, 3])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (ONE_TO_THREE[1:], [2, 3]),
        (ONE_TO_THREE[::-1], [3, 2, 1]),
        (ONE_TO_THREE + [4], [1, 2, 3, 4]),  # noqa: RUF005 (it is the sum that is tried)
        ([0] + ONE_TO_THREE, [0, 1, 2, 3]),  # noqa: RUF005
        (ONE_TO_THREE * 2, [1, 2, 3, 1, 2, 3]),
        (2 * ONE_TO_THREE, [1, 2, 3, 1, 2, 3]),
        (ONE_TO_THREE.copy(), [1, 2, 3]),
        (copy.copy(ONE_TO_THREE), [1, 2, 3]),
        (copy.deepcopy(ONE_TO_THREE), [1, 2, 3]),
        (pickle.loads(pickle.dumps(ONE_TO_THREE)), [1, 2, 3]),  # noqa: S301 (made here)
    ],
)
def test_what_is_made_of_one_is_one(made: list[int], expected: list[int]) -> None:
    """A slice, a copy, a sum, a multiple and a pickle keep the class, and equal the list that they would be."""
    assert type(made) is ResourceList
    assert made == expected


def test_it_is_a_list() -> None:
    """JSON, comparison, sorting, item access and the refusal to be added to a tuple are a list's."""
    assert json.dumps(ONE_TO_THREE) == "[1, 2, 3]"
    assert ONE_TO_THREE == [1, 2, 3]
    assert list(ONE_TO_THREE).__eq__(ONE_TO_THREE)
    assert sorted(ONE_TO_THREE, reverse=True) == [3, 2, 1]
    assert (ONE_TO_THREE[0], ONE_TO_THREE[-1]) == (1, 3)
    assert repr(ONE_TO_THREE) == "[1, 2, 3]"
    with pytest.raises(TypeError):
        _ = ONE_TO_THREE + (4,)  # type: ignore[operator]  # noqa: RUF005 (the same)


@pytest.mark.parametrize(
    "listing",
    [
        lambda dc, _: dc.machines(),
        lambda dc, _: dc.machines_by_token("token"),
        lambda dc, _: dc.images(),
        lambda dc, _: dc.images(search="base"),
        lambda dc, _: dc.packages(),
        lambda dc, _: dc.networks(),
        lambda dc, _: dc.network("external").ips(),
        lambda dc, _: dc.vlans(),
        lambda dc, _: dc.keys(),
        lambda dc, _: dc.access_keys(),
        lambda dc, _: dc.users(),
        lambda dc, _: dc.roles(),
        lambda dc, _: dc.policies(),
        lambda dc, _: dc.firewall_rules(),
        lambda dc, _: dc.migrations(),
        lambda _, machine: machine.nics(),
        lambda _, machine: machine.disks(),
        lambda _, machine: machine.snapshots(),
        lambda _, machine: machine.audit(),
        lambda _, machine: machine.firewall_rules(),
    ],
)
def test_every_listing_is_one(
    dc: DataCenter, machine: Machine, listing: Callable[[DataCenter, Machine], list[Any]]
) -> None:
    """What a noun's plural returns is a `ResourceList`."""
    assert type(listing(dc, machine)) is ResourceList
