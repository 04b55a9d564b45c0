"""Machines as hosts in OpenSSH's configuration, for ``ssh``, ``scp``, ``rsync``, ``git`` and editors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smartdc.bridges.hosts import Host

__all__ = ["ssh_config"]


def ssh_config(hosts: Iterable[Host]) -> str:
    """Return a section for each host, so that its name is enough to connect."""
    return "\n".join("\n".join(_section(host)) + "\n" for host in hosts)


def _section(host: Host) -> Iterator[str]:
    target = host.target
    yield f"Host {host.name}"
    yield f"    HostName {target.address}"
    yield f"    User {target.user}"
    yield f"    Port {target.port}"
    if target.proxy:
        yield f"    ProxyJump {target.proxy.jump}"
