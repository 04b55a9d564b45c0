"""What is said of other clients in the guide *Reliability* is measured: here with two of them, in one scene."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kits.client_scenes import (
    LOST,
    LOST_MACHINE,
    READ_SCENES,
    REFUSED,
    RIGHT,
    SCENES,
    TWICE,
    UNTOLD,
    Said,
    judge,
    try_creates,
    write_key,
)
from kits.docs import ROOT
from kits.other_clients import node_clients, python_clients
from peers.node_kit import program
from smartdc.emulator import Emulator, WallClock


def test_a_lost_answer(tmp_path: Path) -> None:
    """`sdc-createmachine` loses the machine, and `requests` that sends everything again makes a second one."""
    modules = program("smartdc", "bin").parents[1]
    *_, retrying = python_clients()
    *_, sdc = node_clients(modules)
    key = write_key(tmp_path)

    assert try_creates(sdc, LOST, key, 1).outcomes == {LOST_MACHINE: 1}
    assert try_creates(retrying, LOST, key, 1).outcomes == {TWICE: 1}


@pytest.mark.parametrize(
    ("machines", "said", "outcome"),
    [
        (1, Said(True, "{id}"), RIGHT),
        (1, Said(False, "the connection was reset"), LOST_MACHINE),
        (2, Said(True, "{id}"), TWICE),
        (0, Said(False, "no"), REFUSED),
        (0, Said(True, "12345678-0000-4000-8000-123456789abc"), UNTOLD),
    ],
)
def test_the_judge(machines: int, said: Said, outcome: str) -> None:
    """It believes the books, and of what was said only that it names a machine."""
    cloud = Emulator(clock=WallClock())
    found = cloud.populate(machines)
    text = said.text.format(id=found[0].id if found else "")

    assert judge(cloud, Said(said.well, text)) == outcome


def test_the_table_is_whole() -> None:
    """The guide has a row for each scene, and no other."""
    text = (ROOT / "docs" / "guides" / "reliability.md").read_text(encoding="utf-8")
    table = text.partition("| what goes wrong |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| ([^|-][^|]*) \|", table, re.MULTILINE) == [*(scene.title for scene in SCENES), *READ_SCENES]
