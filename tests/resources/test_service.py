"""The services of a data centre."""

from __future__ import annotations

from kits.cloud import sent
from smartdc import DataCenter
from smartdc.emulator import Emulator


def test_services(dc: DataCenter, cloud: Emulator) -> None:
    """``ListServices`` gives URLs by name."""
    cloud.state.settings.services = {"docker": "tcp://docker.example:2376"}
    services = dc.services()
    assert sent(cloud, "ListServices") == ("GET", "services", {})
    assert services["docker"] == "tcp://docker.example:2376"
    assert services["cloudapi"] == dc.base_url
