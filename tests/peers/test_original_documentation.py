"""What the documentation of py-smartdc 0.2 tells people to type works: every statement, in order.

Only locations, keys, names of images and packages, and `print` are others. Nothing answers in an emulated machine, so
`urllib2` and `ssh` are stand-ins, which note whom they were to talk to.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from smartdc import DataCenter, Image, Key, Machine
from smartdc.emulator import Emulator, Server, WallClock

SCRIPT = "#!/usr/bin/sh\n\ntouch /home/admin/FTW\n"


class Statement(NamedTuple):
    """A statement of the documentation, and whether what it gives is what it was to give."""

    source: str
    fits: Callable[[Any], bool] = lambda value: value is None


def several(kind: type) -> Callable[[Any], bool]:
    """Say that there is a list of things of a kind."""
    return lambda value: bool(value) and all(isinstance(each, kind) for each in value)


README = (
    Statement("from smartdc import DataCenter"),
    Statement("sdc = DataCenter(location=place, key_id='/demo/keys/emulator')"),
    Statement("sdc.datasets()", several(Image)),
    Statement("sm = sdc.create_machine(name='test', dataset='base-64-lts@24.4.1', package='g1-small')"),
    Statement("sm.poll_until('running')"),
    Statement("import urllib2"),
    Statement("urllib2.urlopen('http://' + sm.public_ips[0]).headers.dict", lambda value: "server" in value),
    Statement("sm.stop()"),
    Statement("sm.poll_until('stopped')"),
    Statement("sm.delete()"),
    Statement("from smartdc import DataCenter, TELEFONICA_LOCATIONS"),
    Statement(
        "mad = DataCenter(location='eu-mad-1', known_locations=dict(TELEFONICA_LOCATIONS, **{'eu-mad-1': place}),"
        " key_id='/demo/keys/emulator')"
    ),
    Statement("mad.default_package()"),
)

TUTORIAL = (
    Statement("from smartdc import DataCenter"),
    Statement("sdc = DataCenter(location=place, key_id='/demo/keys/emulator', secret='~/.ssh/id_rsa', verbose=True)"),
    Statement("sdc.keys()", several(Key)),
    Statement("east = sdc.datacenter('emulator-1')"),
    Statement(f"with open('./test-script.sh', 'w') as f:\n    f.write({SCRIPT!r})"),
    Statement("east.datasets()", several(Image)),
    Statement("east.default_package()"),
    Statement("sdc.packages('g1-.+')", lambda value: value == []),
    Statement("east.datasets('base(-64)?-')", several(Image)),
    Statement("a_base = east.datasets('base(-64)?-')[0]"),
    Statement(
        "test_machine = east.create_machine(name='test-machine', dataset=a_base, boot_script='./test-script.sh',"
        " package='g1-small', tags={'type': 'test'})"
    ),
    Statement("test_machine.poll_while('provisioning', interval=3)"),
    Statement("test_machine == east.machines(name='test-machine')[0]", lambda value: value is True),
    Statement("import ssh"),
    Statement("ssh_conn = ssh.SSHClient()"),
    Statement("ssh_conn.set_missing_host_key_policy(ssh.AutoAddPolicy())"),
    Statement("ssh_conn.connect(test_machine.public_ips[0], username='admin')"),
    Statement("_, rout, _ = ssh_conn.exec_command('pkgin ls')"),
    Statement("dict(ln.split(None, 1) for ln in rout)", lambda value: value == {"FTW": "there"}),
    Statement("print(ssh_conn.exec_command('ls')[1].read())"),
    Statement("ssh_conn.close()"),
    Statement("test_machine.stop()"),
    Statement("test_machine.poll_until('stopped')"),
    Statement("test_machine.delete()"),
    Statement("from operator import methodcaller"),
    Statement("from multiprocessing.dummy import Pool"),
    Statement("simultaneous = Pool(min(east.num_machines(tags={'type': 'test'}), 8))"),
    Statement("test_machines = east.machines(tags={'type': 'test'})"),
    Statement("simultaneous.map(methodcaller('stop'), test_machines)", lambda value: value == [None] * 12),
    Statement("simultaneous.map(methodcaller('poll_until', 'stopped'), test_machines)", lambda value: len(value) == 12),
    Statement("simultaneous.map(methodcaller('status'), test_machines)", lambda value: set(value) == {"stopped"}),
    Statement("simultaneous.map(methodcaller('delete'), test_machines)", lambda value: len(value) == 12),
    Statement("east.num_machines(tags={'type': 'test'}) == 0", lambda value: value is True),
)


class Terminal:
    """Somebody who types one statement after the other."""

    def __init__(self, cloud: Emulator, place: str) -> None:
        self.cloud = cloud
        self.names: dict[str, Any] = {"place": place}

    def type(self, source: str) -> Any:
        """Run a statement, and return its value if it is an expression."""
        try:
            code = compile(source, "<typed>", "eval")
        except SyntaxError:
            exec(source, self.names)  # noqa: S102 (that is what it is for)
            return None
        return eval(code, self.names)  # noqa: S307 (the same)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Modules of Python 2 that talk to machines, and whom they talked to."""
    talked_to: list[str] = []
    urllib2, ssh = ModuleType("urllib2"), ModuleType("ssh")

    def urlopen(url: str) -> SimpleNamespace:
        talked_to.append(url)
        return SimpleNamespace(headers=SimpleNamespace(dict={"server": "nginx"}))

    client = SimpleNamespace(
        set_missing_host_key_policy=lambda _: None,
        connect=lambda host, username: talked_to.append(f"{username}@{host}"),
        exec_command=lambda _: (None, io.StringIO("FTW there"), None),
        close=lambda: None,
    )
    vars(urllib2).update(urlopen=urlopen)
    vars(ssh).update(SSHClient=lambda: client, AutoAddPolicy=object)
    monkeypatch.setitem(sys.modules, "urllib2", urllib2)
    monkeypatch.setitem(sys.modules, "ssh", ssh)
    return talked_to


