"""What the documentation shows runs, and it says all that the code has."""

from __future__ import annotations

import doctest
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import smartdc
from kits.docs import (
    EMULATED,
    OPERATIONS,
    PAGES,
    REFERENCE,
    ROOT,
    ROWS,
    Block,
    blocks,
    calls,
    code,
    differences,
    documented_classes,
    owners,
    prose,
    public_classes,
    requests_on,
    table,
    written_table,
)
from kits.sshd import BASTION, TARGETS, Sshd
from smartdc import DataCenter, emulator
from smartdc.core.operation import operations_of
from smartdc.core.resource import Resource
from smartdc.emulator import Emulator, Server, VirtualClock

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def relative(path: Path) -> str:
    """Name a page by where it is in the project."""
    return str(path.relative_to(ROOT))


@pytest.fixture
def names(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the code on a page may use: `cloud`, `dc`, and an environment that says where the same cloud is."""
    cloud = Emulator(clock=VirtualClock(time.time()))
    key = tmp_path / "id_emulator"
    key.touch(0o600)
    key.write_text(cloud.private_key or "")
    environment.chdir(tmp_path)
    with Server(cloud) as server, DataCenter(**cloud.connection()) as dc:
        environment.setenv("TRITON_URL", server.url)
        environment.setenv("TRITON_ACCOUNT", cloud.login)
        environment.setenv("TRITON_KEY_ID", cloud.key_id.rpartition("/")[2])
        environment.setenv("TRITON_KEY_MATERIAL", str(key))
        yield {"cloud": cloud, "dc": dc, "server": server}
    logging.getLogger("smartdc").setLevel(logging.NOTSET)  # a page may have set it


def add_machine(names: dict[str, Any], page: list[Block]) -> None:
    """Provide a running `machine`, unless the page makes its own."""
    if not any(re.search(r"^(>>> )?machine = ", block.source, re.MULTILINE) for block in page):
        names["machine"] = names["dc"].create_machine(
            name="web-1", image="base-64-lts@24.4.1", package="g1-small", tags={"role": "web"}, wait=True
        )


def make_reachable(names: dict[str, Any], sshd: Sshd) -> None:
    """Put real servers behind `machine`, and behind another one called bastion."""
    cloud = names["cloud"]
    sshd.inhabit(cloud, cloud.state.machines[names["machine"].id], TARGETS[0])
    [bastion] = cloud.populate(1, name="bastion")
    sshd.inhabit(cloud, bastion, BASTION)
    names["machine"].refresh()


def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block: as a file of tests, as a session whose answers are compared, or as a script."""
    if block.test_file:
        run_tests(block)
    elif block.kind == "pycon":
        run_session(block, names)
    else:
        source = "\n" * (block.line - 1) + block.source
        exec(compile(source, str(block.page), "exec"), names)  # noqa: S102 (that is what it is for)


def run_session(block: Block, names: dict[str, Any]) -> None:
    """Type what a session shows, and compare what it answers."""
    test = doctest.DocTestParser().get_doctest(block.source, {}, block.page.name, str(block.page), block.line - 1)
    test.globs = names
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.append, clear_globs=False)

    assert not result.failed, "".join(report)


