"""The page on configuration has every setting, with its default and with everything else that says the same."""

from __future__ import annotations

import dataclasses
import inspect
import re

from kits.docs import ROOT
from smartdc import DataCenter, Retry
from smartdc.auth import profile
from smartdc.http import tls

PAGE = (ROOT / "docs" / "guides" / "configuration.md").read_text(encoding="utf-8")

OF_THE_ACCOUNT = {"TRITON_ACCOUNT", "SDC_ACCOUNT"}
"""What has no argument of its own: the page says so below the table."""


class Watched(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(TRITON_URL="")
        self.asked: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        """Remember the name, and have nothing."""
        self.asked.add(name)
        return default


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| `.*$", section, re.MULTILINE)
    ]


def test_every_argument_has_a_row_with_its_default() -> None:
    """The table has them in the order of the signature."""
    parameters = list(inspect.signature(DataCenter.__init__).parameters.values())[1:]
    defaults = [(each.name, "" if each.default is None else repr(each.default)) for each in parameters]

    assert [(row[0].strip("`"), row[3].strip("`")) for row in rows("Settings")] == defaults


def test_every_variable_of_the_environment_has_its_row() -> None:
    """What is read of the environment is listed, and nothing else is."""
    environment = Watched()
    profile.chosen(None, environment)
    listed = {name for row in rows("Settings") for name in re.findall(r"`([A-Z_]+)`", row[1])}

    read = {name for name in environment.asked if name.startswith(profile.PREFIXES)}
    assert listed | OF_THE_ACCOUNT == read | {"SSH_AUTH_SOCK"}


def test_every_entry_of_a_profile_has_its_row() -> None:
    """They are those that the code reads."""
    listed = {row[2].strip("`") for row in rows("Settings")} - {""}

    assert listed | {"account"} == set(profile.ENTRIES)


def test_every_argument_of_retry_has_a_row_with_its_default() -> None:
    """The table has them in their order."""
    assert [(row[0].strip("`"), row[1].strip("`")) for row in rows("Retries")] == [
        (each.name, repr(each.default)) for each in dataclasses.fields(Retry)
    ]


def test_the_variables_that_name_a_bundle_are_told_in_their_order() -> None:
    """The first one counts."""
    environment = Watched()
    tls.ca_bundle(verify=True, environ=environment)

    names = re.findall(r"`([A-Z_]+_(?:BUNDLE|FILE))`", PAGE.partition("\n## TLS\n")[2])
    assert set(names) == environment.asked
