"""A machine's tags: changes are jobs, and answers to them are predictions."""

import re
from typing import Any

from .call import Call
from .machine import MACHINE
from .records import Machine
from .reply import ApiError, Reply, not_found, validation_failed
from .router import operation

TAGS = f"{MACHINE}/tags"
TAG = f"{MACHINE}/tags/:tag"

SKIPPED = frozenset({"account", "machine", "uuid", "owner_uuid", "context", "image"})
"""Names that CloudAPI takes for parameters of its own and drops without a word."""

TRITON: dict[str, type | tuple[type, ...]] = {
    "triton.cmon.groups": str,
    "triton.cns.services": str,
    "triton.cns.disable": bool,
    "triton.cns.reverse_ptr": str,
    "triton.network.public": str,
    "triton.network.public_ipv4": str,
    "triton.placement.exclude_virtual_servers": bool,
    "triton._test.string": str,
    "triton._test.number": (int, float),
    "triton._test.boolean": bool,
}
"""The tags with a meaning, and what their values are; no other name may begin with ``triton.``."""

_GROUPS = 100
_DNS = re.compile(r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?",
                  re.IGNORECASE)  # fmt: skip


@operation("ListMachineTags", "GET", TAGS, head="HeadmachineTags")
def list_tags(call: Call) -> Reply:
    """Return all tags with their types."""
    return Reply(200, call.machine.tags)


@operation("GetMachineTag", "GET", TAG, head="HeadMachineTag")
def get_tag(call: Call) -> Reply:
    """Return one tag as text; a number or a boolean comes out empty."""
    value = _require(call)
    return Reply(200, value if isinstance(value, str) else "")


@operation("AddMachineTags", "POST", TAGS)
def add_tags(call: Call) -> Reply:
    """Merge the parameters into the tags; the answer shows what they will be."""
    given = _given(call, "error adding tags: Invalid tag parameters")
    job = call.queue("set_tags", lambda machine: machine.tags.update(given))
    return Reply(200, {**call.machine.tags, **given}, {"x-job-uuid": job.id})


@operation("ReplaceMachineTags", "PUT", TAGS)
def replace_tags(call: Call) -> Reply:
    """Put the parameters in the place of all tags; the answer shows just them."""
    message = "error replacing tags: Invalid tag parameters"
    given = _given(call, message)
    _check_lost(call, message, set(call.machine.tags) - set(given))
    job = call.queue("replace_tags", lambda machine: _replace(machine, given))
    return Reply(200, given, {"x-job-uuid": job.id})


@operation("DeleteMachineTag", "DELETE", TAG)
def delete_tag(call: Call) -> Reply:
    """Delete one tag."""
    _require(call)
    key = call.text("tag")
    _check_lost(call, "error deleting tag: Invalid tag parameters", {key})
    call.queue("remove_tags", lambda machine: _forget(machine, key))
    return Reply(204)


@operation("DeleteMachineTags", "DELETE", TAGS)
def delete_all_tags(call: Call) -> Reply:
    """Delete all tags; it is no error when there are none."""
    _check_lost(call, "error deleting all tags: Invalid tag parameters", set(call.machine.tags))
    call.queue("replace_tags", lambda machine: _replace(machine, {}))
    return Reply(204)


def check_tags(tags: dict[str, Any], message: str) -> None:
    """Refuse tags with a wrong type or a reserved name: 409 ValidationFailed."""
    for key, value in tags.items():
        if reason := _objection(key, value):
            raise _invalid(message, reason)


def _objection(key: str, value: object) -> str | None:
    if not isinstance(value, str | int | float | bool):
        return "Forbidden Data Type"
    if _is_docker(key):
        return f"Special tags not supported: {key}"
    if not key.startswith("triton."):
        return None
    if key not in TRITON:
        return f'Unrecognized special triton tag "{key}"'
    kinds = TRITON[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        return f'Triton tag "{key}" has a value of the wrong type: {value!r}'
    return _form_objection(key, value)


def _form_objection(key: str, value: object) -> str | None:
    if key == "triton.cmon.groups":
        groups = [group.strip() for group in str(value).split(",")]
        sizes_fit = all(1 <= len(group) <= _GROUPS for group in groups)
        if not sizes_fit or len(groups) > _GROUPS or len(set(groups)) < len(groups):
            return f'Triton tag "{key}" must be up to {_GROUPS} different groups of 1 to {_GROUPS} characters'
    if key == "triton.cns.reverse_ptr" and not _DNS.fullmatch(str(value)):
        return f'Triton tag "{key}" must be a DNS name'
    return None


def _given(call: Call, message: str) -> dict[str, Any]:
    given = {key: value for key, value in call.params.items() if key not in SKIPPED}
    if not given:
        raise _invalid(message, "At least one tag must be provided")
    check_tags(given, message)
    return given


def _require(call: Call) -> Any:
    key = call.text("tag")
    if key not in call.machine.tags:
        raise not_found(f'tag "{key}" not found')
    return call.machine.tags[key]


def _check_lost(call: Call, message: str, lost: set[str]) -> None:
    """Refuse to drop a tag that belongs to Docker."""
    reserved = sorted(key for key in lost if _is_docker(key) and key in call.machine.tags)
    if reserved:
        raise _invalid(message, f"Special tags not supported: {', '.join(reserved)}")


def _is_docker(key: str) -> bool:
    return key == "sdc_docker" or key.startswith("docker:label:")


def _replace(machine: Machine, tags: dict[str, Any]) -> None:
    machine.tags = dict(tags)


def _forget(machine: Machine, key: str) -> None:
    machine.tags.pop(key, None)


def _invalid(message: str, reason: str) -> ApiError:
    return validation_failed(message, "tags", "Invalid", reason)
