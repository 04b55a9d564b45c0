"""Real sshd processes on loopback addresses, which machines of the emulator's books get as theirs.

Nothing ever connects to the emulator's own ranges: the addresses are from 127.66.0.0/24.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartdc.emulator import Emulator
from smartdc.emulator.state.records import MachineRecord

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

TARGETS = ("127.66.0.11", "127.66.0.12", "127.66.0.13")
BASTION = "127.66.0.1"

CONFIG = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/id_test.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
Port {port}
"""

CLIENT_CONFIG = """\
IdentityFile {folder}/id_test
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
StrictHostKeyChecking yes
"""


@dataclass(frozen=True)
class Sshd:
    """Two servers: one at each address in `TARGETS`, and one at `BASTION`."""

    folder: Path
    port: int
    user: str = getpass.getuser()

    @property
    def options(self) -> list[str]:
        """What a client needs besides: a key that may log in, and the keys of the hosts, in a configuration of its own."""
        return ["-F", str(self.folder / "client.conf")]

    def log(self, name: str) -> str:
        """Return what a server has logged: ``targets`` or ``bastion``."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def inhabit(self, cloud: Emulator, machine: MachineRecord, address: str) -> None:
        """Give a machine on the emulator's books an address of a server, the port and the user to log in as."""
        nic = machine.nics[0]
        nic.ip = address
        machine.tags = {**machine.tags, "tritoncli.ssh.port": self.port}
        cloud.state.images[machine.image].tags = {"default_user": self.user}

    def command(self, folder: Path) -> Path:
        """Return a folder with an ``ssh`` that has these options, as one has whose configuration names keys and hosts."""
        path = folder / "bin" / "ssh"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {" ".join(self.options)} "$@"\n')
        path.chmod(0o755)
        return path.parent


def free_port() -> int:
    """Return a port that is free at every address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path) -> Iterator[Sshd]:
    """Run the servers; they are ready when this yields."""
    assert SSHD
    port = free_port()
    for name in ("host_key", "id_test"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True
        )
    (folder / "client.conf").write_text(CLIENT_CONFIG.format(folder=folder))
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    hosts = [BASTION, *TARGETS]
    (folder / "known_hosts").write_text("".join(f"[{host}]:{port} {host_key}\n" for host in hosts))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd wants to be locked up
    processes = []
    try:
        for name, addresses in (("targets", TARGETS), ("bastion", (BASTION,))):
            path = folder / f"{name}.conf"
            listen = "".join(f"ListenAddress {address}\n" for address in addresses)
            path.write_text(CONFIG.format(folder=folder, port=port) + listen)
            processes.append(subprocess.Popen([SSHD, "-D", "-E", str(folder / f"{name}.log"), "-f", str(path)]))
        for host in hosts:
            wait_for(host, port, processes)
        yield Sshd(folder, port)
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def wait_for(host: str, port: int, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until a server listens, or fail when one has ended."""
    pause = threading.Event()
    while all(process.poll() is None for process in processes):
        try:
            socket.create_connection((host, port), 5).close()
        except ConnectionRefusedError:
            pause.wait(0.01)
            continue
        return
    pytest.fail("sshd has ended")