@pytest.fixture
def terminal(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in an empty folder, of somebody who has the key of the account in ``~/.ssh/id_rsa``."""
    cloud = Emulator(clock=WallClock())
    (tmp_path / ".ssh").mkdir()
    key = tmp_path / ".ssh" / "id_rsa"
    key.touch(0o600)
    key.write_text(str(cloud.private_key))
    environment.setenv("HOME", str(tmp_path))
    environment.chdir(tmp_path)
    with Server(cloud) as server:
        yield Terminal(cloud, server.url)


def typed(terminal: Terminal, statements: tuple[Statement, ...]) -> list[str]:
    """Type all statements, and return those whose value was not what it was to be."""
    return [statement.source for statement in statements if not statement.fits(terminal.type(statement.source))]


@pytest.mark.filterwarnings("ignore:datasets are called images now:DeprecationWarning")
def test_readme(terminal: Terminal, hosts: list[str]) -> None:
    """All 13 statements of the README: a machine is made, talked to and deleted, and another cloud is asked."""
    assert typed(terminal, README) == []
    assert len(README) == 13
    [machine] = terminal.cloud.state.machines.values()
    assert (machine.name, machine.state, hosts) == ("test", "deleted", ["http://198.18.0.5"])


@pytest.mark.filterwarnings("ignore:datasets are called images now:DeprecationWarning")
def test_tutorial(terminal: Terminal, hosts: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """All 33 statements of the tutorial: one machine from its boot script to its end, and many at once."""
    first, rest = TUTORIAL[:26], TUTORIAL[26:]
    assert typed(terminal, first) == []
    one: Machine = terminal.names["test_machine"]
    terminal.cloud.populate(12, tags={"type": "test"})
    assert typed(terminal, rest) == []
    assert len(TUTORIAL) == 33

    books = terminal.cloud.state.machines
    assert (books[one.id].metadata["user-script"], books[one.id].tags["type"]) == (SCRIPT, "test")
    assert {machine.state for machine in books.values()} == {"deleted"}
    assert hosts == ["admin@198.18.0.5"]
    told = capfd.readouterr()
    assert told.out == "FTW there\n"
    assert f"\tGET\t{terminal.names['place']}/my/keys\n" in told.err
    assert isinstance(terminal.names["east"], DataCenter)
    terminal.names["simultaneous"].terminate()
