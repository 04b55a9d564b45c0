"""What resources and lists of them show in the console, in IPython, in notebooks and through `rich`."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import pytest
from IPython.lib import pretty as ipython
from rich.console import Console

from smartdc import DataCenter, Machine
from smartdc.core import cells
from smartdc.core.listing import ResourceList
from smartdc.emulator import Emulator

SECRETS = {"user-data": "hunter2", "root_pw": "hunter3", "user-script": "hunter4", "note": "hunter5"}


@pytest.fixture
def offline_machine(offline: DataCenter) -> Callable[..., Machine]:
    """Make machines of what a server might have said, which cannot be asked again."""

    def make(**data: Any) -> Machine:
        return Machine.from_answer(offline, {"id": "b0b3f0a4-5b0c-4e5a-9f1e-0123456789ab", "name": "web-1", **data})

    return make


def pretty(thing: object) -> str:
    """Return what IPython shows of a thing."""
    return str(ipython.pretty(thing))  # type: ignore[no-untyped-call]


def typed(monkeypatch: pytest.MonkeyPatch, line: str, **names: object) -> str:
    """Return what Python's console prints when somebody types a line."""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with redirect_stdout(io.StringIO()) as out:
        exec(compile(line, "<stdin>", "single"), {**names})  # noqa: S102 (it is what a console does)
    return out.getvalue()


