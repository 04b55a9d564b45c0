"""A machine's tags: changes are jobs, and their answers are predictions."""

import re
from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, not_found, validation_failed
from smartdc.emulator.grammar.triton_tags import objection_to
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.machine.metadata import check_metadata
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import MachineRecord

TAGS = f"{MACHINE}/tags"
TAG = f"{MACHINE}/tags/:tag"

SKIPPED = frozenset({"account", "machine", "uuid", "owner_uuid", "context", "image"})
"""Names that CloudAPI takes for its own parameters and silently drops."""

_DOCKER = re.compile(r"sdc_docker$|docker:label:(triton|(com|io|org)\.docker(project)?)\.")
"""The tags reserved for Docker's service."""


@operation("ListMachineTags", "GET", TAGS, head="HeadmachineTags")
def list_tags(call: Call) -> Reply:
    """Return all tags with their types."""
    return Reply(200, call.machine.tags)


@operation("GetMachineTag", "GET", TAG, head="HeadMachineTag")
def get_tag(call: Call) -> Reply:
    """Return one tag as a string; numbers and booleans are empty."""
    value = _require(call)
    return Reply(200, value if isinstance(value, str) else "")


@operation("AddMachineTags", "POST", TAGS)
def add_tags(call: Call) -> Reply:
    """Merge the parameters into the tags; the answer predicts the result."""
    given = _given(call, "error adding tags: Invalid tag parameters")
    job = call.queue("set_tags", lambda machine: machine.tags.update(given))
    return Reply(200, {**call.machine.tags, **given}, {"x-job-uuid": job.id})


@operation("ReplaceMachineTags", "PUT", TAGS)
def replace_tags(call: Call) -> Reply:
    """Replace all tags by the parameters, which are the answer."""
    message = "error replacing tags: Invalid tag parameters"
    given = _given(call, message)
    lost = [key for key in call.machine.tags if key not in given]
    _check_lost(message, lost)
    job = call.queue("replace_tags" if lost else "set_tags", lambda machine: _replace(machine, lost, given))
    return Reply(200, given, {"x-job-uuid": job.id})


@operation("DeleteMachineTag", "DELETE", TAG)
def delete_tag(call: Call) -> Reply:
    """Delete one tag."""
    _require(call)
    key = call.text("tag")
    _check_lost("error deleting tag: Invalid tag parameters", [key])
    call.queue("remove_tags", lambda machine: _forget(machine, key))
    return Reply(204)


@operation("DeleteMachineTags", "DELETE", TAGS)
def delete_all_tags(call: Call) -> Reply:
    """Delete all tags; it is no error if there are none."""
    gone = list(call.machine.tags)
    _check_lost("error deleting all tags: Invalid tag parameters", gone)
    call.queue("remove_tags", lambda machine: _forget(machine, *gone))
    return Reply(204)


def check_triton(tags: dict[str, Any], message: str) -> None:
    """Refuse invalid ``triton.`` tags: 409 ValidationFailed."""
    for key, value in tags.items():
        if key.startswith("triton.") and (reason := objection_to(key, value)):
            raise _invalid(message, reason)


def _given(call: Call, message: str) -> dict[str, Any]:
    given = {key: value for key, value in call.params.items() if key not in SKIPPED}
    if not given:
        raise _invalid(message, "Invalid parameter")
    check_metadata(given, message, "tags")
    check_triton(given, message)
    if reserved := next(filter(_DOCKER.match, given), None):
        raise _invalid(message, f'Special tag "{reserved}" not supported')
    return given


def _require(call: Call) -> Any:
    key = call.text("tag")
    if key not in call.machine.tags:
        raise not_found(f'tag "{key}" not found')
    return call.machine.tags[key]


def _check_lost(message: str, lost: list[str]) -> None:
    """Refuse to delete a tag that is reserved for Docker."""
    if reserved := next(filter(_DOCKER.match, lost), None):
        raise _invalid(message, f'Special tag "{reserved}" may not be deleted')


def _replace(machine: MachineRecord, lost: list[str], given: dict[str, Any]) -> None:
    _forget(machine, *lost)
    machine.tags.update(given)


def _forget(machine: MachineRecord, *keys: str) -> None:
    for key in keys:
        machine.tags.pop(key, None)


def _invalid(message: str, reason: str) -> ApiError:
    return validation_failed(message, "tags", "Invalid", reason)