def run_tests(block: Block) -> None:
    """Write a file of tests beside those that the page showed before, and have pytest run it."""
    path = Path(str(block.test_file))
    path.write_text(block.source)
    if path.name == "conftest.py":
        return
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "smartdc.emulator.pytest_plugin", path.name]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=relative)
def test_the_code_on_a_page_runs(
    page: Path,
    names: dict[str, Any],
    request: pytest.FixtureRequest,
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Every block of Python on a page does what the page says, from the first to the last, and sends what it says."""
    found = [block for block in blocks(page) if block.reason is None]
    add_machine(names, found)
    if any(".ssh(" in block.source for block in found):
        sshd = request.getfixturevalue("sshd")
        environment.setenv("PATH", f"{sshd.command(tmp_path)}:{os.environ['PATH']}")
        make_reachable(names, sshd)
    emulator = names["cloud"]  # a page may have another use for the name
    for block in found:
        run(block, names)
    sent = {f"{asked.method} {re.sub(UUID, 'ID', asked.path)}" for asked in emulator.trace}
    assert set(requests_on(page)) <= sent


def test_a_block_that_is_not_run_says_why() -> None:
    """The reason is a part of the block, so that readers see it too."""
    assert [block for page in PAGES for block in blocks(page) if block.reason == ""] == []


def test_what_is_shown_of_the_code_is_in_the_code() -> None:
    """An example that is taken from a file of this project is what that file says today."""
    origin = re.compile(r"it is a part of (\S+)")
    shown = [
        (block, found[1]) for page in PAGES for block in blocks(page) if (found := origin.fullmatch(block.reason or ""))
    ]

    for block, file in shown:
        assert block.source.partition("\n")[2] in (ROOT / file).read_text(encoding="utf-8"), block
    assert shown


def test_a_link_leads_somewhere() -> None:
    """A page that another one points to is there."""
    links = [(page, target) for page in PAGES for target in re.findall(r"\]\((?!https?:)([^)#]+)", prose(page))]

    assert [(relative(page), target) for page, target in links if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_the_reference_shows_every_public_class(cls: type) -> None:
    """Nothing that users meet is without its page."""
    folder, noun = cls.__module__.split(".")[-2:]
    path = f"{cls.__module__}.{cls.__name__}"
    page = (
        f"a page such as docs/reference/{folder}/{noun}.md"
        if cls.__name__ in smartdc.__all__
        else "docs/reference/mix-ins.md"
    )

    assert cls in documented_classes(), f"add '.. autoclass:: {path}' to {page}"


def test_the_page_of_a_noun_lists_the_methods_of_its_owners() -> None:
    """They are described with the owner, and found from the noun."""
    modules = {noun.__module__ for noun in owners() if issubclass(noun, Resource)}
    mixins = {f"{cls.__module__}.{cls.__name__}" for cls in public_classes() if cls.__module__ in modules and asks(cls)}
    nouns = {f"{noun.__module__}.{noun.__name__}" for noun in owners()}
    pages = "".join(page.read_text(encoding="utf-8") for page in REFERENCE)
    missing = [path for path in sorted(mixins - nouns) if f"<!-- calls of {path} -->" not in pages]

    assert missing == [], "add '<!-- calls of ... -->' to the page of its noun"


def asks(cls: type) -> bool:
    """Tell whether methods of a class itself are marked with operations."""
    return any(operations_of(thing, cls.__name__) for thing in vars(cls).values())


@pytest.mark.parametrize("name", emulator.__all__)
def test_the_reference_shows_all_of_the_emulator(name: str) -> None:
    """What tests can ask of the emulator is written down."""
    page = ROOT / "docs" / "reference" / "emulator.md"

    assert re.search(rf"^\.\. auto\w+:: smartdc\.emulator\.{name}$", page.read_text(), re.MULTILINE)


def test_the_reference_names_every_operation() -> None:
    """Who looks for CloudAPI's name of a thing finds the page on it."""
    reference = "".join(page.read_text(encoding="utf-8") for page in REFERENCE)
    names = {operation.partition(":")[0] for operation in calls()}

    assert {name for name in names if f"``{name}``" not in reference} == set(), "name it on the page of its noun"


def test_the_table_of_operations_is_that_of_the_code() -> None:
    """Methods, paths and what the emulator has are where the table says; none is missing."""
    assert written_table() == table(), "run PYTHONPATH=tests python -m kits.docs, which writes the table again"


def test_every_operation_is_in_the_table_once() -> None:
    """What needs no method of its own is listed too, and the page says how many there are."""
    listed = sorted(re.findall(r"^\| ``(\S+)`` \|", written_table(), re.MULTILINE))
    assert listed == sorted(ROWS), "run PYTHONPATH=tests python -m kits.docs, which writes the table again"
    words = f"CloudAPI 9.20 has {sum(route.since != 'newer' for route in ROWS.values())} operations"
    assert words in prose(OPERATIONS), f"the page begins with another number; write '{words}'"


def test_every_operation_has_a_method() -> None:
    """All but redirects for browsers, and those that give the headers of another operation, have a method and are emulated."""
    redirects = {"RedirectRoot", "RedirectDocs", "Favicon"}
    needed = {name for name, route in ROWS.items() if route.method != "HEAD"} - redirects
    marked = calls().keys()

    assert needed - marked == set(), "mark the method that asks for it: @operation(...)"
    assert marked - ROWS.keys() == set(), "no row in smartdc/emulator/pipeline/routes.py has the name in the mark"
    assert ROWS.keys() - EMULATED == set(), "add a handler to a module that smartdc/emulator/nouns.py lists"


def test_differences_are_numbered_and_about_operations() -> None:
    """Each line of the list has the next number, and names operations that there are."""
    told = prose(OPERATIONS).partition("## Differences")[2]
    numbers = re.findall(r"^(\d+)\. ", told, re.MULTILINE)

    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert {number for several in differences().values() for number in several} == set(numbers)
    assert differences().keys() <= ROWS.keys()


def test_a_line_holds_one_sentence() -> None:
    """A change of a sentence is a change of a line."""
    lines = [(page, line) for page in PAGES if page.name != "operations.md" for line in prose(page).splitlines()]

    assert [(relative(page), line) for page, line in lines if re.search(r"[a-z)`][.?!] [A-Z]", line)] == []


def test_code_fits_the_page() -> None:
    """At 1280 pixels a line of code has room for 92 characters; README's own lines are typed as they are."""
    lines = [(page, line) for page in PAGES if page.name != "README.md" for line in code(page).splitlines()]

    assert [(relative(page), line) for page, line in lines if len(line) > 92] == []
