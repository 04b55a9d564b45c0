"""Sizes as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from smartdc import DataCenter, InputError
from smartdc.core.size import sizes
from smartdc.emulator import Emulator


@pytest.mark.parametrize(
    ("given", "mib"),
    [
        (1024, 1024),
        ("1024", 1024),
        ("512M", 512),
        ("10G", 10_240),
        ("10g", 10_240),
        ("10GiB", 10_240),
        ("10 GiB", 10_240),
        ("1.5T", 1_572_864),
        ("0.5G", 512),
        (0, 0),
    ],
)
def test_size(given: Any, mib: int) -> None:
    """A number is MiB; units are powers of 1,024."""
    assert sizes(size=given) == {"size": mib}


@pytest.mark.parametrize("given", ["10GB", "G", "10 X", "-1G", "1e3G", "", "1,5G", "٣G", "10Gi"])
def test_what_is_no_size(given: str) -> None:
    """Anything else is refused, with what would do; powers of ten too, since CloudAPI has none."""
    with pytest.raises(InputError, match="size must be a number of MiB, or a size such as '512M'"):
        sizes(size=given)


def test_no_whole_number() -> None:
    """CloudAPI takes whole MiB alone."""
    with pytest.raises(InputError, match=r"size must be a whole number of MiB, and '0.3M' is 0.3"):
        sizes(size="0.3M")


@pytest.mark.parametrize("given", [True, 1.5, b"1"])
def test_other_types(given: Any) -> None:
    """What is neither a number nor a text is refused as everywhere."""
    with pytest.raises(InputError, match="size must be a whole number"):
        sizes(size=given)


def test_sizes_in_calls(dc: DataCenter, cloud: Emulator) -> None:
    """Volumes, packages and machines are filtered and made by such sizes."""
    cloud.state.settings.volumes = True
    assert dc.create_volume("data", "20G", wait=True).size == 20_480
    assert [volume.name for volume in dc.volumes(size="20G")] == ["data"]
    assert {package.name for package in dc.packages(memory="4G")} == {"g1-medium", "b1-fixed"}
    assert dc.machines(memory="1G") == []
