"""The account's settings in a data centre."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import account, sent
from smartdc import DataCenter, InvalidArgument, ResourceNotFound
from smartdc.emulator import Emulator

UNKNOWN = "8d9fd3ec-0d80-4b9f-9b7d-7a4d1c8c3c5e"


@pytest.fixture
def fabric(cloud: Emulator) -> str:
    """The id of the account's own network."""
    return next(network.id for network in cloud.state.networks.values() if network.fabric)


def test_config(dc: DataCenter, cloud: Emulator, fabric: str) -> None:
    """``GetConfig`` tells the settings."""
    account(cloud).default_network = fabric

    assert dc.config() == {"default_network": fabric}
    assert sent(cloud, "GetConfig") == ("GET", "config", {})


def test_config_of_nothing(dc: DataCenter, cloud: Emulator) -> None:
    """``GetConfig`` leaves out what was never set."""
    account(cloud).default_network = None

    assert dc.config() == {}


@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_update_config(dc: DataCenter, cloud: Emulator, fabric: str, form: str) -> None:
    """``UpdateConfig`` sets the network that machines get when nobody says which."""
    name = cloud.state.networks[fabric].name
    given: Any = {"id": fabric, "name": name, "dict": {"id": fabric}}.get(form) or dc.network(fabric)

    assert dc.update_config(default_network=given) == {"default_network": fabric}

    assert sent(cloud, "UpdateConfig") == ("PUT", "config", {"default_network": fabric})
    assert account(cloud).default_network == fabric


def test_update_config_with_an_unknown_network(dc: DataCenter) -> None:
    """``UpdateConfig`` says that there is no such network."""
    with pytest.raises(InvalidArgument, match="unknown network"):
        dc.update_config(UNKNOWN)
    with pytest.raises(ResourceNotFound, match="no network named 'nowhere'"):
        dc.update_config("nowhere")


def test_update_config_with_roles(dc: DataCenter, cloud: Emulator, fabric: str) -> None:
    """``UpdateConfig`` takes no other parameter, so the roles that a client takes on are left out here."""
    dc.active_roles = ["reader"]

    dc.update_config(fabric)

    assert sent(cloud, "UpdateConfig")[1] == "config"
