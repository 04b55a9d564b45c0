"""The errors that scripts meet most, to the letter; each row names the file and line of the server that has the text."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from kits.emulator_signer import Asker
from smartdc.emulator import Emulator

pytest_plugins = ("kits.emulator_fixtures",)

NOBODY = "11111111-2222-4333-8444-555555555555"

NOT_FOUND = 404, "ResourceNotFound"
INVALID = 409, "InvalidArgument"
MISSING = 409, "MissingParameter"
FAILED = 409, "ValidationFailed"


class Row(NamedTuple):
    """Where the server has a message, what is asked, and what comes of it; ``{…}`` stands for the id of a thing."""

    source: str
    asked: str
    body: dict[str, Any] | None
    kind: tuple[int, str]
    message: str
    errors: str = ""
    """Field, code and message of the only entry of ``errors``."""


ROWS = [
    # Things that are not there
    Row("sdc-vmapi lib/interceptors.js:65", "GET machines/{nobody}", None, NOT_FOUND, "VM not found"),
    Row("sdc-imgapi lib/database.js:325", "GET images/{nobody}", None, NOT_FOUND, "image {nobody} not found"),
    Row("sdc-cloudapi lib/endpoints/networks.js:310", "GET networks/{nobody}", None, NOT_FOUND, "{nobody} not found"),
    Row("sdc-cloudapi lib/packages.js:273", "GET packages/huge", None, NOT_FOUND, "huge not found"),
    Row(
        "sdc-cloudapi lib/snapshots.js:227",
        "GET machines/{machine}/snapshots/x",
        None,
        NOT_FOUND,
        "Snapshot does not exist",
    ),
    Row("sdc-cloudapi lib/tags.js:224", "GET machines/{machine}/tags/x", None, NOT_FOUND, 'tag "x" not found'),
    Row(
        "sdc-vmapi lib/endpoints/metadata.js:100",
        "GET machines/{machine}/metadata/x",
        None,
        NOT_FOUND,
        'metadatum "x" not found',
    ),
    Row("sdc-cloudapi lib/nics.js:558", "GET machines/{machine}/nics/90b8d0000000", None, NOT_FOUND, "nic not found"),
    Row(
        "sdc-cloudapi lib/endpoints/disks.js:451",
        "GET machines/{machine}/disks/{nobody}",
        None,
        NOT_FOUND,
        "disk not found",
    ),
    Row("sdc-vmapi lib/apis/moray.js:1650", "GET migrations/{machine}", None, NOT_FOUND, "migration not found"),
    Row("sdc-napi lib/models/vlan.js:37", "GET fabrics/default/vlans/77", None, NOT_FOUND, "vlan not found"),
    Row(
        "sdc-napi lib/endpoints/networks/ips.js:90",
        "GET networks/{network}/ips/1.2.3.4",
        None,
        NOT_FOUND,
        "IP is not in subnet",
    ),
    Row("sdc-cloudapi lib/datacenters.js:30", "GET datacenters/x", None, NOT_FOUND, "x is not an available datacenter"),
    Row(
        "sdc-volapi lib/errors.js:58, behind sdc-cloudapi lib/endpoints/volumes.js:93",
        "GET volumes/{nobody}",
        None,
        (404, "VolumeNotFound"),
        "Error when getting volume: Volume with uuid {nobody} could not be found",
    ),
    # Creating machines
    Row("sdc-cloudapi lib/machines.js:1378", "POST machines", {}, MISSING, "image must be specified"),
    Row(
        "sdc-cloudapi lib/machines.js:1407", "POST machines", {"image": "{image}"}, MISSING, "package must be specified"
    ),
    Row(
        "sdc-cloudapi lib/machines.js:1404",
        "POST machines",
        {"image": "{image}", "package": "huge"},
        INVALID,
        "huge is not a valid package",
    ),
    Row(
        "sdc-cloudapi lib/machines.js:1703",
        "POST machines",
        {"image": "{image}", "package": "g1-small", "networks": [NOBODY]},
        INVALID,
        "Invalid Networks",
    ),
    Row(
        "sdc-cloudapi lib/machines.js:431",
        "POST machines",
        {"image": "{image}", "package": "g1-small", "brand": "xen"},
        INVALID,
        'Unknown brand "xen". Brand is restricted to one of ["bhyve","kvm"]',
    ),
    Row(
        "sdc-vmapi lib/common/validation.js:2550, behind sdc-cloudapi lib/machines.js:1948",
        "POST machines",
        {"image": "{image}", "package": "g1-small", "name": "web-1"},
        FAILED,
        "Invalid VM parameters: Invalid machine name",
        "alias Duplicate Already exists for this owner_uuid",
    ),
    # Actions on machines
    Row("sdc-cloudapi lib/machines.js:2734", "POST machines/{machine}", {}, MISSING, "action is required"),
    Row(
        "sdc-cloudapi lib/machines.js:2730",
        "POST machines/{machine}",
        {"action": "fly"},
        INVALID,
        "fly is not a valid action",
    ),
    Row(
        "sdc-cloudapi lib/machines.js:2282",
        "POST machines/{machine}?action=resize",
        {},
        MISSING,
        "package must be specified",
    ),
    Row(
        "sdc-cloudapi lib/machines.js:2383",
        "POST machines/{machine}?action=rename",
        {},
        MISSING,
        "New name must be specified",
    ),
    Row(
        "sdc-vmapi lib/common/validation.js:309,596",
        "POST machines/{machine}?action=rename",
        {"name": "a b"},
        FAILED,
        "Invalid VM update parameters",
        r"alias Invalid String does not match regexp: /^[a-zA-Z0-9][a-zA-Z0-9\_\.\-]*$/",
    ),
    Row(
        "sdc-cloudapi lib/migrations.js:202",
        "POST machines/{machine}/migrate",
        {},
        MISSING,
        '"action" must be specified',
    ),
    Row(
        "sdc-cloudapi lib/migrations.js:215",
        "POST machines/{machine}/migrate",
        {"action": "fly"},
        INVALID,
        "fly is not a valid migration action",
    ),
    Row("sdc-cloudapi lib/nics.js:119", "POST machines/{machine}/nics", {}, MISSING, "network must be specified"),
    Row(
        "sdc-cloudapi lib/nics.js:202",
        "POST machines/{machine}/nics",
        {"network": NOBODY},
        INVALID,
        "network not found",
    ),
    Row(
        "sdc-vmapi lib/endpoints/metadata.js:125, behind sdc-cloudapi lib/tags.js:64",
        "POST machines/{machine}/tags",
        {},
        FAILED,
        "error adding tags: Invalid tag parameters",
        "tags Invalid Invalid parameter",
    ),
    # Listing
    Row(
        "sdc-vmapi lib/errors.js:201", "GET machines/x", None, FAILED, "Invalid Parameters", "uuid Invalid Invalid UUID"
    ),
    Row(
        "sdc-vmapi lib/common/validation.js:2215",
        "GET machines?limit=1001",
        None,
        FAILED,
        "Invalid Parameters",
        "limit Invalid Not a valid number: number must be >= 1 and <= 1000",
    ),
    # Everything else that is created
    Row("sdc-cloudapi lib/keys.js:72", "POST keys", {}, MISSING, "key is a required argument"),
    Row("sdc-cloudapi lib/keys.js:89", "POST keys", {"key": "junk"}, INVALID, "key is invalid"),
    Row("sdc-cloudapi lib/rules.js:50", "POST fwrules", {}, MISSING, "rule is a required argument"),
    Row("sdc-cloudapi lib/datasets.js:459", "POST images", {}, MISSING, "machine is a required argument"),
    Row(
        "sdc-cloudapi lib/datasets.js:467",
        "POST images",
        {"machine": "{machine}", "name": "mine"},
        MISSING,
        "Image version is a required argument",
    ),
    Row(
        "sdc-cloudapi lib/users.js:125,143",
        "POST users",
        {"login": "bob", "password": "secret123"},
        MISSING,
        "Request is missing required parameters: email is required",
    ),
    Row(
        "sdc-cloudapi lib/policies.js:231,240",
        "POST policies",
        {},
        MISSING,
        "Request is missing required parameters: name is required, rules is required",
    ),
    Row(
        "sdc-cloudapi lib/validation/volumes.js:91",
        "POST volumes",
        {"type": "nfs"},
        INVALID,
        "Error: Invalid volume type: nfs. Volume type should be one of: tritonnfs",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.asked} {row.message}")
def test_message_is_the_servers(inside: Asker, cloud: Emulator, row: Row) -> None:
    """Status, code and text are what the named line of the server's source makes of it."""
    cloud.state.settings.volumes = cloud.state.settings.user_migrations = True
    [machine] = cloud.populate(1, name="web-1")
    image = cloud.state.image_named("base-64-lts")
    network = next(network for network in cloud.state.networks.values() if network.name == "external")
    assert image
    ids = {"{nobody}": NOBODY, "{machine}": machine.id, "{image}": image.id, "{network}": network.id}

    def fill(text: str) -> str:
        for name, id_ in ids.items():
            text = text.replace(name, id_)
        return text

    method, path = row.asked.split(" ")
    body = row.body and {name: fill(value) if isinstance(value, str) else value for name, value in row.body.items()}
    answer = inside(method, fill(f"/my/{path}"), json=body)
    said = answer.json()

    assert (answer.status_code, said["code"], said["message"]) == (*row.kind, fill(row.message))
    assert [" ".join(map(str, error.values())) for error in said.get("errors", ())] == [row.errors] * bool(row.errors)
