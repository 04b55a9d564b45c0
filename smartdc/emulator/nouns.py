"""All modules with handlers; importing this one registers the handlers on their routes."""

from smartdc.emulator.machine import action as machine_action
from smartdc.emulator.machine import audit, changefeed, disk, machine, metadata, migration, nic, snapshot, tag, vnc
from smartdc.emulator.machine import create as machine_create
from smartdc.emulator.pipeline import redirect
from smartdc.emulator.resources import (
    access_key,
    account,
    config,
    datacenter,
    firewall_rule,
    image,
    image_action,
    ip,
    key,
    network,
    package,
    policy,
    role,
    role_tag,
    service,
    user,
    vlan,
    volume,
)

NOUNS = (
    access_key,
    account,
    audit,
    changefeed,
    config,
    datacenter,
    disk,
    firewall_rule,
    image,
    image_action,
    ip,
    key,
    machine,
    machine_action,
    machine_create,
    metadata,
    migration,
    network,
    nic,
    package,
    policy,
    redirect,
    role,
    role_tag,
    service,
    snapshot,
    tag,
    user,
    vlan,
    vnc,
    volume,
)
"""The modules with handlers."""
