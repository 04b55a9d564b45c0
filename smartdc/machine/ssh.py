"""Log in to a machine, or run a command in it, with the OpenSSH of this computer."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from smartdc.core.resource import Resource
from smartdc.errors import ConfigError, InputError, ResourceNotFound, SmartDCError, WaitTimeout
from smartdc.machine.ssh_target import Target, find_target

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["HasSSH", "LookUps", "SSHError", "command_words", "run_ssh"]

CONNECTION = ("-o", "ControlMaster=no", "-o", "ControlPath=none")
"""Options as in ``triton ssh``: a shared connection may lose output."""

UNATTENDED = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15")
"""Options for a command that nobody watches: no questions, and a connection that is silent for 45 seconds is dead."""

OWN_FAILURE = 255
"""The exit status of ssh itself, when ssh fails and not the command."""

DEFAULT_TIMEOUT_SECONDS = 3600.0


class SSHError(SmartDCError):
    """OpenSSH could not connect or log in to a machine; the text has OpenSSH's own words."""


class LookUps:
    """Looks up images and machines that targets depend on, each of them once."""

    def __init__(self, datacenter: DataCenter) -> None:
        self.image_tags = cache(self._image_tags)
        self.machine_called = cache(self._machine_called)
        self._datacenter = datacenter

    def target(self, machine: Mapping[str, Any], *, user: str | None = None, proxy: bool = True) -> Target:
        """Return how ssh reaches a machine."""
        return find_target(
            machine, image_tags=self.image_tags, machine_called=self.machine_called, user=user, proxy=proxy
        )

    def _image_tags(self, image: str) -> Mapping[str, Any]:
        """Return the tags of an image; none if the image no longer exists."""
        try:
            return self._datacenter.image(image).get("tags") or {}
        except ResourceNotFound:
            return {}

    def _machine_called(self, name: str) -> Mapping[str, Any]:
        return self._datacenter.machine(name)


def command_words(target: Target, command: str | Sequence[str] | None, options: Sequence[str]) -> list[str]:
    """Return the words of a command line; no word after ``--`` is taken as an option."""
    jump = ("-o", f"ProxyJump={target.proxy.jump}") if target.proxy else ()
    # ssh takes the first value of an option, so that the caller's options override ours.
    words = ["ssh", *options, *CONNECTION, *jump, "-p", str(target.port), "-l", target.user, "--", target.address]
    return words if command is None else [*words, _remote(command)]


def run_ssh(
    name: str,
    words: Sequence[str],
    *,
    input: str | None = None,  # noqa: A002 (as subprocess has it)
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    started: Callable[[subprocess.Popen[str]], None] = lambda _: None,
) -> subprocess.CompletedProcess[str]:
    """Run a command in the machine called `name`, and return its output and status; raise `SSHError` if ssh fails.

    `started` is called with the process.
    """
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    pipes: dict[str, Any] = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        process = subprocess.Popen(words, encoding="utf-8", errors="replace", **pipes)  # noqa: S603 (words, and no shell)
    except FileNotFoundError:
        raise _no_ssh() from None
    with process:
        try:
            started(process)
            stdout, stderr = process.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise WaitTimeout(f"the command in {name} did not end within {timeout:g} s; it may go on there") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode == OWN_FAILURE:
        said = "; ".join(stderr.split("\n")).strip("; \r")
        raise SSHError(f"ssh to {name}: {said or 'it failed without a message'}")
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def _no_ssh() -> ConfigError:
    return ConfigError("there is no ssh on this computer: install OpenSSH's client")


def _remote(command: str | Sequence[str]) -> str:
    """Return a command for the machine's shell; a list of words is quoted for it."""
    line = command if isinstance(command, str) else shlex.join(command)
    if not line.strip():
        raise InputError("an empty command; leave it out to log in")
    return line


class HasSSH(Resource):
    """Mix-in for machines that people can log in to."""

    __slots__ = ()

    def ssh_command(
        self,
        command: str | Sequence[str] | None = None,
        *,
        user: str | None = None,
        proxy: bool = True,
        options: Sequence[str] = (),
    ) -> list[str]:
        """Return the words of the ssh command line that logs in to the machine, or runs a command there.

        ``shlex.join`` makes a line of them that can be pasted into a terminal.

        The rules are those of ``triton ssh``:

        - The address is the primary one, or the value of the tag ``tritoncli.ssh.ip``.
        - The port is 22, or the value of the tag ``tritoncli.ssh.port``.
        - The user is the argument `user`, or the value of the image's tag ``default_user``, or root.
        - The tag ``tritoncli.ssh.proxy`` names a machine to connect through, unless `proxy` is False; that machine's
          tag ``tritoncli.ssh.proxyuser`` names the user there.

        Args:
            command: a line for the machine's shell, or a list of words, which are quoted for it.
            user: the user to log in as.
            proxy: whether to connect through another machine if a tag says so.
            options: further options of ssh, such as ``["-i", "~/.ssh/id_work"]``.

        The image, and the machine to connect through, are looked up: ``GetImage``, ``GetMachine``, ``ListMachines``.
        Raises `InputError` if the machine has no address, or if one of these tags is invalid.
        """
        target = LookUps(self.datacenter).target(self, user=user, proxy=proxy)
        return command_words(target, command, options)

    def ssh(
        self,
        command: str | Sequence[str] | None = None,
        *,
        user: str | None = None,
        proxy: bool = True,
        options: Sequence[str] = (),
        input: str | None = None,  # noqa: A002 (as subprocess has it)
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Log in to the machine, or run a command there, with OpenSSH; the arguments are those of `ssh_command`.

        Without a command, it opens a session at this terminal, and returns when the session ends. With a command, it
        returns ``stdout``, ``stderr`` and ``returncode``; a command that fails raises no exception. ssh then asks no
        questions: the host's key must be known, and the login key must be in an agent or have no passphrase.

        Args:
            input: the command's standard input; empty by default.
            timeout: the maximum time of the command in seconds; None for no limit.

        Raises `SSHError` with ssh's own words if ssh could not connect or log in.
        """
        if command is not None:
            words = self.ssh_command(command, user=user, proxy=proxy, options=[*options, *UNATTENDED])
            return run_ssh(str(self.get("name")), words, input=input, timeout=timeout)
        words = self.ssh_command(user=user, proxy=proxy, options=options)
        try:
            return subprocess.run(words, text=True, check=False)  # noqa: S603 (words, and no shell)
        except FileNotFoundError:
            raise _no_ssh() from None
