"""Write the machines of your data centres as an inventory for other tools: ``smartdc inventory``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from smartdc import Cloud, DataCenter, SmartDCError
from smartdc.bridges import ansible
from smartdc.bridges.hosts import Hosts, hosts_of
from smartdc.bridges.ssh_config import ssh_config
from smartdc.commands import command_line

__all__ = ["main", "options"]


def main(arguments: Sequence[str]) -> int:
    """Print the inventory and return the exit status: 1 when a data centre did not answer."""
    chosen = options().parse_args(arguments)
    if chosen.kind == "ansible" and chosen.plugins:
        _say(str(ansible.PLUGINS))
        return 0
    try:
        with _cloud(chosen) as cloud:
            hosts = hosts_of(cloud, user=chosen.user, proxy=chosen.proxy)
    except SmartDCError as refusal:
        _warn(str(refusal))
        return 1
    for name, reason in hosts.unreachable.items():
        _warn(f"{name} is left out: {reason}")
    for name, error in hosts.errors.items():
        _warn(f"{name} did not answer: {error}")
    if hosts.errors and not chosen.partial:
        _warn("wrote nothing, since some machines are missing; --partial writes the others")
        return 1
    return _write(hosts, chosen)


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    about = "Write the machines of one or several data centres as an inventory for other tools."
    parser = argparse.ArgumentParser(command_line("inventory"), description=about)
    kinds = parser.add_subparsers(dest="kind", required=True)
    common = _common_options()
    kind = kinds.add_parser(
        "ansible",
        parents=[common],
        help="JSON for Ansible",
        description="Write the JSON that Ansible expects from an inventory script.",
    )
    which = kind.add_mutually_exclusive_group()
    which.add_argument("--list", action="store_true", help="write all hosts and groups (the default)")
    which.add_argument("--host", metavar="NAME", help="write the variables of one host")
    which.add_argument("--plugins", action="store_true", help="only write the path of the inventory plugin's folder")
    kinds.add_parser(
        "ssh-config",
        parents=[common],
        help="OpenSSH's configuration",
        description="Write a Host section for each machine.",
    )
    return parser


def _common_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--profile",
        metavar="NAME",
        action="append",
        help="use this profile of the triton command, or env for the environment variables; it may be given several times",
    )
    where.add_argument(
        "--all-profiles", action="store_true", help="use every profile, and the environment variables if they are set"
    )
    parser.add_argument("--user", metavar="NAME", help="log in as NAME (default: the user of the image, or root)")
    parser.add_argument("--no-proxy", dest="proxy", action="store_false", help="ignore the tag tritoncli.ssh.proxy")
    parser.add_argument(
        "--partial", action="store_true", help="if a data centre does not answer, write the machines of the others"
    )
    return parser


def _cloud(chosen: argparse.Namespace) -> Cloud:
    if chosen.all_profiles or chosen.profile:
        return Cloud.from_profiles(chosen.profile)
    return Cloud({"": DataCenter()})


def _write(hosts: Hosts, chosen: argparse.Namespace) -> int:
    if chosen.kind == "ssh-config":
        _say(ssh_config(hosts.found).rstrip("\n"))
    elif chosen.host is None:
        _say(_json(ansible.marked(ansible.inventory(hosts.found))))
    else:
        found = [host for host in hosts.found if host.name == chosen.host]
        if not found:
            _warn(f"there is no host {chosen.host!r}")
            return 1
        _say(_json(ansible.marked(ansible.variables_of(found[0]))))
    return 0


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _say(text: str) -> None:
    print(text)  # noqa: T201 (a command prints)


def _warn(text: str) -> None:
    print(f"smartdc: {text}", file=sys.stderr)  # noqa: T201 (a command prints)