def test_a_list_shows_its_machines_in_the_consoles_echo(
    dc: DataCenter, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed at a prompt shows a table, sent for by nothing."""
    lines = typed(monkeypatch, "machines", machines=dc.machines()).splitlines()

    assert lines[0].split() == ["name", "state", "primary_ip", "package", "image", "age", "id"]
    assert lines[1].startswith(f"web-1  running  {machine.primary_ip}  g1-small  {str(machine.image)[:8]}  ")


def test_elsewhere_a_list_shows_itself_as_one(
    dc: DataCenter, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A script has no prompt; a log and a function that were called from a prompt are no echo."""
    machines = dc.machines()
    own = f"[{machine!r}]"

    assert repr(machines) == own
    assert typed(monkeypatch, "show(machines)", machines=machines, show=lambda it: print(repr(it))) == f"{own}\n"  # noqa: T201
    typed(monkeypatch, "log('%r', machines)", machines=machines, log=logging.getLogger("here").warning)
    assert caplog.messages == [own]


def test_a_resource_in_a_list_of_ones_own_is_one_line(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comprehension makes a plain list, which is echoed as ever."""
    assert typed(monkeypatch, "[machine, machine]", machine=machine) == f"[{machine!r}, {machine!r}]\n"


def test_ipython_shows_tables_but_not_within_something_else(dc: DataCenter, machine: Machine) -> None:
    """`_repr_pretty_` is the table of a list and the fields of a resource."""
    machines = dc.machines()

    assert pretty(machines) == machines.as_text()
    assert pretty(machine) == machine.as_text()
    assert pretty([machine]) == f"[{machine!r}]"
    assert pretty({"machines": machines}) == f"{{'machines': [{machine!r}]}}"


def test_rich_shows_tables(dc: DataCenter, machine: Machine) -> None:
    """`rich` gets a table of its own, in which nothing of a name is markup."""
    console = Console(file=io.StringIO(), width=60)
    console.print(dc.machines())
    console.print(machine)
    console.print(ResourceList([1]))
    out = console.file.getvalue()  # type: ignore[attr-defined]

    assert "name   state    primary_ip  package   image     age" in out
    assert f"primary_ip           {machine.primary_ip}" in out
    assert out.endswith("[1]\n")


def test_rich_takes_nothing_for_markup(offline_machine: Callable[..., Machine]) -> None:
    """A server's text cannot colour, hide or link anything."""
    console = Console(file=io.StringIO(), width=60)
    console.print(ResourceList([offline_machine(name="[red]x[/red]")]))

    assert "[red]x[/red]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_notebook_shows_tables(dc: DataCenter, machine: Machine) -> None:
    """`_repr_html_` is the table of a list and the fields of a resource."""
    assert "<th>primary_ip</th>" in (dc.machines()._repr_html_() or "")
    assert f"<th>primary_ip</th><td>{machine.primary_ip}</td>" in (machine._repr_html_() or "")


def test_what_is_no_table_shows_itself_as_it_is(dc: DataCenter, machine: Machine) -> None:
    """Empty and mixed lists have no columns."""
    for odd in (ResourceList[object](), ResourceList([machine, *dc.networks()]), ResourceList([1])):
        assert odd._repr_html_() is None
        assert pretty(odd) == repr(odd) == repr(list(odd))


def test_a_long_list_is_shown_in_part_and_counted(offline_machine: Callable[..., Machine]) -> None:
    """A notebook shows 100 rows and a terminal 1,000."""
    many = ResourceList([offline_machine()]) * 1234

    assert (many._repr_html_() or "").count("<tr>") == 101
    assert "100 of 1,234 rows" in (many._repr_html_() or "")
    assert many.as_text().endswith("\n1,000 of 1,234 rows")


@pytest.mark.parametrize("created", ["yesterday", 7, "9999-99-99", {"a": [None]}])
def test_what_cannot_be_read_is_a_question_mark(offline_machine: Callable[..., Machine], created: object) -> None:
    """A table is no place for errors."""
    machine = offline_machine(created=created, tags="none", memory="x")

    assert ResourceList([machine]).as_text(200).splitlines()[1].split()[5:6] == ["?"]
    assert {line.split()[0] for line in machine.as_text(200).splitlines() if line.endswith("?")} == {
        "created",
        "tags",
        "memory",
    }


def test_a_name_cannot_move_the_cursor_or_become_markup(offline_machine: Callable[..., Machine]) -> None:
    """Control characters are shown as escapes, and markup as text."""
    machines = ResourceList([offline_machine(name="<b>\x1b[2J")])

    assert "\x1b" not in machines.as_text()
    assert "&lt;b&gt;\\x1b[2J" in (machines._repr_html_() or "")


def test_no_secret_is_shown(offline_machine: Callable[..., Machine]) -> None:
    """Of metadata the keys are shown."""
    machine = offline_machine(metadata={**SECRETS, "credentials": {"root": "hunter6"}})
    shown = machine.as_text(500) + machine._repr_html_() + ResourceList([machine]).as_text(500)  # type: ignore[operator]

    assert "hunter" not in shown
    assert "user-data, root_pw, note" in shown


def test_no_secret_of_an_access_key_is_shown(dc: DataCenter) -> None:
    """It is in the attribute `secret`, and nowhere else."""
    key = dc.create_access_key()
    shown = key.as_text(500) + ResourceList([key]).as_text(500)

    assert key.secret
    assert key.secret not in shown
    assert key.id in shown


def test_showing_sends_nothing(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """Reading is free, also of a machine that has no addresses yet."""
    young = Machine.from_answer(dc, {**machine.copy(), "ips": []})
    before = len(cloud.trace.operations())
    for each in (young, ResourceList([young])):
        each._repr_html_()
        pretty(each)

    assert len(cloud.trace.operations()) == before


def test_every_kind_shows_what_its_fields_are(dc: DataCenter, machine: Machine) -> None:
    """No column of any kind is unknown, or unreadable."""
    machine.create_snapshot("one")
    dc.create_user("ann", "ann@example.com", "secret123")
    dc.create_policy("look", ["CAN listmachines"])
    dc.create_role("reader", policies=["look"], members=["ann"])
    dc.create_firewall_rule("FROM any TO all vms ALLOW tcp PORT 80")
    listings: list[Any] = [
        dc.users(), dc.policies(), dc.roles(), dc.firewall_rules(), dc.images(), dc.packages(), dc.networks(),
        dc.vlans(), dc.keys(), machine.snapshots(), machine.nics(), machine.audit(), dc.network("external").ips(),
    ]  # fmt: skip

    for listing in listings:
        text = listing.as_text(500)
        assert "?" not in text
        assert text.splitlines()[1].split()[0] != "-"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (59, "59s"),
        (61, "1m"),
        (7199, "119m"),
        (7200, "2h"),
        (2 * 86400, "2d"),
        (20 * 86400, "2w"),
        (1e8, "3y"),
    ],
)
def test_an_age_is_one_number(seconds: float, words: str) -> None:
    """An age is told in one unit, of which there are at least two."""
    assert cells.short_age(seconds) == words


@pytest.mark.parametrize(
    ("mib", "words"),
    [
        (256, "256 MiB"),
        (1024, "1 GiB"),
        (1536, "1.5 GiB"),
        (2**21, "2 TiB"),
        (0.5, "512 KiB"),
        (28 / 1024, "28 KiB"),
        (0, "0 MiB"),
    ],
)
def test_a_size_is_told_in_its_unit(mib: float, words: str) -> None:
    """People say 25 GiB, not 25600 MiB."""
    assert cells.size(mib) == words
