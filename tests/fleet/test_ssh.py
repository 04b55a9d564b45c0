"""A command runs in many machines at the same time, and each machine's output is kept apart."""

from __future__ import annotations

import signal
import threading
from subprocess import CompletedProcess

import pytest

from kits.sshd import BASTION, TARGETS, Sshd
from smartdc import DataCenter, InputError, SSHError, SSHOutputs
from smartdc.emulator import Emulator, VirtualClock


@pytest.fixture
def cloud() -> Emulator:
    """A cloud in which jobs end at the next look."""
    return Emulator(clock=VirtualClock())


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process: what is sent is not what this is about."""
    return DataCenter(**cloud.connection())


@pytest.fixture
def servers(sshd: Sshd, cloud: Emulator) -> Sshd:
    """Servers behind web-1, web-2 and, through a bastion, web-3; web-4 has no address."""
    for number, address in enumerate(TARGETS, start=1):
        [machine] = cloud.populate(1, name=f"web-{number}", tags={"role": "web"})
        sshd.inhabit(cloud, machine, address)
    machine.tags["tritoncli.ssh.proxy"] = "bastion"
    [bastion] = cloud.populate(1, name="bastion")
    sshd.inhabit(cloud, bastion, BASTION)
    return sshd


def test_outputs_are_by_machine(servers: Sshd, dc: DataCenter, cloud: Emulator) -> None:
    """All at the same time, also through a bastion; what image and bastion say is asked for once."""
    fleet = dc.fleet(tags={"role": "web"})
    outputs = fleet.ssh("echo $SSH_CONNECTION; exit 4", options=servers.options)

    assert [output.name for output in outputs] == ["web-1", "web-2", "web-3"]
    assert [output.stdout.split()[2] for output in outputs] == list(TARGETS)
    assert {output.returncode for output in outputs} == {4}
    assert cloud.trace.operations() == ["ListMachines", "GetImage", "ListMachines"]
    assert not outputs.ok


def test_what_fails_keeps_nobody_else_from_it(servers: Sshd, dc: DataCenter, cloud: Emulator) -> None:
    """A machine that cannot be reached, and one without an address, are told of; the text is for people."""
    [nowhere] = cloud.populate(1, name="web-4", tags={"role": "web"})
    nowhere.nics.clear()
    machines = dc.machines(tags={"role": "web"})
    machines[1].add_tags({"tritoncli.ssh.port": 1})
    outputs = dc.fleet(machines).ssh(["echo", "it's me"], options=servers.options, at_once="2")  # type: ignore[arg-type]

    assert isinstance(outputs, SSHOutputs)
    assert [(output.name, output.returncode) for output in outputs] == [
        ("web-1", 0), ("web-2", None), ("web-3", 0), ("web-4", None),
    ]  # fmt: skip
    assert isinstance(outputs[1].error, SSHError)
    assert repr(outputs) == "<SSHOutputs of 4 machines: 2 ok, 2 failed>"
    assert str(outputs).splitlines() == [
        "== web-1",
        "it's me",
        f"== web-2: ssh to web-2: ssh: connect to host {TARGETS[1]} port 1: Connection refused",
        "== web-3",
        "it's me",
        "== web-4: web-4 has no address yet",
    ]
    assert "web-4 has no address yet" in outputs.failed._repr_html_()


def test_an_interrupt_ends_the_commands(servers: Sshd, dc: DataCenter) -> None:
    """Ctrl-C does not wait for what hangs."""

    def interrupt() -> None:
        while servers.log("targets").count("Starting session") == before:
            threading.Event().wait(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before = servers.log("targets").count("Starting session")
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        dc.fleet(tags={"role": "web"}).ssh("sleep 300", options=servers.options)
    thread.join()
    assert not [other for other in threading.enumerate() if other.name.startswith("smartdc-ssh")]


def test_at_least_one_at_a_time(servers: Sshd, dc: DataCenter) -> None:
    """Anything else is refused."""
    with pytest.raises(InputError, match="at_once must be at least 1, got 0"):
        dc.fleet(tags={"role": "web"}).ssh("true", options=servers.options, at_once=0)


def test_many_machines_need_a_command(servers: Sshd, dc: DataCenter) -> None:
    """Only one machine is something to log in to."""
    with pytest.raises(InputError, match="give a command"):
        dc.fleet(tags={"role": "web"}).ssh(None, options=servers.options)  # type: ignore[arg-type]


def test_what_is_given_reaches_ssh(dc: DataCenter, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user, a direct way, options, the time, and how many at once; by default each machine's own user."""
    for machine in cloud.populate(3, name="web-{n}"):
        machine.tags = {"tritoncli.ssh.proxy": "bastion"}
    cloud.populate(1, name="bastion")
    ran: list[tuple[str, list[str], float | None]] = []
    together, most = 0, 0
    lock = threading.Lock()

    def run_ssh(name: str, words: list[str], *, timeout: float | None, started: object) -> CompletedProcess[str]:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
            ran.append((name, words, timeout))
        threading.Event().wait(0.02)
        with lock:
            together -= 1
        assert callable(started)
        return CompletedProcess(words, 3, "out", "err")

    monkeypatch.setattr("smartdc.fleet.ssh.run_ssh", run_ssh)
    fleet = dc.fleet(name="web-*")
    outputs = fleet.ssh("uptime", at_once=2, user="admin", proxy=False, options=["-v"], timeout=5)

    assert [(each.name, each.stdout, each.stderr, each.returncode) for each in outputs] == [
        (f"web-{n}", "out", "err", 3) for n in range(3)
    ]
    assert most == 2
    name, words, timeout = min(ran)
    assert (name, words[:2], words[-1], timeout) == ("web-0", ["ssh", "-v"], "uptime", 5)
    assert words[words.index("-l") + 1] == "admin"
    assert not [word for word in words if word.startswith("ProxyJump=")]

    ran.clear()
    fleet.ssh(["echo", "it's"])
    name, words, timeout = min(ran)
    assert (words[-1], timeout) == ("echo 'it'\"'\"'s'", 3600)
    assert "BatchMode=yes" in words
    assert words[words.index("-l") + 1] == "root"
    assert [word for word in words if word.startswith("ProxyJump=")]
