"""What ``help`` shows of a data centre and a resource, and what methods are called in errors."""

from __future__ import annotations

import pickle
import pydoc
from collections.abc import Callable

import pytest

from smartdc import DataCenter, Machine


def shown(thing: object) -> str:
    """Return what ``help`` prints in Python's console."""
    return pydoc.render_doc(thing, renderer=pydoc.plaintext)  # type: ignore[attr-defined]


def test_help_lists_the_methods_of_a_data_centre_by_noun(offline: DataCenter) -> None:
    """One page has a section for each noun, and a line for each method."""
    page = shown(offline).splitlines()
    images = page[page.index("    image") + 1 :]

    assert images[0].split() == ["images()", "List", "the", "images", "that", "match", "the", "given", "values"]
    assert "    firewall rule" in page
    assert len(page) < 150
    assert max(map(len, page)) <= 104


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
