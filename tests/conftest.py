"""What every test may ask for: an emulated cloud, and a client at each of its doors."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from coverage import Coverage

from kits import thorough
from kits.distribution import ScopeScheduling, put_longest_first
from kits.doors import DOORS, SharedServer
from kits.measured import Measure
from kits.operations import CHECKED, Check
from kits.sshd import SSHD, Sshd, running
from smartdc import DataCenter, Machine
from smartdc.emulator import Emulator, Server, VirtualClock

AMOUNTS: dict[str, tuple[int, int]] = {}
"""How much every run does by name of the option, and how much a thorough one."""
UNCHECKED = pytest.StashKey[list[Check]]()
"""Operations that a run of all tests left unchecked."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say how much is done of what could go on for ever."""
    parser.addoption("--thorough", action="store_true", help="do all of it: ten times as much as in every run, or more")
    for name, daily, everything, what in (
        ("campaign", 1_500, 200_000, "how many calls the campaign makes with random failures"),
        ("kills", 1, 3, "how often a create is killed at each of its moments"),
        ("interrupts", 1_000, 20_000, "how often a client is interrupted by signals"),
    ):
        words = f"{what}: {daily:,}, or {everything:,} with --thorough"
        parser.addoption(f"--{name}", type=int, metavar="N", help=words)
        AMOUNTS[name] = daily, everything


def pytest_configure(config: pytest.Config) -> None:
    """Decide how much is done, before any test is imported."""
    thorough.THOROUGH = config.option.thorough
    config.pluginmanager.register(Measure(Coverage.current()))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what it puts in the background, and so would be whatever the tests start and interrupt.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, amounts in AMOUNTS.items():
        if getattr(config.option, name) is None:
            setattr(config.option, name, thorough.amount(*amounts))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ScopeScheduling | None:
    """Take the place of ``--dist load``, which ``-n`` means by itself."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return ScopeScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the workers of pytest-xdist begin with what takes longest."""
    if hasattr(config, "workerinput"):
        put_longest_first(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over which operations the tests of a worker checked; fail a whole run that left some unchecked."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["checked"] = sorted(CHECKED.checks)
    elif session.exitstatus == pytest.ExitCode.OK and is_whole(session.config) and CHECKED.missing():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[UNCHECKED] = CHECKED.missing()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker hands over."""
    CHECKED.update(getattr(node, "workeroutput", {}).get("checked", ()))


def is_whole(config: pytest.Config) -> bool:
    """Say whether all tests were to be run."""
    option = config.option
    chosen = (
        option.keyword,
        option.markexpr,
        option.deselect,
        option.ignore,
        getattr(option, "lf", False),
        option.collectonly,
    )
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(chosen)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of the tests that record some, and what made a whole run fail."""
    for report in (report for several in terminalreporter.stats.values() for report in several):
        figures = dict(getattr(report, "user_properties", ())).get("figures")
        if figures and report.when == "teardown":
            terminalreporter.write_line(f"{report.nodeid}: {figures}")
    for operation, door in terminalreporter.config.stash.get(UNCHECKED, []):
        advice = f'write a test with the fixture dc that has sent(cloud, "{operation}"), and checks what became of it'
        terminalreporter.write_line(f"FAILED {operation} is checked by no test at the door {door}: {advice}", red=True)


@pytest.fixture(scope="session")
def shared_server() -> Iterator[SharedServer]:
    """A server that is started once, since starting one costs more than most tests."""
    shared_server = SharedServer()
    with Server(shared_server) as server:
        shared_server.url = server.url
        yield shared_server


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Folders without files: the same one for as long as nobody leaves anything in it."""
    folder = tmp_path_factory.mktemp("homes")

    def empty() -> Iterator[str]:
        for number in itertools.count():
            home = folder / str(number)
            home.mkdir()
            while not any(home.iterdir()):
                yield str(home)

    return empty()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[str]) -> pytest.MonkeyPatch:
    """An environment that says nothing of anybody's cloud, keys or proxies, and a home without files."""
    for name in os.environ:
        if name.startswith(("TRITON_", "SDC_", "SSL_CERT_")) or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", next(homes))
    return monkeypatch


@pytest.fixture
def cloud() -> Emulator:
    """An emulated CloudAPI whose time stands still unless somebody sleeps on its clock."""
    return Emulator(clock=VirtualClock())


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """The way into the emulated cloud: within the process, or over HTTP."""
    return str(request.param)


@pytest.fixture
def dc(cloud: Emulator, door: str, shared_server: SharedServer) -> Iterator[DataCenter]:
    """A client of the emulated cloud; a test that uses it runs once for each door."""
    shared_server.cloud = cloud
    CHECKED.door = door
    with DataCenter(**cloud.connection(shared_server.url if door == "http" else None)) as client:
        yield client
    CHECKED.door = None


@pytest.fixture
def machine(dc: DataCenter, cloud: Emulator) -> Machine:
    """A running machine called web-1, of package g1-small and without tags and metadata."""
    [there] = cloud.populate(1, name="web-1")
    return dc.machine(there.id)


@pytest.fixture
def offline() -> DataCenter:
    """A data centre that nothing can be sent to."""
    return DataCenter("http://127.0.0.1:1", login="demo")


@pytest.fixture
def odd_server() -> Iterator[responses.RequestsMock]:
    """A server at ``http://odd.test`` that answers what no CloudAPI would."""
    with responses.RequestsMock() as server:
        yield server


@pytest.fixture
def odd_dc(odd_server: responses.RequestsMock, cloud: Emulator) -> DataCenter:  # noqa: ARG001 (it is what answers)
    """A client of the odd server, on the cloud's clock."""
    return DataCenter("http://odd.test", clock=cloud.clock)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Real servers on loopback addresses, started once."""
    if SSHD is None:
        pytest.skip("there is no sshd: it is in the package openssh-server")
    with running(tmp_path_factory.mktemp("sshd")) as servers:
        yield servers
