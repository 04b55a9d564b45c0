"""All the nouns: importing them puts their handlers on the routes."""

from . import (
    account,
    audit,
    datacenter,
    image,
    key,
    machine,
    machine_action,
    machine_create,
    metadata,
    network,
    package,
    redirect,
    service,
    snapshot,
    tag,
)

NOUNS = (
    account,
    audit,
    datacenter,
    image,
    key,
    machine,
    machine_action,
    machine_create,
    metadata,
    network,
    package,
    redirect,
    service,
    snapshot,
    tag,
)
