"""What ``help`` shows of a data centre and a resource, and what methods are called in errors."""

from __future__ import annotations

import pickle
import pydoc
import re
from collections.abc import Callable

import pytest

from smartdc import DataCenter, Image, Machine
from smartdc.core import help_page


def shown(thing: object) -> str:
    """Return what ``help`` prints in Python's console."""
    return pydoc.render_doc(thing, renderer=pydoc.plaintext)  # type: ignore[attr-defined]


def names_in(page: str) -> list[str]:
    """Return the names that a page has an entry for."""
    return re.findall(r"^ {8}(\w+)(?:\(\))? ", page, re.MULTILINE)


def test_help_lists_the_methods_of_a_data_centre_by_noun(offline: DataCenter, environment: pytest.MonkeyPatch) -> None:
    """One page has a section for each noun, and an entry for each method, whose first sentence is there whole."""
    environment.setenv("COLUMNS", "100")
    text = shown(offline)
    page = text.splitlines()
    images = page[page.index("    image") + 1 :]

    assert images[0].split()[:5] == ["images()", "List", "the", "matching", "images"]
    assert "    firewall rule" in page
    assert len(names_in(text)) < 150
    assert "…" not in text
    assert max(map(len, page)) <= 100


def test_what_people_use_most_comes_first(offline: DataCenter) -> None:
    """Machines, images, packages and networks; then the rest, and the settings last."""
    page = shown(offline)
    names = names_in(page)
    order = ["machines", "create_machine", "fleet", "images", "packages", "networks", "account", "authenticate"]

    assert names[0] == "machines"
    assert sorted(order, key=names.index) == order
    assert page.rindex("\n    settings\n") > page.index("authenticate()")
    assert re.search(r"\n +timeout +The \w.* call", page)


def test_what_users_do_not_need_is_not_shown(offline: DataCenter, machine: Machine) -> None:
    """Neither ``help`` nor ``dir`` has names that are internal, or that only old scripts use; all are there."""
    hidden = help_page.INTERNAL | help_page.FORMER
    owners = (DataCenter, Machine, Image)

    assert {name for name in hidden if any(hasattr(owner, name) for owner in owners)} == hidden
    for thing in (offline, machine):
        assert not hidden & set(names_in(shown(thing)))
        assert not hidden & set(dir(thing))
    assert {"machines", "raw_machine_data", "timeout"} <= set(dir(offline))
    assert {"stop", "raw_snapshot_data", "name"} <= set(dir(machine))


def test_help_lists_attributes_and_methods_of_a_machine(machine: Machine) -> None:
    """What it is comes first, then what can be done."""
    page = shown(machine)

    assert page.index("memory") < page.index("\n    snapshot\n") < page.index("create_snapshot()")
    assert "RAM in MiB" in page
    assert "from_answers" not in page


def test_the_docstring_of_a_class_stays_what_it_is(machine: Machine) -> None:
    """Documentation tools and IPython's ``Machine?`` see what is written in the source."""
    assert (Machine.__doc__ or "").startswith("A machine, as CloudAPI last described it.\n")
    assert machine.__doc__ != Machine.__doc__


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda dc, _: dc.machines(nam=1), "DataCenter.machines() got an unexpected keyword argument 'nam'"),
        (lambda dc, _: dc.image(), "DataCenter.image() missing 1 required positional argument: 'identifier'"),
        (lambda _, machine: machine.stop(1), "Machine.stop() takes 1 positional argument but 2 were given"),
        (lambda _, machine: machine.firewall_rules(1), "firewall_rules() takes 1 positional argument but 2 were given"),
    ],
)
def test_errors_name_methods_as_users_know_them(
    dc: DataCenter, machine: Machine, call: Callable[[DataCenter, Machine], object], words: str
) -> None:
    """No mix-in is named, and what several classes have is named without one."""
    with pytest.raises(TypeError) as refusal:
        call(dc, machine)

    assert str(refusal.value).startswith(words)


def test_methods_of_a_machine_can_be_pickled(offline: DataCenter) -> None:
    """A job queue may take a method with its machine along."""
    machine = Machine(offline, data={"id": "m"})
    restored = pickle.loads(pickle.dumps(machine.stop))  # noqa: S301 (made here)

    assert (restored.__self__, restored.__name__) == (machine, "stop")
